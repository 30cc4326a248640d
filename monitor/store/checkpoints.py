"""Which place of checkpoints the settings mean.

Owns the choice: files beside an SQLite store, rows in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.store.checkpoint import Checkpoints, CheckpointStore
from monitor.store.checkpoint_rows import CheckpointRows
from monitor.store.settings import StoreSettings


def open_checkpoints(
    settings: StoreSettings,
    *,
    token: int | None = None,
    hurry: Callable[[], bool] = lambda: False,
) -> CheckpointStore:
    """The checkpoints of a store. ``token``: of the lease, for the daemon on PostgreSQL.

    ``hurry``: from when it is true on, nobody waits long for a database that is silent.

    Raises:
        StoreError: the address is wrong, or the driver is not installed.
    """
    if settings.url is not None:
        return CheckpointRows(settings, token=token, hurry=hurry)
    return Checkpoints(settings.checkpoints)
