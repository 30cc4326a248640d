"""Stores of older versions are brought to the present one, with all that is in them.

``tests/fixtures/store`` holds stores that older programs wrote: ``v1-first.db`` the first one,
``v1.db``, ``v2.db`` and ``v3.db`` the last of their versions. When the version is raised, a store
of the version before joins them (``WRITTEN`` says what is in each).
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.errors import StoreError
from monitor.store import store as opening
from monitor.store.connect import connect
from monitor.store.handled import Wanted
from monitor.store.journal import FloorRow
from monitor.store.postgres import WRITER_LOCK, PostgresDatabase
from monitor.store.schema import MIGRATIONS, VERSION, prepare, stored_version
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import alert, change, command, manual, refusal, timeless
from tests.store.stores import open_store, settings_of, take_lease
from tests.store.test_store import set_version

FIXTURES = Path(__file__).parents[1] / "fixtures" / "store"
OLD = sorted(path.name for path in FIXTURES.glob("*.db"))


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    settings = settings_of(tmp_path)
    settings.path.parent.mkdir()
    shutil.copy(FIXTURES / request.param, settings.path)
    return settings


def shape(settings: StoreSettings) -> dict[str, object]:
    """Tables with their columns and indexes, as the database knows them."""
    database = connect(settings, create=False)
    try:
        with database.read() as connection:
            look = inspect(connection)
            return {
                name: (
                    [(c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(name)],
                    sorted(
                        (str(i["name"]), i["unique"], i["column_names"])
                        for i in look.get_indexes(name)
                    ),
                    look.get_pk_constraint(name)["constrained_columns"],
                )
                for name in look.get_table_names()
            }
    finally:
        database.close()


def test_there_is_a_step_from_every_version() -> None:
    assert list(MIGRATIONS) == list(range(1, VERSION))
    assert {"v1-first.db", "v1.db", "v2.db", "v3.db"} <= set(OLD)


def test_an_old_store_has_the_shape_of_a_new_one(
    old: StoreSettings, tmp_path: Path, clock: ManualClock
) -> None:
    new = settings_of(tmp_path / "new")
    with pytest.raises(StoreError, match="start the daemon once"):
        Store.open(old, clock, daemon=False)
    for settings in (old, new):
        Store.open(settings, clock).close()
        Store.open(settings, clock, daemon=False).close()
    assert shape(old) == shape(new)


def test_all_that_an_old_store_holds_is_still_there(old: StoreSettings, clock: ManualClock) -> None:
    begun, over = (
        alert(at, scope=(("team", "t"),), since_ms=60_000, state=state)
        for at, state in ((60_000, "firing"), (65_000, "resolved"))
    )
    suspend, resume = command(60_000), command(90_000, action="resume")
    decisions: list[Decision] = [alert(), begun, over, suspend, resume, refusal()]
    with Store.open(old, clock) as store:
        assert sorted(map(str, store.history.alerts())) == sorted(map(str, [alert(), begun, over]))
        assert store.history.commands() == [resume, suspend]
        assert store.history.refusals() == [refusal()]
        assert store.history.changes() == [change()]
        assert [episode.alert for episode in store.episodes.firing()] == [alert()]
        assert store.journal.floors() == [FloorRow("calls", 3, 77, 60_000)]
        assert store.journal.judged_to_ms() == 90_000
        assert [(e.kind, e.tick_ms) for e in store.journal.read()] == [
            ("ack", 60_000),
            ("manual", 95_000),
        ]
        assert store.outbox.counts() == {
            ("log", "parked"): 1,
            ("log", "queued"): 2,
            ("log", "retry"): 1,
            ("log", "sending"): 1,
            ("telephony", "queued"): 2,
        }
        assert {
            r.alert.episode: r.team for r in store.handled.inbox(Wanted(), before=None, limit=9)
        } == {
            alert().episode: "",
            begun.episode: "t",
        }
        # And it goes on from there.
        assert store.record(Recording(decisions)) == []
        waiting = [timeless(c.action) for c in store.requests.claim(100_000)]
        assert waiting == [manual("waiting")]
        assert [d.decision for d in store.outbox.in_flight("log")] == [suspend]
        (first,) = store.outbox.claim("telephony", limit=9)
        assert first.decision == suspend
        assert store.outbox.next_due_ms("log") == 1_000_000


# --- in PostgreSQL ------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path, database_url: str) -> StoreSettings:
    """A store of version 1, as its first daemon made it."""
    settings = settings_of(tmp_path, database_url)
    open_store(settings, ManualClock()).close()
    database = PostgresDatabase(settings)
    with database.write() as connection:
        connection.execute(text("DROP INDEX outbox_by_due"))
    database.close()
    set_version(settings, 1)
    return settings


def version(settings: StoreSettings) -> int | None:
    database = connect(settings, create=False)
    try:
        with database.read() as connection:
            return stored_version(connection)
    finally:
        database.close()


def test_a_shared_store_is_migrated_by_the_active_daemon_alone(
    shared: StoreSettings, clock: ManualClock
) -> None:
    stale = take_lease(shared)
    token = take_lease(shared)
    with pytest.raises(StoreError, match="start the daemon once"):
        Store.open(shared, clock, daemon=False)
    with pytest.raises(StoreError, match="lease 2 is over"):
        Store.open(shared, clock, token=stale)
    assert version(shared) == 1
    Store.open(shared, clock, token=token).close()
    assert version(shared) == VERSION
    database = connect(shared, create=False)
    with database.read() as connection:
        assert "outbox_by_due" in {i["name"] for i in inspect(connection).get_indexes("outbox")}
    database.close()


def test_a_shared_store_is_migrated_under_the_writers_lock(
    shared: StoreSettings, clock: ManualClock
) -> None:
    impatient = shared.model_copy(update={"busy_timeout": 50})
    token = take_lease(shared)
    other = PostgresDatabase(shared)
    with other.aside() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITER_LOCK})
        with pytest.raises(StoreError, match="another process has held it for too long"):
            Store.open(impatient, clock, token=token)
    other.close()
    assert version(shared) == 1
    Store.open(impatient, clock, token=token).close()
    assert version(shared) == VERSION


def test_a_migration_may_take_longer_than_any_other_statement(
    shared: StoreSettings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(connection: Connection) -> None:
        connection.execute(text("SELECT pg_sleep(0.5)"))

    hurried = shared.model_copy(update={"statement_timeout": 100})
    monkeypatch.setattr(opening, "prepare", partial(prepare, migrations={**MIGRATIONS, 1: slow}))
    Store.open(hurried, clock, token=take_lease(shared)).close()
    assert version(shared) == VERSION


def test_old_and_new_daemons_stand_by_for_each_other(
    shared: StoreSettings, clock: ManualClock
) -> None:
    """The lease is of no version; an old one that gets it afterwards says what is the matter."""
    with Store.open(shared, clock, token=take_lease(shared)) as new:
        new.record(Recording([alert()]))
    set_version(shared, VERSION + 1)
    with pytest.raises(StoreError, match="run the newer program"):
        Store.open(shared, clock, token=take_lease(shared))
    assert version(shared) == VERSION + 1
