"""The records of an alert's window, read back from the log on the path they came by.

Owns the reading: the same decoder, lateness, duplicates and joined dimensions as when the alert was
decided, with the floors and refusals that the store's journal has. Nothing is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from monitor.assembly import open_decoder
from monitor.decisions import Alert
from monitor.engine import Engine
from monitor.events.batch import DIMENSIONS
from monitor.events.catalogue import DERIVED, polars_dtype
from monitor.events.customers import read_for
from monitor.explain.question import Question
from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.indicators.frame import Frame
from monitor.replay import Past, replay_engine
from monitor.site import Site
from monitor.source.base import Partition, Source
from monitor.windows.limits import WindowLimits

_ALWAYS = ("type", "time", "tick", "src", "offset", *DIMENSIONS)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the log still has."""

    rows: pl.DataFrame
    """Rows of the question's types and window, in the order of their times; ``src`` is an index
    into ``partitions``, ``offset`` where the record stands there."""
    partitions: tuple[Partition, ...]
    earliest_ms: int | None
    """Time of the earliest record that was read, of whatever type; None: there was none."""


class _Gathering(IndicatorSet):
    """In the place of indicators: keeps rows, computes nothing."""

    def __init__(self, question: Question, tick_ms: int) -> None:
        super().__init__([], tick_ms=tick_ms, limits=WindowLimits(), covered_from=BEGINNING)
        self.types = question.types
        self.fields = question.fields
        self.kept: list[pl.DataFrame] = []
        self.earliest_ms: int | None = None
        self._question = question

    def load(self, released: pl.DataFrame) -> Frame:
        """Keep what the question is about."""
        question = self._question
        earliest: int = released["time"].min()  # type: ignore[assignment]  # it is a number
        self.earliest_ms = earliest if self.earliest_ms is None else min(earliest, self.earliest_ms)
        kept = released.filter(
            pl.col("type").is_in(sorted(self.types)),
            pl.col("time") >= question.since_ms,
            pl.col("tick") <= question.alert.at_ms,
        )
        if not question.everybody:
            kept = kept.filter(question.in_scope())
        if kept.height:
            self.kept.append(kept.select(*_ALWAYS, *sorted(self.fields)))
        return super().load(released)


def gather(site: Site, question: Question, source: Source, past: Past) -> Gathered:
    """Read the log from before the window to the alert's tick.

    ``source`` is not started; a finite one. It is closed.

    Raises:
        SourceUnavailable: the broker does not answer.
        SourceError: the log cannot be read.
    """
    config = site.config
    engine = replay_engine(replace(site, indicators=(), rules=()), source, _ignore, past=past)
    gathering = _Gathering(question, config.time.tick)
    derived = question.fields & frozenset(DERIVED)
    fields, more = read_for(question.fields)
    engine.judges = replace(
        engine.judges,
        decoder=open_decoder(site, fields, question.types | more),
        indicators=gathering,
        derived=derived,
    )
    # Copies of a record, and the call that feedback belongs to, may be as much older; what is
    # known of a customer from earlier is as old as the log.
    since = None if derived else question.since_ms - 2 * config.time.lateness
    source.start({}, since)
    try:
        _run(engine, question.alert.at_ms)
    finally:
        source.close()
    rows = pl.concat(gathering.kept) if gathering.kept else _nothing(question)
    order = ["time", "src", "offset"]
    return Gathered(
        rows.sort(order, maintain_order=True),
        tuple(engine.watermarks.partitions()),
        gathering.earliest_ms,
    )


def _run(engine: Engine, until: int) -> None:
    while engine.judged < until:
        if engine.source.exhausted():
            engine.finish()
            return
        engine.step()


def _ignore(_decision: object) -> None:
    """Nothing but numbers that were seen is decided without rules."""


def replayed(site: Site, source: Source, wanted: Callable[[Alert], bool]) -> list[Alert]:
    """The alerts that a replay of a whole log decides, as far as they are ``wanted``.

    ``source`` is not started; a finite one. It is closed.

    Raises:
        SourceError: the log cannot be read.
    """
    found: list[Alert] = []

    def keep(decision: object) -> None:
        if isinstance(decision, Alert) and wanted(decision):
            found.append(decision)

    engine = replay_engine(site, source, keep)
    source.start({}, None)
    try:
        engine.run_to_end()
    finally:
        source.close()
    return found


def _nothing(question: Question) -> pl.DataFrame:
    numbers = {"time": pl.Int64, "tick": pl.Int64, "src": pl.UInt32, "offset": pl.Int64}
    schema = {"type": pl.String} | numbers
    names = [*DIMENSIONS, *sorted(question.fields)]
    return pl.DataFrame(schema=schema | {name: _dtype(name) for name in names})


def _dtype(name: str) -> pl.DataType | type[pl.DataType]:
    return pl.Int64 if name in DERIVED else polars_dtype(name)
