"""The functions that a mapping's expressions may call: what they take, give and mean.

Owns the list. All but ``first`` are null where one of their values is. A new one is an entry here
and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import msgspec

from monitor.events.catalogue import ZONES
from monitor.events.times import NotATimeError, read_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?(?:[eE][+-]?[0-9]{1,2})?")
_NO_DIGIT = re.compile(r"[^0-9]")
_SECONDS_MAX = 1e18
_MS = timedelta(milliseconds=1)


class BrokenValueError(Exception):
    """Raised when a record does not hold what a mapping asks of it.

    The message is for people, without anything of the record's own.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """One of ``monitor.events.batch.REJECT_REASONS``."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language."""

    shown: str
    """As it is written, for messages and documentation."""
    doc: str
    least: int
    most: int
    """How many values it takes."""
    apply: Callable[..., Any]
    takes_null: bool = False
    zone_at: int | None = None
    """Which value is a time zone, known when the file is read."""


def number_of(value: Any) -> float | int:
    """``value`` as a number; text that is one will do.

    Raises:
        BrokenValueError: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    raise BrokenValueError("wrong_type", "not a number")


def text_of(value: Any) -> str:
    """``value`` as text: ``7``, ``7.5``, ``true``.

    Raises:
        BrokenValueError: a list or an object.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    raise BrokenValueError("wrong_type", "a list or an object, not text")


def zone_fault(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a time zone, and the mend; None where nothing is."""
    if name in ZONES:
        return None
    near = get_close_matches(name, ZONES, 1)
    return (
        f"no time zone '{name}'",
        f"did you mean '{near[0]}'?" if near else "as in 'America/New_York'",
    )


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _joined(*values: Any) -> str:
    return "".join(map(text_of, values))


def _before(value: Any, mark: Any) -> str | None:
    return text_of(value).partition(text_of(mark))[0] or None


def _after(value: Any, mark: Any) -> str | None:
    return text_of(value).partition(text_of(mark))[2] or None


def _cut(value: Any, mark: Any) -> str | None:
    text = text_of(value)
    head, found, _ = text.rpartition(text_of(mark))
    return (head if found else text) or None


def _unescaped(value: Any) -> str:
    return unquote(text_of(value))


def _international(value: Any) -> str:
    digits = _NO_DIGIT.sub("", text_of(value))
    if not digits:
        raise BrokenValueError("wrong_type", "no digits, not a telephone number")
    return f"+{digits}"


def _parsed(value: Any) -> Any:
    if isinstance(value, dict | list):
        return value
    try:
        return msgspec.json.decode(text_of(value))
    except (msgspec.DecodeError, RecursionError):
        raise BrokenValueError("not_json", "text that is not JSON") from None


def _time(value: Any) -> int:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise BrokenValueError("bad_time", "neither RFC 3339 text nor milliseconds")
    try:
        return read_time(value)
    except NotATimeError as error:
        raise BrokenValueError("bad_time", str(error)) from None


def _unix(value: Any) -> int:
    return _scaled(value, 1_000, 1)


def _micros(value: Any) -> int:
    return _scaled(value, 1, 1_000)


def _scaled(value: Any, times: int, parts: int) -> int:
    try:
        number = number_of(value)
    except BrokenValueError:
        raise BrokenValueError("bad_time", "not a number of seconds or microseconds") from None
    if isinstance(number, int):
        return number * times // parts
    if not abs(number) <= _SECONDS_MAX:
        raise BrokenValueError("bad_time", "beyond all time")
    return round(number * times / parts)


def _local(value: Any, zone: str) -> int:
    try:
        moment = datetime.fromisoformat(text_of(value))
    except ValueError:
        message = "not a date and time such as 2026-11-29 09:30:00"
        raise BrokenValueError("bad_time", message) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(zone))
    return (moment - _EPOCH) // _MS


def _mail(value: Any) -> int:
    try:
        moment = parsedate_to_datetime(text_of(value))
    except (ValueError, IndexError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        message = "not a date such as Tue, 18 Aug 2026 17:07:30 +0000"
        raise BrokenValueError("bad_time", message)
    return (moment - _EPOCH) // _MS


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _listed(*functions: tuple[str, Function]) -> Mapping[str, Function]:
    return MappingProxyType(dict(functions))


FUNCTIONS = _listed(
    (
        "first",
        Function(
            "first(a, b, …)", "the first of them that is there", 1, 10, _first, takes_null=True
        ),
    ),
    ("text", Function("text(x)", "a number or truth value as text", 1, 1, text_of)),
    ("number", Function("number(x)", "text as a number", 1, 1, number_of)),
    ("lower", Function("lower(x)", "in small letters", 1, 1, lambda x: text_of(x).lower())),
    (
        "joined",
        Function("joined(a, '-', b)", "one text after the other, up to ten", 1, 10, _joined),
    ),
    (
        "before",
        Function("before(x, '@')", "what stands before the mark; all, without one", 2, 2, _before),
    ),
    (
        "after",
        Function("after(x, '/')", "what stands after the first mark, if it is there", 2, 2, _after),
    ),
    (
        "before_last",
        Function(
            "before_last(x, '-')", "what stands before the last mark; all, without one", 2, 2, _cut
        ),
    ),
    (
        "unescaped",
        Function("unescaped(x)", "a text whose %2B and the like are characters", 1, 1, _unescaped),
    ),
    (
        "starts_with",
        Function(
            "starts_with(x, 'PJSIP/')",
            "true or false",
            2,
            2,
            lambda x, mark: text_of(x).startswith(text_of(mark)),
        ),
    ),
    (
        "contains",
        Function(
            "contains(x, 'STOP')",
            "true or false",
            2,
            2,
            lambda x, mark: text_of(mark) in text_of(x),
        ),
    ),
    (
        "international",
        Function(
            "international(x)",
            "a telephone number that has its country code: a plus and its digits",
            1,
            1,
            _international,
        ),
    ),
    ("parsed", Function("parsed(x).name", "JSON that stands in a text, as values", 1, 1, _parsed)),
    ("time", Function("time(x)", "RFC 3339 text, or milliseconds since 1970", 1, 1, _time)),
    ("unix", Function("unix(x)", "seconds since 1970, with or without a fraction", 1, 1, _unix)),
    ("micros", Function("micros(x)", "microseconds since 1970", 1, 1, _micros)),
    (
        "local",
        Function(
            "local(x, site.zone)",
            "a date and time without a zone, such as 2026-11-29 09:30:00; of an hour that comes"
            " twice the first one",
            2,
            2,
            _local,
            zone_at=1,
        ),
    ),
    ("mail", Function("mail(x)", "a date as mail has it (RFC 2822)", 1, 1, _mail)),
)
"""By name. Times are milliseconds since 1970 UTC, so two of them can be subtracted."""
