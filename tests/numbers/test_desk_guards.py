"""Guards at the desk: waves, small pools, freezes, people, shadow rules. Lessons 21 to 23."""

from __future__ import annotations

import pytest

from monitor.decisions import derive_id
from monitor.numbers.lifecycle import State
from monitor.numbers.summary import ALONE_MAX
from tests.numbers.made import MINUTE_MS, Table, applied, numbers, order, want
from tests.whole import whole


@pytest.mark.parametrize(
    ("size", "out"), [(1, 1), (2, 1), (3, 1), (9, 1), (10, 1), (11, 1), (20, 2)]
)
def test_a_whole_pool_wanted_at_once_loses_its_share_and_no_more(size: int, out: int) -> None:
    table = Table({"a": {"numbers": numbers(size), "max_fraction": "10%"}})
    wants = [want(number) for number in reversed(numbers(size))]
    step = table.step(wants)
    assert [c.number for c in step.commands] == numbers(size)[:out]
    kept = numbers(size)[out:]
    alone = [(number, "max_fraction", "a") for number in kept]
    told = alone if len(kept) <= ALONE_MAX else [("", "max_fraction", "a")]
    assert [(r.number, r.guard, r.pool) for r in step.refusals] == told
    # Tried again each tick, told once.
    again = table.step(wants)
    assert (again.commands, again.refusals) == ([], [])
    assert table.desk.counts()["wanted"] == size - out


def test_lesson_21_the_guard_looks_at_the_pool_as_if_it_were_done() -> None:
    table = Table({"a": {"numbers": numbers(3), "max_fraction": "50%"}})
    assert len(table.step([want(number) for number in numbers(3)]).commands) == 1


def test_lesson_22_a_false_batch_of_flags_benches_neither_all_nor_none() -> None:
    table = Table({"a": {"numbers": numbers(40)}, "b": {"numbers": numbers(5, "m"), "min_left": 5}})
    flags = [want(n, ttl_ms=None) for n in numbers(40) + numbers(5, "m")]
    step = table.step(flags)
    assert len(step.commands) == 4
    assert [r.guard for r in step.refusals if r.pool == "b"] == ["min_left"] * 5


def test_a_place_that_is_freed_goes_to_the_next_by_severity_in_the_same_tick() -> None:
    table = Table({"a": {"numbers": numbers(10)}}, assume_applied=True)
    wants = [want("n000", ttl_ms=MINUTE_MS), want("n001", level="warn"), want("n002")]
    (first,) = table.step(wants).commands
    assert first.number == "n000"
    wants = wants[1:]
    table.step(wants)
    assert first.until_ms is not None
    (end,) = table.until(first.until_ms, wants)
    assert [(c.action, c.number) for c in end.commands] == [("resume", "n000"), ("suspend", "n002")]


def test_a_number_on_its_way_back_still_counts_as_out() -> None:
    table = Table({"a": {"numbers": numbers(10)}})
    table.suspended("n000")
    (resume,) = table.step(manual=[order("resume", "n000")]).commands
    assert table.step([want("n001")]).commands == []
    assert [c.number for c in table.step([want("n001")], acks=[applied(resume)]).commands] == [
        "n001"
    ]


def test_a_number_in_several_pools_must_satisfy_each() -> None:
    table = Table({"a": {"numbers": numbers(30)}, "b": {"numbers": ["n000", "x"], "min_left": 2}})
    step = table.step([want("n000"), want("n001")])
    assert [(r.number, r.guard, r.pool) for r in step.refusals] == [("n000", "min_left", "b")]
    assert [c.number for c in step.commands] == ["n001"]


def test_numbers_without_a_campaign_guard_each_other() -> None:
    table = Table()
    step = table.step([want("1"), want("2")])
    assert [c.number for c in step.commands] == ["1"]
    assert [(r.guard, r.pool) for r in step.refusals] == [("max_fraction", "unassigned")]


