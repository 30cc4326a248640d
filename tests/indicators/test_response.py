"""Responses on random streams, at every tick, against the rows looked at again one by one.

As ``test_population``; working time is counted minute by minute on local clocks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from monitor.indicators.compile import IndicatorSet
from monitor.windows.limits import WindowLimits
from tests.indicators.made import T0, TICK, Row, load, made, row
from tests.indicators.oracle import Local, Sliding, key_of
from tests.indicators.test_oracle import Choices, batches, choices
from tests.indicators.test_population import actual, assert_touched

pytestmark = pytest.mark.untraced

MINUTE, HOUR = 60_000, 3_600_000
LATENESS = 600_000
SHANGHAI = ZoneInfo("Asia/Shanghai")

YAML = """
  - id: reply
    kind: response
    from: {on: message.received}
    to: {on: message.sent, where: not auto}
    per: conversation
    open_after: 5m
    max_age: 2h
    by: [agent, team, [agent, team]]
    windows: [30m, {calendar: day, tz: Asia/Shanghai}]
  - id: soon
    kind: response
    from: message.received
    to: {on: message.sent, where: auto is null or not auto}
    per: conversation
    within: 4m
    max_age: 1h
    by: [team]
    windows: [30m]
  - id: working
    kind: response
    from: message.received
    to: message.sent
    per: customer
    hours: {tz: Asia/Shanghai, from: "08:00", to: "08:20", days: [mon, tue]}
    open_after: 10m
    max_age: 26h
    by: [agent]
    windows: [1h]
  - id: outside
    kind: response
    from: message.received
    to: message.sent
    per: conversation
    hours: {tz: Asia/Shanghai, from: "08:00", to: "08:20", outside: true}
    open_after: 0s
    max_age: 2h
    by: [agent]
    windows: [1h]
  - id: step
    kind: response
    from: customer.level
    to: customer.level
    per: customer
    open_after: 31m
    max_age: 3h
    by: [team]
    windows: [1h]
