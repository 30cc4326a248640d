"""Texts to columns: the table of names, its growth, its end, and texts that do not come again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.texts import Names, TextColumn, Texts

WORDS = st.lists(st.none() | st.text(max_size=20), max_size=40)


def add(column: TextColumn, words: Sequence[str | None]) -> None:
    """Append words, which stand somewhere in one piece of memory with others between them."""
    memory, places, lengths = bytearray(b"~"), [], []
    for word in words:
        said = (word or "").encode()
        places.append(len(memory))
        lengths.append(-1 if word is None else len(said))
        memory += said + b"~~"
    raw = np.frombuffer(memory + bytes(16), np.uint8)
    column.add(raw, np.array(places, np.int64), np.array(lengths, np.int32))


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4))
@pytest.mark.parametrize("kind", [Names, Texts])
def test_what_goes_in_comes_out(kind: type[Names | Texts], blocks: list[list[str | None]]) -> None:
    column = kind()
    for block in blocks:
        add(column, block)
    said = [word for block in blocks for word in block]
    assert column.take().to_list() == said
    add(column, blocks[0])
    assert column.take().to_list() == blocks[0], "nothing is left of what was taken"


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=6), st.integers(2, 9))
def test_a_table_that_is_full_begins_anew(blocks: list[list[str | None]], most: int) -> None:
    names = Names(first=("answered",), names_max=most)
    for block in blocks:
        add(names, block)
    said = [word for block in blocks for word in block]
    assert names.take().to_list() == said
    others, expected = names.others(), [word not in {None, "answered"} for word in said]
    assert (others is not None) is any(expected)
    assert others is None or others.tolist() == expected
    add(names, ["answered", None])
    assert names.take().to_list() == ["answered", None]
    assert names.others() is None, "nothing is left of what was taken"


def test_a_table_grows_by_names_and_by_bytes() -> None:
    names = Names()
    many: list[str | None] = [f"name-{number}" for number in range(70_000)]
    add(names, many)
    assert names.take().to_list() == many
    long = [str(number) * 5_000 for number in range(10)] * 2
    add(names, long)
    assert names.take().to_list() == long
    assert names.held < 2**16


def test_one_name_is_told_by_one_number() -> None:
    names = Names()
    add(names, ["a", "b", "a", None, "b"] * 1_000)
    assert names.held == 2
    assert names.take().to_list() == ["a", "b", "a", None, "b"] * 1_000
