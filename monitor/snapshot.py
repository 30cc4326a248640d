"""The picture of the daemon that the engine publishes after a step.

Owns the shapes that the exporter, ``/status`` and the terminal's table read, and the hand-over
between the engine's thread and theirs. It holds what people look at, never what a decision needs:
figures are cut to the exported scopes and capped. Metric names are
``monitor.exporter.catalogue``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from monitor.decisions import Figures, Level, Scope
from monitor.stats import Stats

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
FigureKind = Literal["ratio", "mean", "count"]
Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class IndicatorInfo:
    """What an indicator is called and how good it should be."""

    id: str
    kind: FigureKind
    better: Better
    title: Mapping[str, str]
    """Text by language tag."""
    of_class: str = ""
    """``leading``, ``efficiency``, ``result``; empty when the pack does not say."""
    target: float | None = None
    area: str = ""
    """``compliance``, ``efficiency``, ``conversion``, ``experience``; empty when the pack does not
    say."""


@dataclass(frozen=True, slots=True, eq=False)
class IndicatorFigures:
    """One indicator × scope × window at the last tick: parallel columns, one row a key.

    ``hits`` and ``of`` are counts, or sums in the field's own unit; shape ``(len(names),)``.
    """

    indicator: str
    kind: FigureKind
    by: tuple[str, ...]
    window: str
    names: tuple[str, ...]
    hits: Float64
    of: Float64
    covered: bool = True
    """The log seen covers the window; until then the figures are warming and not judged."""
    dropped: int = 0
    """Keys with figures that the cap left out."""
    other: tuple[float, float] | None = None
    """``hits`` and ``of`` of all keys together that found the scope's key table full; None: no key
    did, or the indicator is not counted for them."""

    def __post_init__(self) -> None:
        """Freeze the arrays: the picture is shared between threads."""
        if not len(self.names) == len(self.hits) == len(self.of):
            msg = f"columns of different length: {self.indicator} by {self.by}"
            raise ValueError(msg)
        self.hits.flags.writeable = False
        self.of.flags.writeable = False

    @property
    def values(self) -> Float64:
        """``hits / of``, or ``hits`` of a count; NaN where there is nothing to divide by."""
        if self.kind == "count":
            return self.hits
        values = np.full(len(self.hits), np.nan)
        np.divide(self.hits, self.of, out=values, where=self.of != 0)
        return values


@dataclass(frozen=True, slots=True)
class AlertStanding:
    """An episode that is firing now."""

    rule: str
    level: Level
    scope: Scope
    since_ms: int
    episode: str
    figures: Figures
    route: str = ""
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class RuleLevel:
    """Where one level of a rule fires, in the indicator's unit."""

    level: Level
    bound: float
    direction: Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class RuleStanding:
    """A rule and in which state how many of its scopes are."""

    rule: str
    indicator: str
    """Empty for a rule on single events."""
    by: tuple[str, ...]
    window: str
    status: Literal["active", "shadow", "off"]
    levels: tuple[RuleLevel, ...] = ()
    states: Mapping[str, int] = field(default_factory=dict)
    """Scopes by state: ``warming``, ``ok``, ``insufficient``, ``pending``, ``firing``, …"""
    title: Mapping[str, str] = field(default_factory=dict)
    """Text by language tag."""
    folded: int = 0
    """Scopes that became part of a wave of events instead of an alert each, since (re)load."""
    runbook: str = ""
    """What to do about its alerts: text, or an address."""


@dataclass(frozen=True, slots=True)
class NumberStanding:
    """An outbound number that is not simply active."""

    number: str
    state: str
    since_ms: int
    until_ms: int | None
    rule: str
    """Empty when a person did it."""


@dataclass(frozen=True, slots=True)
class IncidentStanding:
    """Why suspensions in a pool stand still, or a person is asked about them."""

    kind: str
    """``campaign``, ``brake``, ``approval``; ``max_fraction`` or ``min_left``: as many are out as
    may be, and more wait."""
    pool: str
    since_ms: int
    detail: str
    waiting: int
    """Numbers of the pool that rules want out and that make calls."""
    ref: str = ""
    """Of an approval: the name it is given by."""
    until_ms: int | None = None
    """Of an approval: until then it may be given, and once given, until then it holds."""
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class PartitionStanding:
    """Where reading stands in one partition."""

    topic: str
    partition: int
    position: int
    end: int
    watermark_ms: int | None
    """None until its first record."""
    idle: bool = False
    """Left out of the engine's watermark."""

    @property
    def lag(self) -> int:
        """Records known to exist and not yet read; never negative."""
        return max(0, self.end - self.position)


@dataclass(frozen=True, slots=True)
class Queue:
    """A bounded buffer of the daemon."""

    name: str
    """``pending_rows``, ``outbox``, ``dead_letters``, …: a fixed, small set."""
    length: int
    limit: int
    oldest_ms: int | None = None
    """Wall time at which the oldest entry came; None when empty or unknown."""


