"""Whose alert it is."""

from __future__ import annotations

import pytest

from monitor.people.teams import Teams
from tests.store.made import alert

CONFIGURED = {"a1": ("g1", "t1"), "a2": ("g2", "t2")}
SEEN = {"a1": ("g9", "t9"), "a3": ("g3", "t3")}


@pytest.mark.parametrize(
    ("scope", "team"),
    [
        ((("team", "t5"), ("agent", "a1")), "t5"),
        ((("agent", "a1"),), "t1"),
        ((("agent", "a3"),), "t3"),
        ((("agent", "a4"),), ""),
        ((("group", "g2"),), "t2"),
        ((("group", "g3"),), "t3"),
        ((("group", "g4"),), ""),
        ((("number", "+86"),), ""),
        ((), ""),
    ],
)
def test_the_team_of_a_scope(scope: tuple[tuple[str, str], ...], team: str) -> None:
    teams = Teams(lambda: CONFIGURED, lambda: SEEN)
    made = alert(scope=scope)
    assert teams.of(made) == team
    assert teams.of_all([made]) == ({made.episode: team} if team else {})
