"""The engine's own time: clocks that are set, orders while nothing moves, keys that go."""

from __future__ import annotations

import json
import random
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import pytest

from monitor.decisions import Command, ManualAction
from monitor.engine import READS_ON_S, Engine, Pace
from monitor.errors import SourceUnavailable
from monitor.replay import replay_engine
from monitor.source.base import Fetched, Partition
from monitor.source.memory import MemorySource
from monitor.stats import OTHER_TYPES
from tests.e2e.live import Durable, SteppedClock, live_engine, nervous_site, run_replay
from tests.e2e.stream import PARTITIONS, START_MS

SITE = nervous_site()
CALLS = PARTITIONS[0]
HOUR = 3_600_000
NUMBER = "+862150000001"


def event(time_ms: int, **more: Any) -> bytes:
    named = {"id": f"e{time_ms}", "type": "call.ended", "time": time_ms, "number": NUMBER}
    return json.dumps(named | {"direction": "outbound", "hangup_by": "agent"} | more).encode()


class Bench:
    """A live engine over one partition, with one event judged."""

    def __init__(self) -> None:
        self.clock = SteppedClock(START_MS)
        self.source = MemorySource([CALLS])
        self.durable = Durable()
        self.engine: Engine = live_engine(
            SITE, self.source, self.durable, self.clock, random.Random(1)
        )

    def event(self, time_ms: int) -> None:
        self.source.append(CALLS, [event(time_ms)])
        self.engine.step()

    def idle(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1_000)
            self.engine.step()

    @property
    def commands(self) -> list[Command]:
        found = self.durable.decisions.values()
        return [each for each in found if isinstance(each, Command) and not each.shadow]

    def order(self, action: Any, **more: Any) -> None:
        self.durable.orders.append(
            ManualAction(f"m{len(self.durable.inputs)}", action, NUMBER, None, "li", "test", **more)
        )


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.event(START_MS)
    made.idle(6)
    assert made.engine.judged == START_MS + 5_000
    return made


def test_a_clock_that_jumps_ahead_while_idle_refuses_nothing_afterwards(bench: Bench) -> None:
    bench.clock.wrong_by_ms = HOUR
    bench.engine.step()
    assert bench.engine.judged == START_MS + 5_000
    bench.clock.wrong_by_ms = 0
    for minutes in (1, 20, 49, 59):
        now = START_MS + minutes * 60_000
        bench.clock.advance(now - bench.clock.true_ms())
        bench.event(now)
    assert sum(bench.engine.stats.rejects.values()) == 0
    assert bench.engine.stats.late == 0


def test_a_clock_that_is_set_back_refuses_nothing(bench: Bench) -> None:
    bench.clock.wrong_by_ms = -HOUR
    bench.event(START_MS + 10_000)
    assert bench.durable.refused == []
    assert len(bench.engine.pending) == 1


def test_people_are_heard_while_the_broker_is_away(bench: Bench) -> None:
    bench.source.unavailable = True
    bench.order("suspend", until_ms=None)
    judged = bench.engine.judged
    for _ in range(4):
        bench.clock.advance(1_000)
        with pytest.raises(SourceUnavailable):
            bench.engine.step()
        bench.engine.attend()
        assert not bench.commands, "no tick has passed since the last one"
    bench.clock.advance(1_000)
    bench.engine.attend()
    assert [(each.action, each.number) for each in bench.commands] == [("suspend", NUMBER)]
    assert bench.engine.judged == judged + 5_000
    # What comes in later of the time that was passed counts, and a replay agrees.
    bench.source.unavailable = False
    bench.event(judged + 1_000)
    bench.idle(20)
    assert bench.engine.stats.resumed_late == 1
    replayed = run_replay(SITE, bench.source, bench.durable.past())
    assert [each.id for each in replayed] == list(bench.durable.decisions)


