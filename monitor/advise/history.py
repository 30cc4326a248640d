"""A rule's scopes through recorded events: their volume, their windows, and what would have fired.

Owns the reading. The engine is the one that runs live; the rule runs in it as it stands, but for
its action, or as several that differ in nothing but the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from monitor.decisions import Alert, Decision
from monitor.engine import AT_ONCE, Engine
from monitor.events.ahead import ReadAhead
from monitor.indicators.formula import formula
from monitor.indicators.model import Indicator
from monitor.indicators.now_view import AnyView
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from monitor.replay import replay_engine
from monitor.rules.evidence import BREAK_MS
from monitor.rules.model import Notify, Rule
from monitor.rules.ports import Float64, Int64
from monitor.shadow.episodes import begun
from monitor.site import Site
from monitor.source.base import Source
from monitor.windows.arrays import roomy
from monitor.windows.watermark import NEVER

SAMPLES_MAX: Final = 1_000_000
"""Windows kept; past it every other moment is let go, and fewer are taken from then on."""
SAMPLE_MS: Final = (300_000, 3_600_000)
"""Windows are looked at once in their length, within these bounds."""

_NEVER_MS: Final = 2**60
"""Scopes stay while it reads, or the id of one would become another's."""

Run = Callable[[Engine, Source], None]
"""Works through a source; the command line shows how far it is."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Figures as people would have seen them: rows of the same length."""

    at_ms: Int64
    scope: Int64
    """Index into :attr:`History.scopes`."""
    hits: Float64
    of: Float64


