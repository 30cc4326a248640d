"""Sentences that guards and numbers' histories keep, in the reader's language.

Owns their shapes: what is kept is English, once; what a page does not know it shows as it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from monitor.console.words import Words

_SHAPES: Final = {
    "max_fraction": r"(?P<out>\d+) of (?P<size>\d+) are out of service; the limit is (?P<most>\d+)",
    "min_left": r"(?P<left>\d+) of (?P<size>\d+) would be left; at least (?P<least>\d+) must be",
    "rate": r"(?P<recent>\d+) in the period; the rate is (?P<rate>\S+)",
    "never": r"the number is on the never list",
    "frozen": r"suspensions are frozen by (?P<by>.+)",
    "undone": r"a person has undone it; rules leave it alone until (?P<until>\S+)",
    "approval": (
        r"(?P<waiting>\d+) numbers wait, more than (?P<most>\d+): a person decides until "
        r"(?P<until>[^ ]+): monitor numbers approve (?P<name>\S+)"
    ),
    "campaign": (
        r"the campaign as a whole breaches (?P<rules>.+): it is not single numbers"
    ),
    "probation": r"until (?P<calls>\d+) calls since, or its time is over",
    "proven": r"(?P<calls>\d+) calls since",
    "withdrawn": r"the resume that telephony owed is withdrawn",
}  # fmt: skip
_KNOWN: Final = {key: re.compile(shape) for key, shape in _SHAPES.items()}


def in_words(words: Words, at: Callable[[str], Any], detail: str) -> str:
    """A kept sentence in the language of ``words``; ``at`` shows a moment."""
    for key, shape in _KNOWN.items():
        found = shape.fullmatch(detail)
        if found is not None:
            named = found.groupdict()
            if "until" in named:
                try:
                    named["until"] = at(named["until"])
                except ValueError:  # a person wrote it
                    return detail
            return words(f"detail.{key}", **named)
    return detail
