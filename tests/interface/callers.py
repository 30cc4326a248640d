"""A server of every interface there is, with callers of every role, by token and by session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from monitor.clock import ManualClock
from monitor.config import Config
from monitor.interfaces import open_web
from monitor.snapshot import Board
from monitor.store.accounts import Session, User
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from monitor.web import live_api
from monitor.web.accounts import Account
from monitor.web.server import WebServer
from monitor.web.sessions import csrf_of, digest_of
from tests.exporter import sample
from tests.interface.browser import NOW, SAME
from tests.interface.serving import ROLES, TEAM, bearer, tokens
from tests.shadow.made import FIGURES, SITE

FOREIGN = "foreign"
"""A supervisor of another team, by token and by session."""


@dataclass(frozen=True)
class Everything:
    """The server, and the store that it answers from."""

    server: WebServer
    store: Store
    client: httpx.Client
    clock: ManualClock

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, **more)


def ident_of(name: str) -> str:
    """The id of somebody's session."""
    return f"{name:-<43}"


def session(name: str) -> dict[str, str]:
    """What a page of ours sends along for somebody who signed in."""
    return {**cookie(name), **SAME, "x-csrf-token": csrf_of(ident_of(name))}


def cookie(name: str) -> dict[str, str]:
    return {"cookie": f"monitor-session={ident_of(name)}"}


def shown(name: str) -> dict[str, str]:
    """The token of a role, or of the foreign supervisor."""
    return {"authorization": "Bearer " + _foreign()} if name == FOREIGN else bearer(name)


@contextmanager
def everything(root: Path, **web: Any) -> Iterator[Everything]:
    """All parts as a daemon has them, on a store with people who have signed in."""
    known = tokens()
    known["a-foreign"] = {"value": _foreign(), "role": "supervisor", "teams": ["elsewhere"]}
    config = Config.model_validate(
        {
            "store": {"path": str(root / "monitor.db")},
            "web": {"enabled": True, "port": 0, "tokens": known, "rate": "1000000/1m", **web},
        }
    )
    clock = ManualClock(NOW)
    board = Board()
    board.publish(sample.snapshot(NOW))
    with (
        Store.open(StoreSettings(path=root / "monitor.db"), clock) as store,
        patch.object(live_api, "STREAMS_MAX", 0),  # such an answer has no end
    ):
        _sign_in(store)
        server = open_web(config, board, clock, Counter(), judged=lambda: (SITE, FIGURES))
        assert server is not None
        server.start()
        base = f"http://127.0.0.1:{server.port}"
        try:
            with httpx.Client(base_url=base, timeout=20) as client:
                yield Everything(server, store, client, clock)
        finally:
            server.stop()


def _foreign() -> str:
    return "token-of-foreign-0123456789"


def _sign_in(store: Store) -> None:
    for name in (*ROLES, FOREIGN):
        role = "supervisor" if name == FOREIGN else name
        teams = {FOREIGN: ("elsewhere",), "supervisor": (TEAM,)}.get(name, ())
        user = User(f"u-{name}", role, teams, "$argon2id$")
        store.users.add(user)
        stamp = Account(user, stored=True).stamp
        made = Session(digest_of(ident_of(name)), user.name, NOW, NOW, "password", stamp)
        store.sessions.begin(made, idle_since_ms=0)
