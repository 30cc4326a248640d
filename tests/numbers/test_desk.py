"""The life of one number at the desk, answer by answer and tick by tick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decisions import Ack, derive_id
from monitor.numbers.lifecycle import State
from tests.numbers.made import (
    DAY_MS,
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
from tests.whole import whole


def test_a_breach_suspends_confirms_and_comes_back() -> None:
    table = Table()
    first = table.step([want("1")])
    (command,) = first.commands
    assert command.id == derive_id("1", 1, "suspend")
    assert (command.action, command.number, command.rule) == ("suspend", "1", "number-hangup")
    assert command.until_ms == table.now + 30 * MINUTE_MS
    assert command.figures is not None
    assert command.evidence is not None
    assert [(c.before, c.after, c.reason) for c in first.changes] == [
        ("active", "wanted", "breach"),
        ("wanted", "suspending", "admitted"),
    ]
    assert first.changes[1].command_id == command.id
    assert first.closed == []
    assert table.desk.held == {"1"}

    second = table.step(acks=[applied(command)])
    assert second.closed == [("episode-1", "suspended")]
    assert table.desk.state("1") is State.SUSPENDED
    assert len(table.desk.awaited) == 0

    table.step()
    assert table.desk.next_event_tick(table.now) == command.until_ms
    (third,) = table.until(command.until_ms)
    (resume,) = third.commands
    assert (resume.action, resume.reason, resume.until_ms) == ("resume", "ttl_over", None)
    assert resume.id == derive_id("1", 1, "resume")
    assert third.changes[0].by == "time"
    assert table.desk.state("1") is State.RESUMING

    table.step(acks=[applied(resume)])
    assert table.desk.state("1") is State.ACTIVE
    assert table.desk.held == set()
    # Rules judge it again, so the next tick is one that counts; after that, nothing.
    assert table.desk.next_event_tick(table.now) == table.now + TICK_MS
    table.step()
    assert table.desk.next_event_tick(table.now) is None


def test_nothing_is_due_a_tick_before_the_ttl_is_over() -> None:
    table = Table()
    command = table.suspended("1")
    assert command.until_ms is not None
    assert table.step(after=command.until_ms - table.now - TICK_MS).commands == []
    assert len(table.step().commands) == 1


def test_a_number_nobody_wants_any_more_is_active_again() -> None:
    table = Table(rate="0/1m")
    refused = table.step([want("1")])
    assert [r.guard for r in refused.refusals] == ["global_rate"]
    assert table.desk.state("1") is State.WANTED
    assert table.desk.held == set()
    over = table.step()
    assert [(c.before, c.after, c.reason, c.by) for c in over.changes] == [
        ("wanted", "active", "breach_over", "number-hangup")
    ]


def test_assumed_commands_are_applied_in_the_same_step() -> None:
    table = Table(assume_applied=True)
    step = table.step([want("1")])
    assert table.desk.state("1") is State.SUSPENDED
    assert step.closed == [("episode-1", "suspended")]
    (end,) = table.until(table.now + 30 * MINUTE_MS)
    assert [c.action for c in end.commands] == ["resume"]
    assert table.desk.state("1") is State.ACTIVE
    assert len(table.desk.awaited) == 0


def test_every_episode_of_the_number_ends_not_the_cause_alone() -> None:
    for assumed in (False, True):
        table = Table(assume_applied=assumed)
        wants = [
            want("1", rule="b", episode="eb"),
            want("1", rule="a", episode="ea", level="warn"),
            want("1", rule="s", episode="es", shadow=True),
        ]
        step = table.step(wants)
        (command,) = [c for c in step.commands if not c.shadow]
        assert (command.rule, command.episode) == ("b", "eb")
        if not assumed:
            assert step.closed == []
            step = table.step(acks=[applied(command)])
        assert sorted(step.closed) == [(e, "suspended") for e in ("ea", "eb", "es")]


# -- growth and healing ---------------------------------------------------------------------


def _cycle(table: Table, **changes: object) -> int:
    """Suspend and resume once; the ttl that it had, in ms."""
    (command,) = table.step([want("1", **changes)]).commands
    assert command.until_ms is not None
    ttl = command.until_ms - table.now
    table.until(command.until_ms)
    assert table.desk.state("1") is State.ACTIVE
    return ttl


def test_the_ttl_grows_with_each_suspension_and_stops_at_the_longest() -> None:
    table = Table(assume_applied=True)
    grown = [_cycle(table, ttl_ms=HOUR_MS, ttl_max_ms=5 * HOUR_MS) for _ in range(4)]
    assert grown == [HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS, 5 * HOUR_MS]


def test_the_longest_comes_from_the_settings_where_the_rule_has_none() -> None:
    table = Table(assume_applied=True, ttl_max="90m")
    grown = [_cycle(table, ttl_ms=HOUR_MS, ttl_max_ms=None, backoff="linear") for _ in range(2)]
    assert grown == [HOUR_MS, 90 * MINUTE_MS]


@pytest.mark.parametrize(
    ("clean_ms", "ttl"),
    [(DAY_MS - TICK_MS, 4), (DAY_MS, 2), (2 * DAY_MS - TICK_MS, 2), (2 * DAY_MS, 1)],
)
def test_clean_days_heal_a_step_each(clean_ms: int, ttl: int) -> None:
    table = Table(assume_applied=True)
    _cycle(table, ttl_ms=HOUR_MS)
    _cycle(table, ttl_ms=HOUR_MS)
    table.until(table.now + clean_ms - TICK_MS)
    assert _cycle(table, ttl_ms=HOUR_MS) == ttl * HOUR_MS


def test_time_out_of_service_heals_nothing() -> None:
    table = Table(assume_applied=True)
    assert _cycle(table, ttl_ms=10 * DAY_MS, ttl_max_ms=30 * DAY_MS) == 10 * DAY_MS
    assert _cycle(table, ttl_ms=10 * DAY_MS, ttl_max_ms=30 * DAY_MS) == 20 * DAY_MS


def test_a_rejected_suspension_does_not_grow_the_ttl() -> None:
    table = Table(retry_pause="1s")
    (command,) = table.step([want("1", ttl_ms=HOUR_MS)]).commands
    table.step(acks=[rejected(command)])
    (again,) = table.step([want("1", ttl_ms=HOUR_MS)]).commands
    assert again.until_ms == table.now + HOUR_MS
    assert again.id == derive_id("1", 2, "suspend")


def test_a_persons_suspension_does_not_grow_the_ttl_nor_undo_healing() -> None:
    table = Table(assume_applied=True)
    _cycle(table, ttl_ms=HOUR_MS)
    table.until(table.now + DAY_MS)
    table.step(manual=[order("suspend", "1", ttl_ms=MINUTE_MS)])
    table.until(table.now + MINUTE_MS)
    assert table.desk.state("1") is State.ACTIVE
    assert _cycle(table, ttl_ms=HOUR_MS) == HOUR_MS


# -- telephony: silence, rejection, letting go ----------------------------------------------


def test_silence_is_said_once_and_the_intent_stays() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    nothing = Ack(command.id, "silent", "no answer within 1m", table.now)
    silent = table.step(acks=[nothing])
    assert table.step(acks=[nothing]).refusals == []
    (refusal,) = silent.refusals
    assert refusal.detail == "suspending: no answer within 1m"
    assert (refusal.guard, refusal.number, refusal.route) == (
        "telephony_silent",
        "1",
        "supervisors",
    )
    assert silent.commands == []
    assert table.desk.state("1") is State.SUSPENDING
    late = table.step(acks=[applied(command)])
    assert late.closed == [("episode-1", "suspended")]


def test_the_ttl_of_an_unanswered_suspension_runs_from_the_command() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    assert command.until_ms is not None
    (end,) = table.until(command.until_ms)
    (resume,) = end.commands
    assert resume.action == "resume"
    # The late answer to the overtaken command is counted and changes nothing.
    table.step(acks=[applied(command)])
    assert table.desk.unknown_acks == 1
    assert table.desk.state("1") is State.RESUMING


def test_an_unanswered_resume_ends_when_telephony_has_let_go_by_itself() -> None:
    table = Table(ack_timeout="1m")
    command = table.suspended("1")
    assert command.until_ms is not None
    resumed, end = table.until(command.until_ms + MINUTE_MS)
    assert [c.action for c in resumed.commands] == ["resume"]
    assert [(c.after, c.reason) for c in end.changes] == [("active", "let_go")]
    assert len(table.desk.awaited) == 0


def test_a_rejected_suspension_is_said_and_tried_again_after_growing_pauses() -> None:
    table = Table(retry_pause="30s", retry_pause_max="1m")
    wish = [want("1")]
    (first,) = table.step(wish).commands
    said = table.step(acks=[rejected(first, "trunk down")])
    (refusal,) = said.refusals
    assert (refusal.guard, refusal.detail) == ("suspend_rejected", "trunk down")
    assert table.desk.state("1") is State.ACTIVE
    assert said.closed == []

    table.step(wish)
    assert table.desk.state("1") is State.WANTED
    since = table.now - TICK_MS
    (again,) = [c for step in table.until(since + 30_000, wish) for c in step.commands]
    assert again.at_ms == since + 30_000
    # The same cause is not told twice; the pause doubles.
    assert table.step(acks=[rejected(again)]).refusals == []
    since = table.now
    table.step(wish)
    (third,) = [c for step in table.until(since + 60_000, wish) for c in step.commands]
    assert third.at_ms == since + 60_000
    assert len({first.id, again.id, third.id}) == 3


def test_a_rejected_resume_after_until_counts_as_let_go() -> None:
    table = Table()
    command = table.suspended("1")
    assert command.until_ms is not None
    (end,) = table.until(command.until_ms)
    back = table.step(acks=[rejected(end.commands[0], "not blocked")])
    assert [r.guard for r in back.refusals] == ["resume_rejected"]
    assert [c.reason for c in back.changes] == ["rejected", "let_go"]
    assert table.desk.state("1") is State.ACTIVE


def test_a_rejected_resume_before_until_is_asked_again_with_a_new_id() -> None:
    table = Table(retry_pause="30s")
    table.suspended("1", ttl_ms=HOUR_MS)
    ids = []
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    for pause in (30_000, 60_000):
        ids.append(resume.id)
        table.step(acks=[rejected(resume)])
        assert table.desk.state("1") is State.SUSPENDED
        since = table.now
        (step,) = table.until(since + pause)
        (resume,) = step.commands
        assert (resume.at_ms, resume.reason) == (since + pause, "retried")
    ids.append(resume.id)
    assert ids == [derive_id("1", 1, "resume", *more) for more in ((), (1,), (2,))]
    table.step(acks=[applied(resume)])
    assert table.desk.state("1") is State.ACTIVE


def test_a_rejected_resume_without_until_is_asked_for_ever() -> None:
    table = Table(retry_pause="30s", retry_pause_max="1m")
    table.suspended("1", ttl_ms=None)
    (resume,) = table.step(cleared=["1"]).commands
    for _ in range(10):
        table.step(acks=[rejected(resume)])
        (step,) = table.until(table.now + MINUTE_MS)
        (resume,) = step.commands
    table.step(acks=[applied(resume)])
    assert table.desk.state("1") is State.ACTIVE


def test_unknown_and_repeated_answers_are_counted() -> None:
    table = Table()
    command = table.suspended("1")
    step = table.step(acks=[applied(command), rejected(command), applied("never-heard-of")])
    assert table.desk.unknown_acks == 3
    assert step.changes == []
    assert table.desk.state("1") is State.SUSPENDED


def test_an_answered_command_makes_the_pauses_short_again() -> None:
    table = Table(retry_pause="30s")
    wish = [want("1", ttl_ms=HOUR_MS)]
    (first,) = table.step(wish).commands
    table.step(acks=[rejected(first)])
    table.step(wish)
    (second,) = [c for step in table.until(table.now + MINUTE_MS, wish) for c in step.commands]
    table.step(acks=[applied(second)])
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[rejected(resume)])
    since = table.now
    (again,) = [c for step in table.until(since + MINUTE_MS) for c in step.commands]
    assert again.at_ms == since + 30_000


def test_letting_go_is_waited_for_from_the_resume_when_that_comes_after_until() -> None:
    table = Table(ack_timeout="1m")
    command = table.suspended("1", ttl_ms=MINUTE_MS)
    (forever,) = table.step(manual=[order("suspend", "1")]).commands
    assert command.until_ms is not None
    table.until(command.until_ms + 3 * MINUTE_MS)
    step = table.step(acks=[rejected(forever)])
    assert [c.reason for c in step.commands] == ["ttl_over"], "the old terms are over already"
    assert table.desk.state("1") is State.RESUMING
    since = table.now
    (end,) = table.until(since + MINUTE_MS)
    assert [(c.reason, c.at_ms) for c in end.changes] == [("let_go", since + MINUTE_MS)]


def test_rejected_terms_lead_back_to_those_that_telephony_confirmed() -> None:
    table = Table(retry_pause="2h", retry_pause_max="2h")
    command = table.suspended("1", ttl_ms=10 * MINUTE_MS)
    table.step(manual=[order("suspend", "1", ttl_ms=HOUR_MS)])
    (second,) = table.step(manual=[order("suspend", "1", id="x")]).commands
    table.step(acks=[rejected(second)])
    (end,) = table.until(START_MS + HOUR_MS // 2)[:1]
    assert [(c.reason, c.at_ms) for c in end.commands] == [("ttl_over", command.until_ms)]


# -- flags ----------------------------------------------------------------------------------


def test_a_flagged_number_comes_back_on_cleared_alone() -> None:
    table = Table()
    command = table.suspended("1", ttl_ms=None, rule="number-flagged")
    assert command.until_ms is None
    assert table.desk.next_event_tick(table.now) is None
    assert table.step(after=30 * DAY_MS).commands == []
    step = table.step(cleared=[clear("2", "number-flagged"), clear("1", "number-flagged")])
    (resume,) = step.commands
    assert (resume.reason, step.changes[0].by) == ("cleared", "number-flagged")
    assert table.step(cleared=["1"]).commands == []


def test_cleared_while_unconfirmed_overtakes_the_suspension() -> None:
    table = Table()
    table.step([want("1", ttl_ms=None)])
    (resume,) = table.step(cleared=["1"]).commands
    table.step(acks=[applied(resume)])
    assert table.desk.state("1") is State.ACTIVE


def test_cleared_does_not_end_a_suspension_with_a_ttl_nor_a_persons() -> None:
    table = Table()
    table.suspended("1")
    (by_hand,) = table.step(manual=[order("suspend", "2")]).commands
    table.step(acks=[applied(by_hand)])
    assert table.step(cleared=["1", "2"]).commands == []
    assert table.desk.held == {"1", "2"}


def test_a_flag_takes_the_ttl_off_a_suspension() -> None:
    table = Table()
    command = table.suspended("1", ttl_ms=MINUTE_MS)
    flag = want("1", rule="number-flagged", episode="flag", ttl_ms=None)
    step = table.step([flag])
    (prolonged,) = step.commands
    assert (prolonged.action, prolonged.until_ms, prolonged.reason) == (
        "suspend",
        None,
        "prolonged",
    )
    assert prolonged.id != command.id
    assert step.closed == []
    assert table.desk.state("1") is State.SUSPENDED
    assert table.step([flag]).commands == []
    assert table.step([flag], acks=[applied(prolonged)]).closed == [("flag", "suspended")]
    assert table.until(table.now + DAY_MS) == []
    back = table.step(cleared=[clear("1", "number-flagged")])
    assert [c.action for c in back.commands] == ["resume"]


def test_rejected_new_terms_leave_the_old_ones() -> None:
    table = Table(retry_pause="1h")
    command = table.suspended("1", ttl_ms=10 * MINUTE_MS)
    flag = want("1", rule="number-flagged", episode="flag", ttl_ms=None)
    (prolonged,) = table.step([flag]).commands
    said = table.step([flag], acks=[rejected(prolonged)])
    assert [r.guard for r in said.refusals] == ["suspend_rejected"]
    assert said.commands == []
    assert table.desk.state("1") is State.SUSPENDED
    assert table.step(cleared=[clear("1", "another-rule")]).commands == []
    assert command.until_ms is not None
    steps = table.until(command.until_ms, [flag])
    assert [c.reason for step in steps for c in step.commands] == ["ttl_over"]


def test_a_flag_is_not_let_through_a_freeze_but_tried_again() -> None:
    table = Table()
    table.suspended("1")
    flag = want("1", episode="flag", ttl_ms=None)
    step = table.step([flag], manual=[order("freeze")])
    assert (step.commands, step.closed) == ([], [])
    step = table.step([flag], manual=[order("unfreeze")])
    assert [c.reason for c in step.commands] == ["prolonged"]


def test_of_equal_wants_the_one_without_a_ttl_sets_the_terms() -> None:
    table = Table(assume_applied=True)
    wants = [want("1"), want("1", rule="z", episode="flag", ttl_ms=None)]
    (command,) = table.step(wants).commands
    assert (command.rule, command.until_ms) == ("z", None)


# -- counts, bounds, reload -----------------------------------------------------------------


def test_counts_name_every_state() -> None:
    table = Table(rate="1/1h")
    for number in "1234":
        table.desk.observe(START_MS, number, "a")
    table.step([want("1"), want("9", scope=(("number", "9"),))])
    others = {state.value: 0 for state in State}
    assert table.desk.counts() == others | {"active": 3, "wanted": 1, "suspending": 1}


def test_what_is_long_over_is_forgotten_and_ids_stay_unique() -> None:
    table = Table(assume_applied=True, heal_after="24h", seen_for="24h")
    table.desk.observe(START_MS, "1", "a")
    first = _cycle(table)
    assert first == 30 * MINUTE_MS
    table.step(after=3 * DAY_MS)
    assert "1" not in table.desk.book
    assert whole(table.desk.snapshot())["ledger"]["records"] == []
    (command,) = table.step([want("1"), want("2")]).commands[:1]
    assert command.id == derive_id("1", 2, "suspend")


def test_the_sweep_does_not_depend_on_which_ticks_were_judged() -> None:
    def run(ticks: list[int]) -> object:
        table = Table(seen_for="2h")
        table.desk.observe(START_MS, "1", "a")
        for tick in ticks:
            table.desk.step(tick, [], [], [], [])
        table.desk.observe(START_MS + 4 * HOUR_MS, "2", "a")
        return whole(table.desk.book.snapshot())

    every = list(range(START_MS + TICK_MS, START_MS + 4 * HOUR_MS, TICK_MS))
    assert run(every) == run([]) == run(every[::7])


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 18)), max_size=60), st.data())
def test_being_told_of_a_number_again_within_the_hour_changes_nothing(
    seen: list[tuple[int, int]], data: st.DataObject
) -> None:
    """The engine tells of a number once in each hour of a load, however much a load holds."""
    ticks = sorted((START_MS + minute * MINUTE_MS, f"c{campaign}") for minute, campaign in seen)

    def run(told: list[tuple[int, str]]) -> object:
        table = Table(seen_for="2h")
        for tick, campaign in told:
            table.desk.observe(tick, "1", campaign)
        return whole(table.desk.book.snapshot())

    first, known = list[tuple[int, str]](), set[tuple[int, str]]()
    for tick, campaign in ticks:
        again = (tick // HOUR_MS, campaign) in known
        known.add((tick // HOUR_MS, campaign))
        if not again or data.draw(st.booleans()):
            first.append((tick, campaign))
    assert run(first) == run(ticks)


def test_a_full_book_refuses_a_number_it_does_not_know() -> None:
    table = Table(numbers_max=1)
    table.desk.observe(START_MS, "1", "a")
    step = table.step([want("2")])
    assert [r.guard for r in step.refusals] == ["table_full"]


def test_a_reload_keeps_states_and_takes_the_new_guards() -> None:
    table = Table()
    table.suspended("1")
    pools, settings = type(table.pools), type(table.settings)
    table.desk.reconfigure(
        pools.model_validate({"a": {"numbers": ["1", "2"], "min_left": 1}}),
        settings.model_validate({"never": ["3"], "ack_timeout": "10s"}),
    )
    assert table.desk.state("1") is State.SUSPENDED
    step = table.step([want("2"), want("3")])
    assert [(r.number, r.guard) for r in step.refusals] == [("2", "max_fraction"), ("3", "never")]


def test_a_number_that_is_wanted_stays_in_its_pool() -> None:
    table = Table(rate="0/1h", seen_for="1h")
    table.desk.observe(START_MS, "1", "a")
    table.step([want("1")])
    table.step([want("1")], after=DAY_MS)
    assert table.desk.book.pools_of("1") == ("a",)


def test_a_refusal_is_remembered_through_a_lull() -> None:
    table = Table(rate="0/1h")
    assert len(table.step([want("1")]).refusals) == 1
    table.step()
    table.step(after=2 * HOUR_MS)
    assert table.step([want("1")]).refusals == []


def test_an_episode_wanted_again_and_again_is_closed_once() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    for _ in range(3):
        table.step([want("1")])
    (record,) = whole(table.desk.snapshot())["ledger"]["records"]
    assert record["closes"] == ["episode-1"]
    assert table.step(acks=[applied(command)]).closed == [("episode-1", "suspended")]


def test_a_resume_without_an_end_that_nobody_answers_is_asked_for_again() -> None:
    table = Table()
    table.suspended("1", ttl_ms=None)
    (resume,) = table.step(cleared=[clear("1")]).commands
    silent = Ack(resume.id, "silent", "no answer within 1m", table.now)
    assert [each.guard for each in table.step(acks=[silent]).refusals] == ["telephony_silent"]
    (again,) = [each for step in table.until(table.now + MINUTE_MS) for each in step.commands]
    assert (again.action, again.reason) == ("resume", "retried")
    assert again.id != resume.id
    table.step(acks=[applied(again)])
    assert table.desk.state("1") is State.ACTIVE
