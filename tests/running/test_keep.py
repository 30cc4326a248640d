"""A checkpoint is written beside the engine; what follows from it waits until it is durable."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.errors import CheckpointError, LeaseLost, StoreError
from monitor.running import keep
from monitor.running.beside import ThreadBeside
from monitor.running.keep import Keeper
from monitor.running.parts import Parts, Progress
from monitor.running.rebuild import SEEN_EVERY_MS
from monitor.running.standing import Standing
from monitor.sealed import Later
from monitor.site import load_site
from monitor.stats import Stats
from monitor.store.checkpoint import Saved
from tests.faults.beside import SteppedBeside

EVERY_S = 5.0


class Bench:
    """A keeper over parts of which nothing is real but what it decides by."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.beside = SteppedBeside()
        self.progress = Progress(journal_seq=3, journal_kept=2)
        self.stats = Stats()
        self.judged, self.swept = 1_000_000, 0
        self.retired: dict[str, dict[str, str]] = {}
        self.seq = 10
        self.holds_s = self.takes_s = 0.0
        self.fault: Exception | None = None
        self.kept_fault: Exception | None = None
        self.behind = False
        self.is_calm = True
        self.written: list[dict[str, Any]] = []
        self.kept: list[dict[str, str]] = []
        self.durable: list[Saved] = []
        self.waiting_inputs = False
        found: Any = SimpleNamespace(
            clock=self.clock,
            beside=self.beside,
            progress=self.progress,
            stats=self.stats,
            site=load_site(None),
            engine=self,
            recorder=SimpleNamespace(all_stored=lambda: not self.behind),
            telephony=SimpleNamespace(acks=SimpleNamespace(positions=dict)),
            checkpoints=SimpleNamespace(save=self._save),
            store=SimpleNamespace(
                journal=SimpleNamespace(last_seq=lambda: self.seq),
                kept=SimpleNamespace(save=self._keep),
                history=SimpleNamespace(prune=lambda *_, **__: 0),
            ),
        )
        self.parts = cast("Parts", found)
        standing: Any = SimpleNamespace(
            tolerating=Standing.tolerating.__get__(SimpleNamespace(_refused={})),
            checkpointed=self.durable.append,
        )
        self.keeper = Keeper(self.parts, cast("Standing", standing))

    def is_writing(self) -> bool:
        """A checkpoint is being written."""
        return self.beside.busy

    def calm(self) -> bool:
        return self.is_calm

    def snapshot(self) -> dict[str, Any]:
        self.clock.advance(round(self.holds_s * 1_000))
        desk = {
            "swept_ms": self.swept,
            "book": {"seen": [], "overflowed": 0, "retired": self.retired},
            "ledger": {"records": Later([]), "ordinal_floor": 0},
        }
        return {"judged": self.judged, "desk": desk}

    def after(self, seconds: float) -> None:
        self.clock.advance(round(seconds * 1_000))
        self.keeper.keep_when_due()

    def _save(self, state: dict[str, Any]) -> Saved:
        self.clock.advance(round(self.takes_s * 1_000))
        if self.fault is not None:
            raise self.fault
        self.written.append(state)
        return Saved(1, 2)

    def _keep(self, texts: dict[str, str]) -> None:
        if self.kept_fault is not None:
            raise self.kept_fault
        self.kept.append(texts)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_follows_before_it_is_durable(bench: Bench) -> None:
    bench.after(0)
    assert bench.beside.busy
    before = (bench.progress.journal_kept, bench.progress.journal_seq)
    bench.seq = 99
    bench.after(1)
    assert (before, bench.durable, bench.kept) == ((2, 3), [], [])
    bench.beside.step()
    assert (bench.progress.journal_seq, bench.durable) == (3, []), "the engine has not heard yet"
    bench.after(1)
    assert (bench.progress.journal_kept, bench.progress.journal_seq) == (3, 10)
    assert bench.durable == [Saved(1, 2)]
    assert list(bench.kept[0]) == ["kept", "kept_seen"]
    assert bench.stats.checkpoints == 1


def test_one_at_a_time_and_the_delay_is_counted_once(bench: Bench) -> None:
    bench.after(0)
    bench.after(EVERY_S)
    bench.after(1)
    assert bench.stats.checkpoints_delayed == 1
    assert bench.stats.checkpoint_hold.counts[0] == 1, "no second picture was taken"
    bench.beside.step()
    bench.takes_s = 0.0
    bench.after(10)
    assert bench.beside.busy, "the next one begins once the first is over"
    assert bench.stats.checkpoints == 1
    bench.after(EVERY_S)
    assert bench.stats.checkpoints_delayed == 2


