"""Populations at their edges: who is in at which tick, what a full table does, what a reload keeps.

```
level    2 ──────────────── 2 ─────────── 3           (told)
         │                  │             │
since    0                  0             40
stalled  ├ unchanged_for ─►│  hit         │ no hit, until 40 + unchanged_for
```
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.windows.limits import WindowLimits
from tests.indicators.made import T0, TICK, Row, beyond, bucket, frame, load, made, row, run, shown

MINUTE, HOUR = 60_000, 3_600_000

YAML = """
  - id: depth
    kind: population
    entity: customer
    from: [customer.level, customer.claimed]
    until: customer.released
    share: level <= 2
    state: level
    unchanged_for: 10m
    max_age: 30m
    by: [agent]
"""


def level(at: int, value: int | None, agent: str | None = "a", customer: str = "k") -> Row:
    return row(T0 + at, "customer.level", level=value, agent=agent, customer=customer)


def figure(figures: IndicatorSet, at: int, agent: str = "a") -> tuple[int, int] | None:
    run(figures, T0 + at)
    return shown(figures, "depth", "agent", "now").get((agent,))


def test_a_state_is_unchanged_from_the_tick_on_that_the_time_has_passed_at() -> None:
    figures = made(YAML)
    load(figures, [level(0, 2), level(4 * MINUTE, 2)])
    assert figure(figures, 10 * MINUTE - TICK) == (0, 1)
    assert figures.next_event_tick(figures.tick or 0) == T0 + 10 * MINUTE
    assert figure(figures, 10 * MINUTE) == (1, 1)
    load(figures, [level(12 * MINUTE, 3), level(13 * MINUTE, 1)])
    assert figure(figures, 23 * MINUTE - TICK) == (0, 1)
    assert figure(figures, 23 * MINUTE) == (1, 1)


def test_an_entity_is_in_until_it_is_not_heard_of_for_max_age() -> None:
    figures = made(YAML)
    load(figures, [level(0, 2)])
    assert figure(figures, 30 * MINUTE - TICK) == (1, 1)
    assert figure(figures, 30 * MINUTE) is None


def test_who_comes_back_after_max_age_begins_anew() -> None:
    figures = made(YAML)
    load(figures, [level(0, 2), level(30 * MINUTE, None), level(90 * MINUTE - 1, 2)])
    assert figure(figures, 45 * MINUTE) == (0, 1), "its level is forgotten"
    load(figures, [level(120 * MINUTE - 2, 2)])
    assert figure(figures, 120 * MINUTE) == (1, 1), "a millisecond less: it had never left"


def test_leaving_forgets_what_was_told_up_to_then() -> None:
    figures = made(YAML)
    gone = row(T0 + MINUTE, "customer.released", customer="k")
    load(figures, [level(0, 2), gone, level(2 * MINUTE, None)])
    assert figure(figures, 3 * MINUTE) == (0, 1)
    assert figure(figures, 20 * MINUTE) == (0, 1), "no level is known"
    at_once = row(T0 + 21 * MINUTE, "customer.released", customer="k")
    load(figures, [level(21 * MINUTE, 1), at_once, level(21 * MINUTE + 1, None)])
    assert figure(figures, 40 * MINUTE) == (0, 1), "of the same time: later in order"


def test_an_older_event_does_not_override_a_newer_one() -> None:
    figures = made(YAML)
    load(figures, [level(5 * MINUTE, 3)])
    run(figures, T0 + 5 * MINUTE + TICK)
    late = row(T0, "customer.level", eff=T0 + 6 * MINUTE, level=1, agent="b", customer="k")
    load(figures, [late])
    assert figure(figures, 20 * MINUTE) == (0, 1)
    assert figure(figures, 20 * MINUTE + TICK, "b") is None


def test_a_customer_that_moves_counts_for_the_other_agent() -> None:
    figures = made(YAML)
    load(figures, [level(0, 2), row(T0 + MINUTE, "customer.claimed", agent="b", customer="k")])
    assert figure(figures, 20 * MINUTE) is None
    assert shown(figures, "depth", "agent", "now") == {("b",): (1, 1)}


def test_what_finds_the_table_full_is_left_out_and_counted() -> None:
    figures = made(YAML, limits=WindowLimits(entities_max=2, lateness_ms=0))
    load(figures, [level(n, 1, customer=f"k{n}") for n in range(4)])
    assert figure(figures, 15 * MINUTE) == (2, 2)
    assert beyond(figures) == {(("agent",), "entities"): 2}
    assert figures.fullest()["entities"] == (2, 2)
    run(figures, T0 + 31 * MINUTE)
    figures.evict({})
    load(figures, [level(32 * MINUTE, 1, customer="k3")])
    assert figure(figures, 33 * MINUTE) == (0, 1), "there is room again"


def test_entities_of_keys_that_find_no_room_are_in_the_bucket() -> None:
    figures = made(YAML, limits=WindowLimits(keys_max=1))
    load(figures, [level(0, 1), level(1, 1, "b", "k2"), level(2, 1, "c", "k3")])
    assert figure(figures, 15 * MINUTE) == (1, 1)
    assert bucket(figures, "depth", "agent", "now") == (2, 2)
    state = copy.deepcopy(figures.snapshot())
    again = made(YAML, limits=WindowLimits(keys_max=1))
    again.restore(state)
    assert bucket(again, "depth", "agent", "now") == (2, 2)
    assert beyond(figures)[("agent",), "keys"] == 2


def test_rows_of_entities_whose_agent_nobody_said_are_unattributed() -> None:
    figures = made(YAML)
    load(figures, [level(0, 1, None), level(1, 1), level(2, 1, None)])
    assert figure(figures, 15 * MINUTE) == (1, 1)
    assert figures.unattributed()["agent",] == 0, "the last tick's rows have an owner"
    load(figures, [level(16 * MINUTE, 1, None, "k2")])
    assert figure(figures, 17 * MINUTE) == (1, 1)
    assert figures.unattributed()["agent",] == 1


def test_it_is_covered_once_everybody_has_been_heard_of_or_is_gone() -> None:
    figures = made(YAML, covered_from=T0 + 1)
    view = figures.view("depth", ("agent",), "now")
    assert view.covered_at() == T0 + 30 * MINUTE + TICK
    assert not view.covered(T0 + 30 * MINUTE)
    assert view.covered(T0 + 30 * MINUTE + TICK)
    assert figures.horizon_ms == 30 * MINUTE
    load(figures, [level(0, 1)])
    run(figures, T0 + 31 * MINUTE)
    assert made(YAML).view("depth", ("agent",), "now").covered(T0)


def test_a_scope_that_a_reload_brings_warms_while_the_others_go_on() -> None:
    figures = made(YAML)
    load(figures, [row(T0, "customer.level", level=1, agent="a", team="x", customer="k")])
    run(figures, T0 + 15 * MINUTE)
    again = made(YAML.replace("[agent]", "[team, agent]"), covered_from=T0 + 15 * MINUTE)
    again.restore(copy.deepcopy(figures.snapshot()))
    assert shown(again, "depth", "agent", "now") == {("a",): (1, 1)}
    assert shown(again, "depth", "team", "now") == {}
    assert again.view("depth", ("agent",), "now").covered_from < BEGINNING // 2
    assert again.view("depth", ("team",), "now").covered_from == T0 + 45 * MINUTE
    changed = made(YAML.replace("10m", "11m"), covered_from=T0 + 15 * MINUTE)
    changed.restore(copy.deepcopy(figures.snapshot()))
    assert shown(changed, "depth", "agent", "now") == {}
    assert changed.view("depth", ("agent",), "now").covered_from == T0 + 45 * MINUTE


def test_every_kind_of_field_can_be_asked_about() -> None:
    yaml = """
  - id: calls
    kind: population
    entity: customer
    from: call.ended
    share: >-
      need_captured and talk_s > 1.5 and outcome == 'answered'
      and hour(started_at, 'Asia/Shanghai') == 8 and sip_code in [200, 202]
    max_age: 1h
    by: [agent]
  - id: all
    kind: population
    entity: call_id
    from: call.ended
    share: "true"
    max_age: 1h
    by: [[agent, team]]