@dataclass(frozen=True, slots=True)
class Table:
    """A bounded table of the daemon; of several alike, the fullest."""

    name: str
    """``ids``, ``pairs``, ``owners``, …: a fixed, small set."""
    entries: int
    limit: int
    beyond: int | None = None
    """What has found it full; None where the oldest entry gives way, or it is counted elsewhere."""


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How full the key table of a scope is."""

    living: int
    limit: int


@dataclass(frozen=True, slots=True)
class AgentPlace:
    """Where an agent belongs: the organisation table, or else as last seen in events."""

    agent: str
    group: str
    team: str


@dataclass(frozen=True, slots=True)
class CheckpointStanding:
    """The last checkpoint that is safely on disk."""

    saved_ms: int
    """Wall time."""
    size_bytes: int
    """Of all that it is read from."""
    written_bytes: int
    """What was written for it; the rest was there."""


@dataclass(frozen=True, slots=True)
class Unready:
    """One reason why the daemon is not doing its job yet."""

    reason: str
    """From a fixed, small set (a metric label): ``warming``, ``restoring``, ``source``, …"""
    detail: str = ""
    """For people."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Snapshot:
    """Everything that is shown of the daemon, as of one step."""

    wall_ms: int
    """When the picture was taken."""
    stats: Stats
    """The running totals themselves: read at scrape, not at ``wall_ms``."""
    at_ms: int | None = None
    """The engine's watermark; None until the first record."""
    tick_ms: int | None = None
    """The last tick judged."""
    indicators: tuple[IndicatorInfo, ...] = ()
    figures: tuple[IndicatorFigures, ...] = ()
    rules: tuple[RuleStanding, ...] = ()
    alerts: tuple[AlertStanding, ...] = ()
    """Firing, most severe first."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """All known numbers, by state."""
    standing: tuple[NumberStanding, ...] = ()
    """The numbers that are not active, longest first."""
    incidents: tuple[IncidentStanding, ...] = ()
    """Pools in which suspensions stand still, by name."""
    frozen: bool = False
    """The kill switch is on: nothing is suspended."""
    partitions: tuple[PartitionStanding, ...] = ()
    queues: tuple[Queue, ...] = ()
    tables: tuple[Table, ...] = ()
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Deliveries that are not sent, by receiver and state."""
    acks_ignored: Mapping[str, int] = field(default_factory=dict)
    """Records and answers of telephony that nobody waited for, by reason."""
    dead_letters_lost: int = 0
    keys: Mapping[str, KeyCount] = field(default_factory=dict)
    """By scope, the dimensions joined by ``+``."""
    agents: tuple[AgentPlace, ...] = ()
    checkpoint: CheckpointStanding | None = None
    unready: tuple[Unready, ...] = ()
    """Empty: ready."""
    config_hash: str = ""


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """The disk that something is kept on."""

    name: str
    """What is kept there: ``store``, ``checkpoints``, ``dead_letters``."""
    free_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What the watchdog saw when it last looked."""

    turn_s: float
    """How long the engine's present turn has taken so far."""
    deliveries_s: Mapping[str, float]
    """How long the step under way has taken so far, by receiver; 0 between steps."""
    disks: tuple[DiskRoom, ...]
    clock_jumps: Mapping[str, int]
    """How often wall time has jumped: ``forward``, ``backward``."""


class Board:
    """Hands the newest snapshot from the engine's thread to any number of readers."""

    def __init__(self) -> None:
        self._latest: Snapshot | None = None
        self.standing_by = False
        """Another daemon works, and this one is there in case that one ends."""
        self.watch: Watch | None = None
        """What the watchdog saw last; None before it has looked. One thread sets it."""

    def publish(self, snapshot: Snapshot) -> None:
        """Replace the picture; one reference is set, so readers see the old or the new one."""
        self._latest = snapshot

    def stand_by(self) -> None:
        """Another daemon works: there is no picture of ours."""
        self._latest = self.watch = None
        self.standing_by = True

    def work(self) -> None:
        """It is our turn."""
        self.standing_by = False

    @property
    def latest(self) -> Snapshot | None:
        """The newest picture; None until the engine's first step."""
        return self._latest


class Names(Protocol):
    """The part of ``monitor.keys.KeyTable`` that is read here."""

    def living(self) -> Int64:
        """All ids in use, ascending."""
        ...

    def names(self, keys: Iterable[int]) -> list[str]:
        """The strings of living ids, in their order."""
        ...


