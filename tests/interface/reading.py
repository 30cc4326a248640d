"""A server of what reads: boards, alerts, rules, health, live events, and the console's pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.clock import ManualClock
from monitor.decisions import Alert, Evidence, Figures, Level, Scope, derive_id
from monitor.events.settings import EventSettings
from monitor.interfaces import parts_of
from monitor.scorecards.settings import ScorecardSettings
from monitor.snapshot import AlertStanding, Board, Snapshot
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from monitor.web.office import Office
from monitor.web.room import Explain, Room
from tests.exporter import sample
from tests.interface.serving import Served, serving
from tests.shadow.made import FIGURES, SITE

NOW = 1_763_776_800_000
CUSTOMER = "+8613912345678"
AGENT: Scope = (("agent", "agent-01"),)
NUMBER: Scope = (("number", sample.NUMBERS[7]),)


def alert(
    rule: str = "agent-hangup",
    scope: Scope = AGENT,
    *,
    level: Level = "crit",
    begun_ms: int = NOW - 60_000,
    state: Any = "firing",
    **more: Any,
) -> Alert:
    """An alert as the engine decides one."""
    episode = derive_id("episode", rule, str(scope), begun_ms)
    at_ms = more.pop("at_ms", begun_ms)
    return Alert(
        at_ms=at_ms,
        id=derive_id(episode, at_ms, state),
        episode=episode,
        rule=rule,
        scope=scope,
        level=level,
        state=state,
        since_ms=begun_ms,
        figures=more.pop("figures", Figures(0.45, 45.0, 100.0, "30m")),
        evidence=more.pop("evidence", Evidence("sequential", 41.0, 30.0)),
        reason="breach" if state == "firing" else "recovered",
        message=more.pop("message", {"en": "{} hangs up".format(*dict(scope).values())}),
        **more,
    )


def standing_of(each: Alert) -> AlertStanding:
    """The same in a picture."""
    return AlertStanding(
        each.rule, each.level, each.scope, each.since_ms, each.episode, each.figures
    )


@dataclass
class Site:
    """What is served."""

    served: Served
    board: Board
    room: Room
    clock: ManualClock
    settings: StoreSettings

    def ask(self, path: str, role: str = "viewer", **more: Any) -> Any:
        return self.served.ask(path, role, **more)

    def record(self, *decisions: Any) -> None:
        """Decisions into the store, as the engine records them."""
        with Store.open(self.settings, self.clock) as store:
            store.record(Recording(decisions))

    def publish(self, picture: Snapshot) -> None:
        self.board.publish(picture)
        self.room.watching.look()


def picture(**changed: Any) -> Snapshot:
    """The picture of the samples, with figures of a company that has a tree."""
    return replace(sample.snapshot(NOW), **changed)


@contextmanager
def site_at(
    path: Path, *, shown: Snapshot | None = None, explain: Explain | None = None, **more: Any
) -> Iterator[Site]:
    """Everything that reads, on a store of its own; the picture is there already."""
    settings, clock, board = StoreSettings(path=path / "monitor.db"), ManualClock(NOW), Board()
    room = Room(board, trends_bytes=2**24, stalled_after_ms=60_000, explain=explain)
    office = Office(board, settings, "CN", clock)
    kept = ScorecardSettings(folder=path / "scorecards")
    parts = parts_of(office, EventSettings(), kept, room, lambda: (SITE, FIGURES))
    with serving(*parts, office=office, **more) as served:
        made = Site(served, board, room, clock, settings)
        made.publish(picture() if shown is None else shown)
        yield made
    office.close()
