"""Compiles what the engine runs, before it has to: ``python -m monitor.warm``.

Owns a small replay that goes through every compiled loop. What is compiled is kept beside the
source (``monitor.compiled``), so this takes some ten seconds once, and a moment after that.
"""

from __future__ import annotations

import time
from fractions import Fraction

import msgspec
import numpy as np

from monitor import compiled, logs
from monitor.compiled.groups import keep_news
from monitor.indicators.groups import Groups, RowsAhead, sums_of
from monitor.replay import replay_engine
from monitor.rules.detector import MANY, Bank, Detector
from monitor.site import load_site
from monitor.source.base import Fetched, Partition
from monitor.source.kafka_guard import fits
from monitor.source.lines import LineReader, ReadAt
from monitor.source.memory import MemorySource
from monitor.windows.anchored import AnchoredSums, AnchoredWindow
from monitor.windows.arrays import reduce_by_key
from monitor.windows.distinct import PairRows
from monitor.windows.funnel import FunnelPairs
from monitor.windows.hours import AllHours
from monitor.windows.lookup import Lookup
from monitor.windows.roll import Roll, RollPlan, Told
from monitor.windows.rows import TickRows
from monitor.windows.spec import SlidingWindow
from monitor.windows.waits import Said, Waits, WaitsPlan

_LINES = 3_000
"""So many that tables of ids and names grow."""
_AT_MS = 1_795_309_200_000
_PARTITION = Partition("warm", 0)


def warm() -> None:
    """Go once through every compiled loop."""
    fits()
    site = load_site(None)
    source = MemorySource([_PARTITION])
    lines = [_line(number) for number in range(_LINES)]
    source.append(_PARTITION, lines)
    source.finish()
    source.start({}, None)
    engine = replay_engine(site, source, lambda _decision: None)
    engine.run_to_end()
    _detectors()
    reduce_by_key(np.array([1, 0, 1]), np.ones((3, 1), np.int64), "add")  # of ticks in a pane
    Lookup().drop(np.array([0]))  # of keys that are let go
    _warm_ahead()
    one = np.zeros(1, np.int64)
    keep_news(one, one, one, -1, np.empty((3, 1), np.int64))  # of counts, and with a bucket
    _warm_anchored()
    _warm_roll()
    _warm_waits()
    _warm_funnel()
    text = b"\n".join(lines)
    records = LineReader(_reader(text), 0, len(text)).take(_LINES, final=True).values
    offsets = np.arange(len(records))
    engine.judges.decoder.decode(
        Fetched(
            _PARTITION, offsets, offsets, append_time=False, values=records, next_position=_LINES
        )
    )


def _detectors() -> None:
    """So many that groups wait; the last one is too large to be listed."""
    times = {"tick_ms": 5_000, "scope_day_ms": 28_800_000}
    bank = Bank([Detector(Fraction(1, 2), "above", **times) for _ in range(MANY)])
    ids = np.arange(2)
    bank.feed(_AT_MS, ids, ids, np.array([1, 1_000]))
    bank.score(ids, 0)


def _warm_ahead() -> None:
    """The replay has one tick, and so nothing to make ahead."""
    zero, none = np.zeros(1, np.int64), np.zeros((1, 0), np.int64)
    rows = Groups.of(zero, {"place": zero, "grain": zero, "values": none, "extremes": none})
    RowsAhead(rows, sums_of(rows), lambda places: places)


def _warm_anchored() -> None:
    """No shipped pack that is on by default has such a window."""
    one, none = np.zeros(1, np.int64), np.zeros((1, 0), np.int64)
    sums = AnchoredSums(AnchoredWindow("1h@first", 3_600_000, 5_000, ""), [1], 0)
    sums.room(1)
    values = np.ones((1, 2), np.int64)
    sums.enter(TickRows.of(one, one, values, none, one, values))


def _warm_roll() -> None:
    """Nor any population."""
    roll = Roll(RollPlan(1, -1, 0, 1, 5_000, 0, 1), lambda held: (held[0] == 1, held[0] == 1))
    one = np.zeros(1, np.int64)
    roll.apply(5_000, Told(["warm"], one, one > 0, np.ones((1, 1))))


def _warm_waits() -> None:
    """Nor any response."""
    waits = Waits(WaitsPlan(1, 0, 1, 5_000, 5_000, 0, 1), AllHours())
    one = np.zeros(1, np.int64)
    waits.apply(5_000, Said(["warm"], one, one == 0, one == 0, np.zeros((1, 1), np.int64)))


def _warm_funnel() -> None:
    """Nor has it a funnel."""
    pairs = FunnelPairs(
        [SlidingWindow("1h", 3_600_000, 60_000, 5_000)],
        steps=2, within_ms=1, grain_ms=5_000, pairs_max=1, lateness_ms=0, tick_ms=5_000,
    )  # fmt: skip
    pairs.begin(5_000, 1)
    zero, slots = np.zeros(1, np.int64), pairs.slots([0], ["a"])
    pairs.enter(PairRows(slots, zero, zero + 1, zero, zero == 0))
    pairs.snapshot()
    pairs.evict(5_000)


def _reader(text: bytes) -> ReadAt:
    return lambda at, size: text[at : at + size]


def _line(number: int) -> bytes:
    event = {
        "id": f"warm-{number}",
        "type": "call.ended",
        "time": _AT_MS + number,
        "number": "+862150000007",
        "agent": f"王芳-{number}",
        "outcome": "answered",
        "talk_s": 12.5,
        "more": {"nested": [1, "two"]},
    }
    return msgspec.json.encode(event)


def main() -> None:
    """The command: compile, and say how long it took."""
    logs.configure(level="warning")
    began = time.perf_counter()
    warm()
    print(f"compiled in {time.perf_counter() - began:.1f} s, kept in {compiled.kept()}")


if __name__ == "__main__":
    main()