class FiguresView(Protocol):
    """The part of ``monitor.indicators`` views that is read here."""

    @property
    def by(self) -> tuple[str, ...]:
        """Dimensions of the scope."""
        ...

    @property
    def window(self) -> str:
        """The window as written."""
        ...

    @property
    def kind(self) -> FigureKind:
        """How hits and of make a value."""
        ...

    @property
    def scale_hits(self) -> int:
        """Fixed-point scale of the hits."""
        ...

    @property
    def scale_of(self) -> int:
        """Fixed-point scale of the denominators."""
        ...

    @property
    def keys(self) -> Names:
        """The scope's key table."""
        ...

    @property
    def other(self) -> int | None:
        """The id of the bucket of keys that found the table full, which is not among ``keys``."""
        ...

    def figures(self, ids: Int64) -> tuple[Int64, Int64]:
        """Hits and of, fixed point, at the last step."""
        ...

    def covered(self, tick: int) -> bool:
        """The log seen covers the window at ``tick``."""
        ...


class Living:
    """The keys of one table at one tick: read and sorted once for all its views."""

    def __init__(self, keys: Names) -> None:
        self.keys = keys
        self.ids = keys.living()
        self._by_name: tuple[Int64, tuple[str, ...]] | None = None

    def by_name(self) -> tuple[Int64, tuple[str, ...]]:
        """Positions in :attr:`ids` in ascending order of name, and the names."""
        if self._by_name is None:
            self._by_name = self.sorted(np.arange(len(self.ids)))
        return self._by_name

    def sorted(self, chosen: Int64) -> tuple[Int64, tuple[str, ...]]:
        """The same of some positions only."""
        names = self.keys.names(self.ids[chosen].tolist())
        order = sorted(range(len(names)), key=names.__getitem__)
        return chosen[order], tuple(names[index] for index in order)


def capture(
    view: FiguresView,
    info: IndicatorInfo,
    *,
    tick: int,
    keys_max: int,
    living: Living | None = None,
) -> IndicatorFigures:
    """The figures of one view at ``tick``, at most ``keys_max`` keys, the worst kept.

    Kept are the keys with the largest :func:`excess`; keys that have nothing in the window go
    first. Rows come in ascending order of name, so that the set alone decides what is shown.
    ``living`` is of the view's table, where somebody has it.
    """
    living = Living(view.keys) if living is None else living
    ids = living.ids
    raw_hits, raw_of = view.figures(ids)
    hits, of = raw_hits / view.scale_hits, raw_of / view.scale_of
    if len(ids) > keys_max:
        empty = (raw_hits == 0) & ((raw_of == 0) | (view.kind == "count"))
        rows, names = living.sorted(_worst(excess(hits, of, info), empty, keys_max))
    else:
        rows, names = living.by_name()
    return IndicatorFigures(
        indicator=info.id,
        kind=view.kind,
        by=view.by,
        window=view.window,
        names=names,
        hits=hits[rows],
        of=of[rows],
        covered=view.covered(tick),
        dropped=len(ids) - len(rows),
        other=None if view.other is None else _bucket(view, view.other),
    )


def cut(figures: IndicatorFigures, info: IndicatorInfo, keys_max: int) -> IndicatorFigures:
    """The same with at most ``keys_max`` keys, chosen and in the order as :func:`capture` does."""
    hits, of = figures.hits, figures.of
    empty = (hits == 0) & ((of == 0) | (figures.kind == "count"))
    rows = np.sort(_worst(excess(hits, of, info), empty, keys_max))
    return replace(
        figures,
        names=tuple(figures.names[row] for row in rows.tolist()),
        hits=hits[rows],
        of=of[rows],
        dropped=figures.dropped + len(hits) - len(rows),
    )


def _bucket(view: FiguresView, other: int) -> tuple[float, float]:
    hits, of = view.figures(np.array([other], dtype=np.int64))
    return float(hits[0] / view.scale_hits), float(of[0] / view.scale_of)


def _worst(excess: Float64, empty: Bool, keys_max: int) -> Int64:
    """Positions of the largest ``excess``, those that are ``empty`` last, ties by position."""
    ranks = np.where(empty, np.inf, -excess)
    bound = np.partition(ranks, keys_max - 1)[keys_max - 1]
    near = np.flatnonzero(ranks <= bound)
    return near[np.argsort(ranks[near], kind="stable")[:keys_max]]


def excess(hits: Float64, of: Float64, info: IndicatorInfo) -> Float64:
    """How many hits each key has on the bad side of the target: rate and volume in one figure.

    ``hits − target · of``, negated where higher is better. Without a target, the scope's own
    overall rate takes its place; of a count, the hits alone speak.
    """
    sign = 1.0 if info.better == "lower" else -1.0
    if info.kind == "count":
        return sign * hits
    total = float(of.sum())
    usual = float(hits.sum()) / total if total else 0.0
    target = usual if info.target is None else info.target
    return sign * (hits - target * of)
