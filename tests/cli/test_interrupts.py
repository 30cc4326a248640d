"""Ctrl-c: quiet and with status 130, whatever was going on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli.interrupts import INTERRUPTED, quick_end
from monitor.store.journal import Requests
from tests.cli.program import monitor
from tests.daemon.folder import Folder
from tests.daemon.running import PROGRAM, eventually


@pytest.mark.parametrize(
    "module",
    ["typer", "rich.console", "polars", "numpy", "sqlalchemy", "pydantic", "monitor.site"],
)
def test_while_it_is_still_being_loaded(module: str, folder: Folder) -> None:
    """The interpreter tells which module it has just imported; then we press."""
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "monitor",
        "replay",
        "--from",
        "/dev/stdin",
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder.root,
    ) as program:
        assert program.stderr is not None
        assert program.stdout is not None
        told: list[str] = []
        while not told or told[-1].rpartition("|")[2].strip() != module:
            told.append(program.stderr.readline())
            assert told[-1], "it ended before the module was loaded"
        program.send_signal(signal.SIGINT)
        rest = program.stderr.read()
        assert program.wait(30) == INTERRUPTED
        assert program.stdout.read() == ""
    said = [line for line in rest.splitlines() if not line.startswith("import time:")]
    assert said == []


def test_in_the_middle_of_work(folder: Folder) -> None:
    """A simulation without end: what was written stays, with its truth."""
    events = folder.root / "long.jsonl"
    command: list[str | Path] = [PROGRAM, "simulate", "-s", "demo", "--for", "30d", "--rate", "500"]
    with subprocess.Popen(
        [*command, "--to", f"file:{events}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        eventually(lambda: events.exists() and events.stat().st_size, "records")
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert program.returncode == INTERRUPTED
    assert out == b""
    assert err.decode().rstrip().endswith(f"truth in {events.with_suffix('.truth.json')}")
    assert len(err.splitlines()) == 1


def test_live_traffic_ends_well(folder: Folder) -> None:
    events = folder.root / "live.jsonl"
    command: list[str | Path] = [PROGRAM, "simulate", "-s", "demo", "--live", "--rate", "200"]
    with subprocess.Popen([*command, "--to", f"file:{events}"], stderr=subprocess.PIPE) as program:
        eventually(lambda: events.exists() and events.stat().st_size, "records")
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert program.returncode == 0
    assert b"Traceback" not in err


@pytest.mark.usefixtures("left")
def test_while_it_waits_for_a_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Requests, "find", interrupted)
    done = monitor("numbers", "suspend", "+862150000001", "--why", "x")
    assert (done.status, done.out, done.err) == (INTERRUPTED, "", "")


def test_who_ignores_the_signal_goes_on_ignoring_it(tmp_path: Path) -> None:
    """As with ``nohup``, or a job in the background of a script."""
    script = f"trap '' INT; kill -INT $$; exec {PROGRAM} schema rules > {tmp_path / 'out'}"
    subprocess.run(["sh", "-c", script], check=True)
    assert (tmp_path / "out").stat().st_size > 1_000


def test_the_handler_of_before_is_put_back() -> None:
    def ours(*_: object) -> None: ...

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with quick_end():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        for other in (signal.SIG_IGN, ours):
            signal.signal(signal.SIGINT, other)
            with quick_end():
                assert signal.getsignal(signal.SIGINT) is other
            assert signal.getsignal(signal.SIGINT) is other
    finally:
        signal.signal(signal.SIGINT, before)
