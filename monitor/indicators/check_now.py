"""What is wrong with populations and responses that each look right: events, fields, conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.events.catalogue import EVENT_TYPES, FIELDS
from monitor.indicators.expression import EVERYWHERE, fields_of
from monitor.indicators.findings import Finding, Loc, check_types, check_where, near
from monitor.indicators.model import Indicator
from monitor.indicators.parts import Selection


def check_population(indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    """All faults of an indicator of this kind, but those of its scopes."""
    tells, leaves = indicator.from_, indicator.until
    assert tells is not None  # noqa: S101 - the model demands it
    faults = list(_events(tells, (*loc, "from")))
    if leaves is not None:
        faults += _events(leaves, (*loc, "until"))
        both = sorted(set(tells.on) & set(leaves.on)) if leaves.where is None else []
        for name in both:
            message = f"{name} would tell of those who leave with it"
            faults.append(Finding((*loc, "until"), message, "say with `where` which of them leave"))
    yield from faults
    if faults:
        return
    yield from _named("entity", indicator.entity or "", [tells, leaves], loc)
    for key, text in (("among", indicator.among), ("share", indicator.share)):
        found = check_where(text, tells.on, (*loc, key))
        if isinstance(found, Finding):
            yield found
        elif found is not None and "time" in fields_of(found):
            message = "`time` is an event's; an entity has last values"
            yield Finding((*loc, key), message, "use unchanged_for or max_age")
    if indicator.state is not None:
        yield from _state(indicator.state, tells, (*loc, "state"))


def check_response(indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    """All faults of an indicator of this kind, but those of its scopes and windows."""
    asks, replies = indicator.from_, indicator.to
    assert asks is not None and replies is not None  # noqa: S101, PT018 - the model demands them
    faults = [*_events(asks, (*loc, "from")), *_events(replies, (*loc, "to"))]
    yield from faults
    if not faults:
        yield from _named("per", indicator.per or "", [asks, replies], loc)


def _events(selection: Selection, loc: Loc) -> Iterator[Finding]:
    unknown = list(check_types(selection, loc))
    yield from unknown
    if not unknown:
        found = check_where(selection.where, selection.on, (*loc, "where"))
        if isinstance(found, Finding):
            yield found


def _named(
    key: str, name: str, selections: Sequence[Selection | None], loc: Loc
) -> Iterator[Finding]:
    """The field that tells what events are about: all of them have it, and it is a text."""
    for event_type in (each for one in selections if one is not None for each in one.on):
        known = (*EVERYWHERE, *EVENT_TYPES[event_type].fields)
        if name not in known:
            message = f"{event_type} has no field '{name}'"
            yield Finding((*loc, key), message, near(name, known))
            return
    if name == "time" or not FIELDS[name].is_text:
        hint = "entity: customer" if key == "entity" else "per: conversation"
        yield Finding((*loc, key), f"'{name}' does not tell one from another", hint)


def _state(name: str, tells: Selection, loc: Loc) -> Iterator[Finding]:
    known = {*EVERYWHERE, *(field for each in tells.on for field in EVENT_TYPES[each].fields)}
    if name not in known - {"time"}:
        message = f"{', '.join(tells.on)} has no field '{name}'"
        yield Finding(loc, message, near(name, sorted(known)))