def test_the_global_rate_frees_itself_by_event_time() -> None:
    table = Table({"a": {"numbers": numbers(9), "max_fraction": "100%"}}, rate="2/10m")
    wants = [want(number) for number in numbers(3)]
    step = table.step(wants)
    assert [c.number for c in step.commands] == ["n000", "n001"]
    assert [r.guard for r in step.refusals] == ["global_rate"]
    start = table.now
    steps = table.until(start + 10 * MINUTE_MS, wants[2:])
    (third,) = [c for step in steps for c in step.commands]
    assert (third.number, third.at_ms) == ("n002", start + 10 * MINUTE_MS)


def test_one_refusal_per_number_episode_and_guard() -> None:
    table = Table(rate="0/1h")
    said = [table.step([want("1", episode=episode)]).refusals for episode in ("a", "a", "b", "a")]
    assert [len(refusals) for refusals in said] == [1, 0, 1, 0]
    frozen = table.step([want("1", episode="a")], manual=[order("freeze")]).refusals
    assert [(r.guard, r.episode) for r in frozen] == [("frozen", "a")]
    assert frozen[0].id == derive_id("refusal", "1", "a", "frozen", table.now)


def test_what_is_refused_anew_is_another_refusal() -> None:
    """The number was out and is back: whoever asks again is told again, under an id of its own."""
    table = Table(pools={"a": {"numbers": ["1", "2"]}})
    frozen = [order("freeze")]
    (first,) = table.step([want("1", episode="a")], manual=frozen).refusals
    (out,) = table.step([want("1", episode="a")], manual=[order("suspend", "1")]).commands
    (back,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[applied(out), applied(back)])
    (second,) = table.step([want("1", episode="a")]).refusals
    assert (first.guard, first.episode) == (second.guard, second.episode) == ("frozen", "a")
    assert first.id != second.id


def test_however_many_ask_nobody_is_told_of_the_same_at_each_tick() -> None:
    """A rule by number and customer may have many episodes of one number."""
    table = Table()
    wants = [want("1", episode=f"with customer {index:02}") for index in range(40)]
    said = table.step(wants, manual=[order("freeze")]).refusals
    assert [(refusal.number, refusal.detail.split(":")[0]) for refusal in said] == [
        ("1", "40 times")
    ]
    assert table.step(wants).refusals == []
    # The memory is of those that ask: whoever has stopped for long enough is news again.
    assert len(table.step([want("1", episode=f"new {i}") for i in range(20)]).refusals) == 1
    (record,) = whole(table.desk.snapshot())["ledger"]["records"]
    assert len(record["refused"]) <= 20 + 16


def test_a_freeze_stops_rules_but_neither_resumes_nor_people() -> None:
    table = Table()
    table.suspended("1", ttl_ms=MINUTE_MS)
    step = table.step([want("2")], manual=[order("freeze")])
    assert table.desk.frozen is True
    assert step.commands == []
    assert [(c.number, c.before, c.after, c.reason, c.by) for c in step.changes[:1]] == [
        ("", "running", "frozen", "freeze", "mei")
    ]
    assert table.step(manual=[order("freeze")]).changes[0].reason == "nothing_to_do"
    steps = table.until(table.now + MINUTE_MS, [want("2")])
    assert [c.action for s in steps for c in s.commands] == ["resume"]
    by_hand = table.step([want("2")], manual=[order("suspend", "3")])
    assert [(c.number, c.reason) for c in by_hand.commands] == [("3", "manual_suspend")]
    assert "frozen" in by_hand.changes[0].detail
    thaw = table.step([want("2")], manual=[order("unfreeze")])
    assert table.desk.snapshot()["admission"]["frozen_by"] == ""
    assert [(c.after, c.reason) for c in thaw.changes[:1]] == [("running", "unfreeze")]