"""
    figures = made(yaml)
    good: dict[str, Any] = {"need_captured": True, "talk_s": 2.0, "outcome": "answered"}
    good |= {"started_at": T0, "sip_code": 200, "agent": "a", "team": "x"}
    bad: list[dict[str, Any]] = [{}, {"need_captured": False}, {"talk_s": 1.5}, {"outcome": "busy"}]
    bad += [{"started_at": T0 + HOUR}, {"sip_code": 603}, {"sip_code": None}]
    rows = [row(T0 + n, customer=f"k{n}", call_id=f"{n}", **good | x) for n, x in enumerate(bad)]
    load(figures, rows)
    run(figures, T0 + TICK)
    assert shown(figures, "calls", "agent", "now") == {("a",): (1, len(bad))}
    assert shown(figures, "all", ("agent", "team"), "now") == {("a", "x"): (len(bad), len(bad))}


def test_it_is_not_made_of_events() -> None:
    view = made(YAML).view("depth", ("agent",), "now")
    with pytest.raises(ValueError, match="not made of counts"):
        view.fresh()
    assert view.closed(T0) is None


SQL = """
with known as (select *, row_number() over () as ord from events where tick <= {tick}),
gone as (
    select customer, max((time, ord)) as gone_at from known
    where type = 'customer.released' group by 1
),
told as (
    select known.* from known left join gone using (customer)
    where type <> 'customer.released' and customer is not null
      and (gone_at is null or (time, ord) > gone_at)
),
accepted as (
    select * from told where level is not null qualify time >= coalesce(max(time) over (
        partition by customer order by ord rows between unbounded preceding and 1 preceding), 0)
),
runs as (
    select *, level is distinct from lag(level) over (partition by customer order by ord) as begins
    from accepted
),
last as (
    select customer,
        arg_max(agent, (time, ord)) filter (agent is not null) as agent,
        arg_max(level, (time, ord)) filter (level is not null) as level
    from told group by customer
)
select agent, count(*) filter (level <= 2 and since <= {tick} - 600000), count(*)
from last left join
    (select customer, max(time) filter (begins) as since from runs group by 1) using (customer)
