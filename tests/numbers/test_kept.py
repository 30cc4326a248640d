"""What a person holds, retires or undoes: nothing but a person takes a number out of that."""

from __future__ import annotations

import pytest

from monitor.decisions import derive_id
from monitor.numbers.lifecycle import State
from monitor.numbers.requests import answer_id, in_words, was_refused
from monitor.sealed import plain
from tests.numbers.made import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    TICK_MS,
    Table,
    applied,
    clear,
    numbers,
    order,
    rejected,
    want,
)
from tests.whole import whole

POOL = {"a": {"numbers": ["n0", "n1", "n2", "n3"], "max_fraction": "50%", "standby": ["s0", "s1"]}}


def kept(table: Table, action: str, number: str) -> None:
    """Have a person hold or retire it, confirmed."""
    (command,) = table.step(manual=[order(action, number)]).commands
    table.step(acks=[applied(command)])


@pytest.mark.parametrize(("action", "state"), [("hold", State.HELD), ("retire", State.RETIRED)])
def test_nothing_but_a_person_takes_it_out_of_that(action: str, state: State) -> None:
    table = Table()
    (command,) = table.step(manual=[order(action, "1")]).commands
    assert (command.action, command.until_ms, command.rule) == ("suspend", None, "")
    assert table.desk.state("1") is state, "it is so at once, whatever telephony says"
    table.step(acks=[applied(command)])
    flag = want("1", rule="flag", ttl_ms=None)
    step = table.step([flag, want("1")], cleared=[clear("1", "flag"), clear("1")])
    assert (step.commands, step.changes) == ([], [])
    assert {episode for episode, _ in step.closed} == {"episode-1"}
    resume = table.step(manual=[order("resume", "1")])
    assert resume.commands == []
    assert was_refused(resume.changes[0])
    assert in_words(resume.changes[0]) == (
        f"refused: resume: a person has it {state}: release it first (held)"
    )
    again = table.step(manual=[order("suspend", "1")])
    assert (again.commands, again.changes[0].reason) == ([], "nothing_to_do")
    assert table.until(table.now + 30 * DAY_MS) == []
    assert table.desk.state("1") is state


@pytest.mark.parametrize("action", ["hold", "retire"])
def test_a_person_releases_it(action: str) -> None:
    table = Table()
    kept(table, action, "1")
    (resume,) = table.step(manual=[order("release", "1")]).commands
    assert (resume.action, resume.reason) == ("resume", "manual_release")
    table.step(acks=[applied(resume)])
    assert table.desk.state("1") is State.ACTIVE
    assert table.desk.held == set()


def test_it_is_asked_for_again_when_telephony_would_not() -> None:
    table = Table(retry_pause="30s")
    (command,) = table.step(manual=[order("hold", "1")]).commands
    step = table.step(acks=[rejected(command)])
    assert [refusal.guard for refusal in step.refusals] == ["suspend_rejected"]
    since = table.now
    (asked,) = table.until(since + MINUTE_MS)
    (again,) = asked.commands
    assert (again.action, again.reason, again.at_ms) == ("suspend", "retried", since + 30_000)
    assert table.desk.state("1") is State.HELD
    table.step(acks=[applied(again)])
    assert table.until(table.now + DAY_MS) == []


def test_what_is_suspended_or_on_its_way_back_is_held_too() -> None:
    table = Table()
    table.suspended("1")
    (command,) = table.step(manual=[order("suspend", "2")]).commands
    table.step(acks=[applied(command)])
    table.step(manual=[order("resume", "2")])
    kept(table, "hold", "1")
    kept(table, "hold", "2")
    assert {table.desk.state(number) for number in "12"} == {State.HELD}
    assert table.until(table.now + DAY_MS) == []


def test_releasing_what_is_not_held_is_answered() -> None:
    table = Table()
    table.suspended("1")
    words = [
        in_words(table.step(manual=[order("release", number)]).changes[0]) for number in ("1", "2")
    ]
    assert words == [
        "nothing to do: release: it is suspended, and not held; because",
        "nothing to do: release: it is active, and not held; because",
    ]


