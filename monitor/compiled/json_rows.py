"""JSON records to columns, the loops of ``monitor.events.columns``.

Owns what is *plainly good* in the bytes of a record, and where its values stand. A row that is
anything else (an exponent, a surrogate, a type that does not fit, a CloudEvent,
damage of any kind) is left to ``monitor.events.strict``: a good record may be left, which costs
time; a bad one is never taken. The grammar is RFC 8259.

A *batch* is one array of bytes, ``raw``, in which rows stand at ``starts`` … ``ends``, with at
least ``SLACK`` bytes after the last. Texts are told by where they stand in it; escapes are
resolved in place.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from monitor.compiled import compiled, inlined
from monitor.compiled.json_text import (
    hash_of,
    rfc3339_ms,
    same,
    text_end,
    token_end,
    unescape,
)
from monitor.compiled.memory import byte, word

TEXT: Final = 0
KEY: Final = 1
"""Text without control characters."""
NUMBER: Final = 2
INTEGER: Final = 3
BOOLEAN: Final = 4
TIME: Final = 5
CLOUD: Final = 6
"""Anything but null leaves the row."""

ID, TYPE, SAID_AT = 0, 1, 2
"""The first three fields are the envelope's."""

TIME_MS_MIN: Final = 946_684_800_000
"""2000-01-01T00:00:00Z, itself allowed."""
TIME_MS_MAX: Final = 4_102_444_800_000
"""2100-01-01T00:00:00Z, itself refused."""

SLACK: Final = 64
"""Bytes that must follow the last row: they are looked at, and are no row's."""
GUESSED_BYTES_MAX: Final = SLACK // 2
"""A longer key is looked up each time."""
NO_TIME: Final = -1
"""Null, in a column of times."""

_ABSENT, _STRING, _ESCAPED, _DIGITS, _FRACTION, _TRUE, _FALSE, _NULL, _NESTED = range(9)
_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE = 34, 92, 44, 58, 123, 125
_MINUS, _DOT, _ZERO, _NINE, _BRACKET = 45, 46, 48, 57, 91
_DIGITS_MAX = 15
"""An integer of so many digits is exact as a double, so one division rounds once, and rightly."""
_ENDLESS = 300
"""A number of so many digits may be beyond a double."""
_POWERS = 10.0 ** np.arange(_DIGITS_MAX + 1)
_SEEN_KEYS = 64
_FOUR_BYTES = np.uint64(0xFFFFFFFF)
_TRUE_WORD, _NULL_WORD, _FALS_WORD = (
    np.uint64(int.from_bytes(each, "little")) for each in (b"true", b"null", b"fals")
)


@compiled
def field_of(raw: Any, at: int, length: int, names: Any) -> int:
    """The field whose name stands there; -1 for a key that nobody asks for.

    ``names`` are ``(table, places, keys, lengths)``: the table holds fields by the hash of their
    names, -1 where free; the names stand in ``keys``.
    """
    table, places, keys, lengths = names
    slot = np.int64(hash_of(raw, at, length) & np.uint64(len(table) - 1))
    while table[slot] >= 0:
        found = table[slot]
        if lengths[found] == length and same(raw, at, keys, places[found], length):
            return int(found)
        slot = (slot + 1) & (len(table) - 1)
    return -1


