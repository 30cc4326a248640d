r"""Where polars reads JSON more kindly than the contract, seen in the raw bytes of a batch.

Owns the guards that make the column reading safe: rows named here go to the strict decoder. A
guard may name a good row (it costs time), it may never miss a bad one. They work on the joined
bytes with numpy, since a regular expression over them takes a third of the whole decode.

What polars (1.x to 2.1) lets through, and what is watched for it:

* text columns swallow numbers, booleans, arrays and objects → a key in use whose value begins with
  neither a quote nor ``n`` (null);
* ``\ud800`` becomes NUL → escapes that begin with ``\ud``;
* control characters (allowed in text, not in keys) → every escape that can make one;
* white space other than one space after a colon hides values from the above → any of it;
* keys written with escapes (``"\u0069d"``) hide too → escapes of plain ASCII;
* nesting is allowed to 1 024 → rows with more brackets than the limit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SPACE, _QUOTE, _COLON, _BACKSLASH = b' ":\\'


def _table(members: bytes) -> Mask:
    """For every byte whether it is among ``members``: much faster to look up than a set."""
    return np.isin(np.arange(256), np.frombuffer(members, np.uint8))


_PLAIN_ESCAPES = _table(b'"\\/u')
_WHITE = _table(b" \t\r")
_BARE = ~_table(b'"n')
"""First bytes of values that are neither text nor null."""
_DIGITS = _table(b"0123456789")
_ENDS = _table(b",} \t\r\n")
"""What may follow a number."""
_LONGEST_INT = 20


class Joined:
    """A batch of records as lines of JSON, none of which holds a newline itself."""

    def __init__(self, records: Sequence[bytes]) -> None:
        # A batch that begins with the magic of gzip or zstd would be unpacked by polars: a blank
        # line first. The ones at the end keep every look ahead of a few bytes inside the array.
        self.text = b"\n".join((b"", *records, b"\n" * (_LONGEST_INT + 8)))
        self.raw: Bytes = np.frombuffer(self.text, np.uint8)
        self.rows = len(records)
        lengths = np.fromiter(map(len, records), np.int64, self.rows)
        self.ends: Int64 = np.cumsum(lengths + 1) + 1

    def mask(self, positions: Int64) -> Mask:
        """Which rows the byte positions fall into, shape ``(rows,)``."""
        mask = np.zeros(self.rows, np.bool_)
        mask[np.searchsorted(self.ends, positions, side="right")] = True
        return mask


class Keys:
    """The ``"key": value`` of a batch, by where the key's last quote and the value stand.

    In-string look-alikes may be among them. A key of the record is missing only where white space
    stands oddly around its colon, and then :meth:`kindly_read` names the row.
    """

    def __init__(self, joined: Joined) -> None:
        raw = joined.raw
        colons = np.flatnonzero(raw == _COLON)
        # Most values are text right after the colon; only the others need a closer look.
        quotes = colons[raw[colons + 1] != _QUOTE] - 1
        values = quotes + 2
        values += raw[values] == _SPACE
        bare = _BARE[raw[values]]
        self._joined = joined
        self._colons = colons
        self._quotes, self._values = quotes[bare], values[bare]
        # More white space than one space after the colon hides what is looked for.
        self._spread = joined.mask(colons[_WHITE[raw[colons - 1]]])
        self._spread |= joined.mask(values[_WHITE[raw[values]]])

    def kindly_read(self, text_keys: Collection[str], depth: int) -> Mask:
        """Rows that polars may have read more kindly than the strict decoder would."""
        mask = self._spread | _odd_escapes(self._joined) | _maybe_deep(self._joined, depth)
        raw, quotes = self._joined.raw, self._quotes
        near = np.zeros(65_536, np.bool_)
        for key in text_keys:
            near[_last_two(key)] = True
        quotes = quotes[near[raw[quotes - 1].astype(np.uint16) << 8 | raw[quotes - 2]]]
        for key in text_keys if quotes.size else ():
            mask |= self._joined.mask(quotes[_is_key(raw, quotes, key)])
        return mask

    def integer(self, key: str) -> Mask:
        """Rows where ``key`` stands once and is an integer.

        Tells 1700000000000 from ``"1700000000000"`` and 1.7e12, which polars does not.
        """
        joined = self._joined
        values = self._values[_is_key(joined.raw, self._quotes, key)]
        colons = self._colons[_is_key(joined.raw, self._colons - 1, key)]
        rows = np.searchsorted(joined.ends, colons, side="right")
        once: Mask = np.bincount(rows, minlength=joined.rows) == 1
        return once & joined.mask(values[_is_integer(joined.raw, values)])


def _last_two(key: str) -> int:
    return ord(key[-1]) << 8 | ord(key[-2])


def _is_key(raw: Bytes, last_quotes: Int64, key: str) -> Mask:
    """Which of the keys that end at ``last_quotes`` are ``key``."""
    name = np.frombuffer(f'"{key}'.encode(), np.uint8)
    # Most keys differ in their last two bytes; the rest are compared whole.
    same: Mask = (raw[last_quotes - 1] == name[-1]) & (raw[last_quotes - 2] == name[-2])
    same &= raw[last_quotes] == _QUOTE
    near = np.flatnonzero(same)
    starts = last_quotes[near] - len(name)
    inside = starts >= 0
    window = np.maximum(starts, 0)[:, None] + np.arange(len(name))
    same[near] = inside & (raw[window] == name).all(axis=1)
    return same


def _is_integer(raw: Bytes, starts: Int64) -> Mask:
    """Which of the values are digits up to what ends a value; a fraction or a word is not."""
    window = raw[starts[:, None] + np.arange(_LONGEST_INT)]
    digits = _DIGITS[window]
    length = np.argmin(digits, axis=1)  # 0 as well when all are digits: too long for a time
    after = raw[starts + length]
    ended: Mask = (length > 0) & _ENDS[after]
    return ended


def _odd_escapes(joined: Joined) -> Mask:
    r"""Rows with an escape other than ``\" \\ \/`` and ``\u`` of a harmless character."""
    if b"\\" not in joined.text:
        return np.zeros(joined.rows, np.bool_)
    raw = joined.raw
    escapes = np.flatnonzero(raw == _BACKSLASH)
    kind = raw[escapes + 1]
    high, low = raw[escapes + 2], raw[escapes + 3]
    surrogate = (high == ord("d")) | (high == ord("D"))
    ascii_or_control = (high == ord("0")) & (low == ord("0")) & (raw[escapes + 4] < ord("8"))
    odd = ~_PLAIN_ESCAPES[kind]
    odd |= (kind == ord("u")) & (surrogate | ascii_or_control)
    return joined.mask(escapes[odd])


def _maybe_deep(joined: Joined, depth: int) -> Mask:
    """Rows with more opening brackets than ``depth``."""
    raw = joined.raw
    opening = np.count_nonzero(raw == ord("{")) + np.count_nonzero(raw == ord("["))
    if opening < joined.rows + depth:  # then no row can have that many, having one each
        return np.zeros(joined.rows, np.bool_)
    at = np.flatnonzero((raw == ord("{")) | (raw == ord("[")))
    per_row = np.bincount(np.searchsorted(joined.ends, at, side="right"), minlength=joined.rows)
    return per_row > depth
