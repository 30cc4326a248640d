"""The recorder of a live daemon, and whom it asks while it works.

Owns construction, and the ties that can only be made once the whole run is there; what is recorded,
and in which order, is ``monitor.recorder``.
"""

from __future__ import annotations

import threading

from monitor.app.telephony import Systems, asking
from monitor.assembly import open_router
from monitor.clock import Clock
from monitor.people.teams import Teams
from monitor.recorder import StoreRecorder
from monitor.running.parts import Parts
from monitor.running.standing import Standing
from monitor.site import Site
from monitor.store.store import Store
from monitor.telephony.open import Telephony


def open_recorder(
    site: Site,
    store: Store,
    telephony: Telephony,
    systems: Systems,
    clock: Clock,
    stop: threading.Event,
) -> StoreRecorder:
    """A recorder that plans deliveries as ``site`` says; :func:`connect` it before it works."""
    return StoreRecorder(
        store,
        open_router(site, telephony, systems.receivers),
        telephony.acks,
        clock=clock,
        stop=stop,
        ack_timeout_ms=site.config.numbers.ack_timeout,
    )


def connect(parts: Parts, standing: Standing, systems: Systems) -> None:
    """Let the recorder of a run ask its desk, its telephony and its teams, and say how it is."""
    recorder, telephony, engine = parts.recorder, parts.telephony, parts.engine
    outbox = parts.store.outbox
    recorder.whole = telephony.asked.whole
    telephony.asked.look_up = lambda command: telephony.went_to(outbox.receivers_of(command))
    recorder.awaited = lambda: engine.judges.desk.awaited
    recorder.found = asking(parts, systems)
    recorder.waiting = standing.waiting
    recorder.teams = Teams(lambda: standing.agents, lambda: engine.places).of_all
