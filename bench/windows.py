"""How fast released rows become figures: ``IndicatorSet.load`` and ``step`` alone, one process.

Usage: ``python bench/windows.py [--profile]``. Rows are made beforehand, as the engine releases
them: whole ticks, sorted, at a given density of event time, five per cent of them late. The first
tenth warms up and is not counted.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.indicators.load import loads_indicators
from monitor.windows.limits import WindowLimits

TICK_MS = 5_000
T0 = 1_795_996_800_000
POLL_ROWS = 20_000
SCOPES = "[number, agent, group, team, campaign]"
YAML = f"""
version: 1
indicators:
  - id: hangup_rate
    kind: ratio
    hits:
      count: call.ended
      where: outcome == 'answered' and hangup_by == 'customer' and talk_s < 30
    of: {{count: call.ended, where: outcome == 'answered'}}
    by: {SCOPES}
    windows: [30m, 24h]
  - id: answer_rate
    kind: ratio
    hits: {{count: call.ended, where: outcome == 'answered'}}
    of: {{count: call.ended}}
    by: {SCOPES}
    windows: [30m, 24h]
  - id: complaint_rate
    kind: ratio
    hits: {{count: complaint.filed, where: "category in ['unsolicited', 'content']"}}
    of: {{count: call.ended}}
    by: {SCOPES}
    windows: [30m, 24h]
  - id: talk
    kind: ratio
    hits: {{sum: talk_s, on: call.ended, where: talk_s >= 120 and need_captured}}
    of: {{sum: talk_s, on: call.ended}}
    by: {SCOPES}
    windows: [30m, 24h]
"""


def rows(density: int, seconds: int, seed: int) -> pl.DataFrame:
    """``density`` rows a second of event time for ``seconds``."""
    random = np.random.default_rng(seed)
    count = density * seconds
    eff = np.sort(T0 + random.integers(0, seconds * 1_000, count))
    late = np.where(random.random(count) < 0.05, random.integers(0, 30_000, count), 0)
    agent = random.integers(0, 500, count)

    def named(prefix: str, codes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
        names = pl.Series([f"{prefix}{code}" for code in range(int(codes.max()) + 1)])
        return names.gather(codes)

    return pl.DataFrame(
        {
            "type": named("", np.zeros(count, dtype=np.int64)),
            "time": eff - late,
            "tick": eff - eff % TICK_MS + TICK_MS,
            "number": named("+8621500", random.integers(0, 2_000, count)),
            "agent": named("agent-", agent),
            "group": named("group-", agent // 20),
            "team": named("team-", agent // 100),
            "campaign": named("campaign-", random.integers(0, 12, count)),
            "hangup_by": random.choice(["customer", "agent"], count),
            "outcome": random.choice(["answered", "no_answer", "busy"], count, p=[0.4, 0.5, 0.1]),
            "talk_s": np.round(random.exponential(80, count), 3),
            "need_captured": random.random(count) < 0.5,
            "category": random.choice(["unsolicited", "other"], count),
        }
    ).with_columns(
        type=pl.Series(random.choice(["call.ended", "complaint.filed"], count, p=[0.99, 0.01]))
    )


def polls(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Whole ticks, at least a poll's worth of rows each."""
    ticks = frame["tick"].to_numpy()
    first = 0
    while first < len(ticks):
        last = min(first + POLL_ROWS, len(ticks)) - 1
        after = int(np.searchsorted(ticks, ticks[last], side="right"))
        yield frame[first:after]
        first = after


def measure(density: int, seconds: int) -> None:
    """Print the events per second, and where the time went."""
    indicators = loads_indicators(YAML, Path("bench.yaml")).value.indicators
    figures = IndicatorSet(
        indicators, tick_ms=TICK_MS, limits=WindowLimits(), covered_from=BEGINNING
    )
    frame = rows(density, seconds, seed=1)
    loading = stepping = counted = ticks = 0.0
    for number, batch in enumerate(polls(frame)):
        started = time.process_time()
        figures.load(batch)
        loaded = time.process_time()
        steps = batch["tick"].unique().sort().to_list()
        for tick in steps:
            figures.step(tick)
        done = time.process_time()
        if number * POLL_ROWS >= len(frame) // 10:
            loading += loaded - started
            stepping += done - loaded
            counted += len(batch)
            ticks += len(steps)
    rate = counted / (loading + stepping)
    print(
        f"{density:>6} events/s of event time: {rate:>9,.0f} events/s"
        f"  (load {loading / counted * 1e6:.2f} µs/event,"
        f" step {stepping / counted * 1e6:.2f} µs/event = {stepping / ticks * 1e3:.2f} ms/tick)"
    )


def quiet() -> None:
    """Print what a tick without anything costs."""
    indicators = loads_indicators(YAML, Path("bench.yaml")).value.indicators
    figures = IndicatorSet(
        indicators, tick_ms=TICK_MS, limits=WindowLimits(), covered_from=BEGINNING
    )
    frame = rows(200, 5, seed=1)
    figures.load(frame)
    tick = int(frame["tick"].max())  # type: ignore[arg-type]  # a number: the frame has rows
    figures.step(tick)
    started = time.process_time()
    for _ in range(300):
        figures.next_event_tick(tick)
        tick += TICK_MS
        figures.step(tick)
    print(f"a quiet tick: {(time.process_time() - started) / 300 * 1e6:.0f} µs")


def main() -> None:
    """Run all, or profile the dense one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", type=int, metavar="DENSITY")
    given = parser.parse_args()
    if given.profile is not None:
        profile = cProfile.Profile()
        profile.runcall(measure, given.profile, 2_000_000 // given.profile)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    measure(200, 7_200)
    measure(2_000, 900)
    measure(20_000, 120)
    quiet()


if __name__ == "__main__":
    main()
