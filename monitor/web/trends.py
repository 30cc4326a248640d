"""What figures were in the last hours: samples of the published snapshots, in bounded memory.

Owns the thinning: every quarter of a minute for ten minutes, then every minute for four hours, then
every five minutes up to a day; and the budget, which takes the oldest first. A sample is one value
(32 bits) for each key of each indicator and dimension, over the shortest of its windows and those
that a rule judges. The engine knows nothing of it; what outlives a restart is ``trend_log``'s.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.snapshot import IndicatorFigures, Snapshot
from monitor.web.tables import window_ms
from monitor.web.trend_log import Columns, Logged, TrendLog

STEPS: Final = ((15_000, 40), (60_000, 240), (300_000, 240))
"""Least distance of samples, in ms of event time, and how many of them are kept."""
BEHIND_MS: Final = 24 * 3_600_000
"""An engine that begins so long before what an earlier run has sampled reads another log."""
_NAME_BYTES: Final = 8
_SAMPLE_BYTES: Final = 2_000
_COLUMN_BYTES: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    at_ms: int
    of: Columns
    """The shortest window first."""
    size: int


@dataclass(frozen=True, slots=True)
class Line:
    """One figure over time."""

    window: str
    at_ms: list[int]
    values: list[float | None]


class Trends:
    """The samples; one thread adds, any number read."""

    def __init__(self, bytes_max: int, kept: TrendLog | None = None) -> None:
        """``kept``: where samples outlive a restart; None: nowhere."""
        self._kept = kept
        self._loaded_ms: int | None = None
        """Tick of the newest sample of an earlier run; the engine may begin before it."""
        self._bytes_max = bytes_max
        self._tiers: tuple[deque[_Sample], ...] = tuple(deque[_Sample]() for _ in STEPS)
        self._lock = threading.Lock()
        self._names: dict[str, tuple[str, ...]] = {}
        self._all: tuple[_Sample, ...] = ()
        self.bytes = 0
        """In use, about."""

    def __len__(self) -> int:
        return len(self._all)

    def load(self) -> None:
        """Take over what an earlier run has kept; once, before the first sample."""
        if self._kept is None:
            return
        with self._lock:
            for at_ms, of in self._kept.load():
                self._take(_Sample(at_ms, of, _size(of)))
                self._loaded_ms = at_ms
            self._settle()

    def add(self, picture: Snapshot) -> bool:
        """Sample a snapshot, where the last sample is old enough; whether it was."""
        at_ms = picture.tick_ms
        if at_ms is None or not picture.figures:
            return False
        with self._lock:
            if self._loaded_ms is not None and self._loaded_ms - BEHIND_MS < at_ms:
                if at_ms <= self._loaded_ms:  # read again after the restart, and sampled before it
                    return False
                self._loaded_ms = None
            newest = self._tiers[0][-1].at_ms if self._tiers[0] else None
            if newest is not None and newest <= at_ms < newest + STEPS[0][0]:
                return False
            if newest is not None and at_ms < newest:  # time begins anew: another log
                self._forget()
            sample = self._sample(at_ms, picture)
            self._take(sample)
            self._settle()
            held = self._all
        if self._kept is not None:
            logged = (Logged(each.at_ms, each.of) for each in held)
            self._kept.append(Logged(at_ms, sample.of), logged, self.bytes)
        return True

    def line(
        self, indicator: str, dimension: str, name: str, *, window: str = "", since_ms: int = 0
    ) -> Line | None:
        """One figure over time, over the shortest window unless one is named.

        None where there is no sample of it.
        """
        at_ms: list[int] = []
        values: list[float | None] = []
        for sample in self._all:
            found = sample.of.get((indicator, dimension))
            if sample.at_ms < since_ms or not found:
                continue
            window = window or next(iter(found))
            if window not in found:
                continue
            names, column = found[window]
            place = bisect_left(names, name)
            known = place < len(names) and names[place] == name
            value = float(column[place]) if known else np.nan
            at_ms.append(sample.at_ms)
            values.append(None if np.isnan(value) else value)
        return Line(window, at_ms, values) if at_ms else None

    def _take(self, sample: _Sample) -> None:
        self.bytes += sample.size
        self._keep(sample)

    def _settle(self) -> None:
        self._all = tuple(sample for tier in reversed(self._tiers) for sample in tier)

    def _keep(self, sample: _Sample) -> None:
        """Put a sample where the newest are; what falls out goes to the next, coarser tier."""
        moving: _Sample | None = sample
        for (step_ms, count), tier in zip(STEPS, self._tiers, strict=True):
            if moving is None:
                break
            if tier and moving.at_ms < tier[-1].at_ms + step_ms:
                self.bytes -= moving.size
                moving = None
                break
            tier.append(moving)
            moving = tier.popleft() if len(tier) > count else None
        if moving is not None:
            self.bytes -= moving.size
        for tier in reversed(self._tiers):
            while self.bytes > self._bytes_max and tier:
                self.bytes -= tier.popleft().size

    def _sample(self, at_ms: int, picture: Snapshot) -> _Sample:
        fresh: dict[int, tuple[str, ...]] = {}
        found: Columns = {}
        for figures in _sampled(picture):
            dimension = figures.by[0]
            names = fresh.get(id(figures.names))
            if names is None:
                names = self._shared(dimension, figures.names)
                fresh[id(figures.names)] = names
            values = figures.values.astype(np.float32)
            of = found.setdefault((figures.indicator, dimension), {})
            of[figures.window] = (names, values)
        return _Sample(at_ms, found, _size(found))

    def _shared(self, dimension: str, names: tuple[str, ...]) -> tuple[str, ...]:
        """The same names as before, where they are the same: they are most of a sample."""
        known = self._names.get(dimension)
        if known == names:
            return known
        self._names[dimension] = names
        return names

    def _forget(self) -> None:
        for tier in self._tiers:
            tier.clear()
        self._names.clear()
        self.bytes, self._all, self._loaded_ms = 0, (), None


def _size(of: Columns) -> int:
    """Bytes; names count in each sample, though samples mostly share them."""
    columns = [column for windows in of.values() for column in windows.values()]
    names = {id(names): len(names) for names, _ in columns}
    values = sum(values.nbytes + _COLUMN_BYTES for _, values in columns)
    return _SAMPLE_BYTES + values + _NAME_BYTES * sum(names.values())


def _sampled(picture: Snapshot) -> Iterator[IndicatorFigures]:
    """Of each indicator and dimension the shortest window, and those that a rule judges."""
    judged = {
        (rule.indicator, rule.by, window)
        for rule in picture.rules
        if rule.status != "off"
        for window in rule.window.split(",")
    }
    seen: set[tuple[str, str]] = set()
    for figures in sorted(picture.figures, key=lambda each: window_ms(each.window)):
        if len(figures.by) != 1:
            continue
        key = (figures.indicator, figures.by[0])
        if key not in seen or (figures.indicator, figures.by, figures.window) in judged:
            seen.add(key)
            yield figures
