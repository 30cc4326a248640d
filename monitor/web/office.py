"""What interfaces answer from: the newest picture, and the store.

Owns the store's being open: when it is first needed, as the command line opens it, so that a
daemon that stands by answers too. Neither is the engine's own: a slow caller costs it nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from monitor.clock import Clock
from monitor.errors import StoreError
from monitor.snapshot import Board, Snapshot
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from monitor.web.problems import ProblemError

T = TypeVar("T")


class Office:
    """One for all interfaces of a daemon; any thread may use it."""

    def __init__(self, board: Board, settings: StoreSettings, region: str, clock: Clock) -> None:
        """``region``: whose national telephone numbers are meant without a country code."""
        self.board = board
        self.region = region
        self.clock = clock
        self._settings = settings
        self._store: Store | None = None
        self._lock = threading.Lock()

    def picture(self) -> Snapshot:
        """The newest picture.

        Raises:
            ProblemError: there is none: the daemon starts, or stands by.
        """
        latest = self.board.latest
        if latest is None:
            raise ProblemError(503, "this daemon has no picture: it starts, or stands by")
        return latest

    async def ask(self, work: Callable[[Store], T]) -> T:
        """What ``work`` says, in a thread, as it waits for a disk or a database.

        Raises:
            StoreError: the store cannot be opened or asked; the next call tries anew.
        """
        return await run_in_threadpool(self._with_store, work)

    def close(self) -> None:
        """Close the store, if it was opened; twice is fine."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _with_store(self, work: Callable[[Store], T]) -> T:
        with self._lock:
            if self._store is None:
                self._store = Store.open(self._settings, self.clock, daemon=False)
            store = self._store
        try:
            return work(store)
        except StoreError:
            self.close()
            raise


def office_of(request: Request) -> Office:
    """The office of the application that a request came to."""
    found: Office = request.app.state.office
    return found
