"""Rules that are gone while their suspensions wait for an event."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decisions import Cleared
from monitor.rules.model import Rule
from tests.rules.test_events import UNDONE, N, at, book, flag, rows

TTL = {"suspend": {"ttl": "1h"}}
CLEARED = rows((3, "number.cleared", N))


def after(*rules: Rule, awaited: set[str] | None = None) -> list[Cleared]:
    """What is cleared once these rules have taken the place of one that had a number flagged."""
    before, mine = book(flag()), book(*rules)
    before.load(rows((1, "number.flagged", N)))
    at(before, 1)
    mine.restore(before.snapshot())
    mine.part_with({"number-flagged"} if awaited is None else awaited)
    mine.load(CLEARED)
    return at(mine, 3).cleared


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "off"},
        {"status": "shadow"},
        {"action": None},
        {"action": TTL},
        {"event": {"on": "number.flagged", "until": "complaint.filed"}},
        {"id": "another"},
        {"levels": {"crit": {}}, "notify": {"route": "x"}},
    ],
    ids=str,
)
def test_what_clears_is_heard_once_whatever_became_of_the_rule(changes: dict[str, Any]) -> None:
    assert [each for each in after(flag(**changes)) if each.rule == "number-flagged"] == [UNDONE]


def test_it_is_heard_when_the_rule_is_removed() -> None:
    assert after() == [UNDONE]


def test_it_is_not_heard_when_no_number_waits_for_it() -> None:
    assert after(awaited=set()) == []


def test_a_shadow_rule_clears_nothing() -> None:
    mine = book(flag(status="shadow"))
    mine.load(rows((1, "number.flagged", N), (2, "number.cleared", N)))
    assert [at(mine, n).cleared for n in (1, 2)] == [[], []]


def test_it_is_heard_after_restarts_and_further_reloads_and_told() -> None:
    first, second, third = book(flag()), book(), book()
    second.restore(first.snapshot())
    assert second.still_heard() == [("number-flagged", "number.cleared")]
    second.load(CLEARED)
    third.restore(second.snapshot())
    assert third.next_event_tick(0) is not None
    assert at(third, 3).cleared == [UNDONE]
    fourth = book(flag())
    fourth.restore(third.snapshot())
    assert fourth.still_heard() == [], "the rule is back and hears for itself"


def test_another_rule_on_the_same_events_does_not_speak_for_it() -> None:
    other = flag(id="other")
    assert [each.rule for each in after(other)] == ["number-flagged", "other"]
