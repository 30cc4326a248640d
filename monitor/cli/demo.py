"""What ``monitor run --demo`` runs on: an embedded site and traffic that is made up.

Owns the demonstration's configuration and its folder. The traffic is ``monitor.simulate``.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from monitor.app.daemon import Daemon
from monitor.clock import Clock
from monitor.errors import UsageError
from monitor.simulate.demo import live_demo
from monitor.site import SHIPPED_PACKS, Site, load_site

FOLDER = Path("var/demo")
EVENTS = FOLDER / "events.jsonl"
PATH = FOLDER / "config.yaml"
USER = "demo"
HASH = FOLDER / "demo.hash"
METRICS, CONSOLE = 9108, 9109
"""The ports of any other run; here the next free ones, where somebody else has them."""
PORTS_TRIED = 100
_HOST = "127.0.0.1"
_CONFIG = """\
# Written by `monitor run --demo`; the other commands reach the demonstration with `-c {path}`.
version: 1
rules_dir: {packs}
source: {{kind: files, paths: [{events}], follow: true, bookmarks: {folder}/bookmarks}}
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
events:
  dead_letters: {{path: {folder}/dead-letters.jsonl}}
telephony: {{kind: simulated}}
exporter: {{host: {host}, port: {metrics}}}
web:
  enabled: true
  host: {host}
  port: {console}
  users: {{{user}: {{role: admin, password_hash: {{file: {hash}}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What is shown, and how somebody gets to see it."""

    site: Site
    password: str
    """Of its only user."""
    taken: tuple[int, ...]
    """The usual ports that somebody else has; it listens on others."""
    lock: IO[bytes]
    """Held while it lasts: another one would empty the folder under it."""


def prepare() -> Demonstration:
    """A demonstration in an emptied folder: each run tells its story from the start.

    Raises:
        UsageError: one runs in this folder already, or no port is free.
    """
    from monitor.web.passwords import Passwords  # noqa: PLC0415 - other commands need no argon2

    lock = _lock()
    console = free_port(CONSOLE)
    metrics = free_port(METRICS, but=console)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    config = _CONFIG.format(
        path=PATH,
        packs=SHIPPED_PACKS,
        events=EVENTS,
        folder=FOLDER,
        host=_HOST,
        metrics=metrics,
        console=console,
        user=USER,
        hash=HASH,
    )
    PATH.write_text(config, encoding="utf-8")
    password = "-".join(secrets.token_hex(2) for _ in range(3))
    HASH.touch(mode=0o600)
    HASH.write_text(Passwords().hash(password), encoding="utf-8")
    usual = ((METRICS, metrics), (CONSOLE, console))
    taken = tuple(wanted for wanted, port in usual if port != wanted)
    return Demonstration(load_site(PATH), password, taken, lock)


def _lock() -> IO[bytes]:
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    lock = FOLDER.with_suffix(".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        msg = f"a demonstration runs in {FOLDER} already: stop it, or start this one elsewhere"
        raise UsageError(msg) from error
    return lock


def free_port(wanted: int, *, but: int | None = None, tried: int = PORTS_TRIED) -> int:
    """``wanted``, or the next one after it that nobody listens on and that is not ``but``.

    Raises:
        UsageError: none of so many is free.
    """
    for port in range(wanted, wanted + tried):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As the servers do, or a port that was closed just now would count as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((_HOST, port))
            if port != but:
                return port
    msg = f"neither port {wanted} is free nor the {tried - 1} after it"
    raise UsageError(msg)


@contextlib.contextmanager
def traffic(daemon: Daemon, clock: Clock) -> Iterator[None]:
    """Traffic in a thread of its own, as long as the context lasts."""
    stop = threading.Event()

    def suspended() -> set[str]:
        picture = daemon.board.latest
        standing = () if picture is None else picture.standing
        return {entry.number for entry in standing if entry.state == "suspended"}

    thread = threading.Thread(
        target=live_demo,
        args=(EVENTS, clock, stop),
        kwargs={"blocked": suspended},
        name="traffic",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)
