"""What rules remember can be written into a checkpoint, and is read back as it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from monitor.rules.evaluate import RuleBook
from monitor.store.checkpoint import Checkpoints
from tests.rules.fakes import TICK, FakeSource
from tests.rules.test_absence import idle
from tests.rules.test_relative import HOUR, MONDAY, laggard, surge

SCHEMA = {
    "type": pl.String,
    "tick": pl.Int64,
    "time": pl.Int64,
    "agent": pl.String,
    "group": pl.String,
    "state": pl.String,
    "talk_s": pl.Float64,
}


def book(source: FakeSource) -> RuleBook:
    rules = (surge(), laggard(indicator="interactions"), idle(wave="1/1m"))
    return RuleBook(rules, source, tick_ms=TICK)


def told(tick: int, agent: str, state: str) -> dict[str, Any]:
    return {
        "type": "agent.state",
        "tick": tick,
        "time": tick - 1,
        "agent": agent,
        "group": "g",
        "state": state,
        "talk_s": None,
    }


def test_everything_goes_into_a_checkpoint_and_comes_back(tmp_path: Path) -> None:
    source = FakeSource(by=("agent",))
    mine = book(source)
    of = source.views["1h"]
    of.by, of.kind = ("agent",), "count"
    of.set({"a": (10, 1), "b": (3, 1)})
    first = MONDAY + TICK
    events = [told(first, name, "ready") for name in "abc"]
    mine.load(pl.DataFrame([*events, told(first + TICK, "c", "offline")], schema=SCHEMA))
    for tick in range(first, MONDAY + 26 * HOUR, 1_800_000):
        mine.step(tick, frozenset())
    with closing(Checkpoints(tmp_path)) as kept:
        kept.save({"rules": mine.snapshot()})
        mine.step(MONDAY + 26 * HOUR + TICK, frozenset())
        kept.save({"rules": mine.snapshot()})
        found = kept.load()
    assert found is not None
    again = book(source)
    again.restore(found["rules"])
    assert again.snapshot()["references"]["histories"].keys()
    assert [each.episode for each in again.states().alerts] == [
        each.episode for each in mine.states().alerts
    ]
    assert again.marks() == mine.marks()