where agent is not null group by agent
"""


@pytest.mark.untraced
def test_a_day_of_customers_equals_sql(tmp_path: Path) -> None:
    random, many = np.random.default_rng(11), 6_000
    eff = np.sort(T0 + random.integers(0, 3 * HOUR, many))
    leaves = random.random(many) < 0.1
    late = np.where((random.random(many) < 0.3) & ~leaves, random.integers(0, 600_000, many), 0)
    levels = [None if level == 0 else int(level) for level in random.integers(0, 6, many)]
    rows = [
        row(
            int(eff[n] - late[n]),
            "customer.released" if leaves[n] else "customer.level",
            eff=int(eff[n]),
            customer=f"k{random.integers(0, 300)}",
            agent=None if random.random() < 0.3 else f"a{random.integers(0, 10)}",
            level=None if leaves[n] else levels[n],
        )
        for n in range(many)
    ]
    figures = made(YAML.replace("30m", "4h"))
    events = frame(rows, figures.fields)
    database = duckdb.connect()
    events.write_parquet(tmp_path / "events.parquet")
    database.execute(f"create table events as from '{tmp_path / 'events.parquet'}'")
    ticks = events["tick"].unique().sort().to_list()
    compared = 0
    for first in range(0, len(ticks), 200):
        batch = ticks[first : first + 200]
        figures.load(events.filter(pl.col("tick").is_between(batch[0], batch[-1])))
        run(figures, batch[-1])
        found = database.execute(SQL.format(tick=batch[-1])).fetchall()
        expected = {(agent,): (hits, of) for agent, hits, of in found}
        assert shown(figures, "depth", "agent", "now") == expected
        compared += len(expected)
    assert compared > 50
