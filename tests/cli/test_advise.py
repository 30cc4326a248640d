"""``monitor advise``: the command itself; what it says is held in ``tests/advise``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import monitor

FOLDER = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours in which numbers go bad."""
    file = tmp_path_factory.mktemp("events") / "bad.jsonl"
    made = monitor(
        "simulate", "-s", "number-going-bad", "--to", f"file:{file}", "--for", "30m",
        "--rate", "4", "--numbers", "8", "--start", "2026-11-23T09:00+08:00",
    )  # fmt: skip
    assert made.status == 0
    return file


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_people_see_all_parts(events: Path) -> None:
    done = monitor(
        "advise", "number-hangup", "--from", events, "--alerts-per-week", "20", columns=160
    )
    assert done.status == 0, done.err
    for words in (
        "number-hangup: hangup_rate in 30m by number",
        "What would have fired",
        "How the figure is spread",
        "8 scopes",
        "crit above 30%, sequential, one false alarm per 30 scope-days",
        "are needed a day's work",
        "≤ 0.033 a day",
        "as it is",
        "docs/evidence.md",
    ):
        assert words in done.out


def test_programs_get_json_with_customers_masked(events: Path) -> None:
    done = monitor("advise", "customer-redial", "--from", events, "--json")
    assert done.status == 0, done.err
    assert done.json["rule"] == "customer-redial"
    shown = json.dumps(done.json["fired"])
    assert "+86139" not in shown.replace("*", "")


@pytest.mark.parametrize("rule", ["team-csat", "idle-agent"])
def test_rules_of_other_kinds(events: Path, rule: str) -> None:
    done = monitor("advise", rule, "--from", events)
    assert done.status in {0, 1}, done.err
    assert done.out.startswith(f"{rule}: ")


def test_nothing_of_the_rule_is_status_1(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    done = monitor("advise", "number-hangup", "--from", empty)
    assert done.status == 1
    assert "nothing can be said" in done.out


def test_an_unknown_rule_is_wrong_usage(events: Path) -> None:
    done = monitor("advise", "number-hangpu", "--from", events)
    assert done.status == 2
    assert "no rule 'number-hangpu'" in done.err


def test_the_configured_source_is_read_where_none_is_named(events: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"version: 1\nsource: {{kind: files, paths: ['{events}'], follow: true}}\n")
    done = monitor("advise", "number-hangup", "--json")
    assert done.status == 0, done.err
    assert done.json["history"]["scopes"] == 8
    both = monitor("advise", "number-hangup", "--from", events, "--kafka")
    assert both.status == 2
