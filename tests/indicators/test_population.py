"""Populations on random streams, at every tick, against the rows looked at again one by one.

What is random: types, entities, values, nulls, disorder, gaps, where loads are split, where state
goes through a snapshot, where keys are evicted. The oracle shares nothing with the product but the
event's field names; it keeps no state from tick to tick.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from monitor.indicators.compile import IndicatorSet
from monitor.windows.limits import WindowLimits
from tests.indicators.made import T0, TICK, Row, load, made, row
from tests.indicators.test_oracle import Choices, batches, choices

pytestmark = pytest.mark.untraced

MINUTE, HOUR = 60_000, 3_600_000
LATENESS = 600_000

YAML = """
  - id: depth
    kind: population
    entity: customer
    from: [customer.level, customer.claimed]
    until: {on: [customer.released, deal.won]}
    share: level <= 2
    among: level is null or level >= 1
    max_age: 40m
    by: [agent, team, [agent, team]]
  - id: stalled
    kind: population
    entity: customer
    from: {on: [customer.level, customer.claimed], where: campaign is null or campaign != 'test'}
    until: {on: customer.level, where: level == 5}
    state: level
    unchanged_for: 9m
    max_age: 20m
    by: [team]
  - id: close
    kind: population
    entity: customer
    from: [customer.graded, customer.claimed]
    until: customer.released
    among: grade == 'close' and not (campaign == 'test')
    max_age: 1h
    by: [agent]
  - id: held
    kind: population
    entity: customer
    from: customer.claimed
    until: customer.released
    max_age: 1h
    by: [agent]
"""

Values = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One of the indicators above, in Python."""

    tells: Callable[[Row], bool]
    leaves: Callable[[Row], bool]
    among: Callable[[Values], bool]
    share: Callable[[Values], bool] | None
    max_age: int
    unchanged: int = 0


def of_types(*types: str) -> Callable[[Row], bool]:
    return lambda row: row["type"] in types


ASKED = {
    "depth": Asked(
        of_types("customer.level", "customer.claimed"),
        of_types("customer.released", "deal.won"),
        lambda _: True,
        lambda values: values["level"] is not None and values["level"] <= 2,
        40 * MINUTE,
    ),
    "stalled": Asked(
        lambda row: (
            row["type"] in {"customer.level", "customer.claimed"} and row["campaign"] != "test"
        ),
        lambda row: row["type"] == "customer.level" and row["level"] == 5,
        lambda _: True,
        lambda _: True,
        20 * MINUTE,
        9 * MINUTE,
    ),
    "close": Asked(
        of_types("customer.graded", "customer.claimed"),
        of_types("customer.released"),
        lambda values: values["grade"] == "close" and values["campaign"] not in {None, "test"},
        None,
        HOUR,
    ),
    "held": Asked(
        of_types("customer.claimed"),
        of_types("customer.released"),
        lambda _: True,
        None,
        HOUR,
    ),
}


@dataclass
class Known:
    """What one entity's rows say, taken in order."""

    heard: int | None = None
    left: int = -(10**18)
    last: dict[Any, tuple[int, Any]] = field(default_factory=dict)
    since: int | None = None

    def hear(self, row: Row, asked: Asked, by: tuple[str, ...]) -> None:
        time = row["time"]
        if asked.leaves(row):
            self.left = max(self.left, time)
            self.last = {name: told for name, told in self.last.items() if told[0] > time}
            if "level" not in self.last:
                self.since = None
            if self.heard is not None and self.heard <= time:
                self.heard = None
            return
        if not asked.tells(row) or time < self.left:
            return
        if self.heard is not None and time - self.heard >= asked.max_age:
            self.last, self.since = {}, None
        self.heard = time if self.heard is None else max(self.heard, time)
        key = tuple(row[name] for name in by)
        said = {name: row[name] for name in ("level", "grade", "campaign")}
        for name, value in {**said, "key": None if None in key else key}.items():
            if value is None or time < self.last.get(name, (-(10**18), None))[0]:
                continue
            if name == "level" and self.last.get(name, (0, None))[1] != value:
                self.since = time
            self.last[name] = time, value


