"""What is wrong with funnels that each look right: ids, events, fields, conditions."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.events.catalogue import EVENT_TYPES
from monitor.indicators.expression import EVERYWHERE
from monitor.indicators.findings import Finding, Loc, check_types, check_where, near
from monitor.indicators.funnel import figures_of
from monitor.indicators.funnel_model import Step
from monitor.indicators.model import ID_MAX, Indicator


def check_funnel(funnel: Indicator, loc: Loc) -> Iterator[Finding]:
    """All faults of an indicator of this kind, but those of its scopes and windows."""
    lacking = set[str]()
    for name, step in (funnel.steps or {}).items():
        here = (*loc, "steps", name)
        if len(f"{funnel.id}_{name}") > ID_MAX:
            message = f"'{funnel.id}_{name}' is longer than {ID_MAX} characters"
            yield Finding(here, message, "a shorter name of the step")
        unknown = list(check_types(step, (*here, "on")))
        yield from unknown
        if unknown:
            continue
        for finding in _entity(funnel.entity or "", step, (*loc, "entity")):
            if finding.message not in lacking:
                yield finding
            lacking.add(finding.message)
        found = check_where(step.where, step.on, (*here, "where"))
        if isinstance(found, Finding):
            yield found


def names_of(indicator: Indicator) -> tuple[str, ...]:
    """The ids that it takes: its own, and those of its steps."""
    if indicator.kind != "funnel":
        return (indicator.id,)
    return (indicator.id, *(each.id for each in figures_of(indicator)))


def _entity(name: str, step: Step, loc: Loc) -> Iterator[Finding]:
    for event_type in step.on:
        known = (*EVERYWHERE, *EVENT_TYPES[event_type].fields)
        if name not in known:
            yield Finding(loc, f"{event_type} has no field '{name}'", near(name, known))
            return
    if name == "time":
        yield Finding(loc, "'time' does not name anybody", "entity: customer")
