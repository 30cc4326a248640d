"""A few hours of a call centre, every figure of every scope against SQL over the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from monitor.indicators.compile import IndicatorSet
from tests.indicators.made import T0, TICK, made, shown

pytestmark = pytest.mark.untraced

HOUR = 3_600_000
ROWS = 20_000

YAML = """
  - id: answer_rate
    kind: ratio
    hits: {count: call.ended, where: outcome == 'answered'}
    of: {count: call.ended}
    by: [number, agent, team, [number, customer]]
    windows: [30m, {calendar: day, tz: Asia/Kathmandu}]
  - id: talk
    kind: ratio
    hits: {sum: talk_s, on: call.ended, where: talk_s >= 120 and need_captured}
    of: {sum: talk_s, on: call.ended}
    by: [number, agent, team]
    windows: [30m, 1h]
  - id: customers
    kind: ratio
    hits: {distinct: customer, on: call.ended, where: outcome == 'answered'}
    of: {distinct: customer, on: call.ended}
    by: [agent, team]
    windows: [1h]
  - id: both
    kind: count
    value:
      distinct: customer
      all: [{on: sms.opened}, {on: call.ended, where: outcome == 'answered'}]
    by: [team]
    windows: [1h]
  - id: path
    kind: funnel
    entity: customer
    within: 25m
    steps:
      opened: {on: sms.opened}
      answered: {on: call.ended, where: outcome == 'answered'}
      rated: {on: [call.rated, call.ended]}
    by: [team, agent]
    windows: [1h, {calendar: day, tz: Asia/Kathmandu}]
  - id: csat
    kind: mean
    value: {mean: score, on: call.rated}
    by: [agent, team]
    windows: [1h]
  - id: handling
    kind: mean
    value: {mean: talk_s + hold_s+wrap_s, on: call.ended, where: outcome == 'answered'}
    by: [agent, team]
    windows: [1h]
"""

ANSWERED = "type = 'call.ended' and outcome = 'answered'"
CALL = "type = 'call.ended'"
GOOD = f"{CALL} and talk_s >= 120 and need_captured"
THOUSANDTHS = "coalesce(sum(round_even({0} * 1000, 0)) filter ({1}), 0)"
SQL = {
    "answer_rate": (f"count(*) filter ({ANSWERED})", f"count(*) filter ({CALL})"),
    "talk": (THOUSANDTHS.format("talk_s", GOOD), THOUSANDTHS.format("talk_s", CALL)),
    "customers": (
        f"count(distinct customer) filter ({ANSWERED})",
        f"count(distinct customer) filter ({CALL})",
    ),
    "both": (
        "len(list_intersect({0} filter (type = 'sms.opened'), []), {0} filter ({1}), [])))".format(
            "coalesce(list(distinct customer)", ANSWERED
        ),
        "1",
    ),
    "csat": (
        THOUSANDTHS.format("score", "type = 'call.rated'"),
        "count(score) filter (type = 'call.rated')",
    ),
    # Each part is rounded to thousandths alone; one that is missing adds nothing.
    "handling": (
        " + ".join(THOUSANDTHS.format(name, ANSWERED) for name in ("talk_s", "hold_s", "wrap_s")),
        f"count(coalesce(talk_s, hold_s, wrap_s)) filter ({ANSWERED})",
    ),
}
# Chains by joins, straight from the definition; one is enough for a customer.
FUNNEL = """
  with opened as (from inside where type = 'sms.opened'),
    answered as (from inside where {answered}),
    rated as (from inside where type in ('call.rated', 'call.ended')),
    two as (
      select distinct k, o.customer from opened o join answered a using (k, customer)
      where a.time between o.time and o.time + {within}),
    three as (
      select distinct k, o.customer from opened o
      join answered a using (k, customer) join rated r using (k, customer)
      where a.time between o.time and o.time + {within}
        and r.time between a.time and o.time + {within})
  select k, count(distinct {hits}.customer), count(distinct {of}.customer)
  from {of} left join {hits} using (k, customer) group by k
