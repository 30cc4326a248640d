"""How many texts there were, against a set."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.hashed import Known


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 400).map(str), max_size=80), max_size=8))
def test_each_text_counts_once(batches: list[list[str]]) -> None:
    known, there = Known(), set[str]()
    for batch in batches:
        texts = pl.Series(batch, dtype=pl.String)
        assert known.new_among(texts) == len(set(batch) - there)
        assert len(known) == len(there), "asking adds none"
        known.add(texts)
        there |= set(batch)
        assert len(known) == len(there)


texts = st.lists(st.none() | st.integers(0, 40).map(str), max_size=60)


@settings(deadline=None)
@given(texts, st.lists(st.tuples(texts, st.integers(0, 12)), max_size=6))
def test_what_is_taken_is_new_and_finds_room(
    earlier: list[str | None], loads: list[tuple[list[str | None], int]]
) -> None:
    before, known, there = Known(), Known(), set(earlier)
    before.add(pl.Series(earlier, dtype=pl.String))
    for load, room in loads:
        first, refused = known.take(pl.Series(load, dtype=pl.String), room, before)

        left, firsts, refusals = room, [], []
        for text in load:
            new = text not in there
            firsts.append(new)
            refusals.append(new and left == 0)
            if new and left:
                there.add(text)
                left -= 1
        assert (first.to_list(), refused.to_list()) == (firsts, refusals)
        assert len(known) == len(there - set(earlier))


def test_many_are_all_told_apart_in_a_table_that_is_not_too_large() -> None:
    known, copies = Known(), 1_000
    for first in range(0, 100_000, 10_000 - copies):
        known.add(pl.Series([str(number) for number in range(first, first + 10_000)]))
        # Room was made for the copies, too.
        assert 4 / 3 * len(known) <= len(known._slots) <= 8 / 3 * (len(known) + copies)
    assert len(known) == 109_000
