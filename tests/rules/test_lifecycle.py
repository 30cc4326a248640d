"""The table: every row is reached, every state has a way out, and the first match wins."""

from __future__ import annotations

from itertools import product

import pytest

from monitor.rules.lifecycle import TABLE, Facts, Reason, State, advance

LIVE = (State.PENDING, State.FIRING, State.RECOVERING)
CALM = (State.WARMING, State.OK, State.INSUFFICIENT)
NAMES = tuple(Facts.__dataclass_fields__)


def all_facts() -> list[Facts]:
    return [
        Facts(**dict(zip(NAMES, values, strict=True)))
        for values in product((True, False), repeat=len(NAMES))
    ]


def test_every_row_is_reached_by_some_facts() -> None:
    reached = {
        (state, next(way.condition for way in ways if way.when(facts)))
        for state, ways in TABLE.items()
        for facts in all_facts()
    }
    assert reached == {(state, way.condition) for state, ways in TABLE.items() for way in ways}


def test_every_state_can_be_left_and_ok_is_reached_from_all() -> None:
    ways = {state: {way.to for way in rows} for state, rows in TABLE.items()}
    for state in State:
        assert ways[state] - {state}, state
        seen, todo = {state}, [state]
        while todo:
            todo += [to for to in ways[todo.pop()] if to not in seen]
            seen |= set(todo)
        assert State.OK in seen, state


@pytest.mark.parametrize("state", LIVE)
def test_an_end_from_outside_ends_anything(state: State) -> None:
    for facts in all_facts():
        if facts.ended:
            assert advance(state, facts) == (State.OK, Reason.ENDED)


@pytest.mark.parametrize("state", CALM)
def test_calm_states_judge_alike_and_only_what_is_covered(state: State) -> None:
    for facts in all_facts():
        after, reason = advance(state, facts)
        assert (after, reason) == advance(State.OK, facts)
        assert (after is State.WARMING) is (not facts.covered)


@pytest.mark.parametrize("state", [State.FIRING, State.RECOVERING])
def test_missing_data_never_resolves_unless_told_to(state: State) -> None:
    for facts in all_facts():
        if facts.data or facts.ended:
            continue
        after, reason = advance(state, facts)
        if facts.resolves_without_data:
            assert (after, reason) == (State.INSUFFICIENT, Reason.NO_DATA)
        else:
            assert (after, reason) == (state, Reason.HELD)


def test_a_table_without_a_way_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE, State.OK, ())
    with pytest.raises(AssertionError, match="no way out of ok"):
        advance(State.OK, Facts())
