"""Many texts found at once, against a dictionary."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.windows.arrays import column
from monitor.windows.ids import UInt64, halves
from monitor.windows.lookup import Lookup

TEXTS = st.sampled_from([f"+{number}" for number in range(40)])


def hashes(texts: list[str], *, crowded: bool) -> tuple[UInt64, UInt64]:
    """What texts hash to; ``crowded``: to few places, at the end of any table."""
    low, high = halves(pl.Series(texts, dtype=pl.String))
    return (low | ~np.uint64(3), high) if crowded else (low, high)


class Lookups(RuleBasedStateMachine):
    """Ids come, go and come back for other texts."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups = {crowded: Lookup() for crowded in (False, True)}
        self.known: dict[str, int] = {}

    @rule(texts=st.lists(TEXTS, unique=True, max_size=20), refused=st.booleans())
    def put(self, texts: list[str], refused: bool) -> None:
        """Some are known, some get the smallest ids that are free, the last may get none."""
        free = iter(sorted(set(range(100)) - set(self.known.values())))
        ids = [self.known.get(text, -1) for text in texts]
        ids = [next(free) if key < 0 else key for key in ids]
        if refused and texts and texts[-1] not in self.known:
            ids[-1] = -1
        self.known |= {text: key for text, key in zip(texts, ids, strict=True) if key >= 0}
        for crowded, lookup in self.lookups.items():
            lookup.put(column(ids), *hashes(texts, crowded=crowded))

    @rule(texts=st.lists(TEXTS, unique=True, max_size=20), never=st.integers(100, 10_000))
    def drop(self, texts: list[str], never: int) -> None:
        """Ids that are not there do not matter."""
        ids = [self.known.pop(text) for text in texts if text in self.known]
        for lookup in self.lookups.values():
            lookup.drop(column([*ids, never]))
            lookup.drop(column(ids))

    @precondition(lambda self: self.known)
    @rule()
    def clear(self) -> None:
        self.known = {}
        for lookup in self.lookups.values():
            lookup.clear()

    @invariant()
    def agrees(self) -> None:
        texts = [f"+{number}" for number in range(45)]
        for crowded, lookup in self.lookups.items():
            found = lookup.find(*hashes(texts, crowded=crowded)).tolist()
            assert found == [self.known.get(text, -1) for text in texts]
            assert len(lookup) == len(self.known)


TestLookups = Lookups.TestCase
TestLookups.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_table_that_grows_keeps_what_it_has() -> None:
    lookup, many = Lookup(), [f"{number:x}" for number in range(20_000)]
    low, high = halves(pl.Series(many))
    for first in range(0, len(many), 700):
        part = slice(first, first + 700)
        lookup.put(np.arange(len(many))[part], low[part], high[part])
    assert lookup.find(low, high).tolist() == list(range(len(many)))
    lookup.drop(np.arange(0, len(many), 2))
    odd = [number if number % 2 else -1 for number in range(len(many))]
    assert lookup.find(low, high).tolist() == odd