def test_other_work_is_for_moments_between_two_ticks(bench: Bench) -> None:
    calm = [bench.engine.calm()]
    for _ in range(50):
        bench.clock.advance(100)
        calm.append(bench.engine.calm())
    # A tick was judged just now; half a second of its five later there is time, until three.
    assert calm == [5 <= tenth <= 30 for tenth in range(51)]
    bench.clock.advance(5_100)
    assert bench.engine.calm(), "nothing comes, and nobody waits"


def test_what_is_far_behind_is_waited_for_by_nobody(bench: Bench) -> None:
    bench.clock.wrong_by_ms = HOUR
    assert bench.engine.calm()


def test_nothing_moves_for_nobody(bench: Bench) -> None:
    bench.source.unavailable = True
    bench.clock.advance(HOUR)
    bench.engine.attend()
    assert bench.engine.judged == START_MS + 5_000


@pytest.mark.parametrize("frozen", [True, False])
def test_a_freeze_holds_for_every_tick_that_is_judged_after_it(
    bench: Bench, *, frozen: bool
) -> None:
    # Three hours wait in the log; the freeze is taken before the first of them is judged.
    if frozen:
        bench.order("freeze")
    calls = [
        event(
            START_MS + 60_000 + 100 * n,
            number=f"+86215000000{n % 6}",
            hangup_by="customer" if n % 6 == 2 else "agent",
            outcome="answered",
            talk_s=3,
            campaign="spring",
        )
        for n in range(400)
    ]
    bench.source.append(CALLS, calls)
    bench.clock.advance(3 * HOUR)
    bench.idle(150)
    assert bench.engine.judges.desk.frozen == frozen
    assert bench.engine.judged > START_MS + 90_000
    assert bool(bench.commands) != frozen


def test_the_term_of_an_order_counts_from_when_it_was_taken(bench: Bench) -> None:
    bench.clock.advance(3 * HOUR)  # event time is three hours behind
    order = ManualAction("m1", "suspend", NUMBER, HOUR, "li", "test")
    bench.durable.orders.append(order)
    bench.event(START_MS + 20_000)
    bench.event(START_MS + 40_000)
    assert [each.until_ms for each in bench.commands] == [bench.clock.now_ms() + HOUR]


def test_unknown_types_share_one_key() -> None:
    source = MemorySource([CALLS])
    source.append(CALLS, [event(START_MS + n, type=f"hostile.{n}") for n in range(300)])
    source.append(CALLS, [event(START_MS + 400)])
    source.finish()
    source.start({}, None)
    engine = replay_engine(SITE, source, lambda _: None)
    engine.run_to_end()
    assert engine.stats.events == {
        (OTHER_TYPES, "accepted"): 300,
        ("call.ended", "accepted"): 1,
    }