@inlined
def read_row(
    raw: Any, at: int, end: int, names: Any, guess: Any, token: Any, place: Any, extent: Any,
    depth: int, stack: Any,
) -> bool:  # fmt: skip
    """Find the values of one row; False when it is no plain JSON object.

    Args:
        names: of the fields, as :func:`field_of` takes them.
        guess: what the row before had as its first, second, … key: shape ``(3, _SEEN_KEYS)``,
            where it stood, how long it was (0: nothing to guess by), which field it is.
        token: by field, what kind of value it has.
        place: by field, where a text stands, or the digits of a number as an integer.
        extent: by field, bytes of a text, or how many of the digits are a fraction; less than 0
            for a number below 0.
    """
    token[:] = _ABSENT
    at = token_end(raw, at)
    if byte(raw, at) != _OPEN:
        return False
    at = token_end(raw, at + 1)
    number = 0
    while True:
        if byte(raw, at) != _QUOTE:
            return False
        at += 1
        known = guess[1, number]
        before = guess[0, number]
        if known > 0 and byte(raw, at + known) == _QUOTE and same(raw, at, raw, before, known):
            field = guess[2, number]
            guess[0, number] = at
            at += known
        else:
            stop = text_end(raw, at)
            if byte(raw, stop) != _QUOTE:
                return False
            field = field_of(raw, at, stop - at, names)
            # A longer one would have a byte looked at that far beyond the last row.
            size = stop - at if stop - at <= GUESSED_BYTES_MAX else 0
            guess[0, number], guess[1, number], guess[2, number] = at, size, field
            at = stop
        number = min(number + 1, _SEEN_KEYS - 1)
        at = token_end(raw, at + 1)
        if byte(raw, at) != _COLON:
            return False
        at = token_end(raw, at + 1)
        start = at + 1
        stop = text_end(raw, start) if byte(raw, at) == _QUOTE else at
        if stop > at and byte(raw, stop) == _QUOTE:
            kind, after, size = _STRING, stop + 1, stop - start  # nearly every value
        else:
            kind, after, start, size = value_at(raw, at, depth, stack)
            if after < 0:
                return False
        if field >= 0 and token[field] == _ABSENT:  # the first of several wins
            token[field], place[field], extent[field] = kind, start, size
        at = token_end(raw, after)
        if byte(raw, at) == _COMMA:
            at = token_end(raw, at + 1)
            continue
        if byte(raw, at) != _CLOSE:
            return False
        return token_end(raw, at + 1) >= end > at


@compiled
def value_at(raw: Any, at: int, depth: int, stack: Any) -> Any:
    """The value that begins there: its kind, where it ends (-1: no plain value), place, extent."""
    first = byte(raw, at)
    if first == _QUOTE:
        stop = plain_text_end(raw, at + 1)
        escaped = stop < 0
        stop = abs(stop)
        if stop == 1:
            return _ABSENT, -1, 0, 0
        return _ESCAPED if escaped else _STRING, stop + 1, at + 1, stop - at - 1
    if first == _MINUS or _ZERO <= first <= _NINE:
        return number_at(raw, at)
    if first == _OPEN or first == _BRACKET:
        return _NESTED, nested_end(raw, at, depth, stack), 0, 0
    kind, after = literal_at(raw, at)
    return kind, after, 0, 0


@compiled
def literal_at(raw: Any, at: int) -> Any:
    """``true``, ``false`` or ``null``: its kind and where it ends, -1 for something else."""
    four = word(raw, at) & _FOUR_BYTES
    if four == _TRUE_WORD:
        return _TRUE, at + 4
    if four == _NULL_WORD:
        return _NULL, at + 4
    if four == _FALS_WORD:
        return _FALSE, at + 5 if byte(raw, at + 4) == 101 else -1
    return _ABSENT, -1


@compiled
def plain_text_end(raw: Any, at: int) -> int:
    """Where a text ends, which begins at ``at``: its last quote; negative when it has escapes.

    1 or -1 when it is no text, or has a surrogate.
    """
    escaped = False
    at = text_end(raw, at)
    while byte(raw, at) == _BACKSLASH:
        escaped = True
        size = escape_size(raw, at)
        if size == 0:
            return 1
        at = text_end(raw, at + size)
    if byte(raw, at) != _QUOTE:
        return 1
    return -at if escaped else at


@compiled
def escape_size(raw: Any, at: int) -> int:
    """How long the escape is that begins there; 0 when it is none, or half of a surrogate pair."""
    kind = byte(raw, at + 1)
    if kind == 117:  # u
        for offset in range(2, 6):
            digit = byte(raw, at + offset)
            if not (_ZERO <= digit <= _NINE or 65 <= digit <= 70 or 97 <= digit <= 102):
                return 0
        first, second = byte(raw, at + 2), byte(raw, at + 3)
        is_surrogate = (first == 100 or first == 68) and second >= 56
        return 0 if is_surrogate else 6
    if kind == 34 or kind == 92 or kind == 47:
        return 2
    if kind == 98 or kind == 102 or kind == 110 or kind == 114 or kind == 116:
        return 2
    return 0


