"""Which records an alert rests on, and which of them are the bad ones.

Owns the way from a rule and an alert to conditions on rows; reading them is
``monitor.explain.gather``, what they have in common ``monitor.explain.chance``.

The bad rows, by what the rule judges:

* a share of events: the hits, or where too few of them is the fault, the others;
* two figures divided: the rows above the line, or those below it, against the other line;
* a mean, a smallest or largest value: the rows on the bad side of the threshold;
* a count: the scope's rows, against the same events of everybody;
* a step of a funnel: likewise a share, of entities, each by its last event on the way;
* an event: those of the scope in a day, against the same events of everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from monitor.compiled.funnel import NEVER, pass_by
from monitor.decisions import Alert, Scope
from monitor.errors import UsageError
from monitor.events.batch import COMPANY, DIMENSIONS
from monitor.events.catalogue import EVENT_TYPES
from monitor.indicators.formula import SCALE, Counter, Formula, Rows, formula, window_specs
from monitor.indicators.frame import matching
from monitor.indicators.model import Indicator
from monitor.rules.model import Rule
from monitor.rules.where import among, read_by
from monitor.site import Site

EVENTS_MS = 86_400_000
"""How far back a rule on events is looked at: it has no window."""
_EXTRA = ("sms_preheated", "call_id")
"""Looked at, or shown, where the events have them."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows of an alert's window, the bad ones and the others."""

    bad: pl.DataFrame
    rest: pl.DataFrame
    nested: bool
    """The bad ones are a part of what they are compared with."""
    hits: float | None
    """The alert's figures, worked out anew; None where rows alone do not say them."""
    of: float | None


@dataclass(frozen=True, slots=True)
class Question:
    """One alert and what it is about."""

    alert: Alert
    rule: Rule
    indicator: Indicator | None
    """None: a rule on events."""
    lo_ms: int
    """Rows from here on, and released at the alert's tick or before, are in its window."""
    length_ms: int
    tick_ms: int
    types: frozenset[str]
    fields: frozenset[str]
    """Looked at, or shown where the events have them."""
    needed: frozenset[str]
    """Of these, what tells the bad rows from the others."""
    zone: str | None
    """Of the window, where it is one of local days."""

    @property
    def scope(self) -> Scope:
        """Dimensions and values; none of a wave."""
        return self.alert.scope

    @property
    def everybody(self) -> bool:
        """Rows of other scopes are needed too: there is no denominator."""
        return self.indicator is None or (
            formula(self.indicator).of is None and (self.indicator.kind == "count")
        )

    @property
    def direction(self) -> Literal["above", "below"]:
        """The bad side."""
        level = getattr(self.rule.levels, self.alert.level) or self.rule.levels.crit
        return "above" if level is None else level.direction

    def in_scope(self) -> pl.Expr:
        """Which rows are the alert's scope's."""
        tests = [pl.col(name).eq_missing(value) for name, value in self.scope if name != COMPANY]
        return pl.all_horizontal(tests) if tests else pl.lit(value=True)


def looked_at(
    rule: Rule, indicator: Indicator | None
) -> tuple[frozenset[str], frozenset[str]] | None:
    """Event types and fields, dimensions aside, by which rows of a rule are told bad.

    None: it has no single rows that are.
    """
    if rule.event is not None:
        types = frozenset({rule.event.on})
        return types, read_by(rule.event.where, types) - {"time", *DIMENSIONS}
    if indicator is None or indicator.kind in {"population", "response"}:
        return None
    counters = formula(indicator).counters
    types = frozenset[str]().union(*(each.types for each in counters))
    fields = frozenset[str]().union(*(each.fields for each in counters))
    return types, fields - {"time", *DIMENSIONS}


def ask(site: Site, alert: Alert) -> Question:
    """What is to be read to explain ``alert``.

    Raises:
        UsageError: its rule, indicator or window is not in the configuration any more, or it is
            about no records of its own.
    """
    rule = next((each for each in site.rules if each.id == alert.rule), None)
    if rule is None:
        msg = f"rule {alert.rule} is not in the configuration: nobody knows what it looked at"
        raise UsageError(msg)
    tick_ms = site.config.time.tick
    indicator = next((each for each in site.indicators if each.id == rule.indicator), None)
    seen = looked_at(rule, indicator)
    if seen is None:
        raise UsageError(_no_records(rule, indicator))
    types, needed = seen
    fields = needed | _extra(types)
    if indicator is None:
        lo_ms = alert.at_ms - EVENTS_MS
        return Question(alert, rule, None, lo_ms, EVENTS_MS, tick_ms, types, fields, needed, None)
    key = alert.figures.window
    specs = zip(indicator.window_keys, window_specs(indicator, tick_ms), strict=True)
    spec = next((spec for name, spec in specs if name == key), None)
    if spec is None:
        msg = f"{indicator.id} has no window {key or 'at all'} any more"
        raise UsageError(msg)
    _, _, zone = key.partition("@")
    return Question(
        alert, rule, indicator, spec.lo(alert.at_ms), spec.length_ms, tick_ms, types, fields,
        needed, zone if zone not in {"", "first"} else None,
    )  # fmt: skip


def _no_records(rule: Rule, indicator: Indicator | None) -> str:
    """Why there are none."""
    if indicator is None:
        return f"rule {rule.id} looks at no indicator and no event: it has no records of its own"
    return f"{indicator.id} is a {indicator.kind}: no single record is a hit of it"


