"""Stores of each kind, opened as their daemon does."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import text

from monitor.clock import Clock, ManualClock
from monitor.secret import Secret
from monitor.store.connect import connect
from monitor.store.lease import Lease
from monitor.store.postgres import PostgresDatabase
from monitor.store.settings import StoreSettings
from monitor.store.store import Store

KINDS = ("sqlite", "postgresql")


def settings_of(folder: Path, url: str | None = None) -> StoreSettings:
    """Settings of a store in a folder, or in the database at ``url``."""
    return StoreSettings(
        path=folder / "state" / "monitor.db",
        checkpoints=folder / "ck",
        url=None if url is None else Secret(value=SecretStr(url)),
    )


def open_store(settings: StoreSettings, clock: Clock) -> Store:
    """Open it as the daemon; in PostgreSQL the one before is taken for dead, at once."""
    token = None if settings.url is None else take_lease(settings)
    return Store.open(settings, clock, token=token)


def take_lease(settings: StoreSettings) -> int:
    """The token of a new holder; the one before is taken for dead."""
    lease = Lease(settings, ManualClock())
    try:
        if lease.try_acquire() is None:
            expire(settings)
            lease.try_acquire()
        assert lease.token is not None
        return lease.token
    finally:
        lease.close()


def expire(settings: StoreSettings) -> None:
    """As if the holder had given no sign of life for long."""
    database = connect(settings, create=False)
    assert isinstance(database, PostgresDatabase)
    with database.aside() as connection:
        connection.execute(text("UPDATE monitor_lease SET expires_at = clock_timestamp()"))
    database.close()
