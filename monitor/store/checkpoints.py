"""Which place of checkpoints the settings mean.

Owns the choice: files beside an SQLite store, rows in PostgreSQL.
"""

from __future__ import annotations

from monitor.store.checkpoint import Checkpoints, CheckpointStore
from monitor.store.checkpoint_rows import CheckpointRows
from monitor.store.settings import StoreSettings


def open_checkpoints(settings: StoreSettings, *, token: int | None = None) -> CheckpointStore:
    """The checkpoints of a store. ``token``: of the lease, for the daemon on PostgreSQL.

    Raises:
        StoreError: the address is wrong, or the driver is not installed.
    """
    if settings.url is not None:
        return CheckpointRows(settings, token=token)
    return Checkpoints(settings.checkpoints)
