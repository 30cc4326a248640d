"""Figures that no rule looks at are not worked out, and what is decided is the same without."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.engine import Engine
from monitor.indicators.compile import IndicatorSet
from monitor.replay import replay_engine
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import simulate
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource

PACKS = Path(__file__).parents[2] / "rules"
START_MS = 1_795_305_600_000
MINUTE_MS = 60_000
PARTITION = Partition("events", 0)

INDICATORS = """
version: 1
indicators:
  - id: hangups
    kind: ratio
    hits: {count: call.ended, where: "hangup_by == 'customer'"}
    of: {count: call.ended}
    by: [number, agent, team]
    windows: [2m, 10m, 3h]
  - id: customers
    kind: count
    value: {distinct: customer, on: sms.sent}
    by: [number, team]
    windows: [1h, 4h]
  - id: talk
    kind: ratio
    hits: {seconds_in: agent.state, where: "state == 'talking'"}
    of: {seconds_in: agent.state}
    by: [agent, team]
    windows: [5h]
"""
RULES = """
version: 1
rules:
  - id: number-hangup
    indicator: hangups
    by: number
    window: 10m
    levels: {warn: {above: 20%}}
    evidence: {method: sequential, false_alarms: 1 per 2 scope-days}
    no_data: resolve
    notify: {route: supervisors}
  - id: agent-hangup
    indicator: hangups
    by: agent
    window: 2m
    levels: {warn: {above: 20%}, crit: {above: 45%}}
    evidence: {method: sequential, false_alarms: 1 per 3 scope-days}
    no_data: hold
    notify: {route: supervisors}
  - id: team-quiet
    indicator: hangups
    by: team
    window: 10m
    levels: {warn: {above: 70%}}
    evidence: {method: raw, min_of: 2}
    no_data: alert
    notify: {route: supervisors}
"""
Event = tuple[int, str, int, bool]
"""Minute, type, which number, agent and team, and whether a customer hung up."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    pack = tmp_path_factory.mktemp("pack")
    (pack / "indicators.yaml").write_text(INDICATORS, encoding="utf-8")
    (pack / "rules.yaml").write_text(RULES, encoding="utf-8")
    return load_site(None, packs=[pack])


def written(events: Sequence[Event]) -> Iterable[bytes]:
    for place, (minute, kind, who, bad) in enumerate(events):
        event: dict[str, Any] = {
            "id": f"e{place}",
            "type": kind,
            "time": START_MS + minute * MINUTE_MS,
            "number": f"+8621500000{who:02}",
            "agent": f"a{who}",
            "team": f"t{who % 2}",
        }
        if kind == "call.ended":
            event |= {"hangup_by": "customer" if bad else "agent", "outcome": "answered"}
        elif kind == "sms.sent":
            event |= {"customer": f"c{place}"}
        else:
            event |= {"state": "talking" if bad else "ready"}
        yield json.dumps(event).encode()


def engines(site: Site, records: Iterable[bytes], every_ms: int) -> list[tuple[Engine, list[str]]]:
    """With all figures, and with those alone that rules look at: each with what it decided."""
    records, found = list(records), []
    for decisions_only in (False, True):
        source = MemorySource([PARTITION])
        source.append(PARTITION, records)
        source.finish()
        source.start({}, None)
        told: list[str] = []

        def tell(decision: Decision, told: list[str] = told) -> None:
            told.append(repr(decision))

        clock = ManualClock(START_MS)
        engine = replay_engine(site, source, tell, clock=clock, decisions_only=decisions_only)
        engine.pace = replace(engine.pace, evict_every_ms=every_ms)
        engine.run_to_end()
        found.append((engine, told))
    return found


def same(found: list[tuple[Engine, list[str]]]) -> int:
    """Whether both came to the same; how much they decided."""
    (whole, decided), (narrow, alike) = found
    assert alike == decided
    for name in ("late", "rejects", "events", "records", "alerts", "commands"):
        assert getattr(narrow.stats, name) == getattr(whole.stats, name), name
    for by, keys in narrow.judges.indicators.key_tables().items():
        there = whole.judges.indicators.key_tables()[by]
        assert keys.names(keys.living().tolist()) == there.names(there.living().tolist()), by
    return len(decided)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.sampled_from(["call.ended", "call.ended", "call.ended", "sms.sent", "agent.state"]),
        st.integers(0, 3),
        st.sampled_from([True, True, False]),
    ),
    max_size=120,
).map(sorted)
BEFORE: list[Event] = [(minute, "call.ended", 0, True) for minute in range(8)]
MESSAGES: list[Event] = [(minute, "sms.sent", 0, True) for minute in range(20, 500, 60)]
AFTER: list[Event] = [(minute, "call.ended", 0, True) for minute in range(500, 504)]
"""Of a number that only sends messages for hours the evidence of before still counts, though no
rule looks at messages."""


@settings(deadline=None, max_examples=25)
@example([*BEFORE, *MESSAGES, *AFTER])
@given(EVENTS)
def test_it_comes_to_the_same_whatever_is_forgotten_between(
    site: Site, events: list[Event]
) -> None:
    same(engines(site, written(events), every_ms=5 * MINUTE_MS))


@pytest.mark.parametrize(
    ("events", "fires"),
    [([*BEFORE, *MESSAGES, *AFTER], True), ([*BEFORE, *AFTER], False), (BEFORE, False)],
    ids=["messages between", "silence between", "nothing after"],
)
def test_evidence_lives_as_long_as_its_key_does(
    site: Site, events: list[Event], *, fires: bool
) -> None:
    for _, told in engines(site, written(events), every_ms=5 * MINUTE_MS):
        assert any("number-hangup" in each for each in told) is fires


@pytest.mark.parametrize("packs", [["telemarketing"], None], ids=["shipped", "all"])
def test_the_packs_decide_alike(packs: list[str] | None) -> None:
    names = packs or sorted(path.parent.name for path in PACKS.glob("*/rules.yaml"))
    site = load_site(None, packs=[PACKS / name for name in names])
    rng = random.Random(7)
    simulation = simulate(
        SCENARIOS["demo"], start_ms=START_MS, seed=3, rate=10.0, duration_ms=25 * MINUTE_MS
    )
    records = [line.encode() for chunk in simulation.chunks() for line in chunk["line"].to_list()]
    records = [again for each in records for again in [each] * (2 if rng.random() < 0.02 else 1)]
    found = engines(site, records, every_ms=10 * MINUTE_MS)
    assert same(found) > 10
    whole, narrow = (engine.judges.indicators for engine, _ in found)
    assert len(list(narrow.views())) < len(list(whole.views())) / 2


def test_only_what_was_asked_for_is_there(site: Site) -> None:
    config = site.config
    whole = IndicatorSet(
        site.indicators, tick_ms=config.time.tick, limits=config.windows, covered_from=0
    )
    whole.view("hangups", ("team",), "10m")
    narrow = whole.narrowed()
    ids = {(view.indicator.id, view.by, view.window) for view in narrow.views()}
    assert ("hangups", ("team",), "10m") in ids
    assert ("talk", ("team",), "5h") in ids, "time in a state keeps a key, so it is worked out"
    assert {by for _, by, _ in ids} == {("team",)}
    with pytest.raises(KeyError):
        narrow.view("hangups", ("team",), "2m")
    assert (narrow.types, narrow.fields) == (whole.types, whole.fields)
    assert narrow.horizon_ms == whole.horizon_ms
