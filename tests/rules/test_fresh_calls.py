"""Calls of numbers on probation are found tick by tick, however many rows are looked at at once."""

from __future__ import annotations

from unittest import mock

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from monitor.decisions import OnTrial
from monitor.rules import fresh
from monitor.rules.fresh import FreshCalls

TICK_MS = 5_000
NUMBERS = ("+1", "+2", "+3")

ticks = st.lists(
    st.tuples(
        st.lists(st.sampled_from((*NUMBERS, None)), max_size=4),
        st.sets(st.sampled_from(NUMBERS)),
    ),
    min_size=1,
    max_size=12,
)
"""By tick: whose calls come in, and who is on probation."""


def calls(at: list[tuple[int, str | None]]) -> pl.DataFrame:
    """A call each, that took no time."""
    schema = {"tick": pl.Int64, "number": pl.String}
    return pl.DataFrame(at, schema=schema, orient="row").with_columns(
        type=pl.lit("call.ended"),
        call_id=pl.lit(None, pl.String),
        time=pl.col("tick") - 1,
        direction=pl.lit("outbound"),
    )


@given(ticks=ticks, at_once=st.integers(1, 8), loaded_at_once=st.integers(1, 12))
def test_each_call_counts_for_whom_it_is_while_it_is_on_probation(
    ticks: list[tuple[list[str | None], set[str]]], at_once: int, loaded_at_once: int
) -> None:
    counting = FreshCalls([], [], tick_ms=TICK_MS)
    expected: dict[str, int] = {}
    with (
        mock.patch.object(fresh, "LOOKED_AT_ONCE", at_once),
        mock.patch.object(counting, "_asked", new=True),
    ):
        for place, (come, proving) in enumerate(ticks):
            tick = (place + 1) * TICK_MS
            if place % loaded_at_once == 0:
                part = enumerate(ticks[place : place + loaded_at_once], start=place + 1)
                counting.load(
                    calls([(n * TICK_MS, each) for n, (of, _) in part for each in of]), None
                )
            counting.step(tick, set(), {number: OnTrial(0, ()) for number in proving})
            expected = {each: expected.get(each, 0) + come.count(each) for each in proving}
            assert counting.calls == expected
