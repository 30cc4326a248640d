"""After the faults: was anything lost, sent twice, or decided wrongly.

Owns the comparison. The reference is a replay of the same topics with the journal of the live runs:
the same engine undisturbed, from the first record on (``tests/e2e`` holds that one against DuckDB).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from monitor.clock import SystemClock
from monitor.decisions import iso
from monitor.store.schema import OUTBOX
from monitor.store.store import Store
from tests.e2e.daemons import commands, wait
from tests.soak.world import PREFIX, World
from tests.store.stores import settings_of

IN_FLIGHT = 32
"""Deliveries of one receiver that one crash can leave in flight: a lane's batch."""


@dataclass
class Verdict:
    """What was found; the figures that should be 0 are."""

    seconds: float
    rate: int
    seed: int
    events: int
    events_never_on_the_topic: int
    faults: dict[str, int]
    starts: int
    decisions: int
    commands: int
    lost_decisions: int
    invented_decisions: int
    wrong_figures: int
    commands_repeated: int
    commands_missing: int
    commands_unknown: int
    alerts_unheard: int
    alerts_repeated: int
    repeats_allowed: int
    catch_up_s: float
    parked: int
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing lost, nothing twice where it may not be, nothing wrong."""
        zero = (
            self.lost_decisions,
            self.invented_decisions,
            self.wrong_figures,
            self.commands_repeated,
            self.commands_missing,
            self.commands_unknown,
            self.alerts_unheard,
            self.parked,
        )
        return not any(zero) and self.alerts_repeated <= self.repeats_allowed

    def plain(self) -> dict[str, Any]:
        """For the results file."""
        return asdict(self) | {"good": self.good}


def judge(world: World, *, seconds: float, rate: int, seed: int, faults: Counter[str]) -> Verdict:
    """Let things settle, and compare."""
    clock = SystemClock()
    world.traffic.stop()
    ended_s, last_ms = clock.monotonic_s(), clock.now_ms()
    folder = world.group.daemons[0].folder
    settings = settings_of(folder, world.url)
    with Store.open(settings, clock, daemon=False) as store:

        def settled() -> bool:
            counts = store.outbox.counts()
            open_ones = sum(n for (_, state), n in counts.items() if state in _OPEN)
            return (store.journal.judged_to_ms() or 0) >= last_ms and not open_ones

        wait("all is judged and delivered", settled, 300)
        catch_up_s = clock.monotonic_s() - ended_s
        for daemon in world.group.daemons:
            daemon.stop()
        judged_to_ms = store.journal.judged_to_ms() or 0
        alerts = store.history.alerts(limit=10**6)
        orders = store.history.commands(limit=10**6)
        stored = {each.id: each.to_json() for each in alerts}
        stored |= {each.id: each.to_json() for each in orders}
        stored |= {each.id: each.to_json() for each in store.history.refusals(limit=10**6)}
        parked = sum(n for (_, state), n in store.outbox.counts().items() if state == "parked")
        stale = {row.decision for row in _stale(store)}
    replayed = _replay(folder / "config.yaml", world.url, judged_to_ms)
    sent = [each["command_id"] for each in commands(world.trio.bootstrap, PREFIX)]
    ordered = {each.id for each in orders if not each.shadow}
    heard = world.heard()
    routed = {each.id for each in alerts if not each.shadow}
    repeats = sum(n - 1 for n in heard.values())
    starts = world.starts()
    return Verdict(
        seconds=seconds,
        rate=rate,
        seed=seed,
        events=world.traffic.sent - world.traffic.failed,
        events_never_on_the_topic=world.traffic.failed,
        faults=dict(sorted(faults.items())),
        starts=starts,
        decisions=len(stored),
        commands=len(ordered),
        lost_decisions=len(replayed.keys() - stored.keys()),
        invented_decisions=len(stored.keys() - replayed.keys()),
        wrong_figures=sum(stored[i] != replayed[i] for i in stored.keys() & replayed.keys()),
        commands_repeated=len(sent) - len(set(sent)),
        commands_missing=len(ordered - set(sent) - stale),
        commands_unknown=len(set(sent) - ordered),
        alerts_unheard=len(routed - heard.keys()),
        alerts_repeated=repeats,
        repeats_allowed=starts * IN_FLIGHT,
        catch_up_s=round(catch_up_s, 1),
        parked=parked,
    )


_OPEN = {"queued", "retry", "sending"}


def _stale(store: Store) -> list[Any]:
    """Commands that were over before they could be sent."""
    with store.outbox._database.read() as connection:
        statement = select(OUTBOX.c.decision).where(OUTBOX.c.state == "stale")
        return list(connection.execute(statement).all())


def _replay(config: Path, url: str, judged_to_ms: int) -> dict[str, Any]:
    """Decisions of the same topics and journal, by id, up to where the live runs had judged."""
    text = config.read_text(encoding="utf-8")
    place = config.with_name("replay.yaml")
    start = text.index('url: {value: "') + len('url: {value: "')
    place.write_text(text[:start] + url + text[text.index('"', start) :], encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "monitor", "replay", "-c", str(place)),
            *("--kafka", "--journal", "store", "--format", "json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=1_200,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    limit = _iso(judged_to_ms)
    return {line["id"]: line for line in lines if line["at"][:19] <= limit}


def _iso(ms: int) -> str:
    return iso(ms)[:19]
