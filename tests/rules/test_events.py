"""Rules on single events."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from monitor.decisions import Alert, Cleared
from monitor.rules import event_rule
from monitor.rules.evaluate import RuleBook, RuleStep
from monitor.rules.model import Rule
from tests.rules.fakes import T0, TICK, FakeSource, rule

N = "+862150000007"
UNDONE = Cleared(N, "number-flagged", f"number={N}")
FLAG: dict[str, Any] = {
    "id": "number-flagged",
    "indicator": None,
    "window": None,
    "evidence": None,
    "event": {"on": "number.flagged", "until": "number.cleared"},
    "levels": {"crit": {}},
    "action": {"suspend": {"until": "cleared"}},
    "notify": {"route": "operations", "repeat": "20s"},
}
SCHEMA = {
    "type": pl.String,
    "tick": pl.Int64,
    "number": pl.String,
    "campaign": pl.String,
    "label": pl.String,
}


def flag(**changes: Any) -> Rule:
    return rule(**{**FLAG, **changes})


def book(*rules: Rule) -> RuleBook:
    return RuleBook(rules, FakeSource(), tick_ms=TICK)


def rows(*events: tuple[int, str, str | None] | tuple[int, str, str | None, str]) -> pl.DataFrame:
    """(tick, type, number[, label]) in the order released."""
    return pl.DataFrame(
        [
            {
                "type": kind,
                "tick": T0 + n * TICK,
                "number": number,
                "campaign": None,
                "label": label[0] if label else None,
            }
            for n, kind, number, *label in events
        ],
        schema=SCHEMA,
    )


def at(book: RuleBook, n: int, held: frozenset[str] = frozenset()) -> RuleStep:
    return book.step(T0 + n * TICK, held)


def said(alerts: list[Alert]) -> list[tuple[str, str]]:
    return [(alert.state, alert.reason) for alert in alerts]


def test_it_fires_at_its_tick_and_ends_with_the_other_event() -> None:
    mine = book(flag())
    assert mine.types == {"number.flagged", "number.cleared"}
    assert mine.fields == {"number"}
    mine.load(rows((2, "number.flagged", N), (2, "call.ended", "+1"), (5, "number.cleared", N)))
    assert mine.next_event_tick(T0) == T0 + 2 * TICK
    assert at(mine, 1) == RuleStep()
    fired = at(mine, 2)
    assert said(fired.alerts) == [("firing", "breach")]
    assert [(want.number, want.ttl_ms) for want in fired.wants] == [(N, None)]
    assert fired.alerts[0].evidence.method == "event"
    assert len(at(mine, 3).wants) == 1
    over = at(mine, 5)
    assert said(over.alerts) == [("resolved", "cleared")]
    assert over.cleared == [UNDONE]
    assert not over.wants


def test_what_is_by_no_number_ends_too() -> None:
    mine = book(flag(by="campaign", action=None))
    frame = rows((1, "number.flagged", N), (2, "number.cleared", N))
    mine.load(frame.with_columns(campaign=pl.lit("x")))
    assert said(at(mine, 1).alerts) == [("firing", "breach")]
    over = at(mine, 2)
    assert (said(over.alerts), over.cleared) == ([("resolved", "cleared")], [])


def test_a_second_flag_is_not_a_second_episode() -> None:
    mine = book(flag())
    mine.load(rows((1, "number.flagged", N), (2, "number.flagged", N)))
    assert at(mine, 1).alerts
    assert not at(mine, 2).alerts


def test_it_repeats_while_it_lasts() -> None:
    mine = book(flag())
    mine.load(rows((1, "number.flagged", N)))
    at(mine, 1)
    assert mine.next_event_tick(T0 + TICK) == T0 + 5 * TICK
    assert said(at(mine, 5).alerts) == [("firing", "repeat")]


def test_a_flag_on_a_number_out_of_service_matters() -> None:
    # Suspended for an hour by another rule; flagged meanwhile: the hour must not bring it back.
    mine = book(flag())
    mine.load(rows((1, "number.flagged", N)))
    step = at(mine, 1, held=frozenset({N}))
    assert said(step.alerts) == [("firing", "breach")]
    assert [want.number for want in step.wants] == [N]


def test_a_number_known_to_be_flagged_and_out_is_not_told_of_twice() -> None:
    mine = book(flag())
    mine.load(rows((1, "number.flagged", N), (3, "number.flagged", N), (5, "number.flagged", N)))
    [fired] = at(mine, 1).alerts
    assert mine.close(fired.episode, T0 + TICK, "suspended") is not None
    assert not at(mine, 3, held=frozenset({N})).alerts
    # Somebody took it back into service, and it is flagged anew.
    [again] = at(mine, 5).alerts
    assert again.episode != fired.episode


def test_cleared_is_told_whether_or_not_the_episode_is_over() -> None:
    mine = book(flag())
    mine.load(rows((1, "number.flagged", N), (3, "number.cleared", N), (4, "number.flagged", N)))
    [fired] = at(mine, 1).alerts
    mine.close(fired.episode, T0 + TICK, "suspended")
    step = at(mine, 3, held=frozenset({N}))
    assert (step.cleared, step.alerts) == ([UNDONE], [])
    # Cleared and flagged again while telephony lets it go: told, for it is a new flag.
    assert at(mine, 4, held=frozenset({N})).alerts


def test_within_a_tick_the_last_event_of_a_scope_counts() -> None:
    mine = book(flag())
    mine.load(rows((1, "number.flagged", N), (1, "number.cleared", N), (1, "number.flagged", "+1")))
    step = at(mine, 1)
    assert [dict(alert.scope)["number"] for alert in step.alerts] == ["+1"]
    assert step.cleared == [UNDONE]
    other = book(flag())
    other.load(rows((1, "number.cleared", N), (1, "number.flagged", N)))
    step = at(other, 1)
    assert len(step.wants) == 1
    assert not step.cleared


def test_a_rule_that_does_not_wait_for_clearing_clears_nothing() -> None:
    mine = book(flag(action={"suspend": {"ttl": "1h"}}), flag(id="told", action=None))
    mine.load(rows((1, "number.flagged", N), (2, "number.cleared", N)))
    at(mine, 1)
    assert at(mine, 2).cleared == []


def test_where_selects_and_null_is_false() -> None:
    event = {"on": "number.flagged", "until": "number.cleared", "where": "label == 'spam'"}
    mine = book(flag(event=event))
    assert mine.fields == {"number", "label"}
    mine.load(
        rows(
            (1, "number.flagged", "+1", "spam"),
            (1, "number.flagged", "+2", "other"),
            (1, "number.flagged", "+3"),
            (1, "number.flagged", None, "spam"),
        )
    )
    assert [want.number for want in at(mine, 1).wants] == ["+1"]


def test_exceptions_are_left_alone() -> None:
    mine = book(flag(**{"except": [{"number": [N]}]}))
    mine.load(rows((1, "number.flagged", N), (1, "number.flagged", "+1"), (2, "number.cleared", N)))
    assert [want.number for want in at(mine, 1).wants] == ["+1"]
    assert at(mine, 2).cleared == [UNDONE], "it may have been suspended before it was excepted"


def test_exceptions_may_be_written_as_people_write_numbers() -> None:
    """``normalise`` is what makes pools and the never list the same."""
    written = flag(**{"except": [{"number": ["021 5000 0007"]}]})
    spelled = {"021 5000 0007": N}
    mine = RuleBook(
        (written,), FakeSource(), tick_ms=TICK, normalise=lambda text: spelled.get(text, text)
    )
    mine.load(rows((1, "number.flagged", N), (1, "number.flagged", "+1")))
    assert [want.number for want in at(mine, 1).wants] == ["+1"]


def test_without_an_until_it_ends_in_time_after_the_last_event() -> None:
    mine = book(
        flag(event={"on": "number.flagged"}, recovering={"for": "20s"}, action=None, notify={})
    )
    mine.load(rows((1, "number.flagged", N), (3, "number.flagged", N)))
    at(mine, 1)
    at(mine, 3)
    assert mine.next_event_tick(T0 + 3 * TICK) == T0 + 7 * TICK
    assert not at(mine, 6).alerts
    assert said(at(mine, 7).alerts) == [("resolved", "recovered")]
    assert mine.snapshot()["rules"].popitem()[1]["state"]["marked"] == []


def test_marks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_rule, "MARKS_MAX", 2)
    mine = book(flag(action=None))
    mine.load(rows(*((n, "number.flagged", f"+{n}") for n in range(1, 5))))
    for n in range(1, 5):
        at(mine, n)
    [state] = mine.snapshot()["rules"].values()
    assert [text for text, _ in state["state"]["marked"]] == ["number=+3", "number=+4"]


def test_a_restart_with_rows_waiting_changes_nothing() -> None:
    frame = rows(
        (1, "number.flagged", N),
        (2, "number.flagged", "+1"),
        (3, "number.cleared", N),
        (9, "number.flagged", N),
    )
    whole, parted = book(flag()), book(flag())
    for each in (whole, parted):
        each.load(frame)
    for n in range(1, 12):
        state = parted.snapshot()
        parted = book(flag())
        parted.restore(state)
        assert at(whole, n) == at(parted, n)
    assert whole.states() == parted.states()
    assert whole.states().rules[0].states["firing"] == 2


def test_rows_in_one_frame_or_several_are_the_same() -> None:
    frame = rows((1, "number.flagged", N), (1, "number.cleared", N), (1, "number.flagged", N))
    one, several = book(flag()), book(flag())
    one.load(frame)
    for n in range(3):
        several.load(frame[n : n + 1])
    assert at(one, 1) == at(several, 1)
