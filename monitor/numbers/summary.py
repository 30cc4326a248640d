"""Many refusals of one kind at one tick, told as one.

Owns when and how they are summed up. A wave of breaches meets one guard; what people need is how
many, why, and one example, not a page each. Every number stands in ``numbers list`` as ``wanted``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from monitor.decisions import Refusal, derive_id

ALONE_MAX: Final = 5
"""Refusals of one rule by one guard of one pool at one tick that are told one by one."""

_Kind = tuple[str, str, str]


def summed(refusals: Sequence[Refusal]) -> list[Refusal]:
    """``refusals`` of one tick, with those of a kind that are too many as one.

    The one stands where the first of them stood; its ``episode`` is empty, and so is its ``number``
    unless all are of that one.
    """
    sizes = Counter(_kind(refusal) for refusal in refusals)
    numbers: dict[_Kind, set[str]] = {}
    for refusal in refusals:
        numbers.setdefault(_kind(refusal), set()).add(refusal.number)
    told: list[Refusal] = []
    done: set[_Kind] = set()
    for refusal in refusals:
        kind = _kind(refusal)
        if sizes[kind] <= ALONE_MAX:
            told.append(refusal)
        elif kind not in done:
            done.add(kind)
            told.append(_all(refusal, sizes[kind], len(numbers[kind])))
    return told


def _kind(refusal: Refusal) -> _Kind:
    return refusal.rule, refusal.guard, refusal.pool


def _all(first: Refusal, size: int, numbers: int) -> Refusal:
    many = f"{numbers} numbers, {first.number} among them" if numbers > 1 else f"{size} times"
    return replace(
        first,
        id=derive_id("refusals", first.at_ms, *_kind(first)),
        number="" if numbers > 1 else first.number,
        episode="",
        detail=f"{many}: {first.detail}",
    )
