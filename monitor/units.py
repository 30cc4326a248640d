"""Quantities as people write them in YAML: durations, shares, thresholds, rates, sizes.

Owns the pydantic types and their parsing, exact and in integers or fractions, never in floats: a
threshold of 30 % is 3/10, so a value that lies on it breaches or not for sure. A bare number where
a unit is meant is an error that names the mend, not a guess.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

MS_PER_UNIT = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds in each unit of duration that YAML may use."""
DURATION_MS_MAX = 3_660 * MS_PER_UNIT["d"]
"""Ten years: beyond any window, and far from where int64 milliseconds overflow."""
SIZE_BYTES_MAX = 2**49

_BYTES_PER_UNIT = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
# At most 15 digits either side: every such number is exact as a float too, and nothing overflows.
_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")
_PERCENT = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)\s?%")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_RATE = re.compile(r"([0-9]{1,15})/([0-9]{1,15}(?:ms|s|m|h|d))")
_SIZE = re.compile(r"([0-9]{1,15})(B|kB|KB|MB|GB|KiB|MiB|GiB)")
_SHOWN_CHARS_MAX = 60


def parse_duration(text: str) -> int:
    """Milliseconds in ``text``: a whole number and one of ``ms s m h d``, as in ``30m``.

    Raises:
        ValueError: the text is not a duration, or is longer than ten years.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        msg = f"{_shown(text)} is not a duration"
        raise ValueError(msg)
    ms = int(match[1]) * MS_PER_UNIT[match[2]]
    if ms > DURATION_MS_MAX:
        msg = f"{_shown(text)} is longer than ten years"
        raise ValueError(msg)
    return ms


def format_duration(ms: int) -> str:
    """``ms`` in the largest unit that holds it exactly: 5 400 000 → ``90m``, 0 → ``0s``.

    Raises:
        ValueError: ``ms`` is negative.
    """
    if ms < 0:
        msg = f"a duration is not negative: {ms} ms"
        raise ValueError(msg)
    if ms == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(ms, MS_PER_UNIT[unit])
        if rest == 0:
            return f"{count}{unit}"
    return f"{ms}ms"


def parse_share(text: str) -> Fraction:
    """The fraction in ``text``, a percentage such as ``30%`` or ``0.5%``; any size, any sign.

    Raises:
        ValueError: the text is not a percentage.
    """
    match = _PERCENT.fullmatch(text)
    if match is None:
        msg = f"{_shown(text)} is not a share"
        raise ValueError(msg)
    return Fraction(match[1]) / 100


def format_share(share: Fraction) -> str:
    """``share`` as a percentage, exact where decimals can be: 3/10 → ``30%``, 1/200 → ``0.5%``."""
    return f"{_decimal(share * 100)}%"


class Threshold(Fraction):
    """An exact limit, written as a share (``30%``) or as a plain number (``4.2``).

    Compares and calculates as the fraction it is; ``is_share`` says how it was written, so that
    messages show it the same way. Arithmetic gives a plain ``Fraction``.
    """

    __slots__ = ("is_share",)

    is_share: bool

    def __new__(
        cls,
        numerator: int | str | Fraction = 0,
        denominator: int | None = None,
        *,
        is_share: bool = False,
    ) -> Self:
        """Make the fraction as ``Fraction`` does."""
        made = super().__new__(cls, numerator, denominator)  # type: ignore[arg-type]  # typeshed splits the overloads
        made.is_share = is_share
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_threshold, (self.numerator, self.denominator, self.is_share)

    def __copy__(self) -> Threshold:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Threshold:
        return self

    def __str__(self) -> str:
        """As it is written in YAML: ``30%`` or ``4.2``."""
        return format_share(self) if self.is_share else _decimal(self)

    def __repr__(self) -> str:
        return f"Threshold({str(self)!r})"

    @classmethod
    def parse(cls, value: Any) -> Threshold:
        """The threshold that YAML wrote as ``value``: text with a percent sign, or a number.

        Raises:
            PydanticCustomError: it is neither, or not finite.
        """
        if isinstance(value, Threshold):
            return value
        if isinstance(value, str):
            match = _PERCENT.fullmatch(value)
            if match is not None:
                return cls(Fraction(match[1]) / 100, is_share=True)
            mend = 'write it without quotes, or as a share with "%"'
            hint = mend if _DECIMAL.fullmatch(value) else "write a number (4.2) or a share (30%)"
            raise _fault(value, "is not a threshold", hint)
        number = _number(value)
        if number is None:
            raise _fault(value, "is not a threshold", "write a number (4.2) or a share (30%)")
        return cls(number)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Parsed from text or number, dumped to JSON as written."""
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """A number, or a percentage."""
        return {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)? ?%$"},
            ],
            "description": "A number such as 4.2, or a share such as 30%",
            "examples": ["30%", "0.5%", 4.2],
        }


class Rate(NamedTuple):
    """At most ``count`` in any ``per_ms`` milliseconds; written ``5/10m``."""

    count: int  # type: ignore[assignment]  # shadows tuple.count, which nobody needs here
    per_ms: int

    def __str__(self) -> str:
        """As it is written in YAML."""
        return f"{self.count}/{format_duration(self.per_ms)}"

    @classmethod
    def parse(cls, value: Any) -> Rate:
        """The rate in ``value``.

        Raises:
            PydanticCustomError: not of the form ``5/10m``, or per no time at all.
        """
        if isinstance(value, Rate):
            return value
        match = _RATE.fullmatch(value) if isinstance(value, str) else None
        hint = 'write a count and a duration: "5/10m"'
        if match is None:
            raise _fault(value, "is not a rate", hint)
        per_ms = _checked_duration(match[2])
        if per_ms == 0:
            raise _fault(value, "is per no time at all", hint)
        return cls(int(match[1]), per_ms)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Parsed from text, dumped to JSON as written."""
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Text of the form ``5/10m``."""
        return {
            "type": "string",
            "pattern": "^[0-9]+/[0-9]+(ms|s|m|h|d)$",
            "description": "So many in so long, such as 5/10m",
            "examples": ["5/10m", "100/1h"],
        }


