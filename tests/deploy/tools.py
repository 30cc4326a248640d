"""The real programs of the neighbourhood: found, started, stopped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests import web

START_TIMEOUT_S = 30.0


def program(*names: str) -> str:
    """The path of the first program that is here; skips without one, and fails in CI."""
    scripts = sysconfig.get_path("scripts")
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=scripts)
        if found is not None:
            return found
    text = f"{' or '.join(names)} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def run(*command: str | Path, **environ: str) -> str:
    """Run to the end; the output of both streams.

    Raises:
        AssertionError: the exit status is not 0; carries the output.
    """
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env=os.environ | environ,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_true(
    condition: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Ask again and again until the condition holds.

    Raises:
        AssertionError: it does not within ``timeout_s``.
    """
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


@contextmanager
def started(command: list[str], log: Path, ready_url: str) -> Iterator[None]:
    """Start a server, wait until ``ready_url`` answers 200, stop it at the end."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return web.get(ready_url, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    try:
        await_true(is_ready, f"{command[0]} ready")
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
