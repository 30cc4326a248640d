"""A daemon that has lost the lease, or was paused, can write nothing, by any path."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, inspect, text

from monitor.clock import ManualClock, SystemClock
from monitor.decisions import Decision
from monitor.errors import LeaseLost, StoreError
from monitor.store.checkpoints import open_checkpoints
from monitor.store.journal import NewEntry
from monitor.store.outbox import PlannedDelivery, Settled
from monitor.store.postgres import PostgresDatabase
from monitor.store.schema import DECISIONS, JOURNAL
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.daemon.running import eventually
from tests.store.leases import PATIENCE_S, Make, claims
from tests.store.made import alert, change, command, manual, refusal
from tests.store.stores import expire, settings_of, take_lease
from tests.store.test_processes import start
from tests.store.writer import QUICK, place_of


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> StoreSettings:
    return settings_of(tmp_path, database_url)


@pytest.fixture
def quick(settings: StoreSettings) -> StoreSettings:
    """With a lease of one second."""
    return settings.model_copy(update={"lease": QUICK})


@pytest.fixture
def make(settings: StoreSettings) -> Iterator[Make]:
    with claims(settings) as do:
        yield do


@pytest.fixture
def store(settings: StoreSettings, clock: ManualClock) -> Iterator[Store]:
    with Store.open(settings, clock, token=take_lease(settings)) as opened:
        yield opened


Write = Callable[[Store, int], object]

WRITES: Mapping[str, Write] = {
    "decisions": lambda store, _: store.record(Recording([refusal(90_000)])),
    "audit": lambda store, _: store.record(Recording(changes=[change()])),
    "judged to": lambda store, _: store.record(Recording(judged_to_ms=95_000)),
    "nothing": lambda store, _: store.record(Recording()),
    "journal": lambda store, _: store.journal.append("reload", 95_000, "late"),
    "requests": lambda store, _: store.requests.claim(95_000),
    "journal, withdraw": lambda store, _: store.journal.withdraw(["k"]),
    "numbers kept": lambda store, _: store.kept.save({"kept": "{}"}),
    "request": lambda store, _: store.requests.put(manual("late")),
    "outbox, claim": lambda store, _: store.outbox.claim("log", limit=9),
    "outbox, late": lambda store, _: store.outbox.claim_late("log", before_ms=10**12, limit=9),
    "outbox, settle": lambda store, seq: store.outbox.settle([Settled(seq, "sent")]),
    "outbox, release": lambda store, seq: store.outbox.release([seq]),
    "outbox, requeue": lambda store, seq: store.outbox.parked.requeue([seq]),
    "outbox, abandon": lambda store, _: store.outbox.abandon([]),
    "outbox, reroute": lambda store, _: store.outbox.reroute({"log": "late"}),
    "prune": lambda store, _: store.history.prune(10**15, journal_upto=10**9),
    "schema": lambda store, _: Store.open(store.settings, ManualClock(), token=1),
}


def everything(settings: StoreSettings) -> dict[str, list[Any]]:
    """Every row of every table but the lease's."""
    database = PostgresDatabase(settings)
    try:
        with database.read() as connection:
            names = sorted(set(inspect(connection).get_table_names()) - {"monitor_lease"})
            return {
                name: sorted(connection.execute(text(f'SELECT * FROM "{name}"')).all(), key=str)
                for name in names
            }
    finally:
        database.close()


@pytest.mark.parametrize("path", WRITES)
def test_who_lost_the_lease_writes_nothing(
    settings: StoreSettings, store: Store, path: str
) -> None:
    decisions: list[Decision] = [alert(), command(), refusal()]
    plan = [PlannedDelivery(decision.id, "log", decision.id) for decision in decisions]
    store.record(Recording(decisions, plan, journal=[NewEntry("reload", 60_000, 1, "k")]))
    store.requests.put(manual("waiting"))
    (sending,) = store.outbox.claim("log", limit=1)
    take_lease(settings)
    before = everything(settings)
    assert sum(map(len, before.values())) >= 10
    with pytest.raises(LeaseLost, match=r"this daemon's lease 1 is over: .* is .* \(2\)"):
        WRITES[path](store, sending.seq)
    assert everything(settings) == before
    assert store.history.alerts() == [alert()]  # it may still look


