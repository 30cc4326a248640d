"""What may be counted twice suspends nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from monitor.decisions import Alert, Command, Decision, Evidence, Figures, Want
from monitor.replay import replay_engine
from monitor.source.memory import MemorySource
from monitor.windows.dedup import Dedup
from monitor.windows.doubt import RULE, Doubt
from tests.e2e.live import nervous_site
from tests.e2e.stream import PARTITIONS, START_MS
from tests.store.made import alert, order

TICK = 5_000
MINUTE = 60_000
WANT = Want(
    "+862150000001",
    "rule",
    "episode",
    "crit",
    (("number", "+862150000001"),),
    Figures(1.0, 5, 5, "1m"),
    Evidence("raw", 5, 5),
    None,
)


def test_from_the_first_doubtful_row_until_the_longest_window_is_past_the_last() -> None:
    doubt = Doubt()
    assert doubt.shadowed([WANT]) == [WANT]
    assert doubt.next_event_tick(MINUTE, TICK) is None
    doubt.load([10_000, 20_000])
    assert doubt.step(5_000, MINUTE) == []
    [fired] = doubt.step(10_000, MINUTE)
    assert (fired.rule, fired.state, fired.since_ms) == (RULE, "firing", 10_000)
    assert doubt.step(20_000, MINUTE) == []
    assert doubt.shadowed([WANT]) == [replace(WANT, shadow=True)]
    assert doubt.next_event_tick(MINUTE, TICK) == 85_000
    again = Doubt()
    again.restore(doubt.snapshot())
    for each in (doubt, again):
        assert each.step(80_000, MINUTE) == []
        [resolved] = each.step(85_000, MINUTE)
        assert (resolved.state, resolved.episode) == ("resolved", fired.episode)
        assert each.shadowed([WANT]) == [WANT]


def test_what_one_event_says_is_no_figure() -> None:
    doubt = Doubt()
    doubt.load([TICK])
    doubt.step(TICK, MINUTE)
    flagged = replace(WANT, evidence=Evidence("event", 1.0, 1.0))
    assert doubt.shadowed([flagged]) == [flagged]


def test_orders_that_rest_on_figures_are_shadow() -> None:
    doubt = Doubt()
    given = [order(id=name, episode=name) for name in ("figure", "event", "absence")]
    told = [
        alert(episode="figure", evidence=Evidence("raw", 1.0, 1.0)),
        alert(episode="event", evidence=Evidence("event", 1.0, 1.0)),
        alert(episode="absence", evidence=Evidence("absence", 1.0, 1.0)),
    ]
    assert doubt.shadowed_orders(given, told) == given
    doubt.load([TICK])
    doubt.step(TICK, MINUTE)
    stand = doubt.shadowed_orders(given, told)
    assert [each.shadow for each in stand] == [True, False, False]


def call(index: int) -> bytes:
    event: dict[str, Any] = {
        "id": f"e{index}",
        "type": "call.ended",
        "time": START_MS + 100 * index,
        "number": f"+86215000000{index % 6}",
        "direction": "outbound",
        "outcome": "answered",
        "hangup_by": "customer" if index % 6 == 2 else "agent",
        "talk_s": 3,
        "campaign": "spring",
    }
    return json.dumps(event).encode()


@pytest.mark.parametrize("limit", [1_000, 10])
def test_with_the_table_full_commands_are_shadow_and_one_alert_says_so(limit: int) -> None:
    site = nervous_site()
    source = MemorySource([PARTITIONS[0]])
    source.append(PARTITIONS[0], [call(index) for index in range(600)])
    source.finish()
    source.start({}, None)
    decisions: list[Decision] = []
    engine = replay_engine(site, source, decisions.append)
    engine.dedup = Dedup(lateness_ms=site.config.time.lateness, tick_ms=TICK, limit=limit)
    engine.run_to_end()
    full = limit == 10
    commands = [each for each in decisions if isinstance(each, Command)]
    assert commands
    assert {each.shadow for each in commands} == {full}
    told = [each for each in decisions if isinstance(each, Alert) and each.rule == RULE]
    assert [each.state for each in told] == ["firing"] * full
    assert (engine.stats.dedup_uncertain > 0) == full