@pytest.mark.parametrize("tick_ms", [5_000, 7_000])
@pytest.mark.parametrize("busy", [False, True])
def test_keys_go_at_the_same_ticks_whatever_is_between(tick_ms: int, *, busy: bool) -> None:
    time = SITE.config.time.model_copy(update={"tick": tick_ms})
    config = SITE.config.model_copy(update={"time": time})
    site = replace(SITE, config=config, indicators=(), rules=())
    source = MemorySource([CALLS])
    end = START_MS + HOUR
    times = range(START_MS, end, tick_ms) if busy else (START_MS, end)
    source.append(CALLS, [event(each) for each in times])
    source.finish()
    source.start({}, None)
    engine = replay_engine(site, source, lambda _: None)
    evicted: list[int] = []
    evict = engine.judges.indicators.evict

    def noting(pinned: Any) -> Any:
        evicted.append(engine.judged)
        return evict(pinned)

    engine.judges.indicators.evict = noting  # type: ignore[method-assign]
    engine.run_to_end()
    grid = range(START_MS + 600_000, end, 600_000)
    assert [tick for tick in evicted if START_MS + tick_ms < tick <= end] == [
        -(-at // tick_ms) * tick_ms for at in grid
    ] + [end] * (tick_ms == 5_000)


class Stuck(MemorySource):
    """A source of which one partition has records and gives none."""

    stuck: Partition | None = None

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        held = {self.stuck} if self.stuck is not None else set()
        return super().poll(max_records, timeout_s, frozenset({*skip, *held}))


def test_rows_that_wait_are_bounded_while_one_partition_keeps_the_others_waiting() -> None:
    """However close in time they lie: past the limit only the slowest partition is read."""
    slow, fast = PARTITIONS[:2]
    source, durable, clock = Stuck([slow, fast]), Durable(), SteppedClock(START_MS)
    source.append(slow, [event(START_MS)])
    source.append(fast, [event(START_MS + i, id=f"f{i}") for i in range(1, 4_999)])
    engine = live_engine(SITE, source, durable, clock, random.Random(1))
    engine.pace = Pace(max_poll_records=100, max_pending_rows=1_000)
    engine.step()
    source.stuck = slow
    source.append(slow, [event(START_MS + 1, id="s1")])
    for _ in range(40):
        engine.step()
    assert 1_000 <= len(engine.pending) <= 1_100
    source.stuck = None
    for second in range(200):
        clock.advance(1_000 if second > 100 else 0)
        engine.step()
    assert len(engine.pending) == 0
    assert engine.stats.events["call.ended", "accepted"] == 5_000
    assert engine.stats.late == 0


class CatchingUp:
    """A live engine over records of an hour ago, or less, polled two at a time."""

    def __init__(self, ago_ms: int = HOUR, **pace: Any) -> None:
        self.clock = SteppedClock(START_MS + ago_ms)
        source = MemorySource([CALLS])
        source.append(CALLS, [event(START_MS + index * 1_000) for index in range(60)])
        self.engine = live_engine(SITE, source, Durable(), self.clock, random.Random(1))
        self.engine.pace = Pace(max_poll_records=2, many_records=2, **pace)

    def steps_until_judged(self) -> int:
        """How many steps it takes until ticks are judged."""
        before = self.engine.judged
        for count in range(1, 31):
            self.engine.step()
            if self.engine.judged != before:
                return count
        raise AssertionError("nothing is judged")


def test_a_daemon_that_catches_up_reads_on_before_it_judges() -> None:
    late = CatchingUp(at_once=20)
    assert late.steps_until_judged() == 10
    assert late.steps_until_judged() == 10


def test_nor_does_it_read_on_for_long() -> None:
    late = CatchingUp(at_once=1_000)
    late.clock.advance(round(READS_ON_S * 1_000))
    assert late.steps_until_judged() <= 4, "out of order by a second, a tick of five"


def test_nor_where_little_comes_or_many_rows_wait_already() -> None:
    trickle = CatchingUp(at_once=1_000)
    trickle.engine.pace = replace(trickle.engine.pace, many_records=3)
    assert trickle.steps_until_judged() <= 4
    full = CatchingUp(at_once=1_000, max_pending_rows=40)
    assert full.steps_until_judged() == 10


def test_where_somebody_waits_each_poll_is_judged() -> None:
    punctual = CatchingUp(8_000, at_once=1_000)
    assert punctual.steps_until_judged() <= 4


def test_what_was_read_is_judged_before_a_broker_that_goes_away_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be away for hours."""
    late = CatchingUp(at_once=1_000)
    late.engine.step()
    before = late.engine.judged
    for _ in range(4):
        late.engine.step()
    assert late.engine.judged == before, "it reads on"

    def gone(*_: Any) -> list[Fetched]:
        raise SourceUnavailable("no broker")

    monkeypatch.setattr(late.engine.source, "poll", gone)
    with pytest.raises(SourceUnavailable):
        late.engine.step()
    assert late.engine.judged == START_MS + 5_000, "ten records of a second each, less the disorder"
