"""Programs that tests run in other processes, to kill them or to write beside us.

``python -m tests.store.writer COMMAND STORE …``
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from monitor.clock import SystemClock
from monitor.store.checkpoint import Checkpoints
from monitor.store.journal import NewEntry
from monitor.store.outbox import PlannedDelivery
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import alert, manual

DECISIONS_EACH = 20
CHECKPOINT_NUMBERS = 300_000


def say(text: object) -> None:
    """One line, at once: the parent waits for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def record(path: Path) -> None:
    """Record outcomes for ever; say the number of each once it is durable."""
    store = Store.open(StoreSettings(path=path), SystemClock())
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


def stop_half_way(path: Path) -> None:
    """Leave a transaction open with rows written and wait to be killed."""
    store = Store.open(StoreSettings(path=path), SystemClock())
    with store._database.write() as connection:
        for n in range(5_000):  # more than the page cache holds back
            connection.exec_driver_sql(
                "INSERT INTO journal (kind, tick_ms, payload) VALUES ('reload', ?, ?)",
                (n, f'"{"x" * 1000}"'),
            )
        say("half way")
        time.sleep(600)


def request(path: Path, name: str, count: str) -> None:
    """Put manual actions as the command line does."""
    with Store.open(StoreSettings(path=path), SystemClock(), daemon=False) as store:
        for n in range(int(count)):
            store.requests.put(manual(f"{name}-{n}"))
    say("done")


def checkpoint(path: Path) -> None:
    """Save checkpoints for ever; say the number of each once it is durable."""
    checkpoints = Checkpoints(path)
    number = (checkpoints.load() or {"number": 0})["number"]
    while True:
        number += 1
        checkpoints.save({"number": number, "all": list(range(number, CHECKPOINT_NUMBERS))})
        say(number)


if __name__ == "__main__":
    command, place, *rest = sys.argv[1:]
    programs: dict[str, Callable[..., None]] = {
        "record": record,
        "half": stop_half_way,
        "request": request,
        "checkpoint": checkpoint,
    }
    programs[command](Path(place), *rest)
