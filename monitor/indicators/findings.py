"""What is wrong with an indicator, and where: the words that all its checks share."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from monitor.errors import ExpressionError
from monitor.events.catalogue import EVENT_TYPES
from monitor.indicators.expression import parse_where
from monitor.indicators.parts import Selection
from monitor.indicators.tree import Node

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault and the way to it inside the file."""

    loc: Loc
    message: str
    hint: str = ""
    offset: int | None = None
    """Characters from the beginning of the value, for conditions."""


def near(name: str, known: Collection[str]) -> str:
    """The mend where ``name`` is a typing error for one of ``known``."""
    found = get_close_matches(name, list(known), 1)
    return f"did you mean '{found[0]}'?" if found else ""


def check_types(selection: Selection, loc: Loc) -> Iterator[Finding]:
    """Event types that do not exist, or stand twice."""
    for name in selection.on:
        if name not in EVENT_TYPES:
            yield Finding(loc, f"no event type '{name}'", near(name, EVENT_TYPES))
    for name in sorted({name for name in selection.on if selection.on.count(name) > 1}):
        yield Finding(loc, f"event type '{name}' stands twice")


def check_where(text: str | None, types: Collection[str], loc: Loc) -> Node | Finding | None:
    """The condition on events of ``types``, or what is wrong with it."""
    try:
        return None if text is None else parse_where(text, types)
    except ExpressionError as error:
        return Finding(loc, str(error), error.hint, error.offset)