"""
STEPS = {"path_answered": ("two", "opened"), "path_rated": ("three", "two")}
PANES = {"30m": 30_000, "1h": 60_000}
LENGTHS = {"30m": HOUR // 2, "1h": HOUR}
KATHMANDU_MIDNIGHT = T0 - 20_700_000


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    random = np.random.default_rng(7)
    eff = np.sort(T0 + random.integers(0, 3 * HOUR, ROWS))
    agent = random.integers(0, 40, ROWS)
    late = np.where(random.random(ROWS) < 0.1, random.integers(0, 600_000, ROWS), 0)

    def some(values: list[Any], share: list[float] | None = None) -> pl.Series:
        return pl.Series([values[place] for place in random.choice(len(values), ROWS, p=share)])

    def named(prefix: str, codes: Any) -> list[str]:
        return [f"{prefix}{code}" for code in codes.tolist()]

    frame = pl.DataFrame(
        {
            "type": some(["call.ended", "sms.opened", "call.rated"], [0.7, 0.2, 0.1]),
            "time": eff - late,
            "tick": eff - eff % TICK + TICK,
            "number": named("+86", random.integers(0, 50, ROWS)),
            "customer": named("c", random.integers(0, 800, ROWS)),
            "agent": named("a", agent),
            "team": named("t", agent // 10),
            "outcome": some(["answered", "busy", None]),
            "talk_s": np.round(random.exponential(100, ROWS), 4),
            "hold_s": some([0.0, 7.25, 30.0004, None]),
            "wrap_s": some([15.0, None]),
            "need_captured": some([True, False, None]),
            "score": some([1.0, 2.5, 3.3333, 5.0, None]),
        }
    )
    dimensions = ("number_type", "customer_tag", "group", "campaign")
    nulls = [pl.lit(None, dtype=pl.String).alias(name) for name in dimensions]
    holes = [
        pl.when(pl.Series(random.random(ROWS) > 0.03)).then(pl.col(name)).alias(name)
        for name in ("number", "customer", "agent", "team", "talk_s")
    ]
    return frame.with_columns(*nulls, *holes)


def by_sql(
    database: duckdb.DuckDBPyConnection, indicator: str, by: tuple[str, ...], lo: int, tick: int
) -> dict[tuple[str, ...], tuple[int, int]]:
    hits, of = SQL[indicator]
    keys = ", ".join(f'"{name}"' for name in by)
    given = " and ".join(f'"{name}" is not null' for name in by)
    query = (
        f"select {keys}, cast({hits} as bigint) h, cast({of} as bigint) o from events"
        f" where time >= {lo} and tick <= {tick} and {given} group by {keys}"
    )
    found = database.execute(query).fetchall()
    alone = indicator == "both"
    return {row[:-2]: row[-2:] for row in found if row[-2] or (row[-1] and not alone)}


def funnel_by_sql(
    database: duckdb.DuckDBPyConnection, indicator: str, by: str, lo: int, tick: int
) -> dict[tuple[str, ...], tuple[int, int]]:
    database.execute(
        f"create or replace temp table inside as select {by} k, * from events"
        f" where time >= {lo} and tick <= {tick} and {by} is not null and customer is not null"
    )
    hits, of = STEPS[indicator]
    query = FUNNEL.format(answered=ANSWERED, within=25 * 60_000, hits=hits, of=of)
    return {(key,): (one, other) for key, one, other in database.execute(query).fetchall()}


def test_every_figure_equals_sql(rows: pl.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    rows.write_parquet(file)
    database = duckdb.connect()
    database.execute(f"create table events as from '{file}'")
    figures: IndicatorSet = made(YAML)
    ticks = rows["tick"].unique().sort().to_list()
    looks = {ticks[200], ticks[720], ticks[1_500], ticks[-1]}
    compared = 0
    for first in range(0, len(ticks), 300):
        batch = ticks[first : first + 300]
        figures.load(rows.filter(pl.col("tick").is_between(batch[0], batch[-1])))
        for tick in batch:
            figures.step(tick)
            if tick not in looks:
                continue
            for view in figures.views():
                lo = KATHMANDU_MIDNIGHT
                if view.window in PANES:
                    lo = (
                        -(-(tick - LENGTHS[view.window]) // PANES[view.window]) * PANES[view.window]
                    )
                if view.indicator.id in STEPS:
                    (by,) = view.by
                    expected = funnel_by_sql(database, view.indicator.id, by, lo, tick)
                else:
                    expected = by_sql(database, view.indicator.id, view.by, lo, tick)
                found = shown(figures, view.indicator.id, view.by, view.window)
                assert found == expected, (view.indicator.id, view.by, view.window, tick)
                compared += len(expected)
    assert compared > 10_000
