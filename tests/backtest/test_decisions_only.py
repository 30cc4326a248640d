"""Figures that no rule looks at are not worked out, and what is decided is the same without."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
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
    windows: [2m, 10m]
  - id: customers
    kind: count
    value: {distinct: customer, on: sms.sent}
    by: [number, team, group]
    windows: [1h, 4h]
  - id: talk
    kind: ratio
    hits: {seconds_in: agent.state, where: "state == 'talking'"}
    of: {seconds_in: agent.state}
    by: [team]
    windows: [5h]
  - id: answers
    kind: response
    from: message.received
    to: message.sent
    per: conversation
    open_after: 5m
    max_age: 1h
    by: [agent, group]
    windows: [10m]
  - id: owned
    kind: population
    entity: customer
    from: customer.claimed
    until: {on: customer.released}
    max_age: 2h
    by: [agent]
  - id: steps
    kind: funnel
    entity: customer
    within: 1h
    steps:
      told: {on: sms.sent}
      called: {on: call.ended}
    by: [number, group]
    windows: [1h, 6h]
  - id: today
    kind: count
    value: {count: call.ended}
    by: [team]
    windows: [{calendar: day, tz: Asia/Shanghai}]
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
  - id: number-customers
    indicator: customers
    by: number
    window: 1h
    levels: {warn: {at_least: 3}}
    no_data: resolve
    notify: {route: supervisors}
  - id: number-steps
    indicator: steps_called
    by: number
    window: 1h
    levels: {warn: {below: 60%}}
    evidence: {method: raw, min_of: 2}
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
"""Minute, type, which number, agent, group and team, and whether it is bad: a customer hung up, an
agent talks, a message is of a group alone."""
TYPES = [
    *["call.ended"] * 4,
    *["sms.sent"] * 2,
    "agent.state",
    "message.received",
    "message.sent",
    "customer.claimed",
    "customer.released",
]


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
            "group": f"g{who % 2}",
        }
        if not (kind.startswith("message") and bad):
            event |= {"number": f"+8621500000{who:02}", "agent": f"a{who}", "team": f"t{who % 2}"}
        match kind:
            case "call.ended":
                event |= {"hangup_by": "customer" if bad else "agent", "outcome": "answered"}
                event |= {"customer": f"c{place % 7}"}
            case "sms.sent":
                event |= {"customer": f"c{place}"}
            case "agent.state":
                event |= {"state": "talking" if bad else "ready"}
            case "message.received" | "message.sent":
                event |= {"conversation": f"v{who % 2}"}
            case _:
                event |= {"customer": f"c{place % 5}"}
        yield json.dumps(event).encode()


@dataclass
class Ran:
    """What an engine decided, and which keys it knew after each forgetting."""

    engine: Engine
    decided: list[str] = field(default_factory=list)
    known: dict[int, dict[tuple[str, ...], set[str]]] = field(default_factory=dict)


def ran(site: Site, records: Iterable[bytes], every_ms: int) -> tuple[Ran, Ran]:
    """With all figures, and with those alone that rules look at."""
    records = list(records)
    whole, narrow = (_ran(site, records, every_ms, decisions_only=only) for only in (False, True))
    return whole, narrow


def _ran(site: Site, records: list[bytes], every_ms: int, *, decisions_only: bool) -> Ran:
    source = MemorySource([PARTITION])
    source.append(PARTITION, records)
    source.finish()
    source.start({}, None)

    def tell(decision: Decision) -> None:
        mine.decided.append(repr(decision))

    def look(tick: int) -> None:
        if tick % every_ms < engine.pace.tick_ms:
            tables = engine.judges.indicators.key_tables().items()
            mine.known[tick] = {by: {*keys.names(keys.living().tolist())} for by, keys in tables}

    clock = ManualClock(START_MS)
    engine = replay_engine(
        site, source, tell, clock=clock, on_tick=look, decisions_only=decisions_only
    )
    engine.pace = replace(engine.pace, evict_every_ms=every_ms)
    mine = Ran(engine)
    engine.run_to_end()
    return mine


def same(whole: Ran, narrow: Ran) -> int:
    """Whether both came to the same; how much they decided."""
    assert narrow.decided == whole.decided
    for name in ("late", "rejects", "events", "records", "alerts", "commands"):
        assert getattr(narrow.engine.stats, name) == getattr(whole.engine.stats, name), name
    scopes = narrow.engine.judges.indicators.key_tables().keys()
    assert narrow.known.keys() == whole.known.keys()
    for tick, known in whole.known.items():
        assert narrow.known[tick] == {by: known[by] for by in scopes}
    full = whole.engine.judges.indicators.overflowed()
    for (by, table), rows in narrow.engine.judges.indicators.overflowed().items():
        assert rows <= full[by, table], (by, table)
    return len(whole.decided)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 500),
        st.sampled_from(TYPES),
        st.integers(0, 3),
        st.sampled_from([True, False]),
    ),
    max_size=120,
).map(sorted)
BEFORE: list[Event] = [(minute, "call.ended", 0, True) for minute in range(8)]
MESSAGES: list[Event] = [(minute, "sms.sent", 0, True) for minute in range(20, 500, 60)]
AFTER: list[Event] = [(minute, "call.ended", 0, True) for minute in range(500, 504)]
"""Of a number that only sends messages for hours the evidence of before still counts, though no
rule looks at messages."""


TALKED: list[Event] = [
    *BEFORE,
    (9, "message.received", 0, False),
    (65, "message.received", 0, True),
    *((minute, "call.ended", 0, True) for minute in range(110, 114)),
]
"""A conversation that went on with the group alone keeps the agent, too."""
FULL: list[Event] = [(minute, "sms.sent", 0, True) for minute in (0, 1, 2, 120, 121, 122)]
"""Pairs of hours ago that a longer window has still leave no room for others."""


@settings(deadline=None, max_examples=25)
@example([*BEFORE, *MESSAGES, *AFTER], 1_000)
@example(TALKED, 1_000)
@example(FULL, 3)
@given(EVENTS, st.sampled_from([3, 10, 1_000]))
def test_it_comes_to_the_same_whatever_is_forgotten_between(
    site: Site, events: list[Event], pairs_max: int
) -> None:
    limits = site.config.limits.model_copy(update={"pairs_per_measure": pairs_max})
    site = replace(site, config=site.config.model_copy(update={"limits": limits}))
    same(*ran(site, written(events), every_ms=5 * MINUTE_MS))


@pytest.mark.parametrize(
    ("events", "fires"),
    [([*BEFORE, *MESSAGES, *AFTER], True), ([*BEFORE, *AFTER], False), (BEFORE, False)],
    ids=["messages between", "silence between", "nothing after"],
)
def test_evidence_lives_as_long_as_its_key_does(
    site: Site, events: list[Event], *, fires: bool
) -> None:
    for each in ran(site, written(events), every_ms=5 * MINUTE_MS):
        assert any("number-hangup" in one for one in each.decided) is fires


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
    whole, narrow = ran(site, records, every_ms=10 * MINUTE_MS)
    assert same(whole, narrow) > 10
    all_of_them, some = (each.engine.judges.indicators.views() for each in (whole, narrow))
    assert len(list(some)) < len(list(all_of_them)) / 2


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
