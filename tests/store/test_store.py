"""What every store does: one moment for a reader, requests beside the daemon, versions."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text, update

from monitor.clock import ManualClock
from monitor.errors import StoreError
from monitor.store.connect import connect
from monitor.store.schema import META, VERSION, prepare, stored_version
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import alert, manual, timeless
from tests.store.stores import open_store


def test_a_reader_sees_one_moment_while_others_write(store: Store) -> None:
    count = text("SELECT count(*) FROM decisions")
    with store._database.read() as connection:
        assert connection.scalar(count) == 0
        store.record(Recording([alert()]))
        assert connection.scalar(count) == 0
    assert len(store.history.alerts()) == 1


def test_the_command_line_reads_and_requests_beside_the_daemon(
    settings: StoreSettings, store: Store, clock: ManualClock
) -> None:
    store.record(Recording([alert()]))
    with Store.open(settings, clock, daemon=False) as other:
        assert other.history.alerts() == [alert()]
        other.requests.put(manual())
    assert [timeless(claim.action) for claim in store.requests.claim(5_000)] == [manual()]


# --- versions -----------------------------------------------------------------------------------


def set_version(settings: StoreSettings, version: int) -> None:
    database = connect(settings, create=False)
    with database.write() as connection:
        where = META.c.name == "schema_version"
        connection.execute(update(META).where(where).values(value=str(version)))
    database.close()


def test_a_newer_store_is_refused_with_what_to_do(
    settings: StoreSettings, clock: ManualClock
) -> None:
    open_store(settings, clock).close()
    set_version(settings, VERSION + 1)
    expected = (
        rf"^store .*monitor[^/]*: it has schema version {VERSION + 1}, "
        rf"and this program knows up to {VERSION}: run the newer program"
    )
    with pytest.raises(StoreError, match=expected):
        open_store(settings, clock)
    with pytest.raises(StoreError, match=expected):
        Store.open(settings, clock, daemon=False)


def test_the_command_line_does_not_migrate(settings: StoreSettings, clock: ManualClock) -> None:
    open_store(settings, clock).close()
    set_version(settings, VERSION - 1)
    with pytest.raises(StoreError, match="start the daemon once"):
        Store.open(settings, clock, daemon=False)


def test_migrations_run_in_order_and_a_failing_one_leaves_all_as_it_was(
    settings: StoreSettings, store: Store
) -> None:
    ran: list[int] = []

    def step(number: int) -> None:
        ran.append(number)

    def first(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE added (x INTEGER)"))
        step(1)

    def second(_connection: Connection) -> None:
        step(2)
        if len(ran) == 2:
            raise StoreError("no")

    migrations = {VERSION: first, VERSION + 1: second}

    def migrate() -> None:
        with store._database.write() as connection:
            prepare(connection, migrate=True, version=VERSION + 2, migrations=migrations)

    with pytest.raises(StoreError, match="no"):
        migrate()
    with store._database.read() as connection:
        assert stored_version(connection) == VERSION
    migrate()
    assert ran == [1, 2, 1, 2]
    with store._database.read() as connection:
        assert stored_version(connection) == VERSION + 2
    set_version(settings, VERSION)
