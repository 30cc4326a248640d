"""SIGTERM while PostgreSQL is silent: it ends within five seconds, and nothing is lost by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.daemon.folder import BAD, NUMBER, Folder
from tests.daemon.running import eventually, process
from tests.daemon.test_stop import ends_soon
from tests.deploy.tools import free_port
from tests.store.addresses import query
from tests.store.proxy import Proxy, proxied
from tests.store.stores import settings_of

pytestmark = pytest.mark.postgres

OTHER = NUMBER.format(4)


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    url = make_url(database_url)
    with proxied(url.host or "127.0.0.1", url.port or 5432) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, database_url: str, proxy: Proxy) -> Folder:
    url = make_url(database_url).set(host="127.0.0.1", port=proxy.port)
    secret = tmp_path / "url"
    secret.write_text(url.render_as_string(hide_password=False), encoding="utf-8")
    secret.chmod(0o600)
    store = {"url": {"file": str(secret)}}
    return Folder(tmp_path, exporter={"port": free_port()}, store=store)


@pytest.mark.parametrize("silent_s", [0.0, 2.0], ids=["at once", "in the midst"])
def test_while_postgresql_is_silent(
    folder: Folder, proxy: Proxy, database_url: str, silent_s: float
) -> None:
    """No packet is refused and no connection closed: store, checkpoints and lease all wait."""
    near = settings_of(folder.root, database_url)

    def commands() -> set[object]:
        suspended = "SELECT DISTINCT number FROM decisions WHERE kind = 'command'"
        return {number for (number,) in query(near, suspended)}

    with process(folder) as running:
        running.ready()
        folder.call(BAD, bad=True, count=8)
        eventually(lambda: commands() == {BAD}, "it is suspended")
        proxy.swallow()
        folder.call(OTHER, bad=True, count=8)
        time.sleep(silent_s)  # nothing can be seen of it: whoever asks waits for half a minute
        ends_soon(running)
        proxy.pass_on()
        assert commands() == {BAD}
        running.start()
        eventually(lambda: commands() == {BAD, OTHER}, "what came meanwhile is decided")
        waiting = "SELECT 1 FROM outbox WHERE state NOT IN ('sent', 'stale')"
        eventually(lambda: not query(near, waiting), "and all of it is sent, or too late by now")
        assert ends_soon(running) == 0