def _restore_threshold(numerator: int, denominator: int, is_share: bool) -> Threshold:  # noqa: FBT001 - pickle's protocol
    return Threshold(numerator, denominator, is_share=is_share)


def _fault(value: Any, what: str, hint: str) -> PydanticCustomError:
    # Passed through the context, so that a brace in the user's text is not taken for a field.
    fault = f"{_shown(value)} {what}"
    return PydanticCustomError("unit", "{fault}", {"fault": fault, "hint": hint})


def _reworded(error: ValueError, hint: str) -> PydanticCustomError:
    return PydanticCustomError("unit", "{fault}", {"fault": str(error), "hint": hint})


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif value is None:
        text = "nothing"
    elif isinstance(value, (list, dict)):
        text = "a list" if isinstance(value, list) else "a mapping"
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[:_SHOWN_CHARS_MAX]}…"


def _number(value: Any) -> Fraction | None:
    """``value`` as people wrote it: 4.2 is 21/5, not the nearest binary fraction."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    if isinstance(value, float) and math.isfinite(value):
        return Fraction(repr(value))
    return None


def _decimal(number: Fraction) -> str:
    """``number`` in decimals when it has a finite, short form, else as ``1/3``."""
    scaled, places = number, 0
    while scaled.denominator != 1 and places < 18:
        scaled, places = scaled * 10, places + 1
    if scaled.denominator != 1:
        return f"{number.numerator}/{number.denominator}"
    if places == 0:
        return str(scaled.numerator)
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _checked_duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise _reworded(
            error, "write a whole number and a unit: 250ms, 5s, 30m, 24h, 7d"
        ) from error


def _duration(value: Any) -> int:
    if isinstance(value, str):
        return _checked_duration(value)
    number = _number(value)
    if number is None or number < 0:
        raise _fault(value, "is not a duration", "write a whole number and a unit: 5s, 30m, 24h")
    shown = _shown(value)
    raise _fault(value, "has no unit", f'write "{shown}s" if seconds are meant, "{shown}m" …')


def _share(value: Any) -> Fraction:
    if not isinstance(value, str):
        number = _number(value)
        if number is None:
            raise _fault(value, "is not a share", "write a percentage: 30%")
        meant = format_share(number) if 0 <= number <= 1 else f"{_shown(value)}%"
        raise _fault(value, "is not a share", f"write it as a percentage: {meant}")
    try:
        share = parse_share(value)
    except ValueError as error:
        raise _reworded(error, "write a percentage: 30%") from error
    if not 0 <= share <= 1:
        raise _fault(value, "is not between 0% and 100%", "")
    return share


def _size(value: Any) -> int:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _fault(value, "is not a size", "write a whole number and a unit: 500kB, 10MB, 1GiB")
    size = int(match[1]) * _BYTES_PER_UNIT[match[2]]
    if size > SIZE_BYTES_MAX:
        raise _fault(value, "is beyond any machine", "")
    return size


def rough_duration(ms: int) -> str:
    """``ms`` for people, in its two largest units, rounded down: ``45s``, ``34m``, ``3d 4h``."""
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, ms = divmod(ms, MS_PER_UNIT[unit])
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0s"


def spoken_duration(ms: int) -> str:
    """``ms`` for people, exactly, in all its units: ``45s``, ``4h 35m 5s``, ``1d 2h``; 0 → ``0s``.

    Raises:
        ValueError: ``ms`` is negative.
    """
    if ms < 0:
        msg = f"a duration is not negative: {ms} ms"
        raise ValueError(msg)
    parts: list[str] = []
    for unit, size in reversed(MS_PER_UNIT.items()):
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def _format_size(size: int) -> str:
    for unit in ("GiB", "GB", "MiB", "MB", "KiB", "kB"):
        if size and size % _BYTES_PER_UNIT[unit] == 0:
            return f"{size // _BYTES_PER_UNIT[unit]}{unit}"
    return f"{size}B"


DurationMs = Annotated[
    int,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "description": "A whole number and a unit, such as 250ms, 5s, 30m, 24h, 7d",
            "examples": ["5s", "30m", "24h", "7d"],
        }
    ),
]
"""Milliseconds, written with a unit: ``30m``."""

Share = Annotated[
    Fraction,
    BeforeValidator(_share),
    PlainSerializer(format_share, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? ?%$",
            "description": "A percentage from 0% to 100%, such as 30% or 0.5%",
            "examples": ["30%", "0.5%"],
        }
    ),
]
"""A fraction from 0 to 1, written as a percentage: ``30%``."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(_format_size, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]+(B|kB|KB|MB|GB|KiB|MiB|GiB)$",
            "description": "A whole number and a unit, such as 500kB, 10MB, 1GiB",
            "examples": ["10MB", "1GiB"],
        }
    ),
]
"""Bytes, written with a unit: ``10MB`` is ten million, ``10MiB`` is 10 × 2^20."""
