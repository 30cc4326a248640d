"""Running daemons: in a thread of this process, or as the real program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from monitor.app.daemon import Daemon
from monitor.clock import Clock
from monitor.decisions import Alert, Command, Decision
from monitor.site import load_site
from monitor.snapshot import Snapshot
from tests import web
from tests.daemon.folder import Folder

PROGRAM = Path(sysconfig.get_path("scripts")) / "monitor"
PATIENCE_S = 60.0
"""Much more than anything takes on a quiet machine."""


def eventually(condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
    """The first true value of ``condition``.

    Raises:
        AssertionError: there is none within ``timeout_s``.
    """
    until = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.02)


class Threaded:
    """A daemon in a thread; ``failure`` is what it ended with."""

    def __init__(self, folder: Folder, clock: Clock | None = None) -> None:
        self.daemon = Daemon(load_site(folder.path), path=folder.path, clock=clock)
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="daemon")
        self._thread.start()

    def _run(self) -> None:
        try:
            self.daemon.run()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.failure = error

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def picture(self) -> Snapshot:
        """The newest picture; waits for the first, and fails if the daemon has."""
        found: Snapshot = eventually(lambda: self._checked().daemon.board.latest, "a picture")
        return found

    def decisions(self) -> list[Decision]:
        """The newest decisions, oldest first."""
        recorder = self._checked().daemon.recorder
        return [] if recorder is None else list(recorder.feed)

    def alerts(self, rule: str) -> list[Alert]:
        return [d for d in self.decisions() if isinstance(d, Alert) and d.rule == rule]

    def commands(self, number: str) -> list[Command]:
        return [d for d in self.decisions() if isinstance(d, Command) and d.number == number]

    def unready(self) -> dict[str, str]:
        return {entry.reason: entry.detail for entry in self.picture.unready}

    def ready(self) -> None:
        """Wait until it is, and has judged a tick."""
        eventually(lambda: not self.unready() and self.picture.tick_ms is not None, "ready")

    def ticks_on(self) -> None:
        """Wait until a tick after now has been judged."""
        before = time.time_ns() // 1_000_000
        eventually(lambda: (self.picture.tick_ms or 0) > before, "a tick from now on")

    def reload(self) -> str:
        """Ask for a reload and wait for its result."""
        before = dict(self.daemon.stats.reloads)
        self.daemon.reload.set()

        def result() -> str:
            now = self._checked().daemon.stats.reloads
            return next((name for name in list(now) if now[name] > before.get(name, 0)), "")

        return str(eventually(result, "a reload"))

    def stop(self) -> None:
        self.daemon.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _checked(self) -> Threaded:
        if self.failure is not None:
            raise self.failure
        return self


@contextmanager
def threaded(folder: Folder, clock: Clock | None = None) -> Iterator[Threaded]:
    """A daemon in a thread, stopped at the end; what it fails of is raised."""
    running = Threaded(folder, clock)
    try:
        yield running
    finally:
        running.stop()
    if running.failure is not None:
        raise running.failure


class Process:
    """``monitor run`` on a folder whose exporter has a port of its own."""

    def __init__(self, folder: Folder, *arguments: str, stdout: Path | None = None) -> None:
        self.folder = folder
        self.arguments = arguments
        self.out = folder.root / "out.txt" if stdout is None else stdout
        self.err = folder.root / "err.txt"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.folder.config['exporter']['port']}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, **environ: str) -> Process:
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                [PROGRAM, "run", "-c", self.folder.path, *self.arguments],
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                cwd=self.folder.root,
                env={**os.environ, **environ},
            )
        return self

    def get(self, path: str) -> httpx.Response | None:
        """The answer; None when nobody answers."""
        try:
            return web.get(self.url + path, timeout=5)
        except httpx.TransportError:
            return None

    def status(self) -> dict[str, Any]:
        """``/status``; empty when nobody answers."""
        answer = self.get("/status")
        found: dict[str, Any] = {} if answer is None else answer.json()
        return found

    def unready(self) -> dict[str, str]:
        return {entry["reason"]: entry["detail"] for entry in self.status().get("unready", [])}

    def ready(self) -> Process:
        """Wait until it is."""

        def is_ready() -> bool:
            assert self.poll() is None, self.log()
            answer = self.get("/readyz")
            return answer is not None and answer.status_code == 200

        eventually(is_ready, "ready")
        return self

    def standing(self) -> dict[str, str]:
        """State by number, of those that are not simply active."""
        return {entry["number"]: entry["state"] for entry in self.status().get("standing", [])}

    def poll(self) -> int | None:
        assert self.process is not None
        return self.process.poll()

    def log(self) -> str:
        return self.err.read_text(encoding="utf-8") if self.err.exists() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        lines = (json.loads(line) for line in self.log().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)


@contextmanager
def process(folder: Folder, *arguments: str) -> Iterator[Process]:
    """A started ``monitor run``, killed at the end if it is still there."""
    running = Process(folder, *arguments).start()
    try:
        yield running
    finally:
        running.end(signal.SIGKILL)
