"""A run that writes checkpoints all the time and goes on from any of them is as one never stopped.

Compared is the whole state, to the bit, with a run over the same log that wrote none. Tables are
cut so small that a few rows make parts. A picture is written some time after it was taken, as the
daemon does, so one that shares anything with the living state is found.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.assembly import build_judges, widen_pending
from monitor.engine import Engine
from monitor.replay import replay_engine
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.store.checkpoint import Checkpoints
from tests.indicators.test_determinism import same
from tests.small_parts import small_parts
from tests.whole import whole

HERE: Final = Path(__file__).parent
SITES: Final = (
    load_site(None, packs=[HERE / "pack"]),
    load_site(None, packs=[HERE / "pack", HERE / "more"]),
)
pytestmark = pytest.mark.untraced

CALLS: Final = Partition("calls", 0)
MINUTE_MS: Final = 60_000
START_MS: Final = 1_795_305_600_000 + (18 * 60 + 5) * MINUTE_MS
"""Ten minutes before it is midnight in Kathmandu."""
LENGTH_MS: Final = 16 * MINUTE_MS
EVICT_MS: Final = 30_000
BATCHES: Final = 40


def events(rng: random.Random) -> list[list[bytes]]:
    """Records in batches, in order of arrival: numbers that come and go, rows that come late."""
    rows: list[tuple[int, dict[str, Any]]] = []
    for index in range(300):
        time = START_MS + rng.randrange(LENGTH_MS)
        late = rng.choice([0, 0, 0, 0, 2_000, 40_000, 3 * MINUTE_MS, 9 * MINUTE_MS])
        # One of those in use at the time: an hour's numbers are never seen again.
        number = f"+8621500{time // (2 * MINUTE_MS) % 1_000:03d}{rng.randrange(4):02d}"
        event = {"id": f"e{index}", "time": time, "number": number, "team": rng.choice("xy")}
        kind = rng.random()
        if kind < 0.75:
            event |= {
                "type": "call.ended",
                "direction": "outbound",
                "call_id": f"c{index}",
                "customer": f"k{rng.randrange(12)}",
                "agent": rng.choice("abc"),
                "campaign": rng.choice(["spring", "autumn"]),
                "outcome": rng.choice(["answered", "busy"]),
                "hangup_by": rng.choice(["customer", "agent"]),
                "talk_s": rng.choice([3, 29.5, 200]),
            }
        elif kind < 0.9:
            state = rng.choice(["ready", "talking", "offline"])
            event |= {"type": "agent.state", "agent": rng.choice("abc"), "state": state}
        else:
            event |= {"type": rng.choice(["number.flagged", "number.cleared"])}
        rows.append((time + late, event))
        if rng.random() < 0.1:
            rows.append((time + late + rng.randrange(MINUTE_MS), event))
    rows.sort(key=lambda row: row[0])
    values = [json.dumps(event).encode() for _, event in rows]
    cuts = sorted(rng.sample(range(1, len(values)), BATCHES - 1))
    return [values[a:b] for a, b in zip([0, *cuts], [*cuts, len(values)], strict=True)]


class Run:
    """An engine over the batches so far."""

    def __init__(self, batches: list[list[bytes]], reloads: dict[int, int]) -> None:
        """``reloads``: by batch, the site that is in force after it."""
        self.batches, self.reloads = batches, reloads
        self.fed = 0
        self.source = MemorySource([CALLS])
        self.engine = engine_of(SITES[0], self.source)
        self.source.start({}, None)

    def feed(self) -> None:
        """Read and judge one more batch; a reload may follow it."""
        self.source.append(CALLS, self.batches[self.fed])
        self.engine.step()
        if self.fed in self.reloads:
            reload(self.engine, SITES[self.reloads[self.fed]])
        self.fed += 1

    def picture(self) -> dict[str, Any]:
        return {"fed": self.fed, "engine": self.engine.snapshot()}

    def restart(self, state: dict[str, Any] | None) -> None:
        """Go on from a checkpoint; None: from the beginning."""
        self.fed = 0 if state is None else state["fed"]
        in_force = [site for batch, site in sorted(self.reloads.items()) if batch < self.fed]
        self.source = MemorySource([CALLS])
        for batch in self.batches[: self.fed]:
            self.source.append(CALLS, batch)
        self.engine = engine_of(SITES[in_force[-1] if in_force else 0], self.source)
        self.source.start({} if state is None else self.engine.restore(state["engine"]), None)

    def state(self) -> Any:
        """All of it as one value, but what is kept of owners: that is folded at other times.

        A restart joins the rows that wait, so that each has the columns of all. Those that a row
        lacks and those that are null in it say the same.
        """
        state = whole(self.engine.snapshot())
        del state["owners"]["owners"]
        names, *rows = state["pending"]["rows"] or [[]]
        state["pending"]["rows"] = [
            sorted(
                (name, value) for name, value in zip(names, row, strict=True) if value is not None
            )
            for row in rows
        ]
        return state


def engine_of(site: Site, source: MemorySource) -> Engine:
    engine = replay_engine(site, source, lambda _decision: None)
    engine.pace = replace(engine.pace, evict_every_ms=EVICT_MS)
    return engine


def reload(engine: Engine, site: Site) -> None:
    """As ``monitor.running.reload`` does."""
    begin = max(engine.judged, engine.pending.latest)
    covered_from = begin - begin % engine.pace.tick_ms + engine.pace.tick_ms
    judges = build_judges(site, covered_from=covered_from, desk=engine.judges.desk, answers=False)
    engine.replace(judges)
    widen_pending(engine)


@contextmanager
def folder() -> Iterator[Path]:
    with small_parts(), tempfile.TemporaryDirectory() as name:
        yield Path(name)


def play(seed: int, directory: Path) -> list[str]:
    """Run both, and say where they part; what the second one went through is in the seed."""
    rng = random.Random(seed)
    batches = events(rng)
    first, second = sorted(rng.sample(range(2, BATCHES - 2), 2))
    reloads = {} if rng.random() < 0.3 else {first: 1, second: 0}
    calm, tried = Run(batches, reloads), Run(batches, reloads)
    states = []
    while calm.fed < BATCHES:
        calm.feed()
        states.append(calm.state())
    checkpoints, picture, parted = Checkpoints(directory), None, list[str]()
    restarts = 0
    while tried.fed < BATCHES:
        tried.feed()
        if not same(tried.state(), states[tried.fed - 1]):
            parted.append(f"after batch {tried.fed - 1}, {restarts} restarts")
        chance = rng.random()
        if picture is not None and chance < 0.6:
            checkpoints.save(picture)
            picture = None
        elif picture is None and chance < 0.7:
            picture = tried.picture()
        elif restarts < 12 and chance > 0.85:
            restarts += 1
            checkpoints, picture = Checkpoints(directory), None
            tried.restart(checkpoints.load())
    return parted


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
@example(257)  # a restart while rows wait that were read before a reload and after it
def test_the_state_is_that_of_a_run_never_stopped(seed: int) -> None:
    with folder() as directory:
        assert play(seed, directory) == []


def test_keys_and_panes_come_and_go_in_such_a_run() -> None:
    """Else it would show little: ids are given to other names, rows enter panes that are stored."""
    with folder():
        run = Run(events(random.Random(1)), {5: 1, 20: 0})
        names: dict[int, set[str]] = {}
        most = 0
        while run.fed < BATCHES:
            run.feed()
            table = run.engine.judges.indicators.key_tables()["number",]
            for key in table.living().tolist():
                names.setdefault(key, set()).add(table.name(key))
            most = max(most, len(table))
        assert max(map(len, names.values())) > 3
        assert most < 30
        assert run.engine.stats.late > 20
        assert run.engine.judges.desk.held
