"""Programs that tests run in other processes, to kill them or to write beside us.

``python -m tests.store.writer COMMAND STORE …``; a store is a path, or the address of a database.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import SecretStr
from sqlalchemy import insert

from monitor.clock import SystemClock
from monitor.errors import StoreError
from monitor.secret import Secret
from monitor.store.checkpoint import Checkpoints, CheckpointStore
from monitor.store.checkpoints import open_checkpoints
from monitor.store.journal import NewEntry
from monitor.store.lease import Lease
from monitor.store.outbox import PlannedDelivery
from monitor.store.schema import JOURNAL
from monitor.store.settings import LeaseSettings, StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import alert, manual
from tests.store.stores import open_store, take_lease

DECISIONS_EACH = 20
CHECKPOINT_NUMBERS = 300_000
QUICK = LeaseSettings.model_validate({"duration": "1s", "renew": "200ms", "poll": "50ms"})


def say(text: object) -> None:
    """One line, at once: the parent waits for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def settings_at(place: str) -> StoreSettings:
    """The settings of the store at a path or an address."""
    if "://" in place:
        return StoreSettings(url=Secret(value=SecretStr(place)))
    return StoreSettings(path=Path(place))


def place_of(settings: StoreSettings) -> str:
    """The same, the other way round."""
    return str(settings.path) if settings.url is None else settings.url.reveal()


def record(place: str) -> None:
    """Record outcomes for ever; say the number of each once it is durable."""
    store = open_store(settings_at(place), SystemClock())
    number = store.journal.last_seq()
    while True:
        number += 1
        decisions = [
            alert(number * 60_000, scope=(("team", f"t{n}"),)) for n in range(DECISIONS_EACH)
        ]
        plan = [PlannedDelivery(decision.id, "log", decision.id) for decision in decisions]
        store.record(
            Recording(decisions, plan, journal=[NewEntry("reload", number * 60_000, number)])
        )
        say(number)


def hold(place: str) -> None:
    """Be the active daemon and record until the lease is lost; say each, and at last why."""
    settings = settings_at(place).model_copy(update={"lease": QUICK})
    lease, clock = Lease(settings, SystemClock()), SystemClock()
    token = lease.acquire(threading.Event())
    with lease.kept(lambda: None), Store.open(settings, clock, token=token) as store:
        number = 0
        try:
            while True:
                number += 1
                store.record(Recording([alert(number * 60_000, rule=f"token-{token}")]))
                say(number)
        except StoreError as error:
            say(f"{type(error).__name__}: {error}")


def stop_half_way(place: str) -> None:
    """Leave a transaction open with rows written and wait to be killed."""
    store = open_store(settings_at(place), SystemClock())
    with store._database.write() as connection:
        for n in range(5_000):  # more than SQLite's page cache holds back
            values = {"kind": "reload", "tick_ms": n, "payload": f'"{"x" * 1000}"'}
            connection.execute(insert(JOURNAL).values(values))
        say("half way")
        time.sleep(600)


def request(place: str, name: str, count: str) -> None:
    """Put manual actions as the command line does."""
    with Store.open(settings_at(place), SystemClock(), daemon=False) as store:
        for n in range(int(count)):
            store.requests.put(manual(f"{name}-{n}"))
    say("done")


def checkpoint(place: str) -> None:
    """Save checkpoints for ever; say the number of each once it is durable."""
    if "://" in place:
        settings = settings_at(place)
        checkpoints: CheckpointStore = open_checkpoints(settings, token=take_lease(settings))
    else:
        checkpoints = Checkpoints(Path(place))
    number = (checkpoints.load() or {"number": 0})["number"]
    while True:
        number += 1
        checkpoints.save({"number": number, "all": list(range(number, CHECKPOINT_NUMBERS))})
        say(number)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    command, place, *rest = sys.argv[1:]
    programs: dict[str, Callable[..., None]] = {
        "record": record,
        "half": stop_half_way,
        "request": request,
        "checkpoint": checkpoint,
        "hold": hold,
    }
    programs[command](place, *rest)
