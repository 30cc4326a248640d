"""The engine's thread: step, tell, keep, until told to stop.

Owns the order of one turn. What happens to events is ``monitor.engine``.
"""

from __future__ import annotations

import structlog

from monitor.errors import SourceUnavailable
from monitor.running import resume
from monitor.running.keep import Keeper
from monitor.running.parts import Parts
from monitor.running.rebuild import close_orphans
from monitor.running.reload import refuse, reload
from monitor.running.standing import Standing

log = structlog.get_logger(__name__)


def run(parts: Parts, standing: Standing) -> None:
    """Step until told to stop; a checkpoint last.

    Raises:
        StoreError: it still refuses when told to stop.
        SourceError: the source can never be read.
    """
    keeper = Keeper(parts, standing)
    while not parts.stop.is_set():
        turn(parts, standing, keeper)
    parts.recorder.settle()
    if parts.progress.opened:
        keeper.checkpoint()
    standing.publish()
    log.info("stopped", judged_ms=parts.engine.judged)


def finish(parts: Parts, standing: Standing, until_ms: int) -> None:
    """Judge up to where the last run had under this configuration, and write a checkpoint.

    Or stop when told to.

    Raises:
        StoreError: it still refuses when told to stop.
        SourceError: the source can never be read.
    """
    engine = parts.engine
    engine.last = min(engine.promised, until_ms)
    while not parts.stop.is_set() and engine.judged < engine.last:
        _step(parts, standing)
    parts.recorder.settle()
    if parts.progress.opened:
        Keeper(parts, standing).checkpoint()
    log.info("finished_before", config=parts.site.hash, judged_ms=engine.judged)


def turn(parts: Parts, standing: Standing, keeper: Keeper) -> None:
    """One step of the engine, and what is due around it.

    Raises:
        StoreError: it still refuses when told to stop.
        SourceError: the source can never be read.
    """
    if parts.reload.is_set() and not (parts.progress.rebuilding or parts.recorder.unjournaled):
        parts.reload.clear()
        # All that was judged under the old rules is in a checkpoint of theirs, and what comes
        # begins with one of the new: after a crash nothing is judged again under the others.
        if not keeper.checkpoint():
            refuse(parts, "no checkpoint can be written, and after a crash the old rules would act")
        elif reload(parts):
            standing.configured(parts.site)
            keeper.checkpoint()
    _step(parts, standing)
    with standing.tolerating("rebuilding"):
        close_orphans(parts)
    keeper.keep_when_due()


def _step(parts: Parts, standing: Standing) -> None:
    parts.beat.turn()
    try:
        parts.engine.step()
    except SourceUnavailable as error:
        standing.source(str(error))
        parts.engine.attend()  # people's orders do not wait for a broker
        parts.clock.wait(parts.stop, resume.RECONNECT_S)
    else:
        standing.source()
    standing.look()
    standing.publish_when_due()
