"""A rolling upgrade on a real PostgreSQL: the newer daemon stands by for the older one.

The older one is played by what is left of it: a store of version 1, a checkpoint that a program of
that time wrote (``tests/fixtures/upgrade``), and a lease that is kept. The newer one is the daemon.
"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from monitor.app.daemon import Daemon
from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.errors import LeaseLost
from monitor.running.layout import LAYOUT
from monitor.site import Site, load_site
from monitor.source.memory import MemorySource
from monitor.store.checkpoint_rows import CHECKPOINTS, CHUNKS
from monitor.store.checkpoints import open_checkpoints
from monitor.store.connect import connect
from monitor.store.lease import Lease
from monitor.store.schema import VERSION, stored_version
from monitor.store.settings import LeaseSettings, StoreSettings
from monitor.store.store import Recording, Store
from tests.daemon.running import eventually
from tests.running.test_layout import CALLS, COPIES, FIXTURES, OLDER, READ, load, records, run
from tests.store.made import alert
from tests.store.stores import settings_of
from tests.store.test_store import set_version

pytestmark = pytest.mark.postgres

# The older one gives no signs of life, and needs none for so long.
QUICK = LeaseSettings.model_validate({"duration": "2m", "renew": "200ms", "poll": "50ms"})


class ThatDay(SystemClock):
    """The machine's clock, set to when the recorded hour was over."""

    def __init__(self, end_ms: int) -> None:
        self._ahead_ms = end_ms - super().now_ms()

    def now_ms(self) -> int:
        return super().now_ms() + self._ahead_ms


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> StoreSettings:
    return settings_of(tmp_path, database_url).model_copy(update={"lease": QUICK})


def version(settings: StoreSettings) -> int | None:
    database = connect(settings, create=False)
    try:
        with database.read() as connection:
            return stored_version(connection)
    finally:
        database.close()


def site_on(settings: StoreSettings, folder: Path) -> Site:
    """What both programs judge by, on this store."""
    path = folder / "config.yaml"
    path.write_text(
        f"""\
version: 1
exporter: {{enabled: false}}
events: {{dead_letters: {{path: {folder}/dead}}}}
""",
        encoding="utf-8",
    )
    # The pack of that time, as in the checkpoints.
    site = load_site(path, packs=[FIXTURES / "telemarketing"])
    return replace(site, config=site.config.model_copy(update={"store": settings}))


def decided(settings: StoreSettings, after_ms: int, until_ms: int) -> set[str]:
    """Ids of what the store has of these ticks."""
    with Store.open(settings, SystemClock(), daemon=False) as store:
        history = store.history
        rows: list[Decision] = [
            *history.alerts(limit=10_000),
            *history.commands(limit=10_000),
            *history.refusals(limit=10_000),
        ]
    return {each.id for each in rows if after_ms < each.at_ms <= until_ms}


def newest(settings: StoreSettings) -> dict[str, Any]:
    """The newest checkpoint."""
    with closing(open_checkpoints(settings)) as checkpoints:
        state = checkpoints.load()
    assert state is not None
    return state


class Older:
    """An older program at work: what it left after the first records, and its store, open."""

    def __init__(self, settings: StoreSettings, checkpoint: Path, *, judged_ms: int) -> None:
        self.judged_ms = judged_ms
        self.lease = Lease(settings, SystemClock(), holder="older")
        token = self.lease.acquire(threading.Event())
        self.store = Store.open(settings, SystemClock(), token=token)
        with self.store._database.write() as connection:
            connection.execute(text("DROP INDEX outbox_by_due"))
        set_version(settings, 1)
        self.store.record(Recording(judged_to_ms=self.judged_ms))
        self._keep(checkpoint.read_bytes())

    def _keep(self, content: bytes) -> None:
        """A checkpoint as rows, which were all there was to it then."""
        with self.store._database.write() as connection:
            for table in (CHECKPOINTS, CHUNKS):
                table.create(connection)
            row = CHECKPOINTS.insert().values(size=len(content)).returning(CHECKPOINTS.c.number)
            number = connection.scalars(row).one()
            connection.execute(CHUNKS.insert().values(number=number, position=0, content=content))

    def close(self) -> None:
        self.store.close()
        self.lease.close()


class Newer:
    """Today's daemon, in a thread."""

    def __init__(self, site: Site, clock: SystemClock) -> None:
        self.daemon = Daemon(site, clock=clock)
        self._thread = threading.Thread(target=self.daemon.run, name="newer")
        self._thread.start()

    def close(self) -> None:
        self.daemon.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def the_hour() -> MemorySource:
    """As a broker has it: more may come."""
    lines = records()
    source = MemorySource([CALLS])
    source.append(CALLS, [*lines[:READ], *lines[READ - COPIES : READ], *lines[READ:]])
    return source


@pytest.mark.parametrize("layout", OLDER)
def test_a_newer_daemon_stands_by_for_an_older_one_and_goes_on_where_that_ends(
    settings: StoreSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: int
) -> None:
    whole, decisions = run(None)
    site = site_on(settings, tmp_path)
    monkeypatch.setattr("monitor.app.engine.open_source", lambda _config, _clock: the_hour())
    checkpoint = FIXTURES / f"layout-{layout}.ckpt"
    judged_ms = load(tmp_path / "ckpt", layout)["engine"]["judged"]
    with (
        capture_logs() as said,
        closing(Older(settings, checkpoint, judged_ms=judged_ms)) as older,
        closing(Newer(site, ThatDay(whole.judged))) as newer,
    ):
        eventually(lambda: "standing_by" in [each["event"] for each in said], "it stands by")
        assert newer.daemon.board.standing_by
        assert older.store.record(Recording([alert()])) == [alert()]
        assert version(settings) == 1, "what the older one works on is left alone"
        older.lease.release()
        eventually(lambda: (older.store.journal.judged_to_ms() or 0) >= whole.judged, "it goes on")
        assert version(settings) == VERSION
        with pytest.raises(LeaseLost):
            older.store.record(Recording([alert(65_000)]))
    (started,) = [each for each in said if each["event"] == "started"]
    assert started["from_checkpoint"]
    assert newest(settings)["layout"] == LAYOUT
    later = {each.id for each in decisions if each.at_ms > older.judged_ms}
    assert later
    assert later == decided(settings, older.judged_ms, whole.judged)
