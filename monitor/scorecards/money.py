"""Exact figures: rounding by a named mode, and a sum of money shared out to the last cent.

Owns the arithmetic of whole numbers behind it. A figure is a ``Fraction``, so that nothing is lost
before a line says that it is rounded; a binary float never stands in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

Mode = Literal["half_up", "half_even", "half_down", "up", "down", "ceiling", "floor"]
"""Names and meanings of Python's ``decimal`` module: ``half_up`` goes away from zero."""

PLACES_MIN, PLACES_MAX = -3, 6
_HALF = Fraction(1, 2)


def rounded(value: Fraction, places: int, mode: Mode) -> Fraction:
    """``value`` with so many decimal places; fewer than none: to tens, hundreds, thousands."""
    unit = Fraction(10) ** -places
    scaled = value / unit
    whole = abs(scaled.numerator) // scaled.denominator
    rest = abs(scaled) - whole
    negative = scaled < 0
    match mode:
        case "half_up":
            more = rest >= _HALF
        case "half_even":
            more = rest > _HALF or (rest == _HALF and whole % 2 == 1)
        case "half_down":
            more = rest > _HALF
        case "up":
            more = rest > 0
        case "down":
            more = False
        case "ceiling":
            more = rest > 0 and not negative
        case "floor":
            more = rest > 0 and negative
    return (-1 if negative else 1) * (whole + more) * unit


def shared(amount: Fraction, weights: Sequence[Fraction], places: int) -> list[Fraction]:
    """``amount`` by ``weights``, in units of so many places, so that the parts are exactly it.

    Largest remainder (Hamilton): everybody gets the whole units of their share, and those that are
    left go one each to the largest remainders; of equal ones to the earlier.

    Args:
        amount: of whole units; may be negative.
        weights: at least one above zero, none below.
        places: of a unit.

    Raises:
        ValueError: the amount is not of whole units, or the weights are no weights.
    """
    total = sum(weights, Fraction())
    unit = Fraction(10) ** -places
    units = abs(amount) / unit
    if units.denominator != 1:
        raise ValueError("an amount of broken units cannot be shared out in whole ones")
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights are not negative, and one of them is above zero")
    exact = [units * weight / total for weight in weights]
    parts = [share.numerator // share.denominator for share in exact]
    left = int(units) - sum(parts)
    order = sorted(range(len(parts)), key=lambda index: (parts[index] - exact[index], index))
    for index in order[:left]:
        parts[index] += 1
    sign = -1 if amount < 0 else 1
    return [sign * part * unit for part in parts]


def shown(value: Fraction, places: int | None = None) -> str:
    """``value`` in decimals: of so many places, or as many as it has, at most six.

    What has more is rounded to the nearest, and shown with ``…``, so that nobody takes it for all.
    """
    if places is None:
        places = next((n for n in range(7) if (value * 10**n).denominator == 1), None)
        if places is None:
            return f"{shown(rounded(value, 6, 'half_even'), 6).rstrip('0')}…"
    units = rounded(value, places, "half_even") * Fraction(10) ** places
    digits = str(abs(int(units))).rjust(max(places, 0) + 1, "0")
    sign = "-" if units < 0 else ""
    if places < 0:
        return f"{sign}{digits}{'0' * -places}" if units else "0"
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def grouped(text: str) -> str:
    """Decimals for people: ``1234567.50`` → ``1,234,567.50``."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, dot, rest = digits.partition(".")
    return f"{sign}{int(whole):,}{dot}{rest}"
