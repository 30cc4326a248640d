"""What is wrong with rules that hear of single events: dimensions, event types, conditions.

Owns the checks of rules on events and on absence against the event catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.errors import ExpressionError
from monitor.events.batch import DIMENSIONS
from monitor.events.catalogue import EVENT_TYPES
from monitor.indicators.findings import Finding, Loc, near
from monitor.rules.model import Rule
from monitor.rules.where import among


def check_hearing(rule: Rule, loc: Loc) -> Iterator[Finding]:
    """The faults of a rule without figures; ``loc`` is its place in the file."""
    for name in rule.by:
        if name not in DIMENSIONS:
            yield Finding((*loc, "by"), f"no dimension '{name}'", near(name, DIMENSIONS))
    if rule.event is not None:
        event, here = rule.event, (*loc, "event")
        yield from _types([event.on], (*here, "on"))
        yield from _types([] if event.until is None else [event.until], (*here, "until"))
        if event.on == event.until:
            yield Finding((*here, "until"), "the event would end what it begins")
        yield from _where([event.on], event.where, here)
    if rule.absent is not None:
        here = (*loc, "absent")
        yield from _types(rule.absent.count, (*here, "count"))
        yield from _where(rule.absent.count, rule.absent.where, here)
    if rule.while_ is not None:
        here = (*loc, "while")
        yield from _types(rule.while_.on, (*here, "on"))
        yield from _types(rule.while_.until or (), (*here, "until"))
        yield from _where(rule.while_.on, rule.while_.where, here)


def _types(types: Sequence[str], loc: Loc) -> Iterator[Finding]:
    for kind in types:
        if kind not in EVENT_TYPES:
            yield Finding(loc, f"no event type '{kind}'", near(kind, EVENT_TYPES))


def _where(types: Sequence[str], where: str | None, loc: Loc) -> Iterator[Finding]:
    if where is None or not set(types) <= set(EVENT_TYPES):
        return
    try:
        among(types, where)
    except ExpressionError as error:
        yield Finding((*loc, "where"), str(error), error.hint, error.offset)
