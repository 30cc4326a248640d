"""Texts as numbers, against polars' own sorting."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.windows.ids import coded, halves


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=6), max_size=60))
def test_codes_are_places_among_the_names_in_order(said: list[str | None]) -> None:
    texts = pl.Series(said, dtype=pl.String)
    names, codes = coded(texts)
    known = sorted({text for text in said if text is not None}, key=lambda text: text.encode())
    assert names.texts == known
    assert [each.tolist() for each in (names.low, names.high)] == [
        each.tolist() for each in halves(pl.Series(known, dtype=pl.String))
    ]
    assert codes.tolist() == [-1 if text is None else known.index(text) for text in said]


def test_hashes_tell_texts_apart() -> None:
    many = pl.Series([f"{number:x}" for number in range(100_000)])
    low, high = halves(many)
    for half in (low, high):
        assert len(np.unique(half)) == 100_000
    assert len(np.unique(low >> np.uint64(44))) > 90_000, "the upper bits alone tell most of them"
    assert (low != high).all()