def test_nothing_else_writes_past_the_fence() -> None:
    """``Database.write`` asks for the lease whoever calls it; this is who does not go by it."""
    package = Path(__file__).parents[2] / "monitor"
    texts = {path.name: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    aside = {name: text.count(".aside()") for name, text in texts.items() if ".aside()" in text}
    # The lease itself; and checkpoints, which ask last (tests/store/test_checkpoints.py).
    assert aside == {"lease.py": 3, "checkpoint_rows.py": 1}
    assert texts["checkpoint_rows.py"].count("self._fence(connection)") == 1


def test_a_lease_given_back_ends_its_holders_writes(
    make: Make, settings: StoreSettings, clock: ManualClock
) -> None:
    lease = make("one")
    token = lease.try_acquire()
    with Store.open(settings, clock, token=token) as store:
        lease.release()
        with pytest.raises(LeaseLost, match="the active one is nobody"):
            store.record(Recording([alert()]))


def test_a_takeover_waits_for_a_write_under_way(make: Make, settings: StoreSettings) -> None:
    with Store.open(settings, ManualClock(), token=take_lease(settings)) as store:
        second, took = make("two"), threading.Event()
        assert second.try_acquire() is None  # from here on the row is all that it waits for

        def take() -> None:
            second.acquire(threading.Event())
            took.set()

        taker = threading.Thread(target=take)
        with store._database.write() as connection:
            expire(settings)  # a sign of life waits for no write, and neither does this
            taker.start()
            eventually(lambda: waiting_for_a_lock(settings) > 0, "the takeover waits")
            values = {"kind": "reload", "tick_ms": 1, "payload": "1"}
            connection.execute(insert(JOURNAL).values(values))
            assert not took.is_set()
        assert took.wait(PATIENCE_S)
        taker.join(PATIENCE_S)
        assert store.journal.last_seq() == 1  # it was before the takeover, and is kept
        with pytest.raises(LeaseLost):
            store.record(Recording([alert()]))


def waiting_for_a_lock(settings: StoreSettings) -> int:
    database = PostgresDatabase(settings)
    counted = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    try:
        with database.read() as connection:
            return int(connection.scalar(counted) or 0)
    finally:
        database.close()


def test_a_write_in_the_midst_of_which_its_daemon_was_paused_is_undone(
    make: Make, quick: StoreSettings, clock: ManualClock
) -> None:
    """To the server a process that was stopped is one that says nothing, as this one here."""
    first, second = make("one", quick), make("two", quick)
    with Store.open(quick, clock, token=first.acquire(threading.Event())) as store:
        assert second.try_acquire() is None
        with (  # noqa: PT012 - the error comes when the pause is over
            pytest.raises(StoreError, match=r"paused in the midst of a write|does not answer"),
            store._database.write() as connection,
        ):
            values = {"kind": "reload", "tick_ms": 1, "payload": "1"}
            connection.execute(insert(JOURNAL).values(values))
            assert second.acquire(threading.Event()) == 2
        assert store.journal.read() == []
        with pytest.raises(LeaseLost):
            store.record(Recording([alert()]))


def test_a_daemon_that_was_stopped_and_goes_on_writes_nothing(
    make: Make, quick: StoreSettings
) -> None:
    old = start("hold", place_of(quick))
    assert old.stdout is not None
    try:
        for _ in range(3):
            old.stdout.readline()
        old.send_signal(signal.SIGSTOP)
        token = make("two", quick).acquire(threading.Event())
        assert token == 2
        with Store.open(quick, SystemClock(), token=token) as store:
            kept = len(store.history.alerts(limit=100_000))
            store.record(Recording([alert(rule="token-2")]))
            old.send_signal(signal.SIGCONT)
            said = old.stdout.read().splitlines()
            assert old.wait(PATIENCE_S) == 0
            assert said[-1].startswith(("LeaseLost: ", "StoreError: ", "StoreAway: "))
            assert max(map(int, said[:-1]), default=3) <= kept
            assert len(store.history.alerts(limit=100_000)) == kept + 1
            assert store.history.alerts(rule="token-2") == [alert(rule="token-2")]
    finally:
        old.kill()
        old.wait(PATIENCE_S)
        old.stdout.close()


def test_several_stand_by_and_each_decision_is_one_daemons(
    settings: StoreSettings, clock: ManualClock
) -> None:
    """Ten changes of the active daemon: decisions of each, none of one that had lost the lease."""
    stores: list[Store] = []
    for turn in range(10):
        stores.append(Store.open(settings, clock, token=take_lease(settings)))
        for index, store in enumerate(stores):
            row = alert((turn * 10 + index + 1) * 5_000, rule=f"by-{index}")
            if index == turn:
                assert store.record(Recording([row])) == [row]
            else:
                with pytest.raises(LeaseLost):
                    store.record(Recording([row]))
    with stores[-1]._database.read() as connection:
        rules = connection.execute(DECISIONS.select().order_by(DECISIONS.c.seq)).all()
    assert [row.rule for row in rules] == [f"by-{index}" for index in range(10)]
    for store in stores:
        store.close()


def test_checkpoints_follow_the_lease(settings: StoreSettings) -> None:
    old = open_checkpoints(settings, token=take_lease(settings))
    old.save({"by": 1})
    new = open_checkpoints(settings, token=take_lease(settings))
    with pytest.raises(LeaseLost):
        old.save({"by": 1, "late": True})
    assert new.load() == {"by": 1}
    for opened in (old, new):
        opened.close()
