"""``monitor simulate``: files, truth, seeds, and what cannot be written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitor.simulate.scenarios import SCENARIOS
from tests.cli.program import monitor

SHORT = ("--for", "5m", "--rate", "20", "--start", "2026-11-22T09:00+08:00")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ids(path: str) -> list[str]:
    return [json.loads(line)["id"] for line in Path(path).read_text().splitlines()]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_comes_with_its_truth(scenario: str) -> None:
    done = monitor("simulate", "-s", scenario, "--to", "file:out/x.jsonl", *SHORT)
    assert (done.status, done.out) == (0, "")
    truth = json.loads(Path("out/x.truth.json").read_text())
    assert truth["scenario"] == scenario
    assert (truth["start"], truth["end"]) == ("2026-11-22T01:00:00Z", "2026-11-22T01:05:00Z")
    found = ids("out/x.jsonl")
    events = sum(truth["events"].values())
    assert len(found) == events + truth["duplicates"]
    assert len(set(found)) == events
    assert done.err == (
        f"{events:,} events, {truth['duplicates']:,} copies, {truth['late']:,} late;"
        " truth in out/x.truth.json\n"
    )


def test_a_folder_has_a_file_for_each_topic() -> None:
    assert monitor("simulate", "-s", "normal-day", "--to", "file:day", *SHORT).status == 0
    assert sorted(path.name for path in Path("day").iterdir()) == [
        "calls.jsonl",
        "crm.jsonl",
        "sms.jsonl",
        "truth.json",
    ]


def test_the_same_seed_and_start_give_the_same_bytes_another_seed_others() -> None:
    def made(*options: str) -> bytes:
        to = ("simulate", "-s", "bad-agent", "--to", "file:x.jsonl")
        assert monitor(*to, *SHORT, *options).status == 0
        return Path("x.jsonl").read_bytes()

    first = made()
    assert made("--seed", "1") == first
    assert made("--seed", "2") != first
    assert made("--numbers", "40") != first


def test_two_starts_share_no_ids() -> None:
    """So that two runs into one topic are not taken for copies of each other."""
    for name, start in (("a", "2026-11-22T09:00"), ("b", "2026-11-22T10:00")):
        to = ("--to", f"file:{name}.jsonl", *SHORT[:4], "--start", start)
        assert monitor("simulate", "-s", "normal-day", *to).status == 0
    assert not set(ids("a.jsonl")) & set(ids("b.jsonl"))


def test_by_default_it_ends_now(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = 1_795_309_200_000
    monkeypatch.setattr("monitor.clock.SystemClock.now_ms", lambda _: now_ms)
    assert monitor("simulate", "-s", "demo", "--to", "file:x.jsonl", *SHORT[:4]).status == 0
    assert json.loads(Path("x.truth.json").read_text())["end"] == "2026-11-22T01:00:00Z"


def test_a_bar_on_a_terminal_alone() -> None:
    command = ("simulate", "-s", "demo", "--to", "file:x.jsonl", *SHORT)
    assert len(monitor(*command).err.splitlines()) == 1
    assert re.search(r"demo.*events", monitor(*command, columns=80).err, re.DOTALL)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("x.jsonl", "--to x.jsonl: write file:F.jsonl, file:FOLDER, kafka or kafka:host:port"),
        ("file:", "--to file:: write file:F.jsonl"),
        ("ftp:x", "--to ftp:x: write file:F.jsonl"),
        ("kafka", "--to kafka: the configuration's source is not Kafka"),
        ("kafka:nonsense", "--to kafka:nonsense: write kafka:host:port"),
        ("file:taken/x.jsonl", "taken cannot be written: File exists"),
        ("file:/proc/x.jsonl", "/proc/x.jsonl cannot be written: "),
    ],
)
def test_where_it_cannot_go(to: str, said: str) -> None:
    Path("taken").touch()
    done = monitor("simulate", "-s", "demo", "--to", to, *SHORT)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"monitor: {said}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--rate 2000000", "rate must be above 0 and at most 1000000"),
        ("--numbers 2000000", "numbers 1 to 1000000"),
        ("--for 500ms", "the duration a second or more"),
    ],
)
def test_figures_that_do_not_fit(options: str, said: str) -> None:
    done = monitor("simulate", "-s", "demo", "--to", "file:x.jsonl", *options.split())
    assert done.status == 2
    assert said in done.err
    assert not Path("x.jsonl").exists()
