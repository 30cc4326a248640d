"""One of several daemons on one PostgreSQL works; the others stand by for it.

Owns taking turns. What decides whose turn it is, and keeps all others from writing, is
``monitor.store.lease``. A daemon whose turn is over lets go of everything, and stands by again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from monitor.clock import Clock
from monitor.errors import LeaseLost, StoreAway, StoreError
from monitor.snapshot import Board
from monitor.store.lease import Lease
from monitor.store.settings import StoreSettings

log = structlog.get_logger(__name__)


class Stop(threading.Event):
    """An event that others can be tied to: they are set when it is."""

    def __init__(self) -> None:
        super().__init__()
        self._tied: list[threading.Event] = []

    def set(self) -> None:
        """Set it, and all that are tied to it."""
        super().set()
        for event in list(self._tied):
            event.set()

    @contextmanager
    def tied(self) -> Iterator[threading.Event]:
        """An event that is set with this one, and may be set alone."""
        event = threading.Event()
        self._tied.append(event)
        if self.is_set():
            event.set()
        try:
            yield event
        finally:
            self._tied.remove(event)


Work = Callable[[threading.Event, int], None]
"""Works until the event is set, as the holder of the lease with this token."""


AGAIN_S = 1.0
"""Before a daemon whose turn was broken off stands by again: another one may be luckier."""


def take_turns(settings: StoreSettings, clock: Clock, stop: Stop, board: Board, work: Work) -> None:
    """Stand by, work, and stand by again, until ``stop`` is set.

    A database that goes away while work begins ends the turn and not the daemon: there may be no
    other one, and nobody to start this one again.

    Raises:
        StoreError: the address is wrong, or what ``work`` raises but ``LeaseLost``; ``StoreAway``
            only once ``stop`` is set.
    """
    lease = Lease(settings, clock, hurry=stop.is_set)
    try:
        while not stop.is_set():
            board.stand_by()
            token = lease.acquire(stop)
            if token is None:
                return
            board.work()
            broken_off = False
            with stop.tied() as over, lease.kept(on_lost=over.set):
                try:
                    work(over, token)
                except LeaseLost as error:
                    log.warning("turn_over", detail=str(error))
                except StoreAway as error:
                    if stop.is_set():
                        raise
                    log.warning("turn_broken_off", detail=str(error))
                    broken_off = True
            with suppress(StoreError):  # it runs out by itself
                lease.release()
            if broken_off:
                clock.wait(stop, AGAIN_S)
    finally:
        lease.close()