def test_the_never_list_holds_for_rules_and_people() -> None:
    table = Table(never=["1"])
    by_rule = table.step([want("1")])
    assert [r.guard for r in by_rule.refusals] == ["never"]
    by_hand = table.step(manual=[order("suspend", "1"), order("suspend", "2")])
    assert [(r.guard, r.number) for r in by_hand.refusals] == [("never", "1")]
    assert [c.number for c in by_hand.commands] == ["2"]


# -- people ---------------------------------------------------------------------------------


def test_a_person_may_go_over_a_pools_guard_and_it_is_said() -> None:
    table = Table({"a": {"numbers": numbers(10)}})
    table.suspended("n000")
    step = table.step([want("n002")], manual=[order("suspend", "n001", why="customer called")])
    assert [c.number for c in step.commands] == ["n001"]
    detail = step.changes[0].detail
    assert detail.startswith("customer called (over the guard max_fraction: 1 of 10")
    # What people took out counts against the rules.
    assert step.refusals[0].detail.startswith("2 of 10")


def test_a_persons_suspension_within_the_guards_says_nothing_more() -> None:
    table = Table()
    step = table.step(manual=[order("suspend", "1", ttl_ms=MINUTE_MS)])
    assert step.changes[0].detail == "because"
    assert step.commands[0].until_ms == table.now + MINUTE_MS


def test_a_person_suspending_a_wanted_number_ends_its_episode_too() -> None:
    table = Table(rate="0/1h")
    table.step([want("1")])
    (command,) = table.step(manual=[order("suspend", "1")]).commands
    assert (command.rule, command.episode, command.until_ms) == ("", "", None)
    assert table.step(acks=[applied(command)]).closed == [("episode-1", "suspended")]


def test_a_person_changes_the_terms_of_a_suspended_number() -> None:
    table = Table()
    table.suspended("1", ttl_ms=MINUTE_MS)
    first = table.step(manual=[order("suspend", "1", ttl_ms=60 * MINUTE_MS)])
    second = table.step(manual=[order("suspend", "1", id="x", ttl_ms=30 * MINUTE_MS)])
    assert table.desk.state("1") is State.SUSPENDED
    assert [c.reason for c in first.commands + second.commands] == ["manual_suspend"] * 2
    start = table.now
    table.step(acks=[applied(second.commands[0])])
    steps = table.until(start + 60 * MINUTE_MS)
    resumes = [c for step in steps for c in step.commands]
    assert resumes[0].at_ms == start + 30 * MINUTE_MS


def test_a_person_takes_over_a_suspension_under_way_and_one_that_ends() -> None:
    table = Table()
    table.step([want("1")])
    (taken,) = table.step(manual=[order("suspend", "1")]).commands
    assert len(table.desk.awaited) == 1
    assert table.step(acks=[applied(taken)]).closed == [("episode-1", "suspended")]
    table.step(manual=[order("resume", "1")])
    (again,) = table.step(manual=[order("suspend", "1", id="x")]).commands
    assert table.desk.state("1") is State.SUSPENDING
    table.step(acks=[applied(again)])
    assert table.until(table.now + 10 * MINUTE_MS) == []


def test_a_person_resumes_at_once_and_again_when_nothing_comes() -> None:
    table = Table()
    table.suspended("1", ttl_ms=None)
    ids = [table.step(manual=[order("resume", "1", id=str(n))]).commands[0].id for n in range(2)]
    assert len(set(ids)) == 2
    table.step(acks=[applied(ids[0])])
    assert table.desk.unknown_acks == 1
    table.step(acks=[applied(ids[1])])
    assert table.desk.state("1") is State.ACTIVE


def test_resuming_a_number_in_service_is_answered() -> None:
    step = Table().step(manual=[order("resume", "1")])
    assert step.commands == []
    assert [(c.before, c.after, c.reason) for c in step.changes] == [
        ("active", "active", "nothing_to_do")
    ]


# -- shadow ---------------------------------------------------------------------------------


