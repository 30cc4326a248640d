"""Without a checkpoint: windows from the log, numbers and episodes from the store.

Owns what of a state is kept in the store as well, and how a run begins with that alone: up to the
tick it is of, records fill windows and rules look on in silence; from there on all is as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from monitor.decisions import Alert, derive_id
from monitor.engine import Outcome
from monitor.errors import CheckpointError
from monitor.running.layout import upgraded
from monitor.running.parts import Parts

log = structlog.get_logger(__name__)

REASON = "rebuilt"
"""Why an episode ends that nobody can find any more after a rebuild."""


def kept_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a checkpoint's state that is kept in the store as well."""
    engine = {name: state["engine"][name] for name in ("judged", "desk")}
    return {"layout": state["layout"], "engine": engine}


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
    except CheckpointError as error:
        log.warning("numbers_unknown", detail=str(error))
        return
    parts.engine.judges.desk.restore(engine["desk"])
    parts.engine.silent_until = engine["judged"]
    parts.progress.rebuilding = True
    log.warning(
        "rebuilding",
        detail="no checkpoint: windows from the log, numbers from the store",
        silent_until_ms=engine["judged"],
        out_of_service=len(parts.engine.judges.desk.standing()),
    )


def close_orphans(parts: Parts) -> None:
    """Once it is judged again: end the episodes that the store has firing and the rules have not.

    A window that could not be filled again does not know them; firing on, nothing would end them.
    """
    engine = parts.engine
    if not parts.progress.rebuilding or engine.judged <= engine.silent_until:
        return
    if engine.judged < engine.promised:  # episodes of the last run may still begin again
        return
    parts.progress.rebuilding = False
    known = {alert.episode for alert in engine.judges.rules.states().alerts}
    orphans = [
        _ended(episode.alert, engine.judged)
        for episode in parts.store.episodes.current(resolved_since_ms=parts.clock.now_ms())
        if episode.firing and episode.alert.episode not in known
    ]
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
