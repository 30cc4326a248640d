"""Taking up where the last run ended: the checkpoint, the journal after it, the log after that.

Owns what is restored, and in which order. ``monitor.store`` keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from monitor.assembly import build_judges, widen_pending
from monitor.errors import CheckpointError, SourceUnavailable
from monitor.indicators.compile import BEGINNING
from monitor.recorder import (
    journaled_end,
    journaled_floors,
    journaled_inputs,
    journaled_refusals,
)
from monitor.running.bundle import site_before
from monitor.running.layout import upgraded
from monitor.running.parts import Parts
from monitor.running.rebuild import rebuild
from monitor.running.standing import Standing
from monitor.site import Site
from monitor.source.base import Partition
from monitor.store.checkpoint import CheckpointStore
from monitor.store.store import Store
from monitor.windows.watermark import NEVER

log = structlog.get_logger(__name__)

RECONNECT_S = 1.0
REFUSED_PAGE = 1_000
"""Journal entries about refused records that are in memory at once; each is of one poll."""


def load_state(checkpoints: CheckpointStore) -> dict[str, Any] | None:
    """The newest checkpoint that can be read, in today's layout; None when there is none."""
    try:
        state = checkpoints.load()
        return None if state is None else upgraded(state)
    except CheckpointError as error:
        log.warning("checkpoints_unreadable", detail=str(error), then="the log is read again")
        return None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Ticks that were judged and that the checkpoint does not have."""

    site: Site
    """Under which they were judged."""
    until_ms: int
    """The last of them: later ones were judged under another configuration."""


def unfinished(state: Mapping[str, Any] | None, store: Store, today: Site) -> Unfinished | None:
    """What was judged under another configuration than today's.

    None when it is today's, or when there are no such ticks: nothing to finish.

    Raises:
        StoreError: the journal cannot be read.
    """
    if state is None or state["config"] == today.hash:
        return None
    until_ms = store.journal.judged_to_ms()
    if until_ms is None:
        return None
    changes = store.journal.read(state["journal_seq"], kind="reload")
    ticks = (each.tick_ms for each in changes if each.payload["hash"] != state["config"])
    until_ms = min(until_ms, next(ticks, until_ms))
    if until_ms <= state["engine"]["judged"]:
        return None
    before = site_before(state, today)
    if before is None:
        log.warning(
            "configuration_lost",
            config=state["config"],
            then="what was judged since the checkpoint is judged again under the new one",
        )
        return None
    return Unfinished(before, until_ms)


def resume(parts: Parts, standing: Standing, state: Mapping[str, Any] | None) -> None:
    """Restore the engine and start its source; returns early when told to stop.

    ``state``: of :func:`load_state`.

    Raises:
        StoreError: the journal cannot be read.
        SourceError: the source can never be read.
    """
    engine, store, site = parts.engine, parts.store, parts.site
    standing.publish()
    positions: dict[Partition, int] = {}
    acks: dict[Partition, int] = {}
    if state is not None:
        positions = _restore(parts, state)
        parts.progress.journal_seq = parts.progress.journal_kept = state["journal_seq"]
        acks = {Partition(topic, number): at for topic, number, at in state["acks"]}
    else:
        rebuild(parts)
    known_to_ms = max(engine.judged, engine.silent_until)
    engine.book.load(store.listed.as_of(known_to_ms))
    _read_journal(parts, positions, after_ms=known_to_ms)
    parts.telephony.acks.restore(acks)
    since_ms = None if state is not None else _horizon_ms(parts)
    if not _start_source(parts, standing, positions, since_ms=since_ms):
        return
    store.journal.append("reload", max(engine.judged, 0), {"hash": site.hash, "start": True})
    log.info(
        "started",
        config=site.hash,
        rules=len(site.rules),
        indicators=len(site.indicators),
        from_checkpoint=state is not None,
        partitions=len(engine.source.standings()),
    )


def _restore(parts: Parts, state: Mapping[str, Any]) -> dict[Partition, int]:
    """Take over a checkpoint, which may be of another configuration; returns the positions."""
    engine, site, saved = parts.engine, parts.site, state["engine"]
    parts.progress.covered_from = covered_from = state.get("covered_from", BEGINNING)
    if state["config"] != site.hash:
        log.info("configuration_changed", before=state["config"], now=site.hash)
        # Up to where it was read tells where windows that are new begin.
        parts.progress.stepped = saved["indicators"]["tick"] is not None
        engine.judged = saved["judged"]
        engine.pending.restore(saved["pending"])
        covered_from = parts.new_from()
    engine.judges = build_judges(site, covered_from=covered_from, answers=parts.telephony.answers)
    positions = engine.restore(saved)
    # Ticks of another length go on from the last one that is over; nothing is judged twice,
    # as rows up to where it was judged are not waiting any more.
    if engine.judged != NEVER:
        engine.judged -= engine.judged % engine.pace.tick_ms
    widen_pending(engine)
    return positions


def _read_journal(parts: Parts, positions: Mapping[Partition, int], *, after_ms: int) -> None:
    """Give the engine what the earlier run took in after ``after_ms``."""
    engine, journal = parts.engine, parts.store.journal
    entries = journal.read(parts.progress.journal_seq)
    engine.watermarks.expect(journaled_floors(journal.floors()), [])
    # Of all times: a checkpoint made while the log is read again is younger than the refusals of
    # records that it has not come to. But what was read before it is not read again.
    seq, page = 0, journal.read(kind="refused", limit=REFUSED_PAGE)
    while page:
        refused = journaled_refusals(page)
        engine.watermarks.expect(
            [], [each for each in refused if each[1] >= positions.get(each[0], 0)]
        )
        seq = page[-1].seq
        page = journal.read(seq, kind="refused", limit=REFUSED_PAGE)
    tick_ms = engine.pace.tick_ms
    left = (entry for entry in entries if entry.tick_ms > after_ms)
    engine.expect(
        journaled_inputs(left, tick_ms=tick_ms),
        journaled_end(journal.judged_to_ms(), tick_ms=tick_ms),
    )


def _horizon_ms(parts: Parts) -> int:
    """How far back windows, rules on absence and late records reach, in broker time."""
    judges = parts.engine.judges
    reach = max(judges.indicators.horizon_ms, judges.rules.horizon_ms)
    reach += parts.site.config.time.lateness
    return max(0, parts.clock.now_ms() - reach)


def _start_source(
    parts: Parts, standing: Standing, positions: Mapping[Partition, int], *, since_ms: int | None
) -> bool:
    """Start it as soon as it is there; False when told to stop before."""
    engine = parts.engine
    while True:
        try:
            engine.source.start(positions, since_ms)
        except SourceUnavailable as error:
            parts.beat.turn()
            standing.source(str(error))
            if parts.clock.wait(parts.stop, RECONNECT_S):
                return False
        else:
            break
    parts.progress.opened = True
    standing.source()
    found = engine.source.standings().values()
    whole = bool(found) and all(each.complete for each in found)
    if since_ms is not None and not whole:
        # What is older than the horizon was not read, so windows fill from there on.
        parts.progress.covered_from = since_ms + parts.site.config.time.max_ahead
        engine.judges = build_judges(
            parts.site,
            covered_from=parts.progress.covered_from,
            desk=engine.judges.desk,
            answers=parts.telephony.answers,
        )
    return True
