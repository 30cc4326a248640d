"""The table of episodes follows the alerts."""

from __future__ import annotations

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Alert
from monitor.store.episodes import Episode
from monitor.store.store import Recording, Store
from tests.store.made import alert


def test_an_episode_from_its_beginning_to_its_end(store: Store, clock: ManualClock) -> None:
    begun = alert(60_000, level="warn")
    crit = alert(120_000, since_ms=60_000, level="crit", reason="escalated")
    again = alert(180_000, since_ms=60_000, level="crit", reason="repeat")
    over = alert(240_000, since_ms=60_000, level="crit", state="resolved")
    store.record(Recording([begun]))
    assert store.episodes.firing() == [Episode(begun, 1_000_000, None, 60_000, 1_000_000)]
    clock.advance(10)
    store.record(Recording([crit]))
    assert store.episodes.firing() == [Episode(crit, 1_000_010, "warn", 120_000, 1_000_010)]
    clock.advance(10)
    store.record(Recording([again]))
    assert store.episodes.firing() == [Episode(again, 1_000_020, "warn", 120_000, 1_000_010)]
    clock.advance(10)
    store.record(Recording([over]))
    assert store.episodes.firing() == []
    ended = Episode(over, 1_000_030, "warn", 120_000, 1_000_010)
    assert not ended.firing
    assert store.episodes.find(over.episode) == ended
    assert store.episodes.current(resolved_since_ms=1_000_030) == [ended]
    assert store.episodes.current(resolved_since_ms=1_000_031) == []
    assert store.episodes.find("unknown") is None


def test_several_transitions_in_one_recording_count_in_order(store: Store) -> None:
    begun = alert(60_000, level="warn")
    over = alert(60_000, since_ms=60_000, level="crit", state="resolved")
    store.record(Recording([begun, over]))
    found = store.episodes.find(over.episode)
    assert found is not None
    assert (found.alert, found.previous_level) == (over, "warn")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_older_transition_changes_nothing(store: Store, order: tuple[int, int]) -> None:
    alerts: list[Alert] = [
        alert(60_000),
        alert(120_000, since_ms=60_000, state="resolved"),
    ]
    for index in order:
        store.record(Recording([alerts[index]]))
    assert store.episodes.firing() == []


def test_recording_again_does_not_bring_an_episode_back(store: Store) -> None:
    begun, over = alert(60_000), alert(65_000, since_ms=60_000, state="resolved")
    store.record(Recording([begun, over]))
    store.record(Recording([begun]))
    assert store.episodes.firing() == []


def test_firing_ones_come_oldest_first_and_shadow_ones_too(store: Store) -> None:
    alerts = [
        alert(120_000, scope=(("team", "b"),)),
        alert(60_000, scope=(("team", "a"),), shadow=True),
    ]
    store.record(Recording(alerts))
    assert [e.alert for e in store.episodes.firing()] == alerts[::-1]
    assert [e.alert for e in store.episodes.firing(limit=1)] == alerts[1:]
    assert [e.alert for e in store.episodes.current(resolved_since_ms=0)] == alerts[::-1]
