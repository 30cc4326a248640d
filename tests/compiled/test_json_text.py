"""Pieces of text against what Python makes of them."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.compiled.json_text import any_spelled, hash_of, same, unescape, utf8_rows
from monitor.events.phones import Phones
from monitor.events.settings import PhoneSettings

Int64 = npt.NDArray[np.int64]


def memory(*pieces: bytes) -> tuple[npt.NDArray[np.uint8], Int64, Int64]:
    """Pieces with something between them: bytes, starts, ends."""
    text, starts, ends = bytearray(), [], []
    for piece in pieces:
        text += b"}"
        starts.append(len(text))
        text += piece
        ends.append(len(text))
    return np.frombuffer(text + bytes(64), np.uint8).copy(), np.array(starts), np.array(ends)


def is_utf8(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


PIECES = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"\xc0\x80", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80",
                     b"\xed\xa0\x80", b"\xc3", b"aaaaaaaa\xe7\x8e", b"\xf5\x80\x80\x80"]),
)  # fmt: skip


@settings(deadline=None, max_examples=500)
@given(st.lists(PIECES, min_size=1, max_size=5))
def test_what_is_utf8_is_what_python_takes_for_it(pieces: list[bytes]) -> None:
    raw, starts, ends = memory(*pieces)
    bad = np.zeros(len(pieces), np.bool_)
    utf8_rows(raw, starts, ends, bad)
    assert bad.tolist() == [not is_utf8(piece) for piece in pieces]


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])), st.booleans())
@example('\b\f\n\r\t"\\/', False)
def test_escapes_mean_what_json_says(text: str, is_key: bool) -> None:
    escaped = json.dumps(text)[1:-1].encode()
    raw, starts, ends = memory(escaped)
    size = unescape(raw, starts[0], ends[0] - starts[0], is_key)
    if is_key and any(ord(letter) < 32 for letter in text):
        assert size == -1
    else:
        assert raw[starts[0] : starts[0] + size].tobytes().decode() == text


@settings(deadline=None)
@given(st.binary(max_size=20), st.binary(max_size=20))
def test_equal_pieces_and_no_others_are_the_same(one: bytes, other: bytes) -> None:
    raw, starts, ends = memory(one, other, one)
    length = int(ends[0] - starts[0])
    assert same(raw, starts[0], raw, starts[2], length)
    assert hash_of(raw, starts[0], length) == hash_of(raw, starts[2], length)
    if len(one) == len(other):
        assert same(raw, starts[0], raw, starts[1], length) == (one == other)


def test_hashes_of_short_names_spread() -> None:
    """Their low bits are what a table goes by."""
    names = [f"agent-{number}".encode() for number in range(1_000)]
    names += [bytes([letter]) for letter in range(33, 127)]
    raw, starts, ends = memory(*names)
    lows = {int(hash_of(raw, at, end - at)) & 4_095 for at, end in zip(starts, ends, strict=True)}
    # 1 094 of 4 096 places: 960 of them taken, were it by chance.
    assert len(lows) > 930


SPELLED = st.one_of(
    st.text("+()0123456789 -./a\u00a0", max_size=18),
    st.from_regex(r"^\+[0-9]{5,17}$"),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(SPELLED, min_size=1, max_size=3))
def test_every_spelling_that_would_be_looked_up_is_noticed(texts: list[str]) -> None:
    raw, starts, ends = memory(*(text.encode() for text in texts))
    changed = Phones(PhoneSettings()).column(pl.Series(texts, dtype=pl.String))
    if changed is not None:
        assert any_spelled(raw, starts, (ends - starts).astype(np.int32))
