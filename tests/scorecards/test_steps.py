"""Steps of funnels by person and period: against DuckDB's joins, and every chain tried."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from monitor.errors import ConfigError, UsageError
from monitor.indicators.funnel import expanded
from monitor.indicators.load import loads_indicators
from monitor.indicators.model import Indicator
from monitor.scorecards import tally as sums_module
from monitor.scorecards.steps import furthest
from monitor.site import load_site
from monitor.tally import shown_records
from tests.scorecards.events import MARCH, floor, write
from tests.scorecards.made import card
from tests.scorecards.test_tally import MONTHS, tallied

PACK = """\
version: 1
indicators:
  - id: road
    title: {en: Road, zh: 路径}
    description: {en: Call to deal to trouble, zh: 呼叫到成交到问题}
    class: result
    area: conversion
    kind: funnel
    entity: customer
    within: 9d
    steps:
      called: {on: call.ended, where: "outcome == 'answered'"}
      sold: {on: deal.won}
      asked: {on: issue.opened}
    by: [agent]
    windows: [7d]
"""
SQL = """
with e as (select type, outcome, agent, customer, epoch_ms(time::timestamptz) ms,
    epoch_ms(time::timestamptz) < {april} march
  from read_json('{path}', format = 'newline_delimited', columns = {{
    type: 'varchar', time: 'varchar', agent: 'varchar', customer: 'varchar', outcome: 'varchar'}})),
a as (select * from e where type = 'call.ended' and outcome = 'answered'),
b as (select * from e where type = 'deal.won'),
c as (select * from e where type = 'issue.opened')
select a.march, a.agent, count(distinct a.customer) called,
  count(distinct case when b.ms - a.ms <= {within} then b.customer end) sold,
  count(distinct case when c.ms >= b.ms and c.ms - a.ms <= {within} then c.customer end) asked
from a
left join b on (b.march, b.agent, b.customer) = (a.march, a.agent, a.customer) and b.ms >= a.ms
left join c on (c.march, c.agent, c.customer) = (a.march, a.agent, a.customer)
group by all
"""
WITHIN_MS = 9 * 86_400_000


def indicators() -> tuple[Indicator, ...]:
    return expanded(loads_indicators(PACK, Path("indicators.yaml")).value.indicators)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write(tmp_path_factory.mktemp("floor") / "events.jsonl", floor(MARCH, 45))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for place, line in enumerate(lines):  # few enough to come again
        line["customer"] = f"k{place % 7}"
    return write(path, lines)


FIGURES = {
    "sold": {"indicator": "road_sold"},
    "asked": {"indicator": "road_asked"},
    "deals": {"value": {"count": "deal.won"}},
}
LINES = [{"id": "pay", "formula": "coalesce(sold, 0) * sold.of", "pays": True}]


def test_steps_are_those_of_duckdb(log: Path) -> None:
    made = card(indicators(), figures=FIGURES, parameters={}, lines=LINES)
    (found,) = tallied(log, [made]).sums
    sql = SQL.format(april=MONTHS[1].start_ms, path=log, within=WITHIN_MS)
    rows = duckdb.connect().execute(sql).fetchall()
    assert len(rows) == 10
    for march, agent, called, sold, asked in rows:
        mine = found[0 if march else 1].people[agent, ""].figures
        assert (mine["sold"].hits, mine["sold"].of) == (sold, called), agent
        assert (mine["asked"].hits, mine["asked"].of) == (asked, sold), agent
    assert sum(row[4] for row in rows) > 0
    assert sum(row[3] for row in rows) > sum(row[4] for row in rows)


def test_the_records_behind_a_step_are_its_events(log: Path) -> None:
    made = card(indicators(), figures=FIGURES, parameters={}, lines=LINES)
    found = tallied(log, [made], whose="amy")
    count, records = shown_records(found, made.formulas["sold"], most=10**6)
    assert {each["type"] for each in records} >= {"call.ended", "deal.won"}
    mine = [each.people["amy", ""].figures for each in found.sums[0]]
    assert count >= sum(each["sold"].events for each in mine) > 0
    assert all(each["deals"].value for each in mine), "a figure beside it is as it was"


def _by_force(times: Sequence[int], bits: Sequence[int], count: int, within: int) -> int:
    """Every choice of an event for each step; events of one moment are in any order."""
    last = -1
    for step in range(count):
        serving = [[t for t, b in zip(times, bits, strict=True) if b >> k & 1]
                   for k in range(step + 1)]  # fmt: skip
        for chain in itertools.product(*serving):
            in_order = all(a <= b for a, b in itertools.pairwise(chain))
            if in_order and chain[-1] - chain[0] <= within:
                last = step
                break
    return last


@pytest.mark.parametrize("seed", range(300))
def test_a_walk_finds_what_every_chain_says(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randrange(2, 5)
    times = sorted(rng.sample(range(30), rng.randrange(1, 8)))
    bits = [rng.randrange(1, 2**count) for _ in times]
    within = rng.randrange(20)
    assert furthest(times, bits, count, within) == _by_force(times, bits, count, within)


def test_a_funnel_of_the_shipped_pack_is_named_by_its_steps() -> None:
    known = load_site(None).indicators
    funnel = next(each.id for each in known if each.id.endswith("_opened"))
    made = card(known, figures={"opened": {"indicator": funnel}}, parameters={},
                lines=[{"id": "pay", "formula": "coalesce(opened, 0)", "pays": True}])  # fmt: skip
    assert made.formulas["opened"].hits.operation == "reached"
    with pytest.raises(ConfigError, match="of a funnel name a step: road_sold, road_asked"):
        card(indicators(), figures={"x": {"indicator": "road"}}, lines=LINES)


def test_more_than_there_is_memory_for(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = card(indicators(), figures=FIGURES, parameters={}, lines=LINES)
    monkeypatch.setattr(sums_module, "STEPS_MAX", 5)
    with pytest.raises(UsageError, match="more than 5 events of funnels"):
        tallied(log, [made])