"""


@cache
def is_worked(minute: int, days: tuple[int, ...] = (0, 1)) -> bool:
    local = datetime.fromtimestamp(minute * 60, tz=UTC).astimezone(SHANGHAI)
    return local.weekday() in days and local.hour == 8 and local.minute < 20


def worked(start: int, end: int) -> int:
    total = 0
    for minute in range(start // MINUTE, end // MINUTE + 1):
        if is_worked(minute):
            low, high = max(start, minute * MINUTE), min(end, (minute + 1) * MINUTE)
            total += max(0, high - low)
    return total


def plain(start: int, end: int) -> int:
    return end - start


@dataclass(frozen=True)
class Asked:
    asks: Callable[[Row], bool]
    replies: Callable[[Row], bool]
    per: str
    max_age: int
    open_after: int
    within: int | None = None
    clock: Callable[[int, int], int] = plain
    step: int = TICK
    """How often the clock is looked at."""

    def looks(self, row: Row) -> bool:
        """Questions that the hours leave out still say whose a conversation is."""
        return leveled(row) if self.asks is leveled else received(row)


def received(row: Row) -> bool:
    return bool(row["type"] == "message.received")


def sent(row: Row) -> bool:
    return bool(row["type"] == "message.sent")


def leveled(row: Row) -> bool:
    return bool(row["type"] == "customer.level")


ASKED = {
    "reply": Asked(
        received,
        lambda row: sent(row) and row["auto"] is False,
        "conversation",
        2 * HOUR,
        5 * MINUTE,
    ),
    "soon": Asked(
        received,
        lambda row: sent(row) and row["auto"] is not True,
        "conversation",
        HOUR,
        4 * MINUTE,
        4 * MINUTE,
    ),
    "working": Asked(received, sent, "customer", 26 * HOUR, 10 * MINUTE, clock=worked, step=10_000),
    "outside": Asked(
        lambda row: received(row) and not is_worked(row["time"] // MINUTE, (0, 1, 2, 3, 4)),
        sent,
        "conversation",
        2 * HOUR,
        0,
    ),
    "step": Asked(leveled, leveled, "customer", 3 * HOUR, 31 * MINUTE, step=30_000),
}
Key = tuple[str, ...]


@dataclass
class Talk:
    asked: int | None = None
    asker: Key | None = None
    replied: int = -(10**18)
    known: tuple[int, Key] | None = None

    def begins(self, time: int, max_age: int) -> bool:
        return self.asked is None or time < self.asked or time - self.asked >= max_age

    def ask_for(self, time: int, max_age: int) -> None:
        if self.asked is None or self.asker is not None or self.known is None:
            return
        if time - self.known[0] < max_age:
            self.asker = self.known[1]


def answers_of(
    asked: Asked, by: Key, rows: list[Row]
) -> tuple[list[tuple[Key, int, int]], list[Talk]]:
    """(key, asked, answered) of all answers, and the conversations as they stand."""
    talks: dict[str, Talk] = {}
    found: list[tuple[Key, int, int]] = []
    for each in rows:
        name, time = each[asked.per], each["time"]
        asks, replies = asked.asks(each), asked.replies(each)
        if name is None or not (replies or asked.looks(each)):
            continue
        talk, key = talks.setdefault(name, Talk()), key_of(each, by)
        if key is not None and (talk.known is None or time >= talk.known[0]):
            talk.known = time, key
        if replies:
            if talk.asked is not None and talk.asked <= time:
                under = key or talk.asker
                if time - talk.asked < asked.max_age and under is not None:
                    found.append((under, talk.asked, time))
                talk.asked = None
            talk.replied = max(talk.replied, time)
        if asks and time >= talk.replied and talk.begins(time, asked.max_age):
            talk.asked, talk.asker = time, key
        talk.ask_for(time, asked.max_age)
    return found, list(talks.values())


def expected(view: Any, rows: list[Row], tick: int) -> dict[Key, tuple[int, int]]:
    asked = ASKED[view.indicator.id]
    known = [each for each in rows if each["eff"] < tick]
    answered, talks = answers_of(asked, view.by, known)
    lo = {
        "30m": Sliding(30 * MINUTE, 30_000).lo,
        "1h": Sliding(HOUR, MINUTE).lo,
        "day@Asia/Shanghai": Local("day", "Asia/Shanghai").lo,
    }[view.window](tick)
    found: dict[Key, tuple[int, int]] = {}

    def add(key: Key, hits: int) -> None:
        before = found.get(key, (0, 0))
        found[key] = before[0] + hits, before[1] + 1

    for key, start, end in answered:
        if end >= lo:
            wait = asked.clock(start, end)
            add(key, wait if asked.within is None else wait <= asked.within)
    for talk in talks:
        if talk.asked is None or talk.asker is None or tick - talk.asked >= asked.max_age:
            continue
        age = asked.clock(talk.asked, max(tick // asked.step * asked.step, talk.asked))
        if age >= asked.open_after:
            add(talk.asker, age if asked.within is None else 0)
    return found


def compare(figures: IndicatorSet, rows: list[Row], tick: int) -> None:
    for view in figures.views():
        name = f"{view.indicator.id} by {view.by} over {view.window} at {tick - T0}"
        assert actual(view) == expected(view, rows, tick), name


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    clock = T0 - draw(st.sampled_from([0, 10 * MINUTE, HOUR, 14 * HOUR]))  # 8:00 in Shanghai: T0
    gaps = [0, 0, 1, 999, 5_000, 31_000, MINUTE, 4 * MINUTE, 5 * MINUTE, 31 * MINUTE, 2 * HOUR]
    types = (
        ["message.received"] * 3 + ["message.sent"] * 3 + ["customer.level"] * 2 + ["call.ended"]
    )
    rows = []
    for _ in range(draw(st.integers(1, 25))):
        clock += draw(st.sampled_from(gaps))
        late = draw(st.sampled_from([0, 0, 0, 1, 900, 5_000, 3 * MINUTE, LATENESS]))
        rows.append(
            row(
                clock - late,
                draw(st.sampled_from(types)),
                eff=clock,
                conversation=draw(st.sampled_from(["c1", "c2", None])),
                customer=draw(st.sampled_from(["k1", "k2", None])),
                agent=draw(st.sampled_from(["a", "b", None])),
                team=draw(st.sampled_from(["x", "y", None])),
                auto=draw(st.sampled_from([True, False, False, None])),
            )
        )
    return sorted(rows, key=lambda each: (each["eff"], each["time"]))


LIMITS = WindowLimits(lateness_ms=LATENESS)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices)
def test_every_response_at_every_tick_equals_brute_force(rows: list[Row], chosen: Choices) -> None:
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
            if tick in waiting or number % 23 == 0:
                compare(figures, rows, tick)
            if number in chosen.evict:
                figures.evict({})
                compare(figures, rows, tick)
        if number % 41 in chosen.restart:
            state = copy.deepcopy(figures.snapshot())
            figures = made(YAML, limits=LIMITS)
            figures.restore(state)
            compare(figures, rows, tick)
    end, steps = tick + 2 * HOUR + MINUTE, 0
    while (last := figures.next_event_tick(tick)) is not None and last < end:
        if last - tick > TICK:
            compare(figures, rows, last - TICK)
        tick, steps = last, steps + 1
        figures.step(tick)
        if steps % 97 == 0:
            compare(figures, rows, tick)
    compare(figures, rows, tick)
    figures.step(tick + 60 * HOUR)
    figures.step(tick + 90 * HOUR)
    assert not any(map(actual, figures.views()))
    figures.evict({})
    assert all(len(table) == 0 for table in figures.key_tables().values())
    assert figures.fullest()["entities"][0] == 0
