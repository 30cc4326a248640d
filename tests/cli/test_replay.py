"""``monitor replay``: recorded events, from files, with figures along the way and a journal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from monitor.store.store import Recording
from tests.cli.conftest import Left
from tests.cli.program import monitor
from tests.daemon.folder import Folder

Decided = list[dict[str, Any]]


def replay(*arguments: str | Path) -> list[dict[str, Any]]:
    done = monitor("replay", "--format", "json", *arguments)
    assert done.status == 0, done.err
    return done.lines


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a configuration: the shipped pack."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("nowhere")
def test_decisions_come_in_order_with_a_summary_aside(recorded: Path, decided: Decided) -> None:
    done = monitor("replay", "--from", recorded)
    assert done.status == 0
    lines = done.lines
    assert {"alert", "command"} <= {line["kind"] for line in lines}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert re.fullmatch(
        r"[\d,]+ events, \d+ duplicates, \d+ late, \d+ ticks in \d+(\.\d)? s\n", done.err
    )
    assert decided == lines, "the same again"


@pytest.mark.usefixtures("nowhere")
def test_planted_numbers_are_found_and_no_others(recorded: Path, decided: Decided) -> None:
    truth = json.loads(recorded.with_suffix(".truth.json").read_text())
    suspended = [line["number"] for line in decided if "action" in line]
    assert suspended
    assert set(suspended) <= set(truth["should_suspend"])


@pytest.mark.usefixtures("nowhere")
def test_for_people(recorded: Path) -> None:
    done = monitor("replay", "--from", recorded, "--format", "table")
    assert done.status == 0
    assert all(
        re.match(r"(\d{4}-)?\d\d-\d\d \d\d:\d\d(:\d\d)?  [●○■▶▲] ", line)
        for line in done.out.splitlines()
    )
    shown = monitor("replay", "--from", recorded, columns=100)
    assert "■ " in shown.out + shown.err, "people's lines are what a terminal gets"
    assert "replaying" not in done.err, "a bar is for a terminal"


@pytest.mark.usefixtures("nowhere")
def test_a_bar_leaves_what_is_piped_alone(recorded: Path, decided: Decided) -> None:
    """``monitor replay … | jq`` typed at a terminal: the bar is there, the lines in the pipe."""
    shown = monitor("replay", "--from", recorded, columns=40, piped=True)
    assert shown.lines == decided
    assert "replaying" in shown.err
    assert '"kind"' not in shown.err


@pytest.mark.usefixtures("nowhere")
def test_figures_at_the_end(recorded: Path, decided: Decided) -> None:
    lines = replay("--from", recorded, "--indicators")
    figures = [line for line in lines if line["kind"] == "indicator"]
    assert {tuple(sorted(line)) for line in figures} == {
        ("at", "hits", "indicator", "kind", "of", "scope", "value", "window")
    }
    assert len({line["at"] for line in figures}) == 1
    assert [line for line in lines if line["kind"] != "indicator"] == decided
    for line in figures:
        if line["of"] and line["value"] is not None and line["indicator"] == "hangup_rate":
            assert line["value"] == pytest.approx(line["hits"] / line["of"], abs=1e-6)


@pytest.mark.parametrize("every", [35, 60, 600])
def test_figures_along_the_way_stand_at_multiples(
    folder: Folder, recorded: Path, every: int
) -> None:
    folder.write(time={"tick": "5s"})
    lines = replay("--from", recorded, "--indicators-every", f"{every}s")
    at = sorted({seconds(line["at"]) for line in lines if line["kind"] == "indicator"})
    assert len(at) > 1200 // every - 2
    assert all(moment % every == 0 for moment in at)
    assert all(later - earlier == every for earlier, later in pairwise(at))
    decisions = [line for line in lines if line["kind"] != "indicator"]
    assert decisions == replay("--from", recorded), "looking changes nothing"


def test_figures_of_both_kinds_are_written_once(folder: Folder) -> None:
    folder.call("+862150000002", count=4, time=1_795_309_200_000)
    lines = replay("--from", folder.events, "--indicators-every", "200ms", "--indicators")
    keys = [(line["at"], line["indicator"], str(line["scope"]), line["window"]) for line in lines]
    assert keys
    assert len(keys) == len(set(keys))


def test_customers_are_masked_unless_they_are_asked_for(folder: Folder) -> None:
    """Alone or in a pair, telephone numbers and other ids."""
    other = folder.root / "other"
    other.mkdir()
    (other / "indicators.yaml").write_text(
        "version: 1\nindicators:\n  - {id: calls, kind: count, value: {count: call.ended},"
        " by: [customer, [number, customer]], windows: [1h]}\n"
    )
    folder.call("+862150000002", customer="+8613912345678")
    folder.call("+862150000002", customer="c-1")
    given = ("--from", folder.events, "--rules", "other", "--indicators")
    for more, shown in (((), "+8613…78"), (("--customers",), "+8613912345678")):
        for form in ("json", "table"):
            out = monitor("replay", *given, *more, "--format", form).out
            assert out.count(shown) == 2
            assert out.count("c-1") == (2 if more else 0)
            assert more or "12345678" not in out


def test_figures_in_a_quiet_stretch_are_as_of_their_time(folder: Folder) -> None:
    """Nothing happens between 9:00:03 and 9:30: the figures of each minute still come.

    ``hangups`` by number over 10 s and 1 m: 4 of 4 at 9:00:10, gone from 10 s at 9:00:20.
    """
    start = int(datetime(2026, 11, 22, 9, tzinfo=UTC).timestamp() * 1000)
    folder.call("+862150000002", bad=True, count=4, time=start + 3_000, campaign="c")
    folder.call("+862150000003", time=start + 1_800_000, campaign="c")
    lines = replay("--from", folder.events, "--indicators-every", "20s")
    windows = {
        (line["at"][11:19], line["window"]): line["hits"]
        for line in lines
        if line["kind"] == "indicator" and line["scope"] == {"number": "+862150000002"}
    }
    assert windows == {("09:00:20", "1m"): 4, ("09:00:40", "1m"): 4, ("09:01:00", "1m"): 4}


@pytest.mark.parametrize(("every", "near"), [("7s", "5s"), ("13s", "15s"), ("1s", "5s")])
@pytest.mark.usefixtures("nowhere")
def test_figures_between_ticks_there_are_none(recorded: Path, every: str, near: str) -> None:
    done = monitor("replay", "--from", recorded, "--indicators-every", every)
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"monitor: --indicators-every {every} is not a multiple of the tick, 5s: {near} is\n"
    )


@pytest.mark.usefixtures("nowhere")
def test_several_files_and_patterns_are_one_log(recorded: Path, tmp_path: Path) -> None:
    lines = recorded.read_bytes().splitlines(keepends=True)
    half = len(lines) // 2
    (tmp_path / "day-1.jsonl").write_bytes(b"".join(lines[:half]))
    (tmp_path / "day-2.jsonl").write_bytes(b"".join(lines[half:]))
    both = replay("--from", "day-1.jsonl", "--from", "day-2.jsonl")
    assert both == replay("--from", "day-*.jsonl")
    assert [line for line in both if "action" in line]


def test_other_rules(folder: Folder, recorded: Path) -> None:
    folder.write()
    ours = replay("--from", recorded)
    assert {line["rule"] for line in ours} <= {"flagged", "hangup", "team"}
    other = folder.root / "other"
    other.mkdir()
    for name in ("indicators.yaml", "rules.yaml"):
        text = (folder.pack / name).read_text(encoding="utf-8")
        (other / name).write_text(text.replace("id: team", "id: team-too"), encoding="utf-8")
    rules = {line["rule"] for line in replay("--from", recorded, "--rules", "other")}
    assert "team" not in rules


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "give --from FILE (one or several), or --kafka"),
        ("--from x.jsonl --kafka", "give --from FILE (one or several), or --kafka"),
        ("--from nope.jsonl", "nope.jsonl cannot be read: No such file or directory"),
        ("--from x.jsonl --since 2026-11-22", "--since and --until are for --kafka"),
        ("--kafka", "the configuration's source is not Kafka"),
        (
            "--kafka --since 2026-11-22 --until 2026-11-22",
            "--until is not after --since: nothing lies between them",
        ),
        ("--from x.jsonl --journal nope.db", "store nope.db: there is none"),
        ("--from x.jsonl --journal junk.db", "store junk.db: "),
        ("--from x.jsonl --journal store", "has judged nothing yet"),
    ],
)
@pytest.mark.usefixtures("left")
def test_what_does_not_go_together_is_said(folder: Folder, arguments: str, said: str) -> None:
    (folder.root / "x.jsonl").touch()
    (folder.root / "junk.db").write_bytes(b"no database at all" * 100)
    done = monitor("replay", *arguments.split())
    assert (done.status, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_an_empty_log_decides_nothing(folder: Folder) -> None:
    folder.events.touch()
    done = monitor("replay", "--from", folder.events, "--indicators", "--indicators-every", "1m")
    assert (done.status, done.out) == (0, "")
    assert done.err.startswith("0 events, 0 duplicates, 0 late, 0 ticks")
    assert done.err.endswith("no data of: hangups\n")


def test_lines_that_are_none_are_counted_by_reason(folder: Folder) -> None:
    folder.call("+862150000001")
    with folder.events.open("a", encoding="utf-8") as file:
        file.write("not json\n")
    done = monitor("replay", "--from", folder.events)
    assert done.status == 0
    assert re.search(r"1 events, .*; refused: 1 \w+", done.err)


def test_the_journal_of_the_configured_store(folder: Folder, left: Left) -> None:
    """What is judged goes as far as the journal did, beyond the last event."""
    folder.call("+862150000001", time=1_795_309_200_000)
    with left.open() as store:
        store.record(Recording(judged_to_ms=1_795_309_800_000))
    for journal in ("store", str(folder.store)):
        lines = replay("--from", folder.events, "--journal", journal, "--indicators-every", "5m")
        assert lines == [], "five minutes later the windows are empty"
    plain = monitor("replay", "--from", folder.events).err
    with_it = monitor("replay", "--from", folder.events, "--journal", "store").err
    assert plain != with_it
