"""Daemons' claims to the lease, for the tests of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from monitor.clock import SystemClock
from monitor.store.lease import Lease, Standing
from monitor.store.settings import StoreSettings

PATIENCE_S = 30.0

Make = Callable[..., Lease]


@contextmanager
def claims(settings: StoreSettings) -> Iterator[Make]:
    """Makes claims, which are closed at the end."""
    made: list[Lease] = []

    def do(name: str, use: StoreSettings = settings, clock: Any = None) -> Lease:
        made.append(Lease(use, clock or SystemClock(), holder=name))
        return made[-1]

    yield do
    for lease in made:
        lease.close()


def standing(lease: Lease) -> Standing:
    """The lease as it stands; a daemon has held it."""
    found = lease.standing()
    assert found is not None
    return found
