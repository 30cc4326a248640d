"""The store in PostgreSQL: durability, restarts, every wait has an end, faults in plain words."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select, text
from structlog.testing import capture_logs

from monitor.clock import ManualClock, SystemClock
from monitor.errors import LeaseLost, StoreAway, StoreError
from monitor.store.journal import NewEntry
from monitor.store.label import LONGEST, fitting
from monitor.store.lease import Lease
from monitor.store.outbox import PlannedDelivery
from monitor.store.patience import Silence, with_patience
from monitor.store.postgres import PostgresDatabase
from monitor.store.schema import DECISIONS
from monitor.store.settings import LeaseSettings, StoreSettings
from monitor.store.store import Recording, Store
from tests.postgres import Server
from tests.store.addresses import at, query
from tests.store.made import alert, command, manual, refusal
from tests.store.proxy import Proxy, proxied
from tests.store.stores import settings_of, take_lease
from tests.store.writer import QUICK


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> StoreSettings:
    return settings_of(tmp_path, database_url)


def test_commits_are_synced_and_every_wait_has_an_end(store: Store) -> None:
    with store._database.write() as connection:
        shown = {
            name: connection.scalar(text(f"SHOW {name}"))
            for name in (
                "synchronous_commit",
                "fsync",
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "transaction_isolation",
            )
        }
    assert shown == {
        "synchronous_commit": "on",
        "fsync": "on",
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "5s",
        "transaction_isolation": "read committed",
    }
    with store._database.read() as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "repeatable read"


def test_a_user_or_database_of_another_mind_is_overruled(
    settings: StoreSettings, clock: ManualClock
) -> None:
    database = make_url(settings.url.reveal()).database if settings.url else ""
    query(settings, f'ALTER DATABASE "{database}" SET synchronous_commit = off')
    query(
        settings,
        f"ALTER DATABASE \"{database}\" SET default_transaction_isolation = 'serializable'",
    )
    with Store.open(settings, clock, token=take_lease(settings)) as store:
        with store._database.write() as connection:
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"
            assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
        assert store.record(Recording([alert()])) == [alert()]


def test_a_server_that_restarts_costs_one_refusal_and_nothing_that_was_kept(
    store: Store, own_postgres: Server
) -> None:
    store.record(Recording([alert()]))
    with store._database.read(), store._database.read():
        pass  # several connections are in the pool, and all of them break
    for mode in ("fast", "immediate"):
        own_postgres.stop(mode)
        try:
            with pytest.raises(StoreAway, match=r"^store postgresql://127\.0\.0\.1:\d+/"):
                store.record(Recording([command()]))
            with pytest.raises(StoreAway, match="it does not answer"):
                store.history.alerts()
        finally:
            own_postgres.start()
        assert store.history.alerts() == [alert()]
    assert store.record(Recording([command()])) == [command()]
    assert store.record(Recording([command()])) == []


def test_a_connection_that_breaks_in_the_midst_leaves_nothing(
    settings: StoreSettings, store: Store
) -> None:
    def break_all() -> None:
        end_others = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        query(settings, end_others)

    with (  # noqa: PT012 - the error comes at the end of the block
        pytest.raises(StoreError, match=r"shutting down|does not answer"),
        store._database.write() as connection,
    ):
        connection.execute(
            DECISIONS.insert().values(
                id="x", at_ms=1, kind="k", rule="r", episode="e", shadow=False, body="{}"
            )
        )
        break_all()
    assert store.history.decision("x") is None
    assert store.record(Recording([alert()])) == [alert()]


@pytest.fixture
def proxy(settings: StoreSettings) -> Iterator[Proxy]:
    assert settings.url is not None
    url = make_url(settings.url.reveal())
    with proxied(url.host or "127.0.0.1", url.port or 5432) as running:
        yield running


def test_an_answer_that_is_lost_on_the_way_is_not_waited_for(
    settings: StoreSettings, clock: ManualClock, proxy: Proxy
) -> None:
    """No packet is refused and no connection closed: only the silence tells."""
    far = at(settings, host="127.0.0.1", port=proxy.port).model_copy(
        update={"statement_timeout": 500, "connect_timeout": 2_000}
    )
    with Store.open(far, clock, token=take_lease(settings)) as store:
        store.record(Recording([alert()]))
        proxy.swallow()
        with pytest.raises(StoreError, match=r"does not answer \(nothing was heard for 2\.5 s\)"):
            store.record(Recording([command()]))
        with pytest.raises(StoreError, match="it does not answer"):  # a new connection
            store.history.alerts()
        proxy.pass_on()
        assert store.record(Recording([command()])) == [command()]
        assert store.history.alerts() == [alert()]


def test_an_answer_that_comes_slowly_is_waited_for(settings: StoreSettings) -> None:
    """Each row fills the server's buffer, and is heard of by itself."""
    assert settings.url is not None
    slowly = "SELECT pg_sleep(0.2), repeat('x', 20000) FROM generate_series(1, 6)"
    with with_patience(0.7).connect(settings.url.reveal()) as connection:
        assert len(connection.execute(slowly).fetchall()) == 6
        with pytest.raises(Silence, match="nothing was heard for 0"):
            connection.execute("SELECT pg_sleep(60)")
        assert connection.closed


