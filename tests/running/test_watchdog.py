"""The watchdog, on a clock that the test moves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock, SystemClock
from monitor.running import watchdog
from monitor.running.watchdog import DELIVERY_S, JUMP_S, TURN_S, Beat, Watchdog
from monitor.snapshot import Board
from tests.daemon.running import eventually


class TwoClocks(ManualClock):
    """Wall time can be set; monotonic time goes on."""

    skew_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.skew_ms


@dataclass
class Lane:
    receiver: str
    busy_since_s: float | None = None


@dataclass
class Watched:
    clock: TwoClocks
    board: Board
    beat: Beat
    lane: Lane
    dog: Watchdog
    logs: list[dict[str, object]] = field(default_factory=list)

    def events(self) -> list[object]:
        return [entry["event"] for entry in self.logs]

    def pass_s(self, seconds: float) -> None:
        self.clock.advance(round(seconds * 1000))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    clock, board = TwoClocks(1_800_000_000_000), Board()
    beat, lane = Beat(clock), Lane("hook")
    dog = Watchdog(board, clock, beat, lanes=[lane], directories={"store": tmp_path / "not/yet"})
    with capture_logs() as logs:
        yield Watched(clock, board, beat, lane, dog, logs)  # type: ignore[arg-type]


def test_a_turn_is_stuck_once_it_is_longer_than_any(watched: Watched) -> None:
    watched.pass_s(TURN_S)
    assert watched.dog.look().turn_s == TURN_S
    assert watched.events() == [], "exactly as long is not stuck"
    watched.pass_s(1)
    watched.dog.look()
    watched.pass_s(1)
    watched.dog.look()
    assert watched.events() == ["engine_stuck"], "said once"
    assert "look" in str(watched.logs[0]["at"]), "where its thread is"
    watched.beat.turn()
    watched.dog.look()
    assert watched.events() == ["engine_stuck", "engine_goes_on"]
    assert watched.logs[1]["after_s"] == TURN_S + 2


def test_where_names_the_line_in_which_the_engine_hangs(watched: Watched) -> None:
    hang, begun = threading.Event(), threading.Event()

    def hangs_here() -> None:
        watched.beat.turn()
        begun.set()
        hang.wait(60)

    thread = threading.Thread(target=hangs_here)
    thread.start()
    begun.wait(60)
    watched.pass_s(TURN_S + 1)
    watched.dog.look()
    hang.set()
    thread.join()
    assert "hangs_here" in str(watched.logs[0]["at"])
    watched.beat.turn_since_s = watched.clock.monotonic_s()
    watched.dog.look()
    watched.pass_s(TURN_S + 1)
    watched.dog.look()
    assert watched.logs[-1]["at"] == "its thread has ended"


def test_a_delivery_is_stuck_once_it_is_longer_than_any(watched: Watched) -> None:
    assert watched.dog.look().deliveries_s == {"hook": 0.0}
    watched.lane.busy_since_s = watched.clock.monotonic_s()
    watched.pass_s(DELIVERY_S)
    watched.beat.turn()
    assert watched.dog.look().deliveries_s == {"hook": DELIVERY_S}
    assert watched.events() == []
    watched.pass_s(1)
    watched.dog.look()
    watched.lane.busy_since_s = None
    watched.dog.look()
    assert watched.events() == ["delivery_stuck", "delivery_goes_on"]
    assert watched.logs[0]["what"] == "delivery hook"


@pytest.mark.parametrize(
    ("seconds", "direction"), [(JUMP_S, "forward"), (-JUMP_S, "backward"), (3600.0, "forward")]
)
def test_a_clock_that_jumps_is_counted_by_direction(
    watched: Watched, seconds: float, direction: str
) -> None:
    other = {"forward": "backward", "backward": "forward"}[direction]
    watched.pass_s(5)
    assert watched.dog.look().clock_jumps == {"forward": 0, "backward": 0}
    watched.clock.skew_ms = round(seconds * 1000)
    watched.pass_s(1)
    assert watched.dog.look().clock_jumps == {direction: 1, other: 0}
    watched.pass_s(1)
    assert watched.dog.look().clock_jumps == {direction: 1, other: 0}, "once a jump"
    assert watched.logs == [
        {"event": "clock_jumped", "log_level": "warning", "seconds": seconds},
    ]


def test_time_that_is_slewed_is_no_jump(watched: Watched) -> None:
    for _ in range(10):
        watched.clock.skew_ms += round(JUMP_S * 1000) - 1
        watched.pass_s(1)
        watched.dog.look()
    assert watched.events() == []


@dataclass
class Usage:
    free: int
    total: int = 1_000


def test_a_disk_that_fills_up_is_said_once_and_its_end_too(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage, asked = Usage(free=50), list[Path]()

    def disk_usage(path: Path) -> Usage:
        asked.append(path)
        return usage

    monkeypatch.setattr("monitor.running.watchdog.shutil.disk_usage", disk_usage)

    def look_later() -> None:
        watched.pass_s(watchdog.DISK_EVERY_S)
        watched.beat.turn()
        watched.dog.look()

    look_later()
    assert watched.events() == [], "exactly a twentieth is enough"
    usage.free = 49
    look_later()
    look_later()
    usage.free = 50
    look_later()
    assert watched.events() == ["disk_nearly_full", "disk_has_room_again"]
    assert set(asked) == {tmp_path}, "the nearest directory that is there"
    (room,) = watched.dog.look().disks
    assert (room.name, room.free_bytes, room.size_bytes) == ("store", 50, 1_000)


def test_a_disk_that_cannot_be_asked_is_said(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_usage(_path: Path) -> Usage:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("monitor.running.watchdog.shutil.disk_usage", disk_usage)
    assert watched.dog.look().disks == ()
    assert watched.events() == ["disk_nearly_full"]
    assert "Input/output error" in str(watched.logs[0]["detail"])


def test_a_disk_that_does_not_answer_holds_up_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def disk_usage(_path: Path) -> Usage:
        asked.set()
        answer.wait(60)
        return Usage(free=500)

    monkeypatch.setattr("monitor.running.watchdog.shutil.disk_usage", disk_usage)
    clock = SystemClock()
    dog = Watchdog(Board(), clock, Beat(clock), lanes=[], directories={"store": tmp_path})
    dog.start()
    thread = dog._thread
    assert thread is not None
    assert thread.daemon, "nor the end of the process"
    assert asked.wait(60)
    began_s = clock.monotonic_s()
    dog.stop()
    hung_s = clock.monotonic_s() - began_s
    answer.set()
    thread.join(60)
    assert hung_s < 2 * watchdog.STOP_S


def test_it_looks_by_itself_and_goes_on_after_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "EVERY_S", 0.01)
    clock, board = SystemClock(), Board()
    dog = Watchdog(board, clock, Beat(clock), lanes=[], directories={"store": tmp_path})
    look, failed = dog.look, threading.Event()

    def fails_once() -> object:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("a fault of ours")
        return look()

    monkeypatch.setattr(dog, "look", fails_once)
    dog.start()
    try:
        eventually(lambda: board.watch, "it has looked")
    finally:
        dog.stop()
        dog.stop()
    assert failed.is_set()
    assert board.watch is not None
    assert board.watch.disks[0].size_bytes > 0
