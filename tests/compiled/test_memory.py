"""Reads of memory, and the loops made of them, against what Python makes of the same bytes."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.compiled import compiled
from monitor.compiled.json_text import text_end
from monitor.compiled.lines import line_ends
from monitor.compiled.memory import STRIDE, byte, line_stops, put_word, stops, word
from monitor.compiled.tables import pack

assert sys.byteorder == "little", "the first byte of a word is its lowest"

LINES = st.text(st.sampled_from("ab\n\r"), max_size=70).map(str.encode) | st.binary(max_size=70)
TEXTS = st.text(st.sampled_from('ab"\\\x1f \x7fé'), max_size=40).map(str.encode)


@compiled
def reads(raw: Any, at: int) -> Any:
    return byte(raw, at), word(raw, at), stops(raw, at), line_stops(raw, at)


@compiled
def write(raw: Any, at: int, value: Any) -> None:
    put_word(raw, at, np.uint64(value))


def memory(piece: bytes) -> Any:
    return np.frombuffer(piece + bytes(64), np.uint8).copy()


def distance(found: re.Match[bytes] | None) -> int:
    return STRIDE if found is None else found.start()


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=40) | TEXTS, st.integers(0, 40))
def test_a_read_is_what_stands_there(piece: bytes, at: int) -> None:
    raw = memory(piece)
    there = raw[at : at + STRIDE].tobytes()
    first, whole, ends, feeds = reads(raw, at)
    assert first == there[0]
    assert whole == int.from_bytes(there[:8], "little")
    assert ends == distance(re.search(rb'["\\\\\x00-\x1f]', there))
    assert feeds == distance(re.search(rb"\n", there))


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 20))
def test_a_word_is_written_where_it_is_read(value: int, at: int) -> None:
    raw = memory(b"")
    write(raw, at, np.uint64(value))
    assert raw.tobytes() == bytes(at) + value.to_bytes(8, "little") + bytes(56 - at)


@settings(deadline=None)
@given(TEXTS)
def test_a_text_ends_at_the_first_byte_that_is_no_text(piece: bytes) -> None:
    raw = memory(piece)
    found = re.search(rb'["\\\\\x00-\x1f]', raw.tobytes())
    assert found is not None
    assert text_end(raw, 0) == found.start()


@settings(deadline=None, max_examples=300)
@given(LINES, st.integers(0, 9))
def test_lines_end_where_line_feeds_stand(block: bytes, limit: int) -> None:
    """In bytes with nothing behind them, which a file is read into."""
    raw = np.frombuffer(block, np.uint8)
    ends = np.full(limit, -7)
    count = line_ends(raw, ends)
    assert ends[:count].tolist() == [found.start() for found in re.finditer(b"\n", block)][:limit]
    assert set(ends[count:].tolist()) <= {-7}


@settings(deadline=None)
@given(st.lists(st.none() | st.binary(max_size=20), max_size=9), st.integers(0, 5))
def test_texts_are_packed_side_by_side(texts: list[bytes | None], to: int) -> None:
    said = [text or b"" for text in texts]
    raw = memory(b"".join(said))
    lengths = np.array([-1 if text is None else len(text) for text in texts], np.int32)
    places = np.cumsum([0, *map(len, said)])[:-1]
    packed = np.zeros(to + len(b"".join(said)) + 8, np.uint8)
    end = pack(raw, places, lengths, packed, to)
    assert packed[to:end].tobytes() == b"".join(said)
    assert not packed[:to].any()


@pytest.mark.parametrize("strange", [np.zeros(32, np.int8), np.zeros((4, 16), np.uint8)[:, ::2]])
def test_other_memory_than_bytes_side_by_side_is_refused(strange: Any) -> None:
    with pytest.raises(Exception, match=r"reads|byte"):
        reads(strange, 0)
