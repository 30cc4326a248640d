"""A fault found in rules that each look right, with its place and its mend.

Owns the shape that all checks share.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and the way to it inside the file."""

    loc: Loc
    message: str
    hint: str = ""
    offset: int | None = None
    """Characters from the beginning of the value, for conditions."""


def near(name: str, known: Collection[str] | Mapping[str, object]) -> str:
    """The known name that was most likely meant, as a question; "" where none is near."""
    found = get_close_matches(name, list(known), 1)
    return f"did you mean '{found[0]}'?" if found else ""
