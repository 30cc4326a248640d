"""Several causes at once: the last one decides, and each ends by what ends it alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decisions import Cleared, Want
from monitor.numbers.causes import CAUSES_MAX, Cause, joined, later, leading, standing
from monitor.numbers.lifecycle import State
from tests.numbers.made import (
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    TICK_MS,
    Table,
    applied,
    clear,
    order,
    rejected,
    want,
)

FLAG = "number-flagged"


def flag(number: str = "1", episode: str = "flag", rule: str = FLAG) -> Want:
    return want(number, rule=rule, episode=episode, ttl_ms=None, ttl_max_ms=None, backoff="none")


def complaint(number: str = "1", hours: int = 24) -> Want:
    return want(number, rule="number-complaint", episode="complaint", ttl_ms=hours * HOUR_MS)


def test_a_cleared_flag_leaves_the_day_that_complaints_have_brought() -> None:
    table = Table(assume_applied=True)
    (first,) = table.step([complaint()]).commands
    (longer,) = table.step([flag()], after=10 * MINUTE_MS).commands
    assert (longer.reason, longer.until_ms) == ("prolonged", None)
    step = table.step(cleared=[clear("1", FLAG)], after=10 * MINUTE_MS)
    assert [c.reason for c in step.changes] == ["cause_over", "shortened", "applied"]
    assert [(c.action, c.until_ms, c.rule) for c in step.commands] == [
        ("suspend", first.until_ms, "number-complaint")
    ]
    assert table.desk.state("1") is State.SUSPENDED
    assert first.until_ms is not None
    (end,) = table.until(START_MS + 48 * HOUR_MS)
    assert [(c.reason, c.at_ms) for c in end.commands] == [("ttl_over", first.until_ms)]


def test_a_cleared_flag_leaves_what_a_person_ordered() -> None:
    table = Table(assume_applied=True)
    table.step(manual=[order("suspend", "1", ttl_ms=8 * HOUR_MS)])
    eight = table.now + 8 * HOUR_MS
    table.step([flag()], after=10 * MINUTE_MS)
    (told,) = table.step(cleared=[clear("1", FLAG)], after=10 * MINUTE_MS).commands
    assert (told.action, told.until_ms, told.rule) == ("suspend", eight, "")
    (end,) = table.until(table.now + 24 * HOUR_MS)
    assert [c.at_ms for c in end.commands] == [eight]


def test_two_hours_of_a_person_do_not_bring_a_flagged_number_back() -> None:
    table = Table(assume_applied=True)
    table.step([flag()])
    (told,) = table.step(manual=[order("suspend", "1", ttl_ms=2 * HOUR_MS)]).commands
    assert told.until_ms is None
    assert table.until(table.now + 30 * HOUR_MS) == []
    assert table.desk.state("1") is State.SUSPENDED
    back = table.step(cleared=[clear("1", FLAG)])
    assert [c.action for c in back.commands] == ["resume"]


def test_a_person_without_an_end_outlasts_the_flag() -> None:
    table = Table(assume_applied=True)
    table.step(manual=[order("suspend", "1")])
    table.step([flag()])
    step = table.step(cleared=[clear("1", FLAG)])
    assert (step.commands, table.desk.state("1")) == ([], State.SUSPENDED)
    assert [c.reason for c in step.changes] == ["cause_over"]


def test_of_two_rules_at_one_tick_the_longer_decides_with_one_command() -> None:
    table = Table()
    (command,) = table.step([want("1"), complaint()]).commands
    assert (command.rule, command.until_ms) == ("number-complaint", table.now + 24 * HOUR_MS)
    closed = table.step(acks=[applied(command)]).closed
    assert closed == [("complaint", "suspended"), ("episode-1", "suspended")]


@pytest.mark.parametrize("stranger", [clear("1", "another"), clear("2", FLAG)])
def test_what_clears_another_matter_clears_nothing(stranger: Cleared) -> None:
    table = Table(assume_applied=True)
    table.step([flag()])
    step = table.step(cleared=[stranger])
    assert (step.commands, step.changes) == ([], [])


def test_another_scope_of_the_same_rule_and_number_is_another_matter() -> None:
    table = Table(assume_applied=True)
    scopes = [(("number", "1"), ("campaign", name)) for name in ("a", "b")]
    table.step(
        [want("1", rule=FLAG, scope=scope, episode=str(scope), ttl_ms=None) for scope in scopes]
    )
    assert table.step(cleared=[Cleared("1", FLAG, "number=1,campaign=a")]).commands == []
    assert table.step(cleared=[Cleared("1", FLAG, "number=1,campaign=b")]).commands != []


def test_a_flag_while_telephony_has_not_answered_yet_is_not_lost() -> None:
    table = Table()
    (first,) = table.step([want("1")]).commands
    assert table.step([flag()]).commands == []
    step = table.step([flag()], acks=[applied(first)])
    assert [(c.reason, c.until_ms) for c in step.commands] == [("prolonged", None)]
    assert step.closed == [], "what telephony was told does not cover the flag yet"
    assert ("flag", "suspended") in table.step(acks=[applied(step.commands[0])]).closed


def test_silence_about_the_shorter_term_does_not_let_the_flag_down() -> None:
    table = Table()
    (first,) = table.step([want("1")]).commands
    table.step([flag()])
    assert first.until_ms is not None
    (step,) = table.until(first.until_ms, [flag()])
    assert [(c.action, c.until_ms, c.at_ms) for c in step.commands] == [
        ("suspend", None, first.until_ms)
    ]


def test_a_rejected_longer_term_is_asked_for_again() -> None:
    table = Table(retry_pause="30s")
    table.suspended("1")
    (longer,) = table.step([flag()]).commands
    table.step([flag()], acks=[rejected(longer)])
    since = table.now
    (step,) = table.until(since + MINUTE_MS, [flag()])
    (again,) = step.commands
    assert (again.reason, again.until_ms, again.at_ms) == ("prolonged", None, since + 30_000)
    assert table.step([flag()], acks=[applied(again)]).closed == [("flag", "suspended")]


def test_a_new_flag_cancels_the_resume_that_telephony_owes() -> None:
    table = Table()
    table.suspended("1", rule=FLAG, ttl_ms=None)
    (resume,) = table.step(cleared=[clear("1", FLAG)]).commands
    table.step(acks=[rejected(resume)])
    step = table.step([flag(episode="second")])
    assert [c.reason for c in step.changes] == ["joined"]
    assert step.closed == [("second", "suspended")], "telephony holds it without an end"
    assert table.until(table.now + 24 * HOUR_MS) == []
    assert table.desk.state("1") is State.SUSPENDED
    assert table.step(cleared=[clear("1", FLAG)]).commands != []


def test_a_flag_on_a_timed_number_that_telephony_owes_is_told() -> None:
    table = Table()
    table.suspended("1", ttl_ms=HOUR_MS)
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[rejected(resume)])
    (told,) = table.step([flag()]).commands
    assert (told.action, told.reason, told.until_ms) == ("suspend", "prolonged", None)


def test_a_freeze_keeps_a_flag_from_cancelling_what_is_owed() -> None:
    table = Table()
    table.suspended("1", rule=FLAG, ttl_ms=None)
    (resume,) = table.step(cleared=[clear("1", FLAG)]).commands
    table.step(acks=[rejected(resume)], manual=[order("freeze")])
    step = table.step([flag(episode="second")])
    assert (step.changes, step.closed) == ([], [])


def test_a_longer_term_waits_for_the_end_of_a_freeze() -> None:
    table = Table()
    (first,) = table.step([want("1")]).commands
    table.step([flag()])
    table.step(acks=[applied(first)], manual=[order("freeze")])
    assert [c for s in table.until(table.now + 5 * MINUTE_MS) for c in s.commands] == []
    table.step(manual=[order("unfreeze")])
    (step,) = table.until(table.now + MINUTE_MS)
    assert [c.reason for c in step.commands] == ["prolonged"]


def test_the_rules_that_numbers_wait_for_are_known() -> None:
    table = Table(assume_applied=True)
    table.step([flag(), complaint("2")])
    assert table.desk.waits_for == {FLAG}
    table.step(cleared=[clear("1", FLAG)])
    assert table.desk.waits_for == set()


# -- the set itself ---------------------------------------------------------------------------

ENDS = st.one_of(st.none(), st.integers(1, 9).map(lambda n: n * TICK_MS))
CAUSES = st.builds(
    lambda rule, end: Cause(
        rule, f"number={rule}", f"{rule}{end}", "", end, "time" if end else "cleared"
    ),
    st.sampled_from("abcdefghijklmnopqrstuvwxyz"),
    ENDS,
)


@given(st.lists(CAUSES, min_size=1, max_size=60))
def test_the_end_is_the_latest_of_all_and_the_set_is_bounded(causes: list[Cause]) -> None:
    kept: list[Cause] = []
    for cause in causes:
        kept = joined(kept, cause)
    assert len(kept) <= CAUSES_MAX
    ends = [cause.until_ms for cause in causes]
    latest = None if None in ends else max(end for end in ends if end is not None)
    assert leading(kept).until_ms == latest
    assert leading(kept) in kept


@pytest.mark.parametrize(
    ("one", "other", "is_later"),
    [(None, 1, True), (None, None, False), (1, None, False), (2, 1, True), (1, 1, False)],
)
def test_never_is_later_than_any_time(
    one: int | None, other: int | None, *, is_later: bool
) -> None:
    assert later(one, other) is is_later


def test_a_cause_is_over_at_its_end() -> None:
    cause = Cause("a", "", "", "", 10, "time")
    assert (standing([cause], 9), standing([cause], 10)) == ([cause], [])