@compiled
def number_at(raw: Any, at: int) -> Any:
    """A number: its kind, where it ends (-1: none, or not plain), digits, how many are a fraction.

    One of more than ``_DIGITS_MAX`` digits has ``_ENDLESS`` for a fraction.
    """
    negative = byte(raw, at) == _MINUS
    if negative:
        at += 1
    start = at
    digits = 0
    if byte(raw, at) == _ZERO:
        at += 1
    else:
        while _ZERO <= byte(raw, at) <= _NINE:
            if at - start < _DIGITS_MAX:
                digits = digits * 10 + (byte(raw, at) - _ZERO)
            at += 1
    whole = at - start
    if whole == 0:
        return _ABSENT, -1, 0, 0
    kind, fraction = _DIGITS, 0
    if byte(raw, at) == _DOT:
        kind = _FRACTION
        at += 1
        start = at
        while _ZERO <= byte(raw, at) <= _NINE:
            if whole + at - start < _DIGITS_MAX:
                digits = digits * 10 + (byte(raw, at) - _ZERO)
            at += 1
        fraction = at - start
        if fraction == 0:
            return _ABSENT, -1, 0, 0
    after = byte(raw, at)
    if after == 101 or after == 69 or _ZERO <= after <= _NINE or whole + fraction >= _ENDLESS:
        return _ABSENT, -1, 0, 0
    if whole + fraction > _DIGITS_MAX:
        fraction = _ENDLESS
    return kind, at, digits, -1 - fraction if negative else fraction


@compiled
def nested_end(raw: Any, at: int, depth: int, stack: Any) -> int:
    """Where an object or array ends; -1 when it is damaged, not plain, or too deep."""
    level = 0
    while True:
        # A value begins here.
        first = byte(raw, at)
        if first == _OPEN or first == _BRACKET:
            level += 1
            if level >= depth:  # the record itself is the first
                return -1
            is_object = first == _OPEN
            stack[level] = is_object
            at = token_end(raw, at + 1)
            if byte(raw, at) == (_CLOSE if is_object else 93):
                level -= 1
                at += 1
            elif is_object:
                at = key_end(raw, at)
                if at < 0:
                    return -1
                continue
            else:
                continue
        else:
            at = scalar_end(raw, at)
            if at < 0:
                return -1
        # A value has ended.
        while True:
            if level == 0:
                return at
            at = token_end(raw, at)
            if byte(raw, at) == _COMMA:
                at = token_end(raw, at + 1)
                if stack[level]:
                    at = key_end(raw, at)
                    if at < 0:
                        return -1
                break
            if byte(raw, at) != (_CLOSE if stack[level] else 93):
                return -1
            level -= 1
            at += 1


@compiled
def key_end(raw: Any, at: int) -> int:
    """Where the value begins whose key begins there; -1 when it is none."""
    if byte(raw, at) != _QUOTE:
        return -1
    stop = abs(plain_text_end(raw, at + 1))
    if stop == 1:
        return -1
    at = token_end(raw, stop + 1)
    return int(token_end(raw, at + 1)) if byte(raw, at) == _COLON else -1


@compiled
def scalar_end(raw: Any, at: int) -> int:
    """Where a text, number or word ends; -1 when it is none."""
    first = byte(raw, at)
    if first == _QUOTE:
        stop = abs(plain_text_end(raw, at + 1))
        return -1 if stop == 1 else stop + 1
    if first == _MINUS or _ZERO <= first <= _NINE:
        return int(number_at(raw, at)[1])
    return int(literal_at(raw, at)[1])


@compiled
def read_rows(
    raw: Any, starts: Any, ends: Any, names: Any, heeded: Any, fields: Any, depth: int,
    places: Any, lengths: Any, numbers: Any, times: Any, left: Any,
) -> None:  # fmt: skip
    """Read every row; what the plain ones hold goes into columns.

    Args:
        names: of the fields, as :func:`field_of` takes them.
        heeded: of the types whose fields are read, likewise.
        fields: ``(kinds, lows, highs, mosts, slots)`` by field; a slot is the row in the columns of
            its kind, a most the longest text in bytes.
        depth: how deep containers may stand in one another, the record being the first.
        places: columns of texts, shape (texts, rows): where each stands.
        lengths: likewise, how long it is in bytes; -1 for null.
        numbers: columns of numbers and booleans; NaN for null.
        times: columns of times, ms; ``NO_TIME`` for null.
        left: by row, whether it is left; what the columns hold of such a row means nothing.
    """
    kinds = fields[0]
    token = np.zeros(len(kinds), np.int64)
    place = np.zeros(len(kinds), np.int64)
    extent = np.zeros(len(kinds), np.int64)
    guess = np.zeros((3, _SEEN_KEYS), np.int64)
    last_type = np.zeros(3, np.int64)
    stack = np.zeros(depth + 1, np.bool_)
    for row in range(len(starts)):
        left[row] = True
        if ends[row] <= starts[row] or not read_row(
            raw, starts[row], ends[row], names, guess, token, place, extent, depth, stack
        ):
            continue
        left[row] = not take_row(
            raw, row, heeded, last_type, fields, token, place, extent, places, lengths, numbers,
            times,
        )  # fmt: skip


