"""Responses at their edges: who counts at which tick, what a full table does, working hours.

```
asked      │ q1       q2                         q3
answered   │                    a                              (never)
           ├── wait of q1 ──────┤                ├ open_after ┤ counts by its age, until max_age
```
"""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import polars as pl
import pytest

from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.windows.hours import AllHours, working_hours
from monitor.windows.limits import WindowLimits
from tests.indicators.made import T0, TICK, Row, beyond, bucket, frame, load, made, row, run, shown

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
STEP = 30_000
"""Ages are looked at every sixtieth of `open_after`."""

YAML = """
  - id: reply
    kind: response
    from: message.received
    to: {on: message.sent, where: not auto}
    per: conversation
    open_after: 30m
    max_age: 3h
    by: [agent]
    windows: [1h]
"""
WORKING = YAML.replace(
    "    open_after",
    '    hours: {tz: Asia/Shanghai, from: "09:00", to: "18:00"}\n    open_after',
).replace("3h", "7d")


def asks(at: int, agent: str | None = "a", talk: str = "c") -> Row:
    return row(T0 + at, "message.received", conversation=talk, agent=agent)


def replies(at: int, agent: str | None = "a", talk: str = "c", *, auto: bool = False) -> Row:
    return row(T0 + at, "message.sent", conversation=talk, agent=agent, auto=auto)


def figure(figures: IndicatorSet, at: int, agent: str = "a") -> tuple[int, int] | None:
    run(figures, T0 + at)
    return shown(figures, "reply", "agent", "1h").get((agent,))


def test_the_first_of_several_questions_counts_and_machines_do_not_answer() -> None:
    figures = made(YAML)
    load(figures, [asks(0), asks(MINUTE), replies(2 * MINUTE, auto=True), replies(3 * MINUTE)])
    assert figure(figures, 4 * MINUTE) == (3 * MINUTE, 1)
    load(figures, [replies(5 * MINUTE)])
    assert figure(figures, 6 * MINUTE) == (3 * MINUTE, 1), "nothing was asked"


def test_an_open_question_counts_by_its_age_from_open_after_to_max_age() -> None:
    figures = made(YAML)
    load(figures, [asks(0)])
    assert figure(figures, 30 * MINUTE - TICK) is None
    assert figures.next_event_tick(figures.tick or 0) == T0 + 30 * MINUTE
    assert figure(figures, 30 * MINUTE) == (30 * MINUTE, 1)
    assert figures.next_event_tick(figures.tick or 0) == T0 + 30 * MINUTE + STEP
    assert figure(figures, 3 * HOUR - TICK) == (3 * HOUR - STEP, 1)
    assert figure(figures, 3 * HOUR) is None
    load(figures, [replies(3 * HOUR + TICK)])
    assert figure(figures, 4 * HOUR) is None, "it was given up"


def test_an_answer_counts_for_its_agent_or_else_for_who_was_asked() -> None:
    figures = made(YAML)
    load(figures, [asks(0), replies(MINUTE, "b"), asks(2 * MINUTE), replies(4 * MINUTE, None)])
    assert figure(figures, 5 * MINUTE) == (2 * MINUTE, 1)
    assert figure(figures, 5 * MINUTE + TICK, "b") == (MINUTE, 1)
    load(figures, [asks(6 * MINUTE, None)])
    assert figure(figures, 36 * MINUTE) == (2 * MINUTE + 30 * MINUTE, 2), "who was known last"
    load(figures, [asks(40 * MINUTE, None, "d"), replies(41 * MINUTE, None, "d")])
    figure(figures, 42 * MINUTE)
    assert figures.unattributed()["agent",] == 1


def test_what_is_late_does_not_undo_what_was_answered() -> None:
    figures = made(YAML)
    load(figures, [asks(0), replies(MINUTE)])
    run(figures, T0 + 2 * MINUTE)
    late = row(T0 + 30_000, "message.received", eff=T0 + 2 * MINUTE, conversation="c", agent="a")
    load(figures, [late])
    assert figure(figures, 45 * MINUTE) == (MINUTE, 1)
    early = row(T0 + 44 * MINUTE, "message.sent", eff=T0 + 47 * MINUTE, conversation="c", agent="a")
    load(figures, [asks(46 * MINUTE), {**early, "auto": False}])
    assert figure(figures, 50 * MINUTE) == (MINUTE, 1), "it was sent before the question"


def test_a_share_counts_those_that_have_waited_too_long_already() -> None:
    yaml = YAML.replace("open_after: 30m", "within: 10m")
    figures = made(yaml)
    load(figures, [asks(0), replies(10 * MINUTE), asks(11 * MINUTE), asks(11 * MINUTE, "b", "d")])
    assert figure(figures, 20 * MINUTE) == (1, 1)
    assert figure(figures, 21 * MINUTE) == (1, 2)
    assert figures.next_event_tick(figures.tick or 0) != T0 + 21 * MINUTE + TICK, "time is nothing"
    load(figures, [replies(22 * MINUTE)])
    assert figure(figures, 23 * MINUTE) == (1, 2)
    assert figure(figures, 23 * MINUTE + TICK, "b") == (0, 1)


