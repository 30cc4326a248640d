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


def test_many_are_all_told_apart() -> None:
    known = Known()
    for first in range(0, 100_000, 9_000):
        known.add(pl.Series([str(number) for number in range(first, first + 10_000)]))
        # Memory of a size that nothing was in before is slow to come by: half a second for 268 MB.
        assert 4 / 3 * len(known) <= len(known._slots) < 8 / 3 * (len(known) + 1_000)
    assert len(known) == 109_000