def _extra(types: frozenset[str]) -> frozenset[str]:
    """Those of ``_EXTRA`` that some of the types have."""
    return frozenset(name for name in _EXTRA for each in types if name in EVENT_TYPES[each].fields)


def divide(question: Question, rows: pl.DataFrame) -> Sides:
    """The rows of the window as the bad ones and the rest.

    Args:
        question: what they were gathered for.
        rows: of the question's types and window, in the order of their times.
    """
    mine = question.in_scope()
    if question.indicator is None:
        return _events(question, rows)
    made = formula(question.indicator)
    operation = made.hits.operation
    if made.of is None and question.indicator.kind == "count":
        found = _of(made.hits, rows)
        own = found.filter(mine)
        return Sides(own, found.filter(~mine), nested=True, hits=_sum(made.hits, own), of=1.0)
    rows = rows.filter(mine)
    if question.indicator.kind == "mean":
        return _mean(question, made, rows)
    assert made.of is not None  # noqa: S101 - a ratio has one
    if operation == "reached":
        return _funnel(question, made, rows)
    hits, of = _of(made.hits, rows), _of(made.of, rows)
    figures = {"hits": _sum(made.hits, hits), "of": _sum(made.of, of)}
    above = question.direction == "above"
    if made.countable:
        rest = of.join(hits, on=["src", "offset"], how="anti", maintain_order="left")
        bad, rest = (hits, rest) if above else (rest, hits)
        return Sides(bad, rest, nested=True, **figures)
    bad, rest = (hits, of) if above else (of, hits)
    return Sides(bad, rest, nested=False, **figures)


def _events(question: Question, rows: pl.DataFrame) -> Sides:
    event = question.rule.event
    assert event is not None  # noqa: S101 - the caller looked
    rows = rows.filter(among([event.on], event.where))
    mine = question.in_scope()
    own = rows.filter(mine)
    return Sides(own, rows.filter(~mine), nested=True, hits=None, of=None)


def _mean(question: Question, made: Formula, rows: pl.DataFrame) -> Sides:
    rows = _of(made.hits, rows)
    level = getattr(question.rule.levels, question.alert.level)
    bound = None if level is None or level.bound is None else float(level.bound)
    bound = question.alert.figures.value if bound is None else bound
    value = pl.sum_horizontal(made.hits.added)
    beyond = value > bound if question.direction == "above" else value < bound
    is_sum = made.hits.operation == "sum"
    return Sides(
        rows.filter(beyond),
        rows.filter(~beyond),
        nested=True,
        hits=_sum(made.hits, rows) if is_sum else None,
        of=float(rows.height) if is_sum else None,
    )


def _funnel(question: Question, made: Formula, rows: pl.DataFrame) -> Sides:
    """Entities by the last event that brought them to the step before, or to the step."""
    counter = made.hits
    rows = rows.filter(pl.col(counter.field or "").is_not_null())
    reached = [_reached(counter, rows, step) for step in (counter.step - 1, counter.step)]
    entity = counter.field or ""
    on = reached[1]
    left = reached[0].join(on, on=entity, how="anti", maintain_order="left")
    bad, rest = (on, left) if question.direction == "above" else (left, on)
    return Sides(bad, rest, nested=True, hits=float(on.height), of=float(reached[0].height))


def _reached(counter: Counter, rows: pl.DataFrame, step: int) -> pl.DataFrame:
    """For each entity that reached a step, the row with which it last did."""
    serves = [
        (matching(each).cast(pl.Int64) * (1 << place)).alias(str(place))
        for place, each in enumerate(counter.sets[: step + 1])
    ]
    bits = rows.select(serves).sum_horizontal().to_list()
    starts: dict[str, list[int]] = {}
    last: dict[str, int] = {}
    # Rows of one millisecond are in order whichever comes first, so they are taken together.
    columns = (rows[counter.field or ""].to_list(), rows["time"].to_list(), bits)
    at_once: dict[tuple[str, int], list[int]] = {}
    for place, (name, time, served) in enumerate(zip(*columns, strict=True)):
        entry = at_once.setdefault((name, time), [place, 0])
        entry[0], entry[1] = place, entry[1] | served
    for (name, time), (place, served) in at_once.items():
        chain = starts.setdefault(name, [NEVER] * (step + 1))
        found = [NEVER] * (step + 1)
        pass_by.py_func(chain, time, served, counter.within_ms, found)  # type: ignore[attr-defined]
        if found[step] != NEVER:
            last[name] = place
    return rows[sorted(last.values())]


def _of(counter: Counter, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that a counter looks at; of different values one row each, the last."""
    found = rows.filter(_any(counter.sets))
    if counter.field is None:
        return found
    found = found.filter(pl.any_horizontal(pl.col(counter.added).is_not_null()))
    if counter.operation != "distinct":
        return found
    for each in counter.sets:
        seen = found.filter(matching(each))[counter.field].implode()
        found = found.filter(pl.col(counter.field).is_in(seen))
    return found.unique(counter.field, keep="last", maintain_order=True)


def _any(sets: tuple[Rows, ...]) -> pl.Expr:
    return pl.any_horizontal([matching(each) for each in sets])


def _sum(counter: Counter, rows: pl.DataFrame) -> float | None:
    """The figure of rows, in its own unit; None where rows alone do not say it."""
    match counter.operation:
        case "count" | "distinct":
            return float(rows.height)
        case "sum":
            thousandths = [
                (rows[name].cast(pl.Float64).fill_null(0.0) * SCALE).round(mode="half_to_even")
                for name in counter.added
            ]
            return float(sum(each.sum() for each in thousandths)) / SCALE
        case _:
            return None