def test_nor_is_it_waited_for_long_by_whoever_is_in_a_hurry(settings: StoreSettings) -> None:
    assert settings.url is not None
    with (
        with_patience(60.0, lambda: True).connect(settings.url.reveal()) as connection,
        pytest.raises(Silence, match="nothing was heard for 1 s"),
    ):
        connection.execute("SELECT pg_sleep(60)")


def test_nor_is_a_connection_and_what_was_silent_is_asked_shortly() -> None:
    """``connect_timeout`` may be minutes."""
    hurry = threading.Event()
    kind = with_patience(60.0, hurry.is_set)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        options = {"host": "127.0.0.1", "port": deaf.getsockname()[1], "connect_timeout": 60}
        threading.Timer(0.3, hurry.set).start()
        with pytest.raises(psycopg.Error, match="nothing was heard for 1 s"):
            kind.connect(**options)
        for _ in range(2):
            with pytest.raises(psycopg.Error, match=r"nothing was heard for 0\.2 s"):
                kind.connect(**options)


def test_a_silence_is_over_with_the_next_answer(settings: StoreSettings) -> None:
    assert settings.url is not None
    kind = with_patience(60.0, lambda: True)
    kind.gone = True
    with kind.connect(settings.url.reveal()) as connection:
        connection.execute("SELECT pg_sleep(0.5)")


def test_a_lease_whose_holder_was_not_heard_is_not_given_back(
    settings: StoreSettings, clock: ManualClock, proxy: Proxy
) -> None:
    """Who ends need not wait a second time; it runs out by itself."""
    hurry = threading.Event()
    far = at(settings, host="127.0.0.1", port=proxy.port)
    lease = Lease(far, clock, holder="cut off", hurry=hurry.is_set)
    lease.try_acquire()
    with lease.kept(lambda: None):
        pass
    proxy.swallow()
    hurry.set()
    with pytest.raises(StoreError, match="nothing was heard for 1 s"):
        lease.renew()
    with capture_logs() as logs:
        lease.release()
    assert logs == []
    lease.close()
    other = Lease(settings, clock)
    standing = other.standing()
    assert standing is not None
    assert standing.holder == "cut off"
    other.close()


def test_a_holder_that_is_cut_off_is_followed_by_another(
    settings: StoreSettings, clock: ManualClock, proxy: Proxy
) -> None:
    quick = settings.model_copy(update={"lease": QUICK, "connect_timeout": 2_000})
    cut_off = Lease(at(quick, host="127.0.0.1", port=proxy.port), clock, holder="cut off")
    other = Lease(quick, SystemClock(), holder="other")
    token = cut_off.try_acquire()
    far = at(quick, host="127.0.0.1", port=proxy.port)
    with Store.open(far, clock, token=token) as store:
        proxy.swallow()
        with pytest.raises(StoreError, match="nothing was heard for 3 s"):
            cut_off.renew()
        assert other.acquire(threading.Event()) == 2
        proxy.pass_on()
        with pytest.raises(LeaseLost):
            cut_off.renew()
        with contextlib.suppress(StoreError):
            store.record(Recording([alert()]))  # over a connection that may be half dead
        with pytest.raises(LeaseLost):
            store.record(Recording([alert()]))
        assert store.history.alerts() == []
    for lease in (cut_off, other):
        lease.close()


def test_a_lease_outlives_a_restart_of_the_server(
    settings: StoreSettings, clock: ManualClock, own_postgres: Server
) -> None:
    lease = Lease(settings, clock)
    token = lease.try_acquire()
    own_postgres.stop("immediate")
    with pytest.raises(StoreError, match="it does not answer") as refused:
        lease.renew()
    assert not isinstance(refused.value, LeaseLost)
    own_postgres.start()
    lease.renew()
    assert lease.token == token
    lease.release()
    lease.close()


def test_a_stand_by_goes_on_asking_a_server_that_is_away(
    settings: StoreSettings, own_postgres: Server
) -> None:
    class BringsItBack(ManualClock):
        def wait(self, event: threading.Event, timeout_s: float) -> bool:
            if self.now_ms() == 0:
                own_postgres.start()
            return super().wait(event, timeout_s)

    own_postgres.stop("immediate")
    lease = Lease(settings, BringsItBack(0))
    with capture_logs() as logs:
        assert lease.acquire(threading.Event()) == 1
    assert [line["event"] for line in logs] == ["lease_unavailable", "lease_taken"]
    lease.close()