def test_a_person_ends_a_probation() -> None:
    table = Table()
    table.suspended("1", probation_calls=9, probation_ms=HOUR_MS)
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[applied(resume)])
    (row,) = table.step(manual=[order("release", "1")]).changes
    assert (row.before, row.after, row.id) == ("probation", "active", answer_id("release-1"))
    assert table.desk.on_trial == {}


def test_the_never_list_holds_for_it_too() -> None:
    table = Table(never=["1"])
    for action in ("hold", "retire"):
        assert was_refused(table.step(manual=[order(action, "1")]).changes[0])


# -- standing in ------------------------------------------------------------------------------


def test_a_standby_takes_the_place_of_one_that_is_retired() -> None:
    table = Table(POOL)
    (command,) = table.step(manual=[order("retire", "n0")]).commands
    assert command.replacement == "s0"
    assert command.to_wire()["replacement"] == "s0"
    book = table.desk.book
    assert (book.pools_of("n0"), book.pools_of("s0")) == ((), ("a",))
    assert (book.standing("a", 0).size, "n0" in book) == (4, True)
    # It is in no pool, so it takes no room from those that are.
    assert len(table.step([want("n1"), want("n2")]).commands) == 2
    assert table.desk.counts()["retired"] == 1
    assert sum(table.desk.counts().values()) == 5


def test_each_has_a_stand_in_of_its_own_and_then_nobody() -> None:
    table = Table(POOL)
    commands = [
        command
        for number in ("n0", "n1", "n2")
        for command in table.step(manual=[order("retire", number)]).commands
    ]
    assert [command.replacement for command in commands] == ["s0", "s1", None]
    assert table.desk.book.standing("a", 0).size == 3


def test_one_that_is_out_of_service_stands_in_for_nobody() -> None:
    table = Table(POOL)
    kept(table, "hold", "s0")
    (command,) = table.step(manual=[order("retire", "n0")]).commands
    assert command.replacement == "s1"


def test_released_it_has_its_place_again() -> None:
    table = Table(POOL)
    kept(table, "retire", "n0")
    (resume,) = table.step(manual=[order("release", "n0")]).commands
    table.step(acks=[applied(resume)])
    book = table.desk.book
    assert (book.pools_of("n0"), book.pools_of("s0")) == (("a",), ())
    (command,) = table.step(manual=[order("retire", "n1")]).commands
    assert command.replacement == "s0"


def test_where_it_is_told_of_stays_the_same_whether_it_is_a_member_or_not() -> None:
    table = Table(POOL)
    book = table.desk.book
    assert [book.dialled_for(number) for number in ("n0", "s0", "x")] == [("a",), ("a",), ()]
    table.step(manual=[order("retire", "n0")])
    assert [book.dialled_for(number) for number in ("n0", "s0", "x")] == [("a",), ("a",), ()]
    table.desk.observe(START_MS, "x", "b")
    table.step(manual=[order("retire", "x")])
    assert book.dialled_for("x") == ("b",)


def test_one_seen_in_traffic_alone_is_in_no_pool_however_often_it_is_seen() -> None:
    table = Table()
    table.desk.observe(START_MS, "1", "a")
    kept(table, "retire", "1")
    table.desk.observe(START_MS + HOUR_MS, "1", "a")
    assert table.desk.book.pools_of("1") == ()


def test_who_stands_in_for_whom_outlasts_restarts_and_a_reload() -> None:
    table = Table(POOL)
    kept(table, "retire", "n0")
    other = Table(POOL)
    other.desk.restore(table.desk.snapshot())
    assert whole(other.desk.snapshot()) == whole(table.desk.snapshot())
    assert other.desk.book.pools_of("s0") == ("a",)
    other.desk.reconfigure(other.pools, other.settings)
    assert other.desk.book.pools_of("s0") == ("a",)
    (command,) = other.desk.step(
        table.now + TICK_MS, [], [], [], [order("hold", "n0", id="x")]
    ).commands
    assert command.replacement is None
    assert other.desk.book.pools_of("n0") == ("a",)


