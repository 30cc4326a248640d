"""``monitor map``: events out, dead letters with both lines, and the check of mappings."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.program import monitor
from tests.docs.markdown import ROOT

FIXTURES = ROOT / "tests" / "fixtures" / "mappings"
CDR = FIXTURES / "asterisk-cdr" / "calls.jsonl"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_records_become_events() -> None:
    done = monitor("map", "asterisk-cdr", CDR, "--set", "zone=Asia/Shanghai")
    assert done.status == 1
    assert [event["outcome"] for event in done.lines] == [
        "answered", "no_answer", "failed", "answered"
    ]  # fmt: skip
    assert done.lines[0]["time"] == 1_795_571_524_000
    assert "9 records: 4 events, 2 without, 3 dead letters" in done.err
    assert f"{CDR}:6: out_of_range: outcome of call.ended is none" in done.err
    assert "asterisk-cdr.yaml:36)" in done.err


def test_dead_letters_go_where_they_are_sent(tmp_path: Path) -> None:
    done = monitor("map", "asterisk-cdr", CDR, "--dead-letters", "dead.jsonl")
    assert "out_of_range" not in done.err
    letters = [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines()]
    assert [letter["line"] for letter in letters] == [6, 7, 8]
    assert letters[0]["mapping"] == "asterisk-cdr"
    assert letters[0]["at"].endswith("asterisk-cdr.yaml:36")
    assert letters[0]["detail"].startswith("mapping asterisk-cdr, line 36: ")
    assert base64.b64decode(letters[0]["value"]) == CDR.read_bytes().splitlines()[5]


def test_what_is_good_ends_with_zero(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_bytes(b"\n" + CDR.read_bytes().splitlines()[0] + b"\n\n")
    done = monitor("map", "asterisk-cdr", "good.jsonl")
    assert (done.status, len(done.lines)) == (0, 1)
    assert "1 record: 1 event, 0 without, 0 dead letters" in done.err


def test_a_document_is_read_as_well_as_lines(tmp_path: Path) -> None:
    page = FIXTURES / "twilio-calls" / "page.json"
    assert len(monitor("map", "twilio-calls", page).lines) == 5
    calls = json.loads(page.read_text())["call_summaries"]
    (tmp_path / "list.json").write_text(json.dumps(calls, indent=1))
    assert len(monitor("map", "twilio-calls", "list.json").lines) == 5
    (tmp_path / "one.json").write_text(json.dumps(calls))
    assert len(monitor("map", "twilio-calls", "one.json").lines) == 5


def test_a_bad_line_is_a_dead_letter_and_the_next_is_read(tmp_path: Path) -> None:
    good = CDR.read_bytes().splitlines()[0]
    (tmp_path / "mixed.jsonl").write_bytes(b"oops\n" + good + b"\n")
    done = monitor("map", "asterisk-cdr", "mixed.jsonl")
    assert len(done.lines) == 1
    assert "mixed.jsonl:1: not_json" in done.err


def test_on_a_terminal_dead_letters_are_few(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("oops\n" * 50)
    done = monitor("map", "whatsapp", "bad.jsonl", columns=100)
    assert done.err.count("not_json") == 20
    assert "--dead-letters FILE keeps all of them" in done.err
    assert "50 dead letters" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a mapping and files"),
        (["whatsap", CDR], "did you mean whatsapp?"),
        (["nobody", CDR], "there are amazon-connect"),
        (["mine.yaml", CDR], "there is no such file"),
        (["vicidial", CDR, "--set", "zon=UTC"], "did you mean zone?"),
        (["vicidial", CDR, "--set", "zone"], "write NAME=VALUE"),
        (["vicidial", CDR, "--set", "zone=Mars"], "no time zone 'Mars'"),
        (["vicidial", CDR, "--dead-letters", "no/where"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str | Path], said: str) -> None:
    done = monitor("map", *arguments)
    assert done.status == 2
    assert said in done.err


def test_all_that_ships_is_good() -> None:
    done = monitor("map", "--check", "--fixtures", FIXTURES)
    assert (done.status, done.out) == (0, "8 mappings, 14 fixtures: 0 errors\n")


def test_check_says_where_a_mapping_and_a_fixture_differ(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "vicidial", tmp_path / "fixtures" / "vicidial")
    events = tmp_path / "fixtures" / "vicidial" / "log.events.jsonl"
    first, *rest = events.read_text().splitlines()
    events.write_text("\n".join([first, rest[0].replace("no_answer", "busy"), *rest[1:]]))
    broken = tmp_path / "fixtures" / "vicidial" / "log.broken.jsonl"
    broken.write_text("")
    done = monitor("map", "--check", "vicidial", "--fixtures", "fixtures")
    assert done.status == 1
    assert "log.events.jsonl:2:1: vicidial: vicidial makes {" in done.out
    assert "log.broken.jsonl:1:1: vicidial: vicidial makes 2 of log.jsonl, not 0" in done.out
    done = monitor("map", "--check", "vicidial", "--fixtures", "fixtures", "--write")
    assert done.status == 0
    assert monitor("map", "--check", "vicidial", "--fixtures", "fixtures", "--json").json == {
        "mappings": 1,
        "fixtures": 3,
        "problems": [],
    }


def test_check_says_line_column_and_mend(tmp_path: Path) -> None:
    text = (ROOT / "mappings" / "vicidial.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(
        text.replace("name: vicidial", "name: mine").replace("local(call_date", "locale(call_date")
    )
    done = monitor("map", "--check", "mine.yaml")
    assert done.status == 1
    assert "mine.yaml:" in done.out
    (problem,) = monitor("map", "--check", "mine.yaml", "--json").json["problems"]
    assert problem["line"] > 1
    assert problem["column"] > 1
    assert problem["owner"] == "mine"


def test_the_configured_ones_are_checked_too(tmp_path: Path) -> None:
    text = (ROOT / "mappings" / "vicidial.yaml").read_text().replace("name: vicidial", "name: mine")
    (tmp_path / "mine.yaml").write_text(text)
    (tmp_path / "config.yaml").write_text(
        "version: 1\nmappings: {topics: {logs: mine}, files: [mine.yaml]}\n"
    )
    assert monitor("map", "--check").out == "9 mappings, 0 fixtures: 0 errors\n"


def test_mapped_topics_are_replayed(tmp_path: Path) -> None:
    lines = (FIXTURES / "freeswitch" / "legs.jsonl").read_text()
    (tmp_path / "legs.jsonl").write_text(lines)
    (tmp_path / "config.yaml").write_text(
        "version: 1\nmappings: {topics: {'*legs.jsonl': freeswitch}}\n"
    )
    done = monitor("replay", "--from", "legs.jsonl", "--indicators")
    assert done.status == 0, done.err
    assert "5 events" in done.err
    assert "refused: 1 bad_time, 1 wrong_type" in done.err
    assert any(line.get("hits") for line in done.lines)