def test_another_process_holds_it_too_long(settings: StoreSettings, clock: ManualClock) -> None:
    impatient = settings.model_copy(update={"busy_timeout": 50})
    other = PostgresDatabase(settings)
    with Store.open(impatient, clock, token=take_lease(settings)) as store:
        with (
            other.write(),
            pytest.raises(StoreError, match="another process has held it for too long"),
        ):
            store.record(Recording([alert()]))
        assert store.record(Recording([alert()])) == [alert()]
    other.close()


def test_a_statement_that_takes_too_long_is_ended(settings: StoreSettings) -> None:
    database = PostgresDatabase(settings.model_copy(update={"statement_timeout": 50}))
    with (
        pytest.raises(StoreError, match=r"longer than store\.statement_timeout"),
        database.read() as connection,
    ):
        connection.execute(text("SELECT pg_sleep(60)"))
    database.close()


def test_no_connection_is_free(settings: StoreSettings) -> None:
    few = PostgresDatabase(settings.model_copy(update={"busy_timeout": 50}), connections=1)
    with (
        few.read(),
        pytest.raises(StoreError, match="every connection is in use"),
        few.read(),
    ):
        pass
    few.close()


# --- texts from outside -------------------------------------------------------------------------


def test_a_text_that_postgresql_cannot_keep_stops_no_decision(store: Store) -> None:
    odd = ["a\x00b", "长" * 5_000, "é" * (LONGEST + 1), "", "plain"]
    decisions = [
        command((n + 1) * 5_000, number=number, rule=f"r{number}"[:40])
        for n, number in enumerate(odd)
    ]
    plan = [PlannedDelivery(d.id, "hook", d.number) for d in decisions]
    key = "ack:" + "x\x00" * 3_000
    recording = Recording(decisions, plan, journal=[NewEntry("ack", 5_000, odd, key)])
    assert store.record(recording) == decisions
    assert store.record(recording) == []
    for decision in decisions:
        assert store.history.commands(number=decision.number) == [decision]
    assert {c.number for c in store.history.last_commands().values()} == set(odd)
    assert [d.decision for d in store.outbox.claim("hook", limit=9)] == decisions
    assert [entry.payload for entry in store.journal.read()] == [odd]


def test_labels_that_differ_stay_different() -> None:
    long = "x" * 10_000
    assert fitting(long) == fitting(long)
    assert fitting(long + "a") != fitting(long + "b")
    assert len(fitting(long)) <= LONGEST
    assert fitting("x" * LONGEST) == "x" * LONGEST
    assert fitting("x" * (LONGEST + 1)) != "x" * (LONGEST + 1)


def test_texts_are_sorted_by_their_code_points(store: Store) -> None:
    names = ["b", "B", "a", "é", "Z", "_"]
    store.record(Recording([refusal(n, id=name) for n, name in enumerate(names)]))
    with store._database.read() as connection:
        found = list(connection.scalars(select(DECISIONS.c.id).order_by(DECISIONS.c.id)))
    assert found == sorted(names)


# --- several processes --------------------------------------------------------------------------


def test_a_limit_holds_however_many_ask_at_once(
    settings: StoreSettings, clock: ManualClock
) -> None:
    """What a transaction has read cannot change before it writes."""
    tight = settings.model_copy(update={"max_requests": 5})
    Store.open(tight, clock, token=take_lease(settings)).close()
    askers = [Store.open(tight, clock, daemon=False) for _ in range(4)]
    gate, refused = threading.Barrier(len(askers)), []

    def ask(store: Store, name: int) -> None:
        gate.wait()
        for n in range(4):
            try:
                store.requests.put(manual(f"{name}-{n}"))
            except Exception as error:  # noqa: BLE001 - counted, and looked at
                refused.append(error)

    threads = [
        threading.Thread(target=ask, args=(store, name)) for name, store in enumerate(askers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error).__name__ for error in refused] == ["BackPressure"] * 11
    for store in askers:
        store.close()
    with Store.open(tight, clock, token=take_lease(settings)) as daemon:
        claimed = daemon.requests.claim(5_000)
    assert len(claimed) == 5


def test_a_lease_is_renewed_three_times_at_least() -> None:
    with pytest.raises(ValueError, match="more than a third"):
        LeaseSettings.model_validate({"duration": "3s", "renew": "1001ms"})
    LeaseSettings.model_validate({"duration": "3s", "renew": "1s"})
