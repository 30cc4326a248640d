"""What ``monitor run --demo`` runs on: an embedded site and traffic that is made up.

Owns the demonstration's configuration and its folder. The traffic is ``monitor.simulate``.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from monitor.app.daemon import Daemon
from monitor.clock import Clock
from monitor.simulate.demo import live_demo
from monitor.site import SHIPPED_PACKS, Site, load_site

FOLDER = Path("var/demo")
EVENTS = FOLDER / "events.jsonl"
PATH = FOLDER / "config.yaml"
USER = "demo"
HASH = FOLDER / "demo.hash"
CONFIG = f"""\
# Written by `monitor run --demo`; the other commands reach the demonstration with `-c {PATH}`.
version: 1
rules_dir: {SHIPPED_PACKS}
source: {{kind: files, paths: [{EVENTS}], follow: true, bookmarks: {FOLDER}/bookmarks}}
store: {{path: {FOLDER}/monitor.db, checkpoints: {FOLDER}/checkpoints}}
events:
  dead_letters: {{path: {FOLDER}/dead-letters.jsonl}}
telephony: {{kind: simulated}}
web:
  enabled: true
  users: {{{USER}: {{role: admin, password_hash: {{file: {HASH}}}}}}}
"""


def site() -> tuple[Site, str]:
    """The demonstration's site, in an emptied folder, and the password of its user.

    Each run tells its story from the start, and has a password of its own.
    """
    from monitor.web.passwords import Passwords  # noqa: PLC0415 - other commands need no argon2

    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    PATH.write_text(CONFIG, encoding="utf-8")
    password = "-".join(secrets.token_hex(2) for _ in range(3))
    HASH.touch(mode=0o600)
    HASH.write_text(Passwords().hash(password), encoding="utf-8")
    return load_site(PATH), password


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
