"""Without a checkpoint: windows from the log, numbers and episodes from the store.

Owns what of a state is kept in the store as well, and how a run begins with that alone: up to the
tick it is of, records fill windows and rules look on in silence; from there on all is as ever.
Which numbers were seen lately is kept less often, as there may be very many; what was seen since
is read again.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, Self

import structlog
import zstandard

from monitor.decisions import Alert, derive_id
from monitor.engine import Outcome
from monitor.errors import CheckpointError
from monitor.numbers.seen import over, to_columns
from monitor.running.layout import upgraded
from monitor.running.parts import Parts
from monitor.sealed import Sealed, plain
from monitor.store.kept import Texts, text_of
from monitor.store.state import pack_part, unpack_part

log = structlog.get_logger(__name__)

REASON = "rebuilt"
"""Why an episode ends that nobody can find any more after a rebuild."""


SEEN_EVERY_MS: Final = 600_000
"""Event time after which it is kept again which numbers were seen; the log reaches back further."""


class SeenAsOf(NamedTuple):
    """As of when it is kept which numbers were seen."""

    judged: int
    swept_ms: int
    """When those were forgotten that were not seen any more: that cannot be done again."""
    retired: Mapping[str, Any]
    """Who was given up: what that did to their pools cannot be done again either."""
    config: str
    """Who is listed is noted as seen nowhere."""

    @classmethod
    def due(cls, state: Mapping[str, Any], last: SeenAsOf | None) -> Self | None:
        """As of a state, when it is to be kept with it; None: what is kept will do."""
        desk = state["engine"]["desk"]
        retired, config = desk["book"]["retired"], state["config"]
        now = cls(state["engine"]["judged"], desk["swept_ms"], retired, config)
        if last is None or now[1:] != last[1:]:
            return now
        return None if now.judged < last.judged + SEEN_EVERY_MS else now


def kept_of(state: Mapping[str, Any], *, with_seen: bool) -> Texts:
    """The part of a checkpoint's state that is kept in the store as well."""
    engine, layout = state["engine"], state["layout"]
    judged, desk = engine["judged"], engine["desk"]
    book, ledger = desk["book"], desk["ledger"]
    alone = {
        **desk,
        "book": {**book, "seen": []},
        "ledger": {**ledger, "records": plain(ledger["records"])},
    }
    texts: Texts = {
        "kept": text_of({"layout": layout, "engine": {"judged": judged, "desk": alone}})
    }
    if with_seen:
        columns = pack_part(to_columns(over(book["seen"])))
        packed = zstandard.compress(b"".join(bytes(piece) for piece in columns.pieces()))
        texts["kept_seen"] = text_of({"layout": layout, "judged": judged, "seen": packed})
    return texts


def rebuild(parts: Parts) -> None:
    """Take numbers from the store, and be silent up to the tick they are of.

    Raises:
        StoreError: the store cannot be read.
    """
    kept = parts.store.kept.load()
    if kept is None:
        if parts.store.journal.judged_to_ms() is not None:
            log.warning("numbers_unknown", detail="the store is an older program's")
        return
    try:
        engine = upgraded(kept)["engine"]
        desk, parts.engine.seen_until = _with_seen(engine, parts.store.kept.load("kept_seen"))
    except CheckpointError as error:
        log.warning("numbers_unknown", detail=str(error))
        return
    parts.engine.judges.desk.restore(desk)
    if "seen_of" in desk:  # older programs kept none
        parts.engine.judges.desk.expect(desk["seen_of"], engine["judged"])
    parts.engine.silent_until = engine["judged"]
    parts.progress.rebuilding = True
    log.warning(
        "rebuilding",
        detail="no checkpoint: windows from the log, numbers from the store",
        silent_until_ms=engine["judged"],
        out_of_service=len(parts.engine.judges.desk.standing()),
    )


def _with_seen(
    engine: Mapping[str, Any], kept: Mapping[str, Any] | None
) -> tuple[dict[str, Any], int]:
    """The desk's state with the numbers that were seen, and up to when these are known."""
    desk: dict[str, Any] = engine["desk"]
    if desk["book"]["seen"] or kept is None:  # a program before this one kept all of it together
        return desk, engine["judged"]
    try:
        packed = zstandard.decompress(base64.b64decode(kept["seen"]))
    except (ValueError, zstandard.ZstdError) as error:
        msg = f"the numbers seen lately cannot be unpacked: {error}"
        raise CheckpointError(msg) from error
    seen = [Sealed(unpack_part(packed))]
    return {**desk, "book": {**desk["book"], "seen": seen}}, kept["judged"]


def close_orphans(parts: Parts) -> None:
    """Once it is judged again: end the episodes that the store has firing and the rules have not.

    A window that could not be filled again does not know them; firing on, nothing would end them.

    Raises:
        StoreError: it cannot be read; nothing was done, and the next turn does it.
    """
    engine = parts.engine
    if not parts.progress.rebuilding or engine.judged <= engine.silent_until:
        return
    if engine.judged < engine.promised:  # episodes of the last run may still begin again
        return
    known = {alert.episode for alert in engine.judges.rules.states().alerts}
    orphans = [
        _ended(episode.alert, engine.judged)
        for episode in parts.store.episodes.current(resolved_since_ms=parts.clock.now_ms())
        if episode.firing and episode.alert.episode not in known
    ]
    parts.progress.rebuilding = False
    log.info("rebuilt", orphans=len(orphans))
    parts.recorder.record(Outcome(judged=engine.judged, decisions=list(orphans)))


def _ended(alert: Alert, at_ms: int) -> Alert:
    return replace(
        alert,
        id=derive_id("alert", alert.episode, REASON, str(at_ms)),
        state="resolved",
        reason=REASON,
        at_ms=at_ms,
    )
