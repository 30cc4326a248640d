"""Other processes: killed in the middle, and writing beside us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.store.checkpoints import open_checkpoints
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.store.stores import open_store, take_lease
from tests.store.writer import CHECKPOINT_NUMBERS, DECISIONS_EACH, place_of

ROOT = Path(__file__).parents[2]


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def kill_after(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Read ``lines`` lines, kill -9, and return all that was said before death."""
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return [line.strip() for line in said if line.strip()]


def test_kill_9_loses_nothing_that_was_acknowledged_and_keeps_no_half(
    settings: StoreSettings, clock: ManualClock
) -> None:
    for lines in (1, 7, 23):
        acknowledged = int(kill_after(start("record", place_of(settings)), lines)[-1])
        with open_store(settings, clock) as store:
            whole = store.journal.last_seq()
            assert acknowledged <= whole <= acknowledged + 1
            assert len(store.history.alerts(limit=100_000)) == whole * DECISIONS_EACH
            assert store.outbox.counts() == {("log", "queued"): whole * DECISIONS_EACH}
            assert len(store.episodes.firing()) == whole * DECISIONS_EACH


def test_kill_9_inside_a_transaction_leaves_nothing_of_it(
    settings: StoreSettings, clock: ManualClock
) -> None:
    with open_store(settings, clock) as store:
        store.journal.append("reload", 0, "kept")
    kill_after(start("half", place_of(settings)), 1)
    with open_store(settings, clock) as store:
        assert [entry.payload for entry in store.journal.read()] == ["kept"]
        store.journal.append("reload", 0, "after")


def test_requests_of_several_processes_are_each_claimed_once(store: Store) -> None:
    names, each = ("a", "b", "c"), 30
    writers = [start("request", place_of(store.settings), name, str(each)) for name in names]
    claimed: list[str] = []
    tick = 0
    while any(writer.poll() is None for writer in writers):
        tick += 5_000
        claimed += [claim.action.id for claim in store.requests.claim(tick)]
    for writer in writers:
        out, _ = writer.communicate()
        assert (writer.returncode, out) == (0, "done\n")
    while more := store.requests.claim(tick + 5_000):
        claimed += [claim.action.id for claim in more]
    assert sorted(claimed) == sorted(f"{name}-{n}" for name in names for n in range(each))
    assert [entry.payload["id"] for entry in store.journal.read()] == claimed
    for name in names:  # each process's requests in its own order
        own = [action for action in claimed if action.startswith(name)]
        assert own == [f"{name}-{n}" for n in range(each)]


@pytest.mark.parametrize("lines", [1, 4])
def test_kill_9_while_saving_leaves_the_last_checkpoint(
    settings: StoreSettings, lines: int
) -> None:
    where = str(settings.checkpoints) if settings.url is None else place_of(settings)
    acknowledged = int(kill_after(start("checkpoint", where), lines)[-1])
    token = None if settings.url is None else take_lease(settings)
    with closing(open_checkpoints(settings, token=token)) as checkpoints:
        state = checkpoints.load()
        assert state is not None
        assert acknowledged <= state["number"] <= acknowledged + 1
        assert state["all"] == list(range(state["number"], CHECKPOINT_NUMBERS))
        assert checkpoints.save(state).written > 0
