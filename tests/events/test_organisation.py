"""Agent → group → team."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from monitor.events.organisation import Organisation
from monitor.events.settings import EventSettings

TEAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "t1": {"g1": ("a1", "a2"), "g2": ("a3",)},
    "t2": {"g3": ("a4",)},
}
Place = tuple[str | None, str | None, str | None]


def complete(organisation: Organisation, *rows: Place) -> list[Place]:
    schema = dict.fromkeys(("agent", "group", "team"), pl.String)
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return organisation.apply(frame).rows()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("a1", None, None), ("a1", "g1", "t1")),
        (("a4", None, None), ("a4", "g3", "t2")),
        (("a1", "other", None), ("a1", "other", "t1")),
        (("a1", "g3", None), ("a1", "g3", "t2")),
        (("a1", None, "other"), ("a1", "g1", "other")),
        ((None, "g2", None), (None, "g2", "t1")),
        (("stranger", None, None), ("stranger", None, None)),
        ((None, None, None), (None, None, None)),
    ],
)
def test_only_what_is_missing_is_filled(given: Place, expected: Place) -> None:
    assert complete(Organisation.of(TEAMS), given) == [expected]


def test_without_a_table_nothing_changes() -> None:
    frame = pl.DataFrame({"agent": ["a1"]})
    assert Organisation({}).apply(frame) is frame


def test_a_group_of_two_teams_says_nothing_of_the_team() -> None:
    organisation = Organisation({"a": ("g", "t1"), "b": ("g", "t2"), "c": (None, "t3")})
    assert complete(organisation, ("b", None, None), (None, "g", None), ("c", None, None)) == [
        ("b", "g", "t2"),
        (None, "g", None),
        ("c", None, "t3"),
    ]


@pytest.mark.parametrize(
    ("teams", "message"),
    [
        ({"t1": {"g1": ["a"], "g2": ["a"]}}, "agent 'a' stands twice: in group 'g1' and in group"),
        ({"t1": {"g1": []}, "t2": {"g1": []}}, "group 'g1' stands twice: in team 't1'"),
    ],
)
def test_nobody_stands_twice(teams: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EventSettings.model_validate({"organisation": teams})
