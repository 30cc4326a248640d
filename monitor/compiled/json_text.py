"""Pieces of text in a batch of bytes, as machine code.

Owns where they end, what they hash to, what their escapes mean and which time they tell; whose
values they are is ``monitor.events.json_rows``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.compiled import compiled
from monitor.compiled.memory import STRIDE, byte, stops, word

_U = np.uint64
_HIGH = _U(0x8080808080808080)
_PRIME = _U(0xFF51AFD7ED558CCD)
_SEED = _U(0x9E3779B97F4A7C15)
_ZERO, _NINE = 48, 57
_DAYS_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])


@compiled
def text_end(raw: Any, at: int) -> int:
    """The first quote, backslash or control character from ``at`` on."""
    while True:
        far = stops(raw, at)
        at += far
        if far < STRIDE:
            return at


@compiled
def token_end(raw: Any, at: int) -> int:
    """The first byte from ``at`` on that is no white space."""
    while True:
        found = byte(raw, at)
        if found > 32 or (found != 32 and found != 10 and found != 13 and found != 9):
            return at
        at += 1


@compiled
def same(one: Any, at: int, other: Any, there: int, length: int) -> bool:
    """Whether two pieces of ``length`` bytes are equal; after each there are eight bytes more."""
    while length > 8:
        if word(one, at) != word(other, there):
            return False
        at += 8
        there += 8
        length -= 8
    differ = word(one, at) ^ word(other, there)
    return length <= 0 or differ << _U(64 - 8 * length) == _U(0)


@compiled
def hash_of(raw: Any, at: int, length: int) -> Any:
    """64 bits of a piece; for tables that compare the bytes too."""
    mixed = _SEED ^ _U(length)
    end = at + length
    while at + 8 <= end:
        mixed = (mixed ^ word(raw, at)) * _PRIME
        mixed ^= mixed >> _U(32)
        at += 8
    if at < end:
        beyond = _U(8 * (8 - (end - at)))
        mixed = (mixed ^ (word(raw, at) << beyond >> beyond)) * _PRIME
        mixed ^= mixed >> _U(32)
    # A product's low bits know its factor's low bits alone, and tables go by low bits.
    mixed *= _PRIME
    return mixed ^ mixed >> _U(32)


@compiled
def unescape(raw: Any, at: int, length: int, is_key: bool) -> int:
    """Resolve the escapes of a text in place; returns its new length.

    The escapes are known to be whole and no surrogates. -1: a key would hold a control character;
    the text is then neither as it was nor resolved.
    """
    end, to = at + length, at
    start = at
    while at < end:
        code = int(raw[at])
        if code != 92:
            raw[to] = raw[at]
            at += 1
            to += 1
            continue
        code = int(raw[at + 1])
        at += 2
        if code == 117:
            code = 0
            for offset in range(4):
                digit = int(raw[at + offset])
                code = code * 16 + (digit - _ZERO if digit <= _NINE else (digit | 32) - 87)
            at += 4
        elif code == 98:
            code = 8
        elif code == 102:
            code = 12
        elif code == 110:
            code = 10
        elif code == 114:
            code = 13
        elif code == 116:
            code = 9
        if is_key and code < 32:
            return -1
        if code < 0x80:
            raw[to] = code
            to += 1
        elif code < 0x800:
            raw[to], raw[to + 1] = 0xC0 | code >> 6, 0x80 | code & 63
            to += 2
        else:
            raw[to], raw[to + 1] = 0xE0 | code >> 12, 0x80 | code >> 6 & 63
            raw[to + 2] = 0x80 | code & 63
            to += 3
    return to - start


@compiled
def two_digits(raw: Any, at: int) -> int:
    """The number that two digits say; more than 99 when some is none."""
    ten, one = int(byte(raw, at)) - _ZERO, int(byte(raw, at + 1)) - _ZERO
    return ten * 10 + one if 0 <= ten <= 9 and 0 <= one <= 9 else 10_000


@compiled
def rfc3339_ms(raw: Any, at: int, length: int) -> int:
    """Milliseconds since 1970 UTC of an RFC 3339 time of the years 1970 on; -1 when it is none.

    Fractions of up to nine digits are cut to milliseconds. No leap seconds.
    """
    if length < 20 or byte(raw, at + 4) != 45 or byte(raw, at + 7) != 45:
        return -1
    if (byte(raw, at + 10) | 32) != 116 or byte(raw, at + 13) != 58 or byte(raw, at + 16) != 58:
        return -1
    year = two_digits(raw, at) * 100 + two_digits(raw, at + 2)
    month, day = two_digits(raw, at + 5), two_digits(raw, at + 8)
    hour, minute, second = (
        two_digits(raw, at + 11),
        two_digits(raw, at + 14),
        two_digits(raw, at + 17),
    )
    if not 1970 <= year <= 9999 or not 1 <= month <= 12 or day < 1:
        return -1
    if hour > 23 or minute > 59 or second > 59:
        return -1
    is_leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    leap_day = 1 if is_leap and month == 2 else 0
    if day > _DAYS_BEFORE[month] - _DAYS_BEFORE[month - 1] + leap_day:
        return -1
    place, end = at + 19, at + length
    ms = 0
    if byte(raw, place) == 46:
        place += 1
        count = 0
        while place < end and _ZERO <= byte(raw, place) <= _NINE:
            if count < 3:
                ms = ms * 10 + (int(byte(raw, place)) - _ZERO)
            count += 1
            place += 1
        if not 1 <= count <= 9:
            return -1
        for _ in range(count, 3):
            ms *= 10
    offset = offset_minutes(raw, place, end - place)
    if offset == _NO_OFFSET:
        return -1
    before = year - 1
    days = 365 * (year - 1970) + before // 4 - before // 100 + before // 400 - 477
    days += _DAYS_BEFORE[month - 1] + day - 1
    if is_leap and month > 2:
        days += 1
    return int(((days * 24 + hour) * 60 + minute - offset) * 60_000 + second * 1_000 + ms)


_NO_OFFSET = 9_999


@compiled
def offset_minutes(raw: Any, at: int, length: int) -> int:
    """Minutes east of UTC that ``Z`` or ``+hh:mm`` says; ``_NO_OFFSET`` when it is neither."""
    if length == 1 and (byte(raw, at) | 32) == 122:
        return 0
    if length != 6 or byte(raw, at + 3) != 58 or (byte(raw, at) != 43 and byte(raw, at) != 45):
        return _NO_OFFSET
    hour, minute = two_digits(raw, at + 1), two_digits(raw, at + 4)
    if hour > 23 or minute > 59:
        return _NO_OFFSET
    offset = hour * 60 + minute
    return -offset if byte(raw, at) == 45 else offset


@compiled
def utf8_rows(raw: Any, starts: Any, ends: Any, bad: Any) -> None:
    """Mark the rows that are not UTF-8 (RFC 3629: no overlong forms, no surrogates)."""
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        while at < end:
            while at + 8 <= end and word(raw, at) & _HIGH == _U(0):
                at += 8
            if at < end:
                size = utf8_size(raw, at, end)
                if size == 0:
                    bad[row] = True
                    break
                at += size


@compiled
def utf8_size(raw: Any, at: int, end: int) -> int:
    """How many bytes the character has that begins there; 0 when it is none."""
    first = int(byte(raw, at))
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if at + size > end:
        return 0
    second = int(byte(raw, at + 1))
    low = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    high = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
    if not low <= second <= high:
        return 0
    for offset in range(2, size):
        if byte(raw, at + offset) & 0xC0 != 0x80:
            return 0
    return size


@compiled
def any_spelled(raw: Any, places: Any, lengths: Any) -> bool:
    """Whether some text may be a telephone number that is not written as E.164.

    One that begins like a number and is not ``+`` and 7 to 15 digits, the first of them not 0.
    """
    for row in range(len(places)):
        at, length = places[row], lengths[row]
        if length < 4:
            continue
        first = byte(raw, at)
        if first == 40 or _ZERO <= first <= _NINE:
            return True
        if first != 43:
            continue
        if not 8 <= length <= 16 or byte(raw, at + 1) == _ZERO:
            return True
        for place in range(at + 1, at + length):
            if not _ZERO <= byte(raw, place) <= _NINE:
                return True
    return False