def test_only_working_time_counts() -> None:
    """T0 is Monday, 8:00 in Shanghai: work goes on from T0 + 1 h to T0 + 10 h."""
    figures = made(WORKING)
    load(figures, [asks(0), replies(HOUR + MINUTE), asks(9 * HOUR + 50 * MINUTE, "b", "d")])
    assert figure(figures, HOUR + 2 * MINUTE) == (MINUTE, 1)
    assert figure(figures, 25 * HOUR + 19 * MINUTE, "b") is None, "29 min of work"
    tick = T0 + 25 * HOUR + 20 * MINUTE
    assert figures.next_event_tick(tick - TICK) == tick
    assert figure(figures, 25 * HOUR + 20 * MINUTE, "b") == (30 * MINUTE, 1)
    assert figure(figures, 34 * HOUR, "b") == (9 * HOUR + 10 * MINUTE, 1)
    assert figures.next_event_tick(T0 + 34 * HOUR) == T0 + 49 * HOUR + STEP, "it stands at night"
    assert figure(figures, 49 * HOUR + TICK, "b") == (9 * HOUR + 10 * MINUTE, 1)
    assert figure(figures, 49 * HOUR + STEP, "b") == (9 * HOUR + 10 * MINUTE + STEP, 1)


def test_nobody_works_on_public_holidays() -> None:
    """It is Wednesday, 17:00 in China; Thursday, 1 October 2026 and more days are holidays."""
    wednesday = int(datetime(2026, 9, 30, 9, tzinfo=UTC).timestamp()) * 1_000 - T0
    yaml = WORKING.replace('to: "18:00"', 'to: "18:00", holidays: CN').replace("7d", "20d")
    figures = made(yaml)
    load(figures, [asks(wednesday), asks(wednesday + 30 * MINUTE, "b", "d")])
    assert figure(figures, wednesday + HOUR) == (HOUR, 1)
    assert figure(figures, wednesday + 3 * DAY, "b") == (30 * MINUTE, 1)
    found = figure(figures, wednesday + 14 * DAY)
    assert found is not None
    assert found[0] > 4 * 9 * HOUR, "work has begun again"


def test_outside_the_hours_other_questions_are_looked_at() -> None:
    yaml = WORKING.replace('to: "18:00"', 'to: "18:00", outside: true').replace("7d", "20h")
    figures = made(yaml)
    load(figures, [asks(0), replies(2 * HOUR), asks(3 * HOUR), replies(4 * HOUR)])
    assert figure(figures, 2 * HOUR + TICK) == (2 * HOUR, 1), "all of it counts"
    assert figure(figures, 4 * HOUR + TICK) is None, "asked within the hours"


def test_what_finds_a_table_full_is_counted() -> None:
    figures = made(YAML, limits=WindowLimits(entities_max=1, keys_max=1))
    load(figures, [asks(0), asks(1, "b", "d"), replies(MINUTE, "b"), replies(MINUTE, "b", "d")])
    assert figure(figures, 2 * MINUTE) is None
    assert bucket(figures, "reply", "agent", "1h") == (MINUTE, 1), "b found no room for a key"
    assert beyond(figures) == {(("agent",), "entities"): 2, (("agent",), "keys"): 3}
    assert figures.fullest()["entities"] == (1, 1)


def test_it_is_covered_once_no_older_question_can_be_answered() -> None:
    view = made(YAML, covered_from=T0).view("reply", ("agent",), "1h")
    assert view.covered_at() == T0 + 4 * HOUR - MINUTE + TICK, "less than a pane before"
    assert view.horizon_ms == 4 * HOUR
    assert not view.countable


def test_a_scope_that_a_reload_brings_begins_with_what_comes() -> None:
    figures = made(YAML)
    load(figures, [{**asks(0), "team": "x"}])
    run(figures, T0 + 40 * MINUTE)
    again = made(YAML.replace("[agent]", "[team, agent]"), covered_from=T0 + 40 * MINUTE)
    again.restore(copy.deepcopy(figures.snapshot()))
    assert shown(again, "reply", "agent", "1h") == {("a",): (40 * MINUTE, 1)}
    assert shown(again, "reply", "team", "1h") == {}
    assert again.view("reply", ("agent",), "1h").covered_from < BEGINNING // 2
    assert again.view("reply", ("team",), "1h").covered_from == T0 + 40 * MINUTE + 3 * HOUR


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_hours_are_cut_on_local_clocks(day: date) -> None:
    """In Berlin that Sunday has 23, or 25 hours."""
    zone = ZoneInfo("Europe/Berlin")
    hours = working_hours("Europe/Berlin", 60, 1440, frozenset(range(7)), frozenset())
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000
    times = np.array([midnight, midnight + HOUR, midnight + 26 * HOUR])
    worked = hours.worked(times)
    lasts = 23 if day.month == 3 else 25
    assert np.diff(worked).tolist() == [0, (lasts - 1) * HOUR + max(0, 25 - lasts) * HOUR]
    assert hours.inside(times).tolist() == [False, True, True]
    assert hours.after(times[:1], 1).tolist() == [midnight + HOUR + 1]
    assert datetime.fromtimestamp(midnight / 1000, UTC).astimezone(zone).hour == 0


