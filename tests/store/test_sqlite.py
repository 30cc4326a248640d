"""The store in SQLite: durability, one daemon, and faults in plain words."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.clock import ManualClock
from monitor.errors import StoreError
from monitor.store.settings import StoreSettings
from monitor.store.sqlite import SqliteDatabase, plain
from monitor.store.store import Recording, Store
from tests.store.made import alert
from tests.store.stores import settings_of


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path)


def pragma(store: Store, name: str) -> object:
    with store._database.read() as connection:
        return connection.scalar(text(f"PRAGMA {name}"))


def test_commits_are_synced_and_readers_do_not_wait(store: Store) -> None:
    assert pragma(store, "synchronous") == 2  # FULL
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "busy_timeout") == 5_000


def test_there_is_no_store_for_the_command_line_to_read(
    settings: StoreSettings, clock: ManualClock
) -> None:
    with pytest.raises(StoreError, match="there is none: has the daemon run"):
        Store.open(settings, clock, daemon=False)
    assert not settings.path.exists()


def test_a_second_daemon_is_refused_until_the_first_is_gone(
    settings: StoreSettings, store: Store, clock: ManualClock
) -> None:
    with pytest.raises(StoreError, match=rf"another daemon uses it \(process {os.getpid()}\)"):
        Store.open(settings, clock)
    store.close()
    store.close()
    Store.open(settings, clock).close()


def test_a_file_that_is_no_database(settings: StoreSettings, clock: ManualClock) -> None:
    settings.path.parent.mkdir()
    settings.path.write_bytes(b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(StoreError, match=r"monitor\.db: it is damaged, or not a database"):
        Store.open(settings, clock)


def test_a_database_that_is_not_ours(settings: StoreSettings, clock: ManualClock) -> None:
    settings.path.parent.mkdir()
    sqlite3.connect(settings.path).close()
    with pytest.raises(StoreError, match=r"monitor\.db: it is not a store of this daemon"):
        Store.open(settings, clock, daemon=False)


def test_damage_inside_is_an_error_and_not_wrong_data(
    settings: StoreSettings, clock: ManualClock
) -> None:
    with Store.open(settings, clock) as store:
        store.record(Recording([alert(5_000 * n) for n in range(1, 500)]))
    content = bytearray(settings.path.read_bytes())
    page = 4096
    for start in range(2 * page, len(content) - page, page):
        content[start : start + 200] = b"\xff" * 200
    settings.path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), Store.open(settings, clock) as store:
        store.history.alerts()


def test_another_process_holds_it_too_long(settings: StoreSettings, clock: ManualClock) -> None:
    impatient = settings.model_copy(update={"busy_timeout": 50})
    with Store.open(impatient, clock) as store:
        other = sqlite3.connect(settings.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has held it for too long"):
            store.record(Recording([alert()]))
        other.execute("ROLLBACK")
        other.close()
        assert store.record(Recording([alert()])) == [alert()]


def test_whoever_is_in_a_hurry_does_not_wait_for_it(
    settings: StoreSettings, clock: ManualClock
) -> None:
    patient, hurry = settings.model_copy(update={"busy_timeout": 60_000}), threading.Event()
    with Store.open(patient, clock) as store:
        store.hurry_when(hurry.is_set)
        with closing(sqlite3.connect(settings.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(0.3, hurry.set).start()
            started = time.monotonic()
            with pytest.raises(StoreError, match="another process has held it for too long"):
                store.record(Recording([alert()]))
            assert 0.3 <= time.monotonic() - started < 10
            other.execute("ROLLBACK")
        assert store.record(Recording([alert()])) == [alert()], "nobody holds it: it is taken"


def test_a_full_disk_keeps_what_was_there(store: Store) -> None:
    store.record(Recording([alert()]))
    many = [alert(5_000 * n, rule="x" * 500) for n in range(100, 400)]
    pages = pragma(store, "page_count")
    pragma(store, f"max_page_count={pages}")
    with pytest.raises(StoreError, match="the disk is full"):
        store.record(Recording(many))
    pragma(store, "max_page_count=1000000")
    assert store.history.alerts() == [alert()]
    assert store.record(Recording(many)) == many


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("attempt to write a readonly database", "it may not be written: look at its owner"),
        ("disk I/O error", "the disk does not read or write (disk I/O error)"),
        ("something new", "store /var/m.db: something new"),
    ],
)
def test_what_sqlite_says_in_plain_words(said: str, meant: str) -> None:
    assert meant in str(plain(sqlite3.OperationalError(said), "/var/m.db"))


def test_a_directory_that_cannot_be(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        Store.open(StoreSettings(path=tmp_path / "file" / "m.db"), clock)
    (tmp_path / "m.db").mkdir()
    with pytest.raises(StoreError, match="it cannot be opened"):
        Store.open(StoreSettings(path=tmp_path / "m.db"), clock)
    (tmp_path / "n.db.lock").mkdir()
    with pytest.raises(StoreError, match="lock file cannot be opened: Is a directory"):
        Store.open(StoreSettings(path=tmp_path / "n.db"), clock)


def test_a_file_system_without_wal_is_refused() -> None:
    database = SqliteDatabase(Path(":memory:"), busy_timeout_ms=100, create=True)
    with pytest.raises(StoreError, match="needs a local disk"), database.read():
        pass
    database.close()
