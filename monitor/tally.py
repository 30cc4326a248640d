"""The figures of people read from the log, on the path that alerts come by.

Owns the reading: the same decoder, lateness, duplicates and joined dimensions as the daemon's. What
is summed up, and how, is ``monitor.scorecards.tally``'s. Nothing is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from monitor.assembly import open_decoder
from monitor.decisions import iso
from monitor.engine import AT_ONCE
from monitor.events.batch import DIMENSIONS
from monitor.events.catalogue import DERIVED
from monitor.events.customers import read_for
from monitor.explain.explain import plain_records
from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.indicators.formula import Formula
from monitor.indicators.frame import Frame
from monitor.replay import replay_engine
from monitor.scorecards.figures import Sums
from monitor.scorecards.load import Card
from monitor.scorecards.periods import Period, bounds
from monitor.scorecards.tally import Tally, records
from monitor.site import Site
from monitor.source.base import Partition, Source
from monitor.windows.limits import WindowLimits

ROWS_MAX = 200_000
"""Records that are held for one person's explanation."""


DAY_MS = 86_400_000
"""A log that begins so much later than what is asked for is no night without work."""
BUFFER_ROWS, BUFFER_LOADS = 50_000, 2_000


@dataclass(frozen=True, slots=True)
class Read:
    """What the log gave."""

    sums: tuple[tuple[Sums, ...], ...]
    """For each card, its periods in their order."""
    rows: pl.DataFrame | None
    """Records of the person asked for, in order of time; None: nobody was."""
    partitions: tuple[Partition, ...]
    left_out: int = 0
    """Further records of that person, beyond what is held."""


class _Tallying(IndicatorSet):
    """In the place of indicators: adds up, judges nothing."""

    def __init__(self, tallies: Sequence[Tally], tick_ms: int) -> None:
        super().__init__([], tick_ms=tick_ms, limits=WindowLimits(), covered_from=BEGINNING)
        self.types = frozenset[str]().union(*(each.types for each in tallies))
        self.fields = frozenset[str]().union(*(each.fields for each in tallies))
        self.tallies = tallies
        self.kept: list[pl.DataFrame] = []
        self.left_out = 0
        self.earliest_ms: int | None = None
        self.whose: tuple[str, str] | None = None
        """Dimension and name of the person whose records are kept."""
        self.span = (0, 0)
        self._held = self._waiting = 0
        self._buffer: list[pl.DataFrame] = []

    def load(self, released: pl.DataFrame) -> Frame:
        """Add up, and keep what is asked for."""
        earliest: int = released["time"].min()  # type: ignore[assignment]  # it is a number
        self.earliest_ms = earliest if self.earliest_ms is None else min(earliest, self.earliest_ms)
        names = dict.fromkeys(("type", "time", "src", "offset", *DIMENSIONS, *sorted(self.fields)))
        self._buffer.append(released.select(*names))
        self._waiting += released.height
        if self._waiting >= BUFFER_ROWS or len(self._buffer) >= BUFFER_LOADS:
            self.flush()
        return super().load(released)

    def flush(self) -> None:
        """Add up what waits: many small loads cost as much as one."""
        if not self._buffer:
            return
        rows = pl.concat(self._buffer)
        self._buffer, self._waiting = [], 0
        for tally in self.tallies:
            tally.add(rows)
        if self.whose is not None:
            self._keep(rows, *self.whose)

    def _keep(self, released: pl.DataFrame, dimension: str, name: str) -> None:
        mine = released.filter(
            pl.col(dimension) == name,
            pl.col("type").is_in(sorted(self.types)),
            pl.col("time").is_between(self.span[0], self.span[1] - 1),
        )
        room = ROWS_MAX - self._held
        self.left_out += max(0, mine.height - room)
        mine = mine.head(room)
        self._held += mine.height
        if mine.height:
            self.kept.append(mine)


def read(
    site: Site,
    source: Source,
    cards: Sequence[Card],
    periods: Sequence[Period],
    *,
    whose: str | None = None,
    work: Callable[[Any, Source], None] | None = None,
) -> Read:
    """Read the log from before the first of ``periods`` to the end of the last, once for all cards.

    Args:
        site: how events are decoded, joined and refused.
        source: a finite one, not started; it is closed.
        cards: whose figures are summed up.
        periods: in which.
        whose: keep the records of this person.
        work: runs the engine to its end; a progress bar, for instance.

    Raises:
        SourceError: the log cannot be read.
        UsageError: more is to be held than there is memory for.
    """
    config = site.config
    tallies = [
        Tally(
            card.formulas,
            periods,
            person=card.spec.person,
            split=card.spec.team_changes == "split",
        )
        for card in cards
    ]
    start_ms, end_ms = bounds(periods)
    engine = replay_engine(replace(site, indicators=(), rules=()), source, _ignore, at_once=AT_ONCE)
    tallying = _Tallying(tallies, config.time.tick)
    if whose is not None:
        tallying.whose, tallying.span = (cards[0].spec.person, whose), (start_ms, end_ms)
    derived = tallying.fields & frozenset(DERIVED)
    fields, more = read_for(tallying.fields)
    engine.judges = replace(
        engine.judges,
        decoder=open_decoder(site, fields, tallying.types | more),
        indicators=tallying,
        derived=derived,
    )
    back_ms = max(each.reads_back_ms for each in tallies) + 2 * config.time.lateness
    # What is known of a customer from earlier is as old as the log.
    source.start({}, None if derived else start_ms - back_ms)
    try:
        (work or _to_the_end)(engine, source)
    finally:
        source.close()
    tallying.flush()
    remarks = list(_remarks(engine.stats.late, engine.stats.rejects, tallying, start_ms))
    found = tuple(tuple(tally.sums()) for tally in tallies)
    for sums in (one for several in found for one in several):
        sums.remarks += remarks
    rows = None
    if whose is not None:
        rows = pl.concat(tallying.kept) if tallying.kept else pl.DataFrame()
        rows = rows.sort("time", "src", "offset") if rows.height else rows
    partitions = tuple(engine.watermarks.partitions())
    return Read(found, rows, partitions, tallying.left_out)


def _remarks(late: int, rejects: Any, tallying: _Tallying, start_ms: int) -> Iterator[str]:
    if tallying.earliest_ms is None:
        yield "the log holds no record at all"
    elif tallying.earliest_ms > start_ms + DAY_MS:
        yield f"the log begins at {iso(tallying.earliest_ms)}, within the time asked for"
    if late:
        yield f"{late:,} records came too late, and are in no figure"
    refused = sum(rejects.values()) if rejects else 0
    if refused:
        why = ", ".join(f"{count:,} {name}" for name, count in sorted(rejects.items()))
        yield f"{refused:,} records were refused, and are in no figure: {why}"


def _to_the_end(engine: Any, _source: Source) -> None:
    engine.run_to_end()


def _ignore(_decision: object) -> None:
    """Nothing but numbers that were seen is decided without rules."""


def shown_records(
    read_: Read, made: Formula, *, most: int, whole_customers: bool = False
) -> tuple[int, list[dict[str, Any]]]:
    """How many records are behind a figure of the person, and the first of them as plain values."""
    if read_.rows is None or read_.rows.is_empty():
        return 0, []
    counted = [records(counter, read_.rows) for counter in made.counters]
    found = pl.concat(counted).unique(["src", "offset"], maintain_order=True)
    found = found.sort("time", "src", "offset")
    plain = plain_records(found.head(most), read_.partitions, whole_customers=whole_customers)
    return found.height, list(plain)