def expected(
    asked: Asked, by: tuple[str, ...], rows: list[Row], tick: int
) -> dict[tuple[str, ...], tuple[int, int]]:
    """(hits, of) by key at ``tick``, from all rows before it."""
    known: dict[str, Known] = {}
    for each in rows:
        if each["eff"] < tick and each["customer"] is not None:
            known.setdefault(each["customer"], Known()).hear(each, asked, by)
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for entity in known.values():
        values = {
            name: entity.last.get(name, (0, None))[1] for name in ("level", "grade", "campaign")
        }
        key = entity.last.get("key", (0, None))[1]
        there = entity.heard is not None and tick - entity.heard < asked.max_age
        if not there or key is None or not asked.among(values):
            continue
        hit = asked.share is None or asked.share(values)
        if asked.unchanged:
            hit = hit and entity.since is not None and tick - entity.since >= asked.unchanged
        hits, of = found.get(key, (0, 0))
        found[key] = hits + hit, of + 1
    return found


def actual(view: Any) -> dict[tuple[str, ...], tuple[int, int]]:
    ids = view.keys.living()
    hits, of = view.figures(ids)
    plain = view.kind == "count"
    return {
        tuple(value for _, value in view.scope(key)): (one, one if plain else other)
        for key, one, other in zip(ids.tolist(), hits.tolist(), of.tolist(), strict=True)
        if one or (other and not plain)
    }


def compare(figures: IndicatorSet, rows: list[Row], tick: int) -> None:
    for view in figures.views():
        wanted = expected(ASKED[view.indicator.id], view.by, rows, tick)
        assert actual(view) == wanted, f"{view.indicator.id} by {view.by} at {tick - T0}"


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    clock, rows = T0, []
    gaps = [0, 0, 1, 999, 5_000, 31_000, MINUTE, 4 * MINUTE, 9 * MINUTE, 20 * MINUTE, HOUR]
    types = ["customer.level"] * 3 + ["customer.claimed"] * 2 + ["customer.graded"]
    types += ["customer.released", "deal.won", "call.ended"]
    for _ in range(draw(st.integers(1, 30))):
        clock += draw(st.sampled_from(gaps))
        late = draw(st.sampled_from([0, 0, 0, 1, 900, 5_000, 3 * MINUTE, LATENESS]))
        type_ = draw(st.sampled_from(types))
        rows.append(
            row(
                clock - late,
                type_,
                eff=clock,
                customer=draw(st.sampled_from(["k1", "k2", "k3", None])),
                agent=draw(st.sampled_from(["a", "b", None])),
                team=draw(st.sampled_from(["x", "y", None])),
                campaign=draw(st.sampled_from(["test", "real", None])),
                level=draw(st.sampled_from([1, 2, 3, 5, None]))
                if type_ == "customer.level"
                else None,
                grade=(
                    draw(st.sampled_from(["close", "ordinary", None]))
                    if type_ == "customer.graded"
                    else None
                ),
            )
        )
    return sorted(rows, key=lambda each: (each["eff"], each["time"]))


LIMITS = WindowLimits(lateness_ms=LATENESS)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices)
def test_every_population_at_every_tick_equals_brute_force(
    rows: list[Row], chosen: Choices
) -> None:
    figures = made(YAML, limits=LIMITS)
    tick, number = rows[0]["tick"] - TICK, 0
    for batch in batches(rows, chosen.split):
        load(figures, batch)
        while waiting := [each["tick"] for each in batch if each["tick"] > tick]:
            due = min(figures.next_event_tick(tick) or waiting[0], *waiting)
            if due > tick + TICK:  # nothing changed in the ticks that are skipped
                compare(figures, rows, due - TICK)
            tick, number = due, number + 1
            before = {id(view): actual(view) for view in figures.views()}
            figures.step(tick)
            assert_touched(figures, before)
            compare(figures, rows, tick)
            if number in chosen.evict:
                figures.evict({})
                compare(figures, rows, tick)
        if number % 41 in chosen.restart:
            state = copy.deepcopy(figures.snapshot())
            figures = made(YAML, limits=LIMITS)
            figures.restore(state)
            compare(figures, rows, tick)
    while (last := figures.next_event_tick(tick)) is not None:
        if last - tick > TICK:
            compare(figures, rows, last - TICK)
        tick = last
        figures.step(tick)
        compare(figures, rows, tick)
    assert not any(map(actual, figures.views()))
    figures.step(tick + LATENESS + HOUR)
    figures.evict({})
    assert all(len(table) == 0 for table in figures.key_tables().values())
    assert figures.fullest()["entities"][0] == 0


def assert_touched(figures: IndicatorSet, before: dict[int, Any]) -> None:
    for view in figures.views():
        ids, now, then = view.touched(), actual(view), before[id(view)]
        assert ids.tolist() == sorted(set(ids.tolist()))
        touched = {tuple(value for _, value in view.scope(key)) for key in ids.tolist()}
        assert {key for key in {*now, *then} if now.get(key) != then.get(key)} <= touched