@pytest.mark.parametrize("fault", [StoreError("full"), CheckpointError("a set")])
def test_an_error_is_told_once_and_it_is_tried_again(bench: Bench, fault: Exception) -> None:
    bench.fault = fault
    with capture_logs() as logs:
        for _ in range(3):
            bench.after(EVERY_S)
            bench.beside.step()
            bench.after(0)
    assert [(line["event"], line["detail"]) for line in logs] == [("store_refuses", str(fault))]
    assert (bench.progress.journal_kept, bench.progress.journal_seq) == (2, 3)
    assert (bench.kept, bench.durable, bench.stats.checkpoints) == ([], [], 0)
    bench.fault = None
    with capture_logs() as logs:
        bench.keeper.checkpoint()
    assert [line["event"] for line in logs] == ["store_accepts_again"]
    assert bench.stats.checkpoints == 1


def test_a_journal_that_cannot_be_read_is_an_error_of_the_same_kind(bench: Bench) -> None:
    def locked() -> int:
        raise StoreError("locked")

    bench.parts.store.journal.last_seq = locked  # type: ignore[method-assign]
    with capture_logs() as logs:
        bench.keeper.checkpoint()
    assert [line["detail"] for line in logs] == ["locked"]
    assert bench.written == []


def test_a_lease_that_is_lost_ends_the_turn(bench: Bench) -> None:
    bench.fault = LeaseLost("over")
    bench.after(0)
    bench.beside.step()
    with pytest.raises(LeaseLost):
        bench.after(0)
    assert bench.kept == []


def test_one_that_is_asked_for_comes_after_the_one_under_way(bench: Bench) -> None:
    bench.after(0)
    bench.judged += 5_000
    bench.keeper.checkpoint()
    assert [state["engine"]["judged"] for state in bench.written] == [1_000_000, 1_005_000]
    assert bench.stats.checkpoints == 2
    assert not bench.beside.busy


def test_none_while_the_store_is_behind(bench: Bench) -> None:
    bench.behind = True
    bench.after(0)
    bench.keeper.checkpoint()
    assert not bench.beside.busy
    bench.behind = False
    bench.after(0)
    assert bench.beside.busy, "as soon as it is not"


def test_none_in_a_rebuild_which_begins_anew_when_it_is_broken_off(bench: Bench) -> None:
    bench.progress.rebuilding = True
    bench.after(0)
    bench.keeper.checkpoint()
    assert not bench.beside.busy
    assert bench.kept == [], "what is kept is younger"
    bench.progress.rebuilding = False
    bench.after(0)
    assert bench.beside.busy, "as soon as it is over"


def test_inputs_that_wait_are_read_from_the_journal_again(bench: Bench) -> None:
    bench.waiting_inputs = True
    bench.keeper.checkpoint()
    assert bench.written[0]["journal_seq"] == 3


def test_pictures_and_writing_take_a_share_of_the_time(bench: Bench) -> None:
    bench.holds_s = 1.0
    bench.after(0)
    bench.beside.step()
    bench.after(keep.CHECKPOINT_SHARE - 1.5)
    assert not bench.is_writing()
    bench.after(0.5)
    assert bench.is_writing()
    bench.holds_s, bench.takes_s = 0.0, 20.0
    bench.beside.step()
    bench.after(20 * (keep.WRITING_SHARE - 1) - 1.0)
    assert not bench.is_writing()
    bench.after(2.5)
    assert bench.is_writing()


def test_the_numbers_that_were_seen_are_kept_now_and_then(bench: Bench) -> None:
    def kept() -> bool:
        bench.keeper.checkpoint()
        return "kept_seen" in bench.kept[-1]

    assert kept()
    assert not kept()
    bench.judged += SEEN_EVERY_MS - 1
    assert not kept()
    bench.judged += 1
    bench.kept_fault = StoreError("full")
    bench.keeper.checkpoint()
    bench.kept_fault = None
    assert kept(), "it was not, the last time"
    assert not kept()
    bench.swept = 3_600_000
    assert kept(), "numbers were forgotten"
    assert not kept()
    bench.retired = {"+861": {"spring": ""}}
    assert kept(), "one was given up, or is back"
    assert not kept()
    bench.parts.site = replace(bench.parts.site, hash="another")
    assert kept(), "others may be listed"
    assert not kept()


def test_a_thread_does_one_job_after_the_other() -> None:
    beside, go, order = ThreadBeside(), threading.Event(), list[str]()

    def first() -> str:
        go.wait(60)
        order.append(threading.current_thread().name)
        return "first"

    one, two = beside.start(first), beside.start(lambda: order.append("second"))
    assert not one.done()
    go.set()
    assert one.result() == "first"
    two.result()
    assert order[0].startswith("checkpoints")
    assert order[1] == "second"
    beside.close()
    beside.close()


def test_a_checkpoint_waits_for_a_moment_between_ticks_but_not_for_ever(bench: Bench) -> None:
    bench.after(0)
    bench.beside.step()
    bench.is_calm = False
    bench.after(EVERY_S)
    assert not bench.is_writing()
    bench.is_calm = True
    bench.after(0)
    assert bench.is_writing()
    bench.beside.step()
    bench.is_calm = False
    bench.after(EVERY_S + keep.PATIENCE_S - 0.001)
    assert not bench.is_writing()
    bench.after(0.001)
    assert bench.is_writing()
