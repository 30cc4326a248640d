"""Shipped indicators as SQL over the events of a data set: an oracle made from the packs' own text.

What it shares with the product is the YAML and the length of panes. Times are UTC, rows are in
order of time, so a tick T sees exactly what is older. Anchored windows, and conditions with
functions other than ``hour``, are not translated: :func:`translates` says which indicators are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from monitor.events.catalogue import DERIVED, FIELDS, Kind
from monitor.indicators.model import Anchored, Calendar, Days, Indicator, Measure, window_key
from monitor.indicators.parts import Selection
from monitor.units import parse_duration
from monitor.windows.spec import default_pane_ms
from tests.realdata.replays import Figures

TICK_MS = 5_000
_TYPES = {
    Kind.SECONDS: "DOUBLE",
    Kind.NUMBER: "DOUBLE",
    Kind.INT: "BIGINT",
    Kind.TIME: "BIGINT",
    Kind.BOOL: "BOOLEAN",
}
_KINDS = {"ratio", "mean", "count"}
_VERBS = {"count", "sum", "mean", "distinct"}
_HOUR = re.compile(r"hour\(time, '([^']+)'\)")
_CALL = re.compile(r"\b(?!in\b|and\b|or\b|not\b)([a-z_]+)\(")
_THOUSANDTHS = "coalesce(sum(round_even({0} * 1000, 0)) filter ({1}), 0)"


def translates(indicator: Indicator) -> bool:
    """Whether there is SQL for it."""
    if indicator.kind not in _KINDS:
        return False
    measures = indicator.measures.values()
    wheres = [each.where or "" for measure in measures for each in measure.selections]
    calls = {name for where in wheres for name in _CALL.findall(_HOUR.sub("", where))}
    return (
        all(measure.verb in _VERBS for measure in measures)
        and not calls
        and not any(name in where for where in wheres for name in DERIVED)
    )


def open_events(path: Path, e164: str = "{0}") -> duckdb.DuckDBPyConnection:
    """The events of a file as a table; ``e164`` is SQL that makes a number of column ``{0}``."""
    number, customer = e164.format("number"), e164.format("customer")
    columns = {name: _TYPES.get(field.kind, "VARCHAR") for name, field in FIELDS.items()}
    columns |= {"type": "VARCHAR", "time": "BIGINT", "id": "VARCHAR"}
    shape = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    base = duckdb.connect()
    read = f"read_json('{path}', format = 'newline_delimited', columns = {{{shape}}})"
    # An id seen again is a copy: FreeSWITCH writes one record for each leg, under one id.
    base.execute(
        "create table events as select * exclude (place)"
        f" replace ({number} as number, {customer} as customer)"
        f" from (select *, row_number() over () as place from {read})"
        " qualify row_number() over (partition by id order by place) = 1"
    )
    return base


def figures(
    base: duckdb.DuckDBPyConnection, indicators: Iterable[Indicator], moments: Iterable[int]
) -> Figures:
    """Every figure of the indicators that translate, at these ticks (ms), as a replay tells it."""
    found: Figures = {}
    base.execute("create or replace table ticks (tick bigint)")
    ticks = [[tick] for tick in sorted(moments)]
    if not ticks:
        return found
    base.executemany("insert into ticks values (?)", ticks)
    for indicator in indicators:
        if not translates(indicator):
            continue
        hits, of = _two(indicator)
        for window in indicator.windows:
            if isinstance(window, Anchored):
                continue
            lo = _lo(indicator, window)
            for by in indicator.by:
                found |= _rows(base, indicator, by, window_key(window), (lo, hits, of))
    return found


def _rows(
    base: duckdb.DuckDBPyConnection,
    indicator: Indicator,
    by: Sequence[str],
    window: str,
    sql: tuple[str, str, str],
) -> Figures:
    lo, hits, of = sql
    keys = ", ".join(f'"{name}"' for name in by)
    given = " and ".join(f'"{name}" is not null' for name in by)
    query = (
        f"select strftime(make_timestamp(tick * 1000), '%Y-%m-%dT%H:%M:%SZ'), {keys},"
        f" {hits} as hits, {of} as part from (select *, {lo} as lo from ticks) join events"
        f" on time >= lo and time < tick and {given} group by tick, {keys}"
    )
    scales = [1000 if "round_even" in each else 1 for each in (hits, of)]
    return {
        (at, indicator.id, window, tuple(scope)): (top / scales[0], bottom / scales[1])
        for at, *scope, top, bottom in base.execute(query).fetchall()
        if (bottom if indicator.kind != "count" else top)
    }


def _lo(indicator: Indicator, window: str | Calendar | Days) -> str:
    """The first millisecond of the window at ``tick``."""
    if isinstance(window, str):
        length = parse_duration(window)
        pane = TICK_MS if indicator.exact else indicator.pane or default_pane_ms(length, TICK_MS)
        return f"cast(ceil((tick - {length}) / {pane}) * {pane} as bigint)"
    local = f"timezone('{window.tz}', make_timestamptz((tick - 1) * 1000))"
    if isinstance(window, Days):
        start = f"date_trunc('day', {local}) - interval {window.days - 1} day"
    else:
        start = f"date_trunc('{window.calendar}', {local})"
    return f"epoch_ms(timezone('{window.tz}', {start}))"


def _two(indicator: Indicator) -> tuple[str, str]:
    measures = indicator.measures
    if indicator.kind == "ratio":
        return _figure(measures["hits"]), _figure(measures["of"])
    value = measures["value"]
    if indicator.kind == "count":
        return _figure(value), "1"
    rows = _condition(value.selections[0])
    added = [part.strip() for part in (value.field or "").split("+")]
    top = " + ".join(_THOUSANDTHS.format(name, rows) for name in added)
    return top, f"count(coalesce({', '.join(added)})) filter ({rows})"


def _figure(measure: Measure) -> str:
    rows = [_condition(selection) for selection in measure.selections]
    if measure.verb == "count":
        return f"count(*) filter ({rows[0]})"
    if measure.verb == "sum":
        added = [part.strip() for part in (measure.field or "").split("+")]
        return " + ".join(_THOUSANDTHS.format(name, rows[0]) for name in added)
    if len(rows) == 1:
        return f"count(distinct {measure.field}) filter ({rows[0]})"
    lists = [f"coalesce(list(distinct {measure.field}) filter ({each}), [])" for each in rows]
    both = lists[0]
    for each in lists[1:]:
        both = f"list_intersect({both}, {each})"
    return f"len({both})"


def _condition(selection: Selection) -> str:
    types = ", ".join(f"'{name}'" for name in selection.on)
    chosen = f"type in ({types})"
    return f"{chosen} and ({_where(selection.where)})" if selection.where else chosen


def _where(text: str) -> str:
    text = _HOUR.sub(r"hour(timezone('\1', make_timestamptz(time * 1000)))", text)
    for ours, theirs in (("==", "="), ("[", "("), ("]", ")")):
        text = text.replace(ours, theirs)
    return text
