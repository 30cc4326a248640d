"""``monitor backtest``: recorded events, a report on a terminal, as JSON and as a file."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from monitor.archive.settings import ArchiveSettings
from monitor.archive.writer import Archiver
from monitor.clock import SystemClock
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from monitor.stats import Stats
from tests.cli.program import monitor


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a configuration: the shipped pack."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def told(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report on twenty minutes, with what was planted; and the file beside it."""
    page = tmp_path_factory.mktemp("page") / "report.html"
    truth = recorded.with_suffix(".truth.json")
    options = ("--labels", truth, "--zone", "Asia/Shanghai", "--language", "zh")
    done = monitor("backtest", "--from", recorded, *options, "--html", page, "--json")
    assert done.status == 0, done.err
    assert re.search(r"[\d,]+ events, \d+ duplicates, .* events/s", done.err)
    return {"report": done.json, "page": page.read_text(encoding="utf-8")}


def test_it_says_what_a_replay_decides(told: dict[str, Any], decided: list[dict[str, Any]]) -> None:
    report = told["report"]
    began = {line["episode"] for line in decided if line["kind"] == "alert"}
    total = report["total"]
    assert total["alerts"] + total["shadow_alerts"] == len(began) == len(report["episodes"])
    rested = [line for line in decided if line.get("action") == "suspend"]
    assert report["total"]["suspensions"] == len(rested) > 0
    assert Counter(each["number"] for each in report["outages"]) == Counter(
        line["number"] for line in rested
    )
    refused = [line for line in decided if line["kind"] == "refusal"]
    assert report["total"]["refused"] == len(refused)
    assert report["total"]["pages"] == sum(not line["shadow"] for line in decided)


def test_planted_numbers_are_found(told: dict[str, Any]) -> None:
    cases = told["report"]["cases"]
    assert cases
    assert all(case["scope"].keys() <= {"number", "agent", "campaign"} for case in cases)
    found = [case for case in cases if case["outcome"] == "found"]
    assert found
    assert all(0 < case["after_s"] <= 1200 for case in found)


def test_the_file(told: dict[str, Any]) -> None:
    assert told["page"].startswith('<!DOCTYPE html>\n<html lang="zh">')
    assert "Asia/Shanghai" in told["page"]


@pytest.mark.usefixtures("nowhere")
def test_for_people_and_within_a_range(recorded: Path) -> None:
    done = monitor(
        "backtest", "--from", recorded, "--zone", "UTC",
        "--since", "2026-11-22T01:05Z", "--until", "2026-11-22T01:19:50Z", columns=120,
    )  # fmt: skip
    assert done.status == 0, done.err
    assert "2026-11-22 01:05 to 2026-11-22 01:19 (UTC" in done.out
    assert "Rules" in done.out
    assert "Stayed quiet: agent-autolog" in done.out
    assert "Pages by route" in done.out
    assert "back-testing" in done.err, "a bar"


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give --from FILE"),
        (("--from", "none.jsonl"), "none.jsonl"),
        (("--kafka",), "not Kafka"),
        (("--from", "{}", "--zone", "Nowhere"), "no such zone"),
        (("--from", "{}", "--since", "2026-11-22", "--until", "2026-11-21"), "not after --since"),
        (("--from", "{}", "--since", "2030-11-22"), "no event lies between"),
        (("--from", "{}", "--html", "/no/such/folder.html"), "cannot be written"),
    ],
)
def test_wrong_usage(recorded: Path, options: tuple[str, ...], said: str) -> None:
    few = Path("few.jsonl")
    with recorded.open(encoding="utf-8") as file:
        few.write_text("".join(next(file) for _ in range(50)), encoding="utf-8")
    done = monitor("backtest", *(each.replace("{}", str(few)) for each in options))
    assert done.status == 2
    assert said in done.err


@pytest.mark.usefixtures("nowhere")
def test_a_file_without_events() -> None:
    Path("empty.jsonl").write_text("\n", encoding="utf-8")
    done = monitor("backtest", "--from", "empty.jsonl")
    assert (done.status, done.err) == (2, "monitor: there is no event in what was read\n")


@pytest.mark.usefixtures("nowhere")
def test_labels_that_are_wrong(recorded: Path) -> None:
    Path("labels.csv").write_text("number,from\n+861,soon\n", encoding="utf-8")
    done = monitor("backtest", "--from", recorded, "--labels", "labels.csv")
    assert done.status == 2
    assert "labels.csv:2:1: from: a time is needed" in done.err
    assert json.dumps(done.out) == '""'


@pytest.mark.usefixtures("nowhere")
def test_from_an_archive(recorded: Path, decided: list[dict[str, Any]]) -> None:
    """All commands that read recorded events take its folder, with a range by broker time."""
    settings = ArchiveSettings(path=Path("archive"))
    source = FilesSettings(kind="files", paths=(str(recorded),))
    Archiver(settings, lambda: FileSource(source), SystemClock(), Stats()).write_all()
    assert monitor("replay", "--from", "archive").lines == decided
    done = monitor("backtest", "--from", "archive", "--since", "2026-11-22T09:19+08:00", "--json")
    assert done.status == 0, done.err
    assert done.json["from"] == "2026-11-22T01:19:00Z"
    alert = next(line["id"] for line in decided if line.get("rule") == "number-hangup")
    assert monitor("explain", alert, "--from", "archive").status == 0
    both = monitor("replay", "--from", "archive", "--from", recorded)
    assert (both.status, both.err) == (2, "monitor: --from archive: an archive stands alone\n")
    Path("c.yaml").write_text("version: 1\nsource: {kind: archive, path: archive}\n")
    assert monitor("explain", "-c", "c.yaml", "0000", "--from", "archive").status == 2
