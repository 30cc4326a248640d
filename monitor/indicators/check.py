"""What is wrong with indicators that each look right: fields, types, conditions, windows.

Owns the checks against the event catalogue and the engine's tick; shapes are
``monitor.indicators.model``'s. Every problem is found, with its place and its mend.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from monitor.events.batch import COMPANY, SCOPES
from monitor.events.catalogue import EVENT_TYPES, FIELDS, Kind
from monitor.indicators.check_funnel import check_funnel, names_of
from monitor.indicators.check_now import check_population, check_response
from monitor.indicators.expression import EVERYWHERE
from monitor.indicators.findings import Finding, Loc, check_types, check_where, near
from monitor.indicators.formula import ENTITY_OF
from monitor.indicators.model import Anchored, Indicator, Measure, window_key
from monitor.indicators.parts import Selection
from monitor.units import format_duration, parse_duration
from monitor.windows.calendar import GRAIN_MS

_NUMERIC = {Kind.SECONDS, Kind.NUMBER, Kind.INT}


def check_indicators(indicators: Collection[Indicator], tick_ms: int) -> list[Finding]:
    """All faults of ``indicators``, in their order; ``loc`` begins at the top of the file."""
    found: list[Finding] = []
    seen: set[str] = set()
    for position, indicator in enumerate(indicators):
        loc: Loc = ("indicators", position)
        for name in names_of(indicator):
            if name in seen:
                found.append(Finding((*loc, "id"), f"indicator '{name}' stands twice"))
            seen.add(name)
        for name, measure in indicator.measures.items():
            found += _measure(measure, (*loc, name))
        if indicator.kind == "funnel":
            found += check_funnel(indicator, loc)
        found += _scopes(indicator, (*loc, "by"))
        if indicator.kind == "population":
            found += check_population(indicator, loc)
            continue
        if indicator.kind == "response":
            found += check_response(indicator, loc)
        found += _windows(indicator, loc, tick_ms)
    return found


def _measure(measure: Measure, loc: Loc) -> Iterator[Finding]:
    for index, selection in enumerate(measure.selections):
        here = (*loc, "all", index) if measure.all is not None else loc
        types = (*here, "on" if measure.all is not None else measure.loc_of_types)
        unknown = list(check_types(selection, types))
        yield from unknown
        if unknown:
            continue
        if measure.field is not None:
            yield from _field(measure, selection, (*loc, measure.verb))
        if measure.verb == "seconds_in":
            yield from _state(selection, types)
        if selection.where is not None:
            found = check_where(selection.where, selection.on, (*here, "where"))
            if isinstance(found, Finding):
                yield found


def _field(measure: Measure, selection: Selection, loc: Loc) -> Iterator[Finding]:
    for name in measure.added:
        yield from _one_field(name, measure, selection, loc)
    for name in sorted({name for name in measure.added if measure.added.count(name) > 1}):
        yield Finding(loc, f"'{name}' is added twice")


def _one_field(name: str, measure: Measure, selection: Selection, loc: Loc) -> Iterator[Finding]:
    for event_type in selection.on:
        known = (*EVERYWHERE, *EVENT_TYPES[event_type].fields)
        if name not in known:
            yield Finding(loc, f"{event_type} has no field '{name}'", near(name, known))
            return
    numeric = name in FIELDS and FIELDS[name].kind in _NUMERIC
    if measure.verb == "distinct":
        if name == "time":
            yield Finding(loc, "distinct counts values, not times")
    elif not numeric:
        kind = "time" if name == "time" else FIELDS[name].kind.value
        yield Finding(loc, f"{measure.verb} needs a number, and '{name}' is a {kind}")


def _state(selection: Selection, loc: Loc) -> Iterator[Finding]:
    for name in selection.on:
        if name not in ENTITY_OF:
            known = f"one of {', '.join(ENTITY_OF)}"
            yield Finding(loc, f"'{name}' does not tell a state", known)


def _scopes(indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    seen: set[frozenset[str]] = set()
    for index, by in enumerate(indicator.by):
        for name in by:
            if name not in SCOPES:
                yield Finding((*loc, index), f"no dimension '{name}'", near(name, SCOPES))
        if len(set(by)) < len(by):
            yield Finding((*loc, index), f"a dimension stands twice in [{', '.join(by)}]")
        if COMPANY in by and len(by) > 1:
            yield Finding((*loc, index), f"{COMPANY} is a scope alone", "leave it out of the pair")
        if frozenset(by) in seen:
            yield Finding((*loc, index), f"scope [{', '.join(by)}] stands twice")
        seen.add(frozenset(by))


def _windows(indicator: Indicator, loc: Loc, tick_ms: int) -> Iterator[Finding]:
    tick = format_duration(tick_ms)
    pane = indicator.pane
    if pane is not None and (pane == 0 or pane % tick_ms):
        yield Finding((*loc, "pane"), f"the pane is not a multiple of the tick ({tick})")
    seen: set[str | int] = set()
    for index, window in enumerate(indicator.windows):
        here = (*loc, "windows", index)
        key = window_key(window)
        same = parse_duration(window) if isinstance(window, str) else key
        if same in seen:
            yield Finding(here, f"window {key} stands twice")
        seen.add(same)
        if isinstance(window, Anchored):
            yield from _anchored(window, indicator, here, tick_ms)
            continue
        if not isinstance(window, str):
            if GRAIN_MS % tick_ms:
                hint = "set `tick` to 5s, or to anything that divides 15m"
                message = f"a window of local days needs a tick that divides 15m, not {tick}"
                yield Finding(here, message, hint)
            continue
        length = parse_duration(window)
        if length % tick_ms:
            yield Finding(here, f"window {key} is not a multiple of the tick ({tick})")
        elif pane is not None and length < pane:
            message = f"window {key} is shorter than its pane ({format_duration(pane)})"
            yield Finding(here, message)


def _anchored(window: Anchored, indicator: Indicator, loc: Loc, tick_ms: int) -> Iterator[Finding]:
    if parse_duration(window.anchored) % tick_ms:
        tick = format_duration(tick_ms)
        yield Finding(loc, f"window {window.anchored} is not a multiple of the tick ({tick})")
    verbs = {each.verb for each in indicator.measures.values()}
    if indicator.kind in {"response", "funnel"} or not verbs <= {"count", "sum"}:
        yield Finding(loc, "an anchored window holds counts and sums only")
