r"""Where polars reads JSON more kindly than the contract, seen in the raw bytes of a batch.

Owns the guards that make the column reading safe: rows named here go to the strict decoder. A
guard may name a good row (it costs time), it may never miss a bad one. They work on the joined
bytes with numpy, since a regular expression over them takes a third of the whole decode.

What polars (1.x to 2.1) lets through, and what is watched for it:

* text columns swallow numbers, booleans, arrays and objects → a key in use whose value begins with
  neither a quote nor ``n`` (null);
* ``\ud800`` becomes NUL → escapes that begin with ``\ud``;
* control characters (allowed in text, not in keys) → every escape that can make one;
* keys written with escapes (``"\u0069d"``) hide from the above → escapes of plain ASCII;
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
_PLAIN_ESCAPES = np.frombuffer(b'"\\/u', np.uint8)
_WHITE = np.frombuffer(b" \t\r", np.uint8)
_LONGEST_INT = 20


class Joined:
    """A batch of records joined by newlines, none of which holds one itself."""

    def __init__(self, records: Sequence[bytes]) -> None:
        self.text = b"\n".join(records)
        # Padding lets every look ahead of a few bytes stay inside the array.
        self.raw: Bytes = np.frombuffer(self.text + b"\n" * (_LONGEST_INT + 8), np.uint8)
        self.rows = len(records)
        lengths = np.fromiter(map(len, records), np.int64, self.rows)
        self.ends: Int64 = np.cumsum(lengths + 1)

    def mask(self, positions: Int64) -> Mask:
        """Which rows the byte positions fall into, shape ``(rows,)``."""
        mask = np.zeros(self.rows, np.bool_)
        mask[np.searchsorted(self.ends, positions, side="right")] = True
        return mask


class Keys:
    """Every ``"key": value`` of a batch, by where the key's last quote and the value stand.

    In-string look-alikes may be among them; a key of the record is never missing.
    """

    def __init__(self, joined: Joined) -> None:
        raw = joined.raw
        colons = np.flatnonzero(raw == _COLON)
        quotes, values = colons - 1, colons + 1
        values += raw[values] == _SPACE
        # White space before the colon, or more than one space after it, is rare: one at a time.
        rare = np.isin(raw[quotes], _WHITE) | np.isin(raw[values], _WHITE)
        for index in np.flatnonzero(rare).tolist():
            quotes[index], values[index] = _skip_white(joined.text, int(colons[index]))
        self._joined = joined
        self._quotes, self._values = quotes, values
        first = raw[values]
        unquoted = (first != _QUOTE) & (first != ord("n"))
        self._unquoted_quotes, self._unquoted_values = quotes[unquoted], values[unquoted]

    def kindly_read(self, text_keys: Collection[str], depth: int) -> Mask:
        """Rows that polars may have read more kindly than the strict decoder would."""
        mask = _odd_escapes(self._joined) | _maybe_deep(self._joined, depth)
        for key in text_keys:
            mask |= self._joined.mask(self._unquoted(key))
        return mask

    def not_integer(self, key: str) -> Mask:
        """Rows where ``key`` has a value that is neither text, null nor an integer."""
        at = self._unquoted(key)
        return self._joined.mask(at[~_is_integer(self._joined.raw, at)])

    def integer(self, key: str) -> Mask:
        """Rows where ``key`` stands once and is an integer.

        Tells 1700000000000 from the text ``"1700000000000"``, which polars does not.
        """
        joined = self._joined
        all_at = self._values[_is_key(joined.raw, self._quotes, key)]
        times = np.bincount(
            np.searchsorted(joined.ends, all_at, side="right"), minlength=joined.rows
        )
        once: Mask = times == 1
        return once & joined.mask(self._unquoted(key))

    def _unquoted(self, key: str) -> Int64:
        found = _is_key(self._joined.raw, self._unquoted_quotes, key)
        values: Int64 = self._unquoted_values[found]
        return values


def _skip_white(text: bytes, colon: int) -> tuple[int, int]:
    key, value = colon - 1, colon + 1
    while key > 0 and text[key] in b" \t\r":
        key -= 1
    while value < len(text) and text[value] in b" \t\r":
        value += 1
    return key, value


def _is_key(raw: Bytes, last_quotes: Int64, key: str) -> Mask:
    """Which of the keys that end at ``last_quotes`` are ``key``."""
    name = np.frombuffer(f'"{key}'.encode(), np.uint8)
    # Most keys differ in their last two bytes; the rest are compared whole.
    same: Mask = (raw[last_quotes - 1] == name[-1]) & (raw[last_quotes - 2] == name[-2])
    near = np.flatnonzero(same)
    starts = last_quotes[near] - len(name)
    inside = starts >= 0
    window = np.maximum(starts, 0)[:, None] + np.arange(len(name))
    same[near] = inside & (raw[window] == name).all(axis=1)
    return same


def _is_integer(raw: Bytes, starts: Int64) -> Mask:
    """Which of the values are digits up to what ends a value; a fraction or a word is not."""
    window = raw[starts[:, None] + np.arange(_LONGEST_INT)]
    digits = (window >= ord("0")) & (window <= ord("9"))
    length = np.argmin(digits, axis=1)  # 0 as well when all are digits: too long for a time
    after = raw[starts + length]
    ended: Mask = (length > 0) & np.isin(after, np.frombuffer(b",} \t\r\n", np.uint8))
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
    odd = ~np.isin(kind, _PLAIN_ESCAPES)
    odd |= (kind == ord("u")) & (surrogate | ascii_or_control)
    return joined.mask(escapes[odd])


def _maybe_deep(joined: Joined, depth: int) -> Mask:
    """Rows with more opening brackets than ``depth``."""
    opening = (joined.raw == ord("{")) | (joined.raw == ord("["))
    if np.count_nonzero(opening) < joined.rows + depth:  # then no row can have that many
        return np.zeros(joined.rows, np.bool_)
    per_row = np.bincount(
        np.searchsorted(joined.ends, np.flatnonzero(opening), side="right"), minlength=joined.rows
    )
    return per_row > depth
