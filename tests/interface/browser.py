"""A browser, as far as signing in goes: cookies, forms, and what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from monitor.clock import ManualClock
from monitor.snapshot import Board
from monitor.store.accounts import User
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from monitor.web.application import Part
from monitor.web.office import Office
from monitor.web.passwords import Passwords
from tests.interface.serving import TEAM, Served, serving

NOW = 1_763_776_800_000
PASSWORD = "correct horse battery"
CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}
"""Parameters of hashes; for ``monkeypatch`` over ``monitor.web.passwords.PARAMETERS``."""
_TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]{64})"')
SAME = {"sec-fetch-site": "same-origin"}


class Browser:
    def __init__(self, base: str, **more: Any) -> None:
        self.client = httpx.Client(base_url=base, timeout=20, **more)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={"accept": "text/html", **headers})

    def form(self, path: str = "/signin") -> str:
        """The token of the page's form."""
        found = _TOKEN.search(self.get(path).text)
        assert found is not None
        return found[1]

    def sign_in(
        self,
        name: str = "lin",
        password: str = PASSWORD,
        *,
        headers: dict[str, str] = SAME,
        **fields: str,
    ) -> httpx.Response:
        token = fields.pop("csrf_token", None) or self.form()
        data = {"name": name, "password": password, "csrf_token": token, **fields}
        return self.client.post("/signin", data=data, headers=headers)

    def self(self) -> httpx.Response:
        return self.client.get("/api/v1/self")

    def post(self, path: str, **more: Any) -> httpx.Response:
        """As a page of ours does."""
        token = self.self().json().get("csrf_token", "")
        headers = {**SAME, "x-csrf-token": token, **more.pop("headers", {})}
        return self.client.post(path, headers=headers, **more)


class Site:
    """A server with a store, on a clock that moves when told."""

    def __init__(self, store: Store, served: Served, clock: ManualClock) -> None:
        self.store = store
        self.served = served
        self.clock = clock
        self.base = f"http://127.0.0.1:{served.server.port}"
        self._browsers: list[Browser] = []

    def browser(self, **more: Any) -> Browser:
        made = Browser(self.base, **more)
        self._browsers.append(made)
        return made

    def add(self, name: str = "lin", role: str = "supervisor", **more: Any) -> None:
        teams = more.pop("teams", (TEAM,) if role == "supervisor" else ())
        hashed = Passwords().hash(PASSWORD)
        assert self.store.users.add(User(name, role, teams, hashed, **more))

    def close(self) -> None:
        for browser in self._browsers:
            browser.client.close()


@contextmanager
def site(root: Path, *parts: Part, **more: Any) -> Iterator[Site]:
    settings = StoreSettings(path=root / "monitor.db")
    clock = ManualClock(NOW)
    office = Office(Board(), settings, "CN", clock)
    with (
        Store.open(settings, clock) as store,
        serving(*parts, clock=clock, office=office, **more) as served,
    ):
        made = Site(store, served, clock)
        yield made
        made.close()
    office.close()
