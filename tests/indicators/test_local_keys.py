"""Places of a load's keys, few and close together or far apart."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import polars as pl
from hypothesis import given

from monitor.indicators.frame import Frame
from monitor.indicators.loaded import LocalKeys
from monitor.keys import KeyTable
from monitor.windows.arrays import column

NAMES = [f"n{number:03d}" for number in range(300)]


@given(
    st.lists(st.tuples(st.integers(-1, 299), st.integers(-1, 299)), min_size=1, max_size=30),
    st.sampled_from([("number",), ("number", "agent")]),
)
def test_a_place_tells_the_key(
    drawn: list[tuple[int, int]], by: tuple[str] | tuple[str, str]
) -> None:
    """Pairs of many names are too many to have a number each beside so few rows."""
    fields = dict(zip(("number", "agent"), zip(*drawn, strict=True), strict=True))
    columns = {
        name: pl.Series([None if each < 0 else NAMES[each] for each in values], dtype=pl.String)
        for name, values in fields.items()
    }
    times = np.arange(len(drawn), dtype=np.int64)
    frame = Frame(pl.DataFrame(columns | {"time": times, "tick": times + 5}), [])
    keys, table = LocalKeys(frame, by), KeyTable(10_000)
    codes = keys.of_row
    parts = keys.keep([codes[:10], codes[10:], column([])])
    places = np.concatenate(parts)
    expected = [
        None if any(fields[name][row] < 0 for name in by)
        else "\x1f".join(NAMES[fields[name][row]] for name in by)
        for row in range(len(drawn))
    ]  # fmt: skip
    assert places.dtype == np.int64
    assert [place < 0 for place in places.tolist()] == [name is None for name in expected]
    known = places >= 0
    ids = keys.resolve(places[known], table)
    found = [table.name(key) for key in ids.tolist()]
    assert found == [name for name in expected if name is not None]
    distinct = sorted({name for name in expected if name is not None})
    assert sorted(set(places[known].tolist())) == list(range(len(distinct)))
    assert [len(part) for part in parts] == [len(codes[:10]), len(codes[10:]), 0]
