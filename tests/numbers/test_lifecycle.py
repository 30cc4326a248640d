"""The table itself: closed, connected, and without dead ends."""

from __future__ import annotations

import pytest

from monitor.numbers.lifecycle import IN_SERVICE, KEPT, TRANSITIONS, Event, State, after, can

BROUGHT_BY_TIME = {
    Event.TTL_OVER,
    Event.RETRIED,
    Event.LET_GO,
    Event.BREACH_OVER,
    Event.PROBATION_OVER,
}


def test_every_state_can_be_reached_from_active_and_leads_back() -> None:
    def reachable(start: State) -> set[State]:
        seen, todo = {start}, [start]
        while todo:
            here = todo.pop()
            for (state, _), end in TRANSITIONS.items():
                if state is here and end not in seen:
                    seen.add(end)
                    todo.append(end)
        return seen

    assert reachable(State.ACTIVE) == set(State)
    assert all(State.ACTIVE in reachable(state) for state in State)


@pytest.mark.parametrize("state", sorted(set(State) - KEPT - {State.ACTIVE}))
def test_every_state_but_active_is_left_without_telephony_or_people(state: State) -> None:
    ways = {
        end
        for (begin, event), end in TRANSITIONS.items()
        if begin is state and event in BROUGHT_BY_TIME
    }
    assert ways - {state}


def test_only_telephony_time_and_nobody_else_ends_a_resume_in_service() -> None:
    into_service = {
        (begin, event)
        for (begin, event), end in TRANSITIONS.items()
        if begin not in IN_SERVICE and end in IN_SERVICE
    }
    assert into_service == {
        (State.RESUMING, Event.APPLIED),
        (State.RESUMING, Event.LET_GO),
        (State.SUSPENDED, Event.LET_GO),
        (State.SUSPENDING, Event.REJECTED),
    }


def test_what_a_person_keeps_out_only_a_person_takes_out_of_that() -> None:
    ways = {
        event for (begin, event), end in TRANSITIONS.items() if begin in KEPT and end is not begin
    }
    assert ways == {Event.PERSON_RELEASES, Event.PERSON_HOLDS, Event.PERSON_RETIRES}


def test_a_person_may_hold_or_retire_a_number_in_any_state() -> None:
    for state in State:
        assert can(state, Event.PERSON_HOLDS) is (state is not State.HELD)
        assert can(state, Event.PERSON_RETIRES) is (state is not State.RETIRED)


def test_a_transition_that_is_not_in_the_table_raises() -> None:
    assert not can(State.ACTIVE, Event.TTL_OVER)
    with pytest.raises(KeyError):
        after(State.ACTIVE, Event.TTL_OVER)


def test_every_event_is_used() -> None:
    assert {event for _, event in TRANSITIONS} == set(Event)