@inlined
def take_row(
    raw: Any, row: int, heeded: Any, last_type: Any, fields: Any, token: Any, place: Any,
    extent: Any, places: Any, lengths: Any, numbers: Any, times: Any,
) -> bool:  # fmt: skip
    """Put the values of a row into the columns; False when some of them are not plainly good.

    ``last_type`` is the row's before, as :func:`is_heeded` keeps it.
    """
    kinds, lows, highs, mosts, slots = fields
    for field in range(3):
        if token[field] == _ABSENT or token[field] == _NULL:
            return False
    for field in range(len(kinds)):
        kind = token[field]
        if field == 3:
            start, size = places[slots[TYPE], row], lengths[slots[TYPE], row]
            if not is_heeded(raw, start, size, heeded, last_type):
                return True
        if kind == _ABSENT or kind == _NULL:
            continue
        wanted, slot = kinds[field], slots[field]
        if wanted <= KEY:
            size = take_text(raw, kind, place[field], extent[field], mosts[field], wanted == KEY)
            if size < 0 or (size == 0 and field < 3):
                return False
            if size > 0:
                places[slot, row], lengths[slot, row] = place[field], size
        elif wanted <= INTEGER:
            value = plain_number(kind, place[field], extent[field], wanted == INTEGER)
            if not lows[field] <= value <= highs[field]:
                return False
            numbers[slot, row] = value
        elif wanted == BOOLEAN:
            if kind != _TRUE and kind != _FALSE:
                return False
            numbers[slot, row] = 1.0 if kind == _TRUE else 0.0
        elif wanted == TIME:
            if kind == _STRING and extent[field] == 0 and field > SAID_AT:
                continue
            ms = plain_time(raw, kind, place[field], extent[field])
            if ms == NO_TIME:
                return False
            times[slot, row] = ms
        else:
            return False
    return True


@inlined
def is_heeded(raw: Any, at: int, size: int, heeded: Any, last_type: Any) -> bool:
    """Whether the type that stands there is among those whose fields are read.

    ``last_type`` is what was asked before: where it stood, how long it was, the answer.
    """
    if size != last_type[1] or not same(raw, at, raw, last_type[0], size):
        last_type[1], last_type[2] = size, field_of(raw, at, size, heeded)
    last_type[0] = at
    return bool(last_type[2] >= 0)


@inlined
def take_text(raw: Any, kind: int, at: int, size: int, most: int, is_key: bool) -> int:
    """How many bytes a text has, its escapes resolved in place; -1 when it is not plainly good."""
    if kind == _ESCAPED:
        size = unescape(raw, at, size, is_key)
    elif kind != _STRING:
        return -1
    return size if size <= most else -1


@inlined
def plain_number(kind: int, digits: int, fraction: int, is_whole: bool) -> float:
    """The number; NaN when it is none, not an integer, or has too many digits."""
    if kind != _DIGITS and (kind != _FRACTION or is_whole):
        return np.nan
    negative = fraction < 0
    if negative:
        fraction = -1 - fraction
    if fraction > _DIGITS_MAX:
        return np.nan
    value = digits / _POWERS[fraction]
    if negative and (digits > 0 or kind == _FRACTION):  # -0 is the integer 0, and -0.0 is not
        value = -value
    return float(value)


@inlined
def plain_time(raw: Any, kind: int, place: int, extent: int) -> int:
    """Milliseconds since 1970 UTC; ``NO_TIME`` when it is no time in the sane range."""
    if kind == _STRING:
        ms = rfc3339_ms(raw, place, extent)
    elif kind == _DIGITS and extent == 0:
        ms = place
    else:
        return NO_TIME
    return ms if TIME_MS_MIN <= ms < TIME_MS_MAX else NO_TIME