def test_older_programs_knew_of_none_of_it() -> None:
    table = Table()
    table.suspended("1")
    state = table.desk.snapshot()
    older = plain(state["ledger"]["records"])
    for record in older:
        for name in ("trial", "again", "admitted_ms", "spared_ms", "stand_in"):
            del record[name]
    book = {name: value for name, value in state["book"].items() if name != "retired"}
    other = Table()
    other.desk.restore({**state, "book": book, "ledger": {**state["ledger"], "records": older}})
    assert other.desk.state("1") is State.SUSPENDED


# -- undo -------------------------------------------------------------------------------------

WIDE = {"a": {"numbers": numbers(10), "max_fraction": "100%"}}


def out(table: Table, *names: str, **changes: object) -> None:
    commands = table.step([want(name, **changes) for name in names]).commands
    table.step(acks=[applied(command) for command in commands])


def test_all_that_rules_did_since_is_taken_back_in_one_request() -> None:
    table = Table(WIDE)
    out(table, "n000")
    since = table.now + 1
    out(table, "n001", "n002")
    table.step([want("n003")])
    table.step(manual=[order("suspend", "n004")])
    step = table.step(manual=[order("undo", since_ms=since)])
    assert [(c.action, c.number, c.reason) for c in step.commands] == [
        ("resume", "n001", "undone"),
        ("resume", "n002", "undone"),
        ("resume", "n003", "undone"),
    ]
    (row,) = [row for row in step.changes if row.id == answer_id("undo-")]
    assert in_words(row) == "done: 3 suspensions by rules: n001, n002, n003; because"
    assert row.number == ""
    assert table.desk.state("n000") is State.SUSPENDED


def test_rules_leave_them_alone_for_a_while_and_did_not_make_them_rest_longer() -> None:
    table = Table(WIDE, assume_applied=True, undo_for="30m")
    table.step([want("n000")])
    table.step(manual=[order("undo", since_ms=0)])
    undone = table.now
    wants = [want("n000", episode="again")]
    first = table.step(wants)
    assert [refusal.guard for refusal in first.refusals] == ["undone"]
    steps = table.until(undone + 40 * MINUTE_MS, wants)
    (command,) = [c for step in steps for c in step.commands]
    assert command.at_ms == undone + 30 * MINUTE_MS
    assert command.until_ms == command.at_ms + 30 * MINUTE_MS, "as for the first time"


def test_what_a_person_wants_stays() -> None:
    table = Table(WIDE, assume_applied=True)
    table.step([want("n000")])
    table.step(manual=[order("suspend", "n000", ttl_ms=2 * HOUR_MS)])
    step = table.step(manual=[order("undo", since_ms=0)])
    assert [c.action for c in step.commands] == []
    assert table.desk.state("n000") is State.SUSPENDED
    (cause,) = plain(table.desk.snapshot()["ledger"]["records"])[0]["causes"]
    assert cause["rule"] == ""


def test_of_one_pool_alone() -> None:
    pools = WIDE | {"b": {"numbers": ["m"], "max_fraction": "100%"}}
    table = Table(pools)
    out(table, "n000", "m")
    step = table.step(manual=[order("undo", since_ms=0, pool="b")])
    assert [c.number for c in step.commands] == ["m"]
    nothing = table.step(manual=[order("undo", id="x", since_ms=table.now)])
    assert in_words(nothing.changes[0]).startswith("nothing to do: no suspension by a rule")


def test_many_are_named_as_far_as_one_can_read_them() -> None:
    table = Table({"a": {"numbers": numbers(40), "max_fraction": "100%"}}, rate="100/1h")
    out(table, *numbers(40))
    step = table.step(manual=[order("undo", since_ms=0)])
    (row,) = [row for row in step.changes if not row.number]
    assert row.detail.startswith("40 suspensions by rules: n000, ")
    assert row.detail.count(", ") == 20
    assert row.id == derive_id("request", "undo-")