def test_a_closed_day_has_no_hours_and_after_the_last_there_are_none() -> None:
    monday = date(2026, 11, 30)
    hours = working_hours("UTC", 0, 1440, frozenset({0}), frozenset({monday}))
    assert hours.worked(np.array([T0 + DAY])) == hours.worked(np.array([T0]))
    beyond_all = 4_200_000_000_000
    assert hours.next_moving(beyond_all, TICK) > beyond_all * 2
    assert hours.after(np.array([beyond_all]), 1)[0] > beyond_all * 2
    assert not hours.inside(np.array([beyond_all]))[0]
    assert AllHours().inside(np.array([0])).all()


def test_the_last_step_before_closing_is_looked_at() -> None:
    """Open until 17:43, looked at every five minutes: at 17:45 three more minutes have passed."""
    hours = working_hours("UTC", 540, 17 * 60 + 43, frozenset(range(7)), frozenset())
    tick = int(datetime(2026, 11, 23, 17, 44, 45, tzinfo=UTC).timestamp()) * 1_000
    assert hours.next_moving(tick, 300_000) == tick + 15_000


def test_hours_that_the_clocks_leave_out_are_none() -> None:
    hours = working_hours("Europe/Berlin", 150, 180, frozenset(range(7)), frozenset())
    spring = int(datetime(2026, 3, 29, tzinfo=UTC).timestamp()) * 1_000
    worked = hours.worked(np.arange(spring - DAY, spring + 2 * DAY, HOUR // 4))
    assert (np.diff(worked) >= 0).all()
    assert worked[-1] - worked[0] == 2 * HOUR // 2


SQL = """
with known as (select *, row_number() over () as ord from events where tick <= {tick}),
told as (
    select *, count(*) filter (type = 'message.sent') over (
        partition by conversation order by ord rows between unbounded preceding and 1 preceding
    ) as turn
    from known where conversation is not null and (type = 'message.received' or auto is false)
),
turns as (
    select conversation, turn,
        min(time) filter (type = 'message.received') as asked,
        max(time) filter (type = 'message.sent') as answered,
        arg_min(agent, ord) filter (type = 'message.received') as asker,
        max(agent) filter (type = 'message.sent') as agent
    from told group by all having asked is not null
),
figures as (
    select coalesce(agent, asker) as agent, answered - asked as wait from turns
    where answered is not null and answered >= {lo}
    union all
    select asker, {tick} // 30000 * 30000 - asked from turns
    where answered is null and {tick} // 30000 * 30000 - asked >= 1800000
)
select agent, sum(wait)::bigint, count(*) from figures group by agent
"""


@pytest.mark.untraced
def test_hours_of_conversations_equal_sql(tmp_path: Path) -> None:
    """In order of time, and none is given up: what else can be is the property test's."""
    random, many = np.random.default_rng(13), 5_000
    times = np.sort(T0 + random.choice(5 * HOUR, many, replace=False))
    rows = [
        row(
            int(time),
            "message.received" if random.random() < 0.5 else "message.sent",
            conversation=f"c{random.integers(0, 400)}",
            agent=f"a{random.integers(0, 10)}",
            auto=bool(random.random() < 0.3),
        )
        for time in times
    ]
    figures = made(YAML.replace("3h", "6h"))
    events = frame(rows, figures.fields)
    events.write_parquet(tmp_path / "events.parquet")
    database = duckdb.connect()
    database.execute(f"create table events as from '{tmp_path / 'events.parquet'}'")
    ticks = events["tick"].unique().sort().to_list()
    compared = 0
    for first in range(0, len(ticks), 200):
        batch = ticks[first : first + 200]
        figures.load(events.filter(pl.col("tick").is_between(batch[0], batch[-1])))
        run(figures, batch[-1])
        lo = -(-(batch[-1] - HOUR) // MINUTE) * MINUTE
        found = database.execute(SQL.format(tick=batch[-1], lo=lo)).fetchall()
        expected = {(agent,): (hits, of) for agent, hits, of in found}
        assert shown(figures, "reply", "agent", "1h") == expected
        compared += len(expected)
    assert compared > 50
