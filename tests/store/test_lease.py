"""One active daemon of several: who gets the lease, keeps it, gives it back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.errors import LeaseLost, StoreError, StoreRefused
from monitor.store.lease import Lease
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.daemon.running import eventually
from tests.store.addresses import at, query
from tests.store.leases import PATIENCE_S, Make, claims, standing
from tests.store.made import manual, timeless
from tests.store.stores import expire, settings_of, take_lease
from tests.store.writer import QUICK


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


def test_the_first_gets_it_and_the_second_stands_by(make: Make) -> None:
    first, second = make("one"), make("two")
    assert first.standing() is None
    assert first.try_acquire() == 1
    assert second.try_acquire() is None
    found = standing(second)
    assert (found.holder, found.token) == ("one", 1)
    assert 0 < found.left_ms <= 5_000
    assert 0 <= found.silent_ms < 5_000
    assert second.token is None


def test_a_lease_given_back_is_taken_at_once_with_the_next_token(make: Make) -> None:
    first, second = make("one"), make("two")
    first.try_acquire()
    first.release()
    first.release()
    assert standing(second).holder is None
    assert second.try_acquire() == 2
    first.release()  # no longer its own to give back
    assert standing(second).holder == "two"


def test_one_that_ran_out_is_its_holders_until_another_takes_it(
    make: Make, settings: StoreSettings
) -> None:
    first, second = make("one"), make("two")
    first.try_acquire()
    expire(settings)
    assert standing(second).left_ms <= 0
    first.renew()
    assert second.try_acquire() is None
    expire(settings)
    assert second.try_acquire() == 2
    with pytest.raises(LeaseLost, match="is another daemon's"):
        first.renew()
    assert first.token is None
    with pytest.raises(LeaseLost):
        first.renew()
    second.renew()


def test_the_holder_itself_gets_a_new_token_when_it_asks_again(
    make: Make, settings: StoreSettings
) -> None:
    lease = make("one")
    lease.try_acquire()
    assert lease.try_acquire() is None  # it may have been somebody else of that name
    expire(settings)
    assert lease.try_acquire() == 2


def test_no_clock_of_a_daemon_matters(make: Make, settings: StoreSettings) -> None:
    past, future = make("past", clock=ManualClock(0)), make("future", clock=ManualClock(10**15))
    assert past.try_acquire() == 1
    assert future.try_acquire() is None
    past.renew()
    expire(settings)
    assert future.try_acquire() == 2
    assert past.try_acquire() is None


def test_leases_of_other_names_are_others(make: Make, settings: StoreSettings) -> None:
    other = settings.model_copy(
        update={"lease": settings.lease.model_copy(update={"name": "north"})}
    )
    assert make("one").try_acquire() == 1
    assert make("two", other).try_acquire() == 1


def test_of_many_that_ask_at_once_one_gets_it(make: Make) -> None:
    leases = [make(f"n{n}") for n in range(6)]
    got: list[int | None] = []
    gate = threading.Barrier(len(leases))

    def ask(lease: Lease) -> None:
        gate.wait()
        got.append(lease.try_acquire())

    threads = [threading.Thread(target=ask, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(got, key=str) == [1, None, None, None, None, None]


def test_a_stand_by_waits_until_told_to_stop(make: Make) -> None:
    make("one").try_acquire()
    stop = threading.Event()

    class Counting(ManualClock):
        looks = 0

        def wait(self, event: threading.Event, timeout_s: float) -> bool:
            self.looks += 1
            if self.looks == 3:
                stop.set()
            return super().wait(event, timeout_s)

    clock = Counting()
    with capture_logs() as logs:
        assert make("two", clock=clock).acquire(stop) is None
    assert clock.looks == 3
    assert [line["event"] for line in logs] == ["standing_by"]  # said once
    assert logs[0]["holder"] == "one"


def test_a_stand_by_takes_over_when_the_active_one_is_silent(
    make: Make, quick: StoreSettings
) -> None:
    first, second = make("one", quick), make("two", quick)
    first.try_acquire()
    began = time.monotonic()
    assert second.acquire(threading.Event()) == 2
    assert time.monotonic() - began < PATIENCE_S
    assert standing(second).holder == "two"


def test_signs_of_life_keep_it_and_their_end_is_told_once(make: Make, quick: StoreSettings) -> None:
    first, second = make("one", quick), make("two", quick)
    first.try_acquire()
    lost = threading.Event()
    with first.kept(lost.set):
        began = standing(second)
        eventually(lambda: standing(second).left_ms > began.left_ms, "a sign of life")
        # Three times its length, and it is still the first one's.
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert second.try_acquire() is None
        with capture_logs() as logs:
            expire(quick)
            while second.try_acquire() is None:  # a sign of life may come between
                expire(quick)
            assert lost.wait(PATIENCE_S)
        assert "lease_lost" in [line["event"] for line in logs]
    assert standing(second).holder == "two"


def test_a_daemon_needs_the_lease(settings: StoreSettings, clock: ManualClock) -> None:
    with pytest.raises(StoreError, match="needs the token of the lease"):
        Store.open(settings, clock)
    with pytest.raises(StoreError, match="needs the token of the lease"):
        Store.open(settings.model_copy(update={"url": None}), clock, token=1)
    token = take_lease(settings)
    with pytest.raises(LeaseLost):
        Store.open(settings, clock, token=token - 1)
    Store.open(settings, clock, token=token).close()


def test_the_command_line_needs_none(
    settings: StoreSettings, store: Store, clock: ManualClock
) -> None:
    with Store.open(settings, clock, daemon=False) as other:
        other.requests.put(manual())
    assert [timeless(claim.action) for claim in store.requests.claim(5_000)] == [manual()]


def test_a_database_that_will_never_let_us_in_is_not_waited_for(
    make: Make, settings: StoreSettings
) -> None:
    for wrong in (at(settings, password="wrong"), at(settings, database="none")):
        with pytest.raises(StoreRefused, match=r"login was refused|no such database"):
            make("one", wrong).acquire(threading.Event())


def test_one_that_has_let_us_in_before_is(make: Make, settings: StoreSettings) -> None:
    """A password may be changed on the server first and here later."""
    query(settings, "CREATE ROLE fickle SUPERUSER LOGIN PASSWORD 'first'")
    try:
        fickle = at(settings, username="fickle", password="first")
        stop = threading.Event()

        class ChangesItBack(ManualClock):
            def wait(self, event: threading.Event, timeout_s: float) -> bool:
                if self.now_ms() > 0:
                    query(settings, "ALTER ROLE fickle PASSWORD 'first'")
                return super().wait(event, timeout_s)

        lease = make("one", fickle, ChangesItBack(0))
        lease.try_acquire()
        lease.release()
        lease.close()  # the next look is over a new connection
        query(settings, "ALTER ROLE fickle PASSWORD 'second'")
        with capture_logs() as logs:
            assert lease.acquire(stop) == 2
        assert [line["event"] for line in logs] == ["lease_unavailable", "lease_taken"]
        assert "login was refused" in logs[0]["detail"]
        lease.close()
    finally:
        query(settings, "REASSIGN OWNED BY fickle TO CURRENT_USER")
        query(settings, "DROP OWNED BY fickle; DROP ROLE fickle")
