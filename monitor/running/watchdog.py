"""A thread that looks after the others: does each still move, is there room, does the clock run.

Owns what can be seen from outside the engine: a turn of the loop, or a delivery, that does not end,
a clock that jumps, a disk that fills up. It says so once in the log and puts it on the board for
``/readyz`` and ``/metrics``; it stops nothing and mends nothing.
"""

from __future__ import annotations

import shutil
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from monitor.clock import Clock
from monitor.snapshot import Board, DiskRoom, Watch

log = structlog.get_logger(__name__)

EVERY_S = 1.0
TURN_S = 30.0
"""A turn of the engine's loop that takes longer is stuck: its work is bounded to far less."""
DELIVERY_S = 60.0
"""A step of a delivery that takes longer is stuck: every request in it has a timeout."""
JUMP_S = 2.0
"""Wall and monotonic time part by less than this between two looks."""
DISK_EVERY_S = 15.0
DISK_FREE_MIN = 0.05
"""Less free than this share of a disk is said in the log."""
STOP_S = 1.0
"""For the look under way: one at a disk behind a dead network does not return."""
_STACK_LINES = 12


class Busy(Protocol):
    """One delivery lane as it is seen from here."""

    receiver: str
    busy_since_s: float | None
    """Monotonic start of the step under way; None between steps."""


class Beat:
    """When the engine's thread last moved on; set by it, read by the watchdog.

    Waiting for a source or a store that is away is moving on: that is told elsewhere.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.turn_since_s = clock.monotonic_s()
        self.thread = threading.get_ident()

    def turn(self) -> None:
        """It moves on; called by the engine's thread."""
        self.turn_since_s = self._clock.monotonic_s()
        self.thread = threading.get_ident()


class Watchdog:
    """Looks about once a second, from :meth:`start` to :meth:`stop`."""

    def __init__(
        self,
        board: Board,
        clock: Clock,
        beat: Beat,
        *,
        lanes: Iterable[Busy],
        directories: Mapping[str, Path],
    ) -> None:
        """``directories``: what is kept where, by the name that people are told."""
        self._board = board
        self._clock = clock
        self._beat = beat
        self._lanes = tuple(lanes)
        self._directories = dict(directories)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._wall_ms = clock.now_ms()
        self._monotonic_s = clock.monotonic_s()
        self._disk_at_s = self._monotonic_s
        self._disks: tuple[DiskRoom, ...] = ()
        self._jumps = {"forward": 0, "backward": 0}
        self._said: dict[str, float] = {}
        """What is wrong just now, and since when (monotonic)."""

    def start(self) -> None:
        """Look from now on."""
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; twice is fine. A look that hangs ends with the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            self._thread = None

    def look(self) -> Watch:
        """Look once, say what has changed, and put it on the board."""
        now_s = self._clock.monotonic_s()
        self._look_at_clock(now_s)
        if now_s >= self._disk_at_s:
            self._look_at_disks()
            self._disk_at_s = now_s + DISK_EVERY_S
        turn_s = max(0.0, now_s - self._beat.turn_since_s)
        busy_s = {lane.receiver: _since(lane.busy_since_s, now_s) for lane in self._lanes}
        self._tell("engine", turn_s, TURN_S, "engine_stuck", "engine_goes_on")
        for receiver, seconds in busy_s.items():
            name = f"delivery {receiver}"
            self._tell(name, seconds, DELIVERY_S, "delivery_stuck", "delivery_goes_on")
        watch = Watch(
            turn_s=turn_s,
            deliveries_s=busy_s,
            disks=self._disks,
            clock_jumps=dict(self._jumps),
        )
        self._board.watch = watch
        return watch

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:
                log.exception("watchdog_failed")
            self._clock.wait(self._stop, EVERY_S)

    def _tell(self, what: str, seconds: float, limit_s: float, begins: str, ends: str) -> None:
        if seconds > limit_s and what not in self._said:
            self._said[what] = self._clock.monotonic_s() - seconds
            at = self._where() if what == "engine" else ""
            log.error(begins, what=what, seconds=round(seconds), at=at)
        elif seconds <= limit_s and what in self._said:
            took_s = self._clock.monotonic_s() - self._said.pop(what)
            log.info(ends, what=what, after_s=round(took_s))

    def _where(self) -> str:
        """Where the engine's thread is: the lines that whoever mends it asks for first."""
        frame = sys._current_frames().get(self._beat.thread)  # noqa: SLF001 - documented, so named
        if frame is None:
            return "its thread has ended"
        lines = traceback.extract_stack(frame)[-_STACK_LINES:]
        return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(lines))

    def _look_at_clock(self, now_s: float) -> None:
        """Compare the two clocks: between two looks they move by the same amount."""
        wall_ms = self._clock.now_ms()
        jump_s = (wall_ms - self._wall_ms) / 1000 - (now_s - self._monotonic_s)
        self._wall_ms, self._monotonic_s = wall_ms, now_s
        if abs(jump_s) >= JUMP_S:
            self._jumps["forward" if jump_s > 0 else "backward"] += 1
            log.warning("clock_jumped", seconds=round(jump_s, 1))

    def _look_at_disks(self) -> None:
        rooms = []
        for name, directory in self._directories.items():
            try:
                usage = shutil.disk_usage(_existing(directory))
            except OSError as error:
                self._note(f"disk {name}", wrong=True, detail=str(error))
                continue
            rooms.append(DiskRoom(name, usage.free, usage.total))
            wrong = usage.free < usage.total * DISK_FREE_MIN
            self._note(f"disk {name}", wrong=wrong, detail=f"{usage.free // 2**20} MiB free")
        self._disks = tuple(rooms)

    def _note(self, what: str, *, wrong: bool, detail: str) -> None:
        if wrong and what not in self._said:
            self._said[what] = self._clock.monotonic_s()
            log.warning("disk_nearly_full", what=what, detail=detail)
        elif not wrong and self._said.pop(what, None) is not None:
            log.info("disk_has_room_again", what=what, detail=detail)


def _since(start_s: float | None, now_s: float) -> float:
    return 0.0 if start_s is None else max(0.0, now_s - start_s)


def _existing(directory: Path) -> Path:
    """The directory, or the nearest above it that is there."""
    return next(path for path in (directory, *directory.absolute().parents) if path.exists())
