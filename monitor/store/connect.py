"""Which database the settings mean.

Owns the choice between the kinds of database.
"""

from __future__ import annotations

from monitor.store.database import Database
from monitor.store.postgres import PostgresDatabase
from monitor.store.settings import StoreSettings
from monitor.store.sqlite import SqliteDatabase


def connect(settings: StoreSettings, *, create: bool) -> Database:
    """The database of the decisions. ``create``: make a file that is not there.

    Raises:
        StoreError: there is no such file, the address is wrong, or the driver is not installed.
    """
    if settings.url is not None:
        return PostgresDatabase(settings)
    return SqliteDatabase(settings.path, busy_timeout_ms=settings.busy_timeout, create=create)