@dataclass(frozen=True, slots=True)
class History:
    """What was read of one rule."""

    alerts: tuple[Alert, ...]
    """As the rule stands, firing and resolved."""
    first_ms: int | None
    """The first tick with events of the rule; None: there was none."""
    last_ms: int
    events: int
    scopes: tuple[str, ...] = ()
    hits: Float64 = field(default_factory=lambda: np.zeros(0))
    """By scope, over everything that was read; empty where rows do not add up to a figure."""
    of: Float64 = field(default_factory=lambda: np.zeros(0))
    active_ms: Float64 = field(default_factory=lambda: np.zeros(0))
    """By scope, time in which it was at work: gaps of more than an hour do not count."""
    windows: Windows | None = None

    @property
    def days(self) -> int:
        """Days begun since the first event."""
        return (
            0 if self.first_ms is None else -(-max(self.last_ms - self.first_ms, 1) // 86_400_000)
        )


def is_additive(indicator: Indicator) -> bool:
    """A tick's rows alone have a figure, so those of a scope add up over time."""
    return indicator.kind in {"ratio", "mean", "count"} and all(
        each.is_additive for each in formula(indicator).counters
    )


def as_it_stands(rule: Rule) -> Rule:
    """The rule, deciding and doing nothing."""
    quiet: dict[str, Any] = {"status": "shadow", "action": None, "order": None}
    quiet |= {"notify": Notify(), "message": {}}
    return rule.model_copy(update=quiet)


def read(site: Site, rule: Rule, source: Source, run: Run) -> History:
    """Read everything there is of ``rule``, once.

    ``source`` is not started; a finite one. It is closed.

    Raises:
        SourceError: it cannot be read.
    """
    alerts: list[Alert] = []
    engine = _engine(site, rule, [rule], source, alerts)
    seen = None
    if rule.indicator is not None:
        seen = _Seen(engine, rule)
        engine.pace = replace(engine.pace, report_every_ms=seen.every_ms, evict_every_ms=_NEVER_MS)
        engine.on_tick = seen.look
    ticks = [NEVER]
    if seen is None:
        engine.on_tick = lambda tick: ticks.append(tick) if len(ticks) == 1 else None
    _work(engine, source, run)
    events = sum(n for (_, outcome), n in engine.stats.events.items() if outcome == "accepted")
    if seen is None:
        first = ticks[1] if len(ticks) > 1 else None
        return History(tuple(alerts), first, engine.judged, events)
    return seen.history(tuple(alerts), engine.judged, events)


def count_alerts(
    site: Site, rule: Rule, variants: Mapping[str, Rule], source: Source, run: Run
) -> dict[str, list[Alert]]:
    """By name of a variant of ``rule``, the alerts with which its episodes would have begun."""
    alerts: list[Alert] = []
    named = [each.model_copy(update={"id": f"{rule.id}.{name}"}) for name, each in variants.items()]
    engine = _engine(site, rule, named, source, alerts)
    _work(engine, source, run)
    found: dict[str, list[Alert]] = {name: [] for name in variants}
    for alert in begun(alerts):
        found[alert.rule.removeprefix(f"{rule.id}.")].append(alert)
    return found


def _engine(
    site: Site, rule: Rule, rules: Sequence[Rule], source: Source, alerts: list[Alert]
) -> Engine:
    """An engine with these rules alone, and what they stand on."""
    parts = [each for each in site.rules if each.id in rule.parts]
    wanted = {each.indicator for each in (rule, *parts)}
    free = {"pools": PoolsSettings(), "numbers": NumbersSettings()}

    names = {each.id for each in rules}

    def keep(decision: Decision) -> None:
        if isinstance(decision, Alert) and decision.rule in names:
            alerts.append(decision)

    mine = replace(
        site,
        config=site.config.model_copy(update=free),
        indicators=tuple(_narrowed(each, rule) for each in site.indicators if each.id in wanted),
        rules=tuple(map(as_it_stands, (*parts, *rules))),
    )
    engine = replay_engine(mine, source, keep, at_once=AT_ONCE)
    if isinstance(source, ReadAhead):
        source.decoder = lambda: engine.judges.decoder
    return engine


def _narrowed(indicator: Indicator, rule: Rule) -> Indicator:
    """The indicator by the rule's scope alone, where nothing else is looked at: it is faster."""
    moves = any(level.relative is not None for _, level in rule.levels.items())
    if rule.parts or moves:
        return indicator
    return indicator.model_copy(update={"by": (rule.by,)})


def _work(engine: Engine, source: Source, run: Run) -> None:
    try:
        run(engine, source)
    finally:
        source.close()


class _Seen:
    """Volume and windows of the scopes, taken along the way."""

    def __init__(self, engine: Engine, rule: Rule) -> None:
        assert rule.indicator is not None  # noqa: S101 - the caller looked
        indicators = engine.judges.indicators
        self._view: AnyView = indicators.view(rule.indicator, rule.by, rule.window_keys[-1])
        self._tick_ms = indicators.tick_ms
        self._adds = is_additive(self._view.indicator)
        low, high = SAMPLE_MS
        length_ms = min(max(self._view.horizon_ms if self._adds else high, low), high)
        self.every_ms = max(length_ms // self._tick_ms, 1) * self._tick_ms
        self._sums = np.zeros((3, 0))
        """Hits, of and active ms by key; in events, or the field's unit."""
        self._last = np.zeros(0, dtype=np.int64)
        self._samples: list[tuple[int, Int64, Int64, Int64]] = []
        self._rows = 0
        self._thinned = 1
        self._first_ms: int | None = None

    def look(self, tick: int) -> None:
        """After a judged tick."""
        if self._adds:
            self._add(tick)
        if tick % (self.every_ms * self._thinned) == 0:
            self._sample(tick)

    def _add(self, tick: int) -> None:
        ids, hits, of = self._view.fresh()
        if not len(ids):
            return
        if self._first_ms is None:
            self._first_ms = tick
        self._grow(int(ids[-1]) + 1)
        gap = tick - self._last[ids]
        self._last[ids] = tick
        if self._view.kind == "count":
            of = np.zeros_like(of)
        self._sums[0, ids] += hits / self._view.scale_hits
        self._sums[1, ids] += of / self._view.scale_of
        self._sums[2, ids] += np.where(gap > BREAK_MS, self._tick_ms, gap)

    def _grow(self, size: int) -> None:
        have = len(self._last)
        if size > have:
            size = roomy(size, have)
            self._sums = np.pad(self._sums, ((0, 0), (0, size - have)))
            self._last = np.pad(self._last, (0, size - have), constant_values=NEVER)

    def _sample(self, tick: int) -> None:
        ids = self._view.keys.living()
        hits, of = self._view.figures(ids)
        kept = (hits != 0) if self._view.kind == "count" else (of != 0)
        if not kept.any():
            return
        if self._first_ms is None:
            self._first_ms = tick
        self._samples.append((tick, ids[kept], hits[kept], of[kept]))
        self._rows += int(kept.sum())
        while self._rows > SAMPLES_MAX and len(self._samples) > 1:
            self._thinned *= 2
            every_ms = self.every_ms * self._thinned
            self._samples = [each for each in self._samples if each[0] % every_ms == 0]
            self._rows = sum(len(each[1]) for each in self._samples)

    def history(self, alerts: tuple[Alert, ...], judged: int, events: int) -> History:
        """What there is, by the names of scopes that had anything."""
        places = [np.full(len(ids), at) for at, ids, _, _ in self._samples]
        nothing = np.zeros(0, dtype=np.int64)
        at = np.concatenate([nothing, *places])
        ids = np.concatenate([nothing, *(each[1] for each in self._samples)])
        hits = np.concatenate([nothing, *(each[2] for each in self._samples)])
        of = np.concatenate([nothing, *(each[3] for each in self._samples)])
        known = np.flatnonzero(self._last != NEVER) if self._adds else np.unique(ids)
        kept = np.isin(ids, known)
        windows = Windows(
            at[kept],
            np.searchsorted(known, ids[kept]),
            hits[kept] / self._view.scale_hits,
            of[kept] / self._view.scale_of,
        )
        sums = self._sums[:, known] if self._adds else np.zeros((3, 0))
        names = tuple(self._view.keys.names(known.tolist()))
        return History(
            alerts, self._first_ms, judged, events, names, sums[0], sums[1], sums[2], windows
        )
