"""A wave of events is one alert, and nothing is suspended for it."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decisions import Alert
from monitor.rules import wave
from monitor.rules.evaluate import RuleBook
from monitor.rules.model import Rule
from tests.rules.fakes import T0, TICK, FakeSource
from tests.rules.test_events import at, book, flag, rows

NAMES = [f"+8621{index:08d}" for index in range(40_000)]
MESSAGE = {"en": "{number} was flagged", "zh": "{number}"}


def waved(**changes: Any) -> Rule:
    return flag(**{"wave": "5/1m", "message": MESSAGE, **changes})


def flags(*batches: tuple[int, int, int], kind: str = "number.flagged") -> Any:
    """(tick, first, last) of the numbers that are flagged."""
    return rows(*((n, kind, name) for n, first, last in batches for name in NAMES[first:last]))


def told(alerts: list[Alert]) -> list[tuple[str, int]]:
    return [(alert.reason, int(alert.figures.hits)) for alert in alerts]


def test_as_many_as_usual_are_told_one_by_one() -> None:
    mine = book(waved())
    mine.load(flags((1, 0, 5)))
    step = at(mine, 1)
    assert [dict(alert.scope)["number"] for alert in step.alerts] == NAMES[:5]
    assert len(step.wants) == 5
    assert mine.folded() == {"number-flagged": 0}


def test_one_more_is_a_wave() -> None:
    mine = book(waved())
    mine.load(flags((1, 0, 6)))
    step = at(mine, 1)
    assert step.wants == []
    (alert,) = step.alerts
    assert (alert.scope, alert.reason, alert.figures.hits) == ((), "breach", 6)
    assert alert.message["en"] == (
        "number-flagged: a wave, 6 at once (by number); none of them is suspended for it, "
        "a person decides"
    )
    assert mine.folded() == {"number-flagged": 6}


def test_a_wave_that_grows_is_told_again_when_it_has_doubled() -> None:
    mine = book(waved(notify={"route": "operations"}))
    mine.load(flags((1, 0, 6), (2, 6, 11), (3, 11, 12), (4, 12, 30)))
    reasons = [told(at(mine, n).alerts) for n in range(1, 5)]
    assert reasons == [[("breach", 6)], [], [("grown", 12)], [("grown", 30)]]


def test_those_of_before_stay_and_the_next_ones_are_the_wave() -> None:
    mine = book(waved())
    mine.load(flags((1, 0, 4), (2, 4, 6)))
    at(mine, 1)
    step = at(mine, 2)
    assert told(step.alerts) == [("breach", 2)]
    assert [want.number for want in step.wants] == NAMES[:4]


@pytest.mark.parametrize(("n", "alone"), [(12, False), (13, True)])
def test_after_the_period_single_events_are_single_again(n: int, *, alone: bool) -> None:
    """The tick exactly a minute after the wave counts it no more."""
    mine = book(waved())
    mine.load(flags((1, 0, 6), (n, 6, 7)))
    at(mine, 1)
    assert bool(at(mine, n).wants) is alone


def test_a_scope_of_the_wave_may_tell_its_own_story_later() -> None:
    mine = book(waved())
    mine.load(flags((1, 0, 6), (20, 0, 1)))
    at(mine, 1)
    step = at(mine, 20)
    assert [want.number for want in step.wants] == NAMES[:1]


def test_the_wave_ends_with_the_last_of_its_scopes() -> None:
    mine = book(waved(notify={"route": "operations"}))
    mine.load(flags((1, 0, 6)))
    at(mine, 1)
    mine.load(flags((2, 0, 5), kind="number.cleared"))
    step = at(mine, 2)
    assert (step.alerts, len(step.cleared)) == ([], 5)
    mine.load(flags((3, 5, 6), kind="number.cleared"))
    (alert,) = at(mine, 3).alerts
    assert (alert.scope, alert.state, alert.reason) == ((), "resolved", "recovered")
    assert "a wave" in alert.message["en"]
    assert mine.states().alerts == ()


def test_without_an_end_of_their_own_waves_end_in_time() -> None:
    mine = book(
        waved(event={"on": "number.flagged"}, recovering={"for": "20s"}, action=None, notify={})
    )
    mine.load(flags((1, 0, 6), (2, 6, 7)))
    at(mine, 1)
    at(mine, 2)
    assert mine.next_event_tick(T0 + 2 * TICK) == T0 + 5 * TICK
    assert at(mine, 5).alerts == []
    assert [alert.reason for alert in at(mine, 6).alerts] == ["recovered"]
    assert mine.next_event_tick(T0 + 6 * TICK) is None


def test_rows_of_their_own_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wave, "ROWS_MAX", 3)
    mine = book(waved(notify={"route": "operations"}))
    mine.load(flags((1, 0, 3), (100, 3, 4)))
    at(mine, 1)
    assert told(at(mine, 100).alerts)[-1] == ("breach", 1)


def test_scopes_of_a_wave_are_bounded_and_the_oldest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wave, "FOLDED_MAX", 10)
    mine = book(waved())
    mine.load(flags((1, 0, 25)))
    (alert,) = at(mine, 1).alerts
    assert alert.figures.hits == 10
    assert mine.folded() == {"number-flagged": 25}, "all are counted"


def test_a_wave_repeats_in_its_own_words() -> None:
    mine = book(waved())
    mine.load(flags((1, 0, 6)))
    at(mine, 1)
    (again,) = at(mine, 5).alerts
    assert (again.reason, "a wave, 6" in again.message["en"]) == ("repeat", True)


def test_a_restart_in_a_wave_changes_nothing() -> None:
    mine, other = book(waved()), book(waved())
    mine.load(flags((1, 0, 6)))
    at(mine, 1)
    other.restore(mine.snapshot())
    frame = flags((2, 6, 20))
    mine.load(frame)
    other.load(frame)
    for n in range(2, 30):
        assert at(mine, n) == at(other, n)


def test_a_false_batch_of_twenty_thousand_is_one_alert_and_cheap() -> None:
    """Bounded work is shown by what is kept, which does not depend on the machine."""
    mine = RuleBook((waved(wave=None),), FakeSource(), tick_ms=TICK)
    mine.load(flags((1, 0, 20_000)))
    step = at(mine, 1)
    assert told(step.alerts) == [("breach", 20_000)]
    assert sum(len(judge.rows) for judge in mine._events.values()) == 1
    assert at(mine, 2).wants == []
