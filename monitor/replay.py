"""Recorded events through the same engine, with nothing sent.

Owns the engine of replays, rule tests and benchmarks: no wall clock, no store, no deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from monitor.assembly import build_judges
from monitor.clock import Clock, SystemClock
from monitor.decisions import Decision, iso
from monitor.engine import Engine, Input, Pace
from monitor.events.customers import Customers
from monitor.events.enrich import Owners
from monitor.events.rejects import DeadLetters, MemoryDeadLetters
from monitor.indicators.compile import BEGINNING
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from monitor.recorder import (
    ReplayRecorder,
    journaled_end,
    journaled_floors,
    journaled_inputs,
    journaled_refusals,
)
from monitor.rules.cases import Scenario
from monitor.site import Site
from monitor.source.base import Partition, Source
from monitor.source.memory import MemorySource
from monitor.stats import Stats
from monitor.store.store import Store
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import NEVER, Floor, Watermarks

_SLICE_TICKS = 2_000
"""Nobody waits between two, and rows cost less by the load than by the tick."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal of a live run adds to the records; empty: nothing."""

    inputs: tuple[Input, ...] = ()
    floors: tuple[Floor, ...] = ()
    refused: tuple[tuple[Partition, int], ...] = ()
    judged_to: int = NEVER

    def __bool__(self) -> bool:
        """Whether there was a journal at all."""
        return self.judged_to != NEVER


def past_of(store: Store, *, tick_ms: int, inputs: bool) -> Past:
    """What a live run knew that its log does not say.

    ``inputs``: what people and telephony did, too; it changes decisions, and no record.

    Raises:
        StoreError: the journal cannot be read.
    """
    journal = store.journal
    entries = journal.read()
    return Past(
        inputs=tuple(journaled_inputs(entries, tick_ms=tick_ms)) if inputs else (),
        floors=tuple(journaled_floors(journal.floors())),
        refused=tuple(journaled_refusals(entries)),
        judged_to=journaled_end(journal.judged_to_ms(), tick_ms=tick_ms),
    )


def replay_engine(
    site: Site,
    source: Source,
    tell: Callable[[Decision], None],
    *,
    past: Past | None = None,
    stats: Stats | None = None,
    dead_letters: DeadLetters | None = None,
    clock: Clock | None = None,
    on_tick: Callable[[int], None] | None = None,
    report_every_ms: int | None = None,
    at_once: int = 1,
    decisions_only: bool = False,
) -> Engine:
    """An engine over a finite source, which the caller has started.

    Telephony's answers come from the journal where there is one; without it every command counts as
    applied at once. ``on_tick`` is called after each judged tick, and those at multiples of
    ``report_every_ms`` (of the tick itself a multiple) are judged for certain. ``at_once`` as in
    :class:`monitor.engine.Pace`; by default every batch is judged. ``decisions_only`` as in
    :func:`monitor.assembly.build_judges`.
    """
    past = past or Past()
    config = site.config
    engine = Engine(
        source=source,
        judges=build_judges(
            site, covered_from=BEGINNING, answers=bool(past), decisions_only=decisions_only
        ),
        owners=Owners(config.events.owners),
        customers=Customers(config.events.customers),
        watermarks=Watermarks(config.time.tolerances()),
        dedup=Dedup(
            lateness_ms=config.time.lateness, tick_ms=config.time.tick, limit=config.limits.ids
        ),
        dead_letters=dead_letters or MemoryDeadLetters(),
        recorder=ReplayRecorder(tell),
        clock=clock or SystemClock(),
        stats=stats or Stats(),
        pace=Pace(
            tick_ms=config.time.tick,
            max_pending_rows=config.limits.pending_rows,
            live=False,
            report_every_ms=report_every_ms,
            at_once=at_once,
            slice_ticks=_SLICE_TICKS,
        ),
        on_tick=on_tick,
    )
    engine.watermarks.expect(past.floors, past.refused)
    engine.expect(past.inputs, past.judged_to)
    return engine


def run_story(site: Site, story: Scenario) -> list[Decision]:
    """The decisions of a rule test, in order; nothing else is in the engine.

    A test is about rules: the guards of the site's pools do not stand in their way.
    """
    free = {"pools": PoolsSettings(), "numbers": NumbersSettings()}
    site = replace(site, config=site.config.model_copy(update=free))
    partition = Partition("test", 0)
    source = MemorySource([partition])
    encoder = msgspec.json.Encoder()
    source.append(partition, [encoder.encode(event) for event in story.events])
    source.finish()
    source.start({}, None)
    decisions: list[Decision] = []
    tick_ms = site.config.time.tick
    engine = replay_engine(site, source, decisions.append, decisions_only=True)
    engine.expect((), -(-story.until_ms // tick_ms) * tick_ms)
    engine.run_to_end()
    return decisions


def indicator_lines(engine: Engine, *, empty: bool = False) -> Iterator[dict[str, Any]]:
    """One line for each indicator, scope and window, as of the last judged tick.

    Scopes come in the order of their text; those with nothing in the window are left out unless
    ``empty``. The last one may be the bucket of all keys that found the table full: it alone has a
    ``bucket``, and its key is shown as ``other``.
    """
    at = iso(engine.judged)
    for view in engine.judges.indicators.views():
        ids, bucket = view.keys.living(), view.other
        if bucket is not None:
            ids = np.append(ids, bucket)
        hits, of = view.figures(ids)
        rows = zip(
            view.keys.names(ids.tolist()), ids.tolist(), hits.tolist(), of.tolist(), strict=True
        )
        for _, key, raw_hits, raw_of in sorted(rows, key=lambda row: (row[1] == bucket, row)):
            nothing = raw_hits == 0 and (raw_of == 0 or view.kind == "count")
            if nothing and not empty:
                continue
            top, bottom = raw_hits / view.scale_hits, raw_of / view.scale_of
            value = top if view.kind == "count" else top / bottom if bottom else None
            is_bucket = key == bucket
            yield {
                "at": at,
                "kind": "indicator",
                "indicator": view.indicator.id,
                "scope": dict.fromkeys(view.by, "other") if is_bucket else dict(view.scope(key)),
                **({"bucket": "other"} if is_bucket else {}),
                "window": view.window,
                "hits": _plain(top),
                "of": _plain(bottom),
                "value": None if value is None else round(value, 6),
            }


def _plain(number: float) -> float | int:
    return int(number) if number.is_integer() else number
