"""Runs the README's `make run` from start to stop and looks at its figures. Needs Python alone.

Started by .ci/run: the daemon must come up within a minute after the install, show an alert and a
suspension within another, serve metrics and the console, and stop cleanly at ctrl-c.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = re.compile(r"^console (\S+)/console/ .*metrics (\S+)/metrics", re.MULTILINE)
"""Where it is, in the line that it prints: on other ports, where the usual ones are taken."""


def places(text: str) -> tuple[str, str]:
    """Of the console, and of the metrics; empty before it is said."""
    found = PLACES.search(text)
    return ("", "") if found is None else (found[1], found[2])


def fetch(base: str, path: str) -> str:
    try:
        with urllib.request.urlopen(base + path, timeout=5) as answer:  # noqa: S310 - our own URL
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return ""


def total(metrics: str, pattern: str) -> float:
    """Sum of the samples whose name and labels match."""
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in metrics.splitlines()
        if not line.startswith("#") and re.match(pattern, line)
    )


def shown(metrics: str, pattern: str) -> bool:
    return total(fetch(metrics, "/metrics"), pattern) > 0


def wait(
    what: str, seconds: float, met: Callable[[], bool], process: subprocess.Popen[bytes]
) -> None:
    """Wait until ``met`` is true; exits when time is up or the process has ended."""
    started = time.monotonic()
    pause = threading.Event()
    while not met():
        if process.poll() is not None:
            sys.exit(f"make run ended by itself ({process.returncode}) before: {what}")
        if time.monotonic() - started > seconds:
            os.killpg(process.pid, signal.SIGKILL)
            sys.exit(f"not within {seconds:.0f} s: {what}")
        pause.wait(0.2)
    took = time.monotonic() - started
    print(f"  {what}: after {took:.1f} s", flush=True)


def main() -> None:
    with tempfile.NamedTemporaryFile(suffix=".log", delete=False) as out:
        process = subprocess.Popen(
            ["make", "run"], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait("installed and started", 600, lambda: b"starting the daemon" in log(out.name), process)
        wait(
            "its addresses",
            60,
            lambda: any(places(log(out.name).decode(errors="replace"))),
            process,
        )
        console, metrics = places(log(out.name).decode(errors="replace"))
        wait("ready", 60, lambda: "ready" in fetch(metrics, "/readyz"), process)
        wait("the console's sign-in", 30, lambda: "<form" in fetch(console, "/signin"), process)
        has = functools.partial(shown, metrics)
        wait("an alert fired", 60, lambda: has(r"callcentre_alert\w*_total"), process)
        suspensions = r'callcentre_commands_total{.*action="suspend"'
        wait("a number was suspended", 60, lambda: has(suspensions), process)
        for name in ("hangup_rate", "complaint_rate", "effective_talk_ratio", "number_flag_rate"):
            pattern = rf'callcentre_indicator\w*{{.*indicator="{name}"'
            wait(f"figures of {name}", 30, functools.partial(has, pattern), process)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(15)
        print(f"  stopped with status {process.returncode}")
        if b"Traceback" in log(out.name):
            sys.exit("a traceback was printed")
        if b"store_refuses" in log(out.name):
            sys.exit("the store refused something, such as a checkpoint")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        print(log(out.name).decode(errors="replace")[-3_000:])
        Path(out.name).unlink()


def log(name: str) -> bytes:
    return Path(name).read_bytes()


if __name__ == "__main__":
    main()
