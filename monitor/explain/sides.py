"""Which of the rows of an alert are the bad ones.

Owns the division; what the bad ones have in common is ``monitor.explain.chance``'s.

The bad rows, by what the rule judges:

* a share of events: the hits, or where too few of them is the fault, the others;
* two figures divided: the rows above the line, or those below it, against the other line;
* a mean, a smallest or largest value: the rows on the bad side of the threshold;
* a count: the scope's rows, against the same events of everybody;
* a step of a funnel: likewise a share, of entities, each by its last event on the way;
* populations and responses: see ``monitor.explain.entities``;
* an event: those of the scope in a day, against the same events of everybody;
* absence: what was heard of the scope before it fell silent, against nothing.
"""

from __future__ import annotations

import polars as pl

from monitor.compiled.funnel import NEVER, pass_by
from monitor.explain.entities import of_population, of_response
from monitor.explain.question import Question, Sides
from monitor.indicators.formula import SCALE, Counter, Formula, Rows, formula
from monitor.indicators.frame import matching
from monitor.indicators.model import Indicator
from monitor.rules.absence_rule import HOLD, OVER, sayings
from monitor.rules.waits import Waits
from monitor.rules.where import among


def divide(question: Question, rows: pl.DataFrame) -> Sides:
    """The rows of the window as the bad ones and the rest.

    Args:
        question: what they were gathered for.
        rows: of the question's types and window, in the order of their times.
    """
    if question.indicator is None:
        return _events(question, rows) if question.rule.event else _absence(question, rows)
    if question.indicator.kind == "population":
        return of_population(question, rows)
    if question.indicator.kind == "response":
        return of_response(question, rows)
    return _of_events(question, question.indicator, rows)


def _of_events(question: Question, indicator: Indicator, rows: pl.DataFrame) -> Sides:
    """Of kinds whose figures are made of events alone."""
    mine = question.in_scope()
    made = formula(indicator)
    operation = made.hits.operation
    if made.of is None and indicator.kind == "count":
        found = _of(made.hits, rows)
        own = found.filter(mine)
        return Sides(own, found.filter(~mine), nested=True, hits=_sum(made.hits, own), of=1.0)
    rows = rows.filter(mine)
    if indicator.kind == "mean":
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


def _absence(question: Question, rows: pl.DataFrame) -> Sides:
    """What was heard of the scope; since when it waits is worked out anew."""
    rule = question.rule
    assert rule.absent is not None and rule.while_ is not None and rule.for_ms is not None  # noqa: S101, PT018
    rows = rows.filter(question.in_scope()).sort("tick", "time", "src", "offset")
    waits, key = Waits(rule.for_ms, rule.while_.max_age), tuple(each for _, each in question.scope)
    comes = among(rule.absent.count, rule.absent.where)
    heard = rows.select(sayings(rule.while_).alias("says"), comes.alias("came"), "time")
    for says, came, time in heard.iter_rows():
        if says == HOLD:
            waits.hold(key, time)
        elif says == OVER:
            waits.over(key, time)
        if came:
            waits.came(key, time)
    waited = (question.alert.at_ms - waits.since(key)) / 1000 if key in waits else None
    return Sides(rows, rows.clear(), nested=False, hits=waited, of=None)


def _mean(question: Question, made: Formula, rows: pl.DataFrame) -> Sides:
    rows = _of(made.hits, rows)
    beyond = question.beyond(pl.sum_horizontal(made.hits.added))
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