def test_however_many_shadow_wants_there_are_each_is_recorded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.numbers.wishes.SHADOWED_MAX", 2)
    table = Table({"a": {"numbers": numbers(90)}})
    wants = [want(number, shadow=True) for number in numbers(9)]
    assert len(table.step(wants).commands) == 9
    assert table.step(wants).commands == []
    table.step()
    assert table.desk.snapshot()["shadowed"] == ["episode-n007", "episode-n008"]


def test_a_shadow_want_is_recorded_once_an_episode_and_changes_nothing() -> None:
    table = Table()
    before = whole(table.desk.snapshot())["ledger"]
    wish = [want("1", shadow=True)]
    step = table.step(wish)
    (command,) = step.commands
    assert command.shadow
    assert command.until_ms == table.now + 30 * MINUTE_MS
    assert (step.changes, step.refusals, step.closed) == ([], [], [])
    assert table.step(wish).commands == []
    assert whole(table.desk.snapshot())["ledger"] == before
    assert "1" not in table.desk.book
    assert len(table.step([want("1", shadow=True, episode="other")]).commands) == 1


def test_a_shadow_want_is_held_to_the_guards_and_uses_none_of_their_room() -> None:
    table = Table({"a": {"numbers": numbers(10)}}, rate="1/1h")
    both = [want("n000", shadow=True, episode="s"), want("n001")]
    step = table.step(both)
    assert [(c.number, c.shadow) for c in step.commands] == [("n000", True), ("n001", False)]
    later = table.step([want("n002", shadow=True, episode="t"), want("n001", shadow=True)])
    assert later.commands == []
    assert later.refusals == []


def test_a_shadow_want_that_waits_for_the_rate_is_due_when_it_frees() -> None:
    table = Table(rate="1/10m", assume_applied=True)
    table.step([want("1")])
    start, wish = table.now, [want("2", shadow=True)]
    assert table.step(wish).commands == []
    (made,) = [
        c for step in table.until(start + 20 * MINUTE_MS, wish) for c in step.commands if c.shadow
    ]
    assert made.at_ms == start + 10 * MINUTE_MS


def test_a_shadow_want_lasts_as_long_as_the_number_has_earned() -> None:
    table = Table(assume_applied=True)
    table.step([want("1")])
    table.until(table.now + 30 * MINUTE_MS)
    (command,) = table.step([want("1", shadow=True, episode="s")]).commands
    assert command.until_ms == table.now + 60 * MINUTE_MS
    (forever,) = table.step([want("1", shadow=True, episode="f", ttl_ms=None)]).commands
    assert forever.until_ms is None


def test_wants_are_tried_in_one_order_however_they_come() -> None:
    wants = [want(n, level=level) for n in numbers(6) for level in ("warn", "crit")]

    def run(wishes: list[object]) -> object:
        table = Table({"a": {"numbers": numbers(30)}}, rate="3/10m")
        step = table.step(wishes)  # type: ignore[arg-type]
        return (step, whole(table.desk.snapshot()))

    assert run(list(wants)) == run(list(reversed(wants)))


def test_a_wanted_number_waits_at_no_cost() -> None:
    table = Table({"a": {"numbers": numbers(10)}})
    table.suspended("n000", ttl_ms=None)
    table.step([want("n001")])
    table.step([want("n001")])
    assert table.desk.next_event_tick(table.now) is None
    assert table.step([want("n001")], after=MINUTE_MS).changes == []


def test_who_is_retired_counts_neither_for_nor_against_a_pool_at_the_same_step() -> None:
    table = Table({"spring": {"numbers": numbers(20), "standby": ["s1"], "max_fraction": "10%"}})
    table.suspended("n000")
    orders = [order("retire", number, id=number) for number in ("n000", "n001", "n002")]
    step = table.step([want(number) for number in numbers(10)[3:]], manual=orders)
    # Of eighteen that are left, the stand-in among them, one may be out; n000 is no member now.
    assert [c.number for c in step.commands if c.reason == "admitted"] == ["n003"]
