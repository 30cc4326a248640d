"""Files of known cases."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.backtest.labels import Case, load_cases
from monitor.errors import ConfigError

ZONE = ZoneInfo("Asia/Shanghai")
WANTED = [
    ({"number": "+861"}, "2026-11-22T09:00:00+08:00", "2026-11-22T10:00:00+08:00", None),
    ({"campaign": "spring", "team": "t1"}, "2026-11-22T09:00:00+00:00", None, "wave"),
]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def plain(cases: tuple[Case, ...]) -> list[tuple[object, ...]]:
    return [
        (
            each.scope,
            each.since.isoformat(),
            None if each.until is None else each.until.isoformat(),
            each.rule,
        )
        for each in cases
    ]


def test_yaml(tmp_path: Path) -> None:
    text = """\
version: 1
cases:
  - {scope: {number: "+861"}, from: 2026-11-22T09:00:00, to: "2026-11-22T10:00", note: seen by Li}
  - scope: {campaign: spring, team: t1}
    from: 2026-11-22T09:00:00Z
    rule: wave
"""
    assert plain(load_cases(written(tmp_path, "a.yaml", text), ZONE)) == WANTED


def test_csv_with_the_mark_that_spreadsheets_write(tmp_path: Path) -> None:
    text = (
        "\ufeffnumber,campaign,team,from,to,rule\n"
        "+861,,,2026-11-22T09:00,2026-11-22T10:00,\n"
        ",spring,t1,2026-11-22T09:00Z,,wave\n"
    )
    assert plain(load_cases(written(tmp_path, "a.csv", text), ZONE)) == WANTED


def test_the_truth_of_a_simulation(tmp_path: Path) -> None:
    planted = {"kind": "number", "name": "+861", "from": "2026-11-22T01:00:00Z",
               "until": "2026-11-22T02:00:00Z", "flagged_by": "carrier"}  # fmt: skip
    path = written(tmp_path, "a.truth.json", json.dumps({"planted": [planted]}))
    (found,) = load_cases(path)
    assert (found.scope, found.note) == ({"number": "+861"}, "flagged by carrier")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "cases:\n  - {scope: {number: a}, from: soon}\n", ":2:"),
        ("a.yaml", "cases:\n  - {scope: {}, from: 2026-11-22T09:00:00}\n", ":2:"),
        (
            "a.yaml",
            "cases: [{scope: {a: b}, from: 2026-11-22T09:00:00, to: 2026-11-22T08:00:00}]\n",
            "to is not after from",
        ),
        ("a.csv", "from,to\n2026-11-22,\n", "at least one dimension"),
        ("a.csv", "number,from\n+861,soon\n", ":2:1: from: a time is needed"),
        ("a.csv", "number,from,to\n+861,2026-11-22,2026-11-21\n", "to is not after from"),
        ("a.json", "{}", "monitor simulate"),
        ("a.json", "{", "monitor simulate"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_cases(written(tmp_path, name, text), ZONE)
    assert said in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_cases(tmp_path / "none.yaml")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_cases(tmp_path / "a.csv")
