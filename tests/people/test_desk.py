"""What people do about alerts: kept with who and when, seen at once, twice is once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Alert
from monitor.people.desk import SILENCE_MAX_MS, PeopleDesk, UnknownError
from monitor.people.matchers import labels_of, misses, read
from monitor.store.handled import Handling, Wanted
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import alert
from tests.store.stores import KINDS, open_store, settings_of

NOW_MS = 1_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    url = request.getfixturevalue("database_url") if request.param == "postgresql" else None
    return settings_of(tmp_path, url)


@pytest.fixture
def store(settings: StoreSettings, clock: ManualClock) -> Iterator[Store]:
    with open_store(settings, clock) as opened:
        yield opened


@pytest.fixture
def beside(store: Store, settings: StoreSettings, clock: ManualClock) -> Iterator[PeopleDesk]:
    """As another process has it, while the daemon runs."""
    del store
    with Store.open(settings, clock, daemon=False) as opened:
        yield PeopleDesk(opened, clock)


def of_team(team: str, at_ms: int, **changes: object) -> Alert:
    return alert(at_ms, scope=(("team", team),), **changes)


def test_an_alert_is_acknowledged_from_another_process(
    store: Store, beside: PeopleDesk, clock: ManualClock
) -> None:
    warn = alert(60_000, level="warn")
    store.record(Recording([warn]))
    assert beside.acknowledge(warn.episode, "wang", " calling the vendor ", ident="x1")
    clock.advance(5_000)
    assert not beside.acknowledge(warn.episode, "wang", "again", ident="x1")
    row = PeopleDesk(store, clock).entry(warn.episode)
    assert row is not None
    assert row.handling == Handling("wang", NOW_MS, "warn", "calling the vendor", None)
    assert row.handling.covers("warn")
    assert not row.handling.covers("crit")
    (act,) = beside.acts(about=warn.episode)
    assert (act.at_ms, act.who, act.what) == (NOW_MS, "wang", "acknowledge")
    assert act.details == {"note": "calling the vendor"}
    # It gets worse: that is news.
    crit = alert(120_000, since_ms=60_000, episode=warn.episode, level="crit", reason="escalated")
    store.record(Recording([crit]))
    assert [r.alert for r in beside.inbox(Wanted(acknowledged=False)).rows] == [crit]
    beside.acknowledge(warn.episode, "li")
    assert beside.inbox(Wanted(acknowledged=False)).rows == ()
    # And better again: known.
    store.record(Recording([alert(180_000, since_ms=60_000, episode=warn.episode, level="warn")]))
    assert len(beside.inbox(Wanted(acknowledged=True)).rows) == 1
    assert store.handled.of([warn.episode, "none"]).keys() == {warn.episode}


def test_an_alert_is_assigned_and_given_back(store: Store, beside: PeopleDesk) -> None:
    made = alert()
    store.record(Recording([made]))
    beside.acknowledge(made.episode, "wang", "mine")
    assert beside.assign(made.episode, "li", "wang")
    (row,) = beside.inbox(Wanted(assigned_to="li")).rows
    assert row.handling == Handling("wang", NOW_MS, "crit", "mine", "li")
    assert beside.assign(made.episode, None, "li")
    assert beside.inbox(Wanted(assigned_to="li")).rows == ()
    assert [(a.what, a.details) for a in beside.acts(since_ms=NOW_MS)] == [
        ("assign", {"to": None}),
        ("assign", {"to": "li"}),
        ("acknowledge", {"note": "mine"}),
    ]


def test_what_is_unknown_or_unsaid_is_refused(store: Store, clock: ManualClock) -> None:
    desk = PeopleDesk(store, clock)
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: desk.acknowledge("e0", "wang"), "there is no episode 'e0'"),
        (lambda: desk.assign("e0", "li", "wang"), "there is no episode 'e0'"),
        (lambda: desk.end_silence("s0", "wang"), "there is no silence 's0'"),
        (lambda: desk.acknowledge("e0", " "), "say who"),
        (lambda: desk.acknowledge("e0", "wang", "x" * 2_001), "at most 2000"),
        (lambda: desk.assign("e0", "", "wang"), "say to whom"),
        (lambda: desk.silence({}, NOW_MS + 1, "wang", "why"), "say which alerts"),
        (lambda: desk.silence({"rule": []}, NOW_MS + 1, "wang", "why"), "say which alerts"),
        (lambda: desk.silence({"rule": "x" * 201}, NOW_MS + 1, "wang", "why"), "longer than"),
        (lambda: desk.silence({"rule": ["a"] * 21}, NOW_MS + 1, "wang", "why"), "more than 20"),
        (lambda: desk.silence({"rule": "a"}, NOW_MS, "wang", "why"), "lies ahead"),
        (lambda: desk.silence({"rule": "a"}, NOW_MS + 1, "wang", " "), "say why"),
        (
            lambda: desk.silence({"rule": "a"}, NOW_MS + SILENCE_MAX_MS + 1, "wang", "why"),
            "ends within 90 days",
        ),
        (lambda: desk.inbox(cursor="later"), "none of ours"),
        (lambda: desk.inbox(limit=0), "1 to 1000 rows"),
    ]
    for act, said in refused:
        with pytest.raises((ValueError, UnknownError), match=said):
            act()
    assert desk.acts() == []
    assert desk.entry("e0") is None


def test_silences_begin_end_and_stay_as_history(
    store: Store, beside: PeopleDesk, clock: ManualClock
) -> None:
    until_ms = NOW_MS + 3_600_000
    first = beside.silence({"rule": "line-*"}, until_ms, "wang", "works", ident="k")
    assert beside.silence({"rule": "line-*"}, until_ms, "wang", "works", ident="k") == first
    clock.advance(1_000)
    second = beside.silence({"team": ["t1", "t2"]}, NOW_MS + 5_000, "li", "training")
    desk = PeopleDesk(store, clock)
    assert desk.silences() == [first, second]
    clock.advance(4_000)
    assert desk.silences() == [first]
    assert not desk.end_silence(second.id, "li")
    assert beside.end_silence(first.id, "li")
    assert desk.silences() == []
    over = {silence.id: silence for silence in desk.silences(over=True)}
    assert over[first.id].ended_by == "li"
    assert over[first.id].until_ms == NOW_MS + 5_000
    assert over[second.id] == second
    assert [act.what for act in desk.acts()] == ["end_silence", "silence", "silence"]


def test_the_inbox_is_filtered_and_paged(store: Store, beside: PeopleDesk) -> None:
    made = [
        of_team("t1", 60_000, level="warn"),
        of_team("t2", 60_000),
        of_team("t2", 120_000, rule="line-blocked"),
        alert(180_000),
        of_team("t1", 240_000, shadow=True),
    ]
    over = of_team("t3", 70_000, since_ms=65_000, state="resolved")
    store.record(Recording([*made, over], teams={made[3].episode: "t9"}))

    def episodes(wanted: Wanted | None = None) -> list[str]:
        return [row.alert.episode for row in beside.inbox(wanted).rows]

    by_age = sorted([*made[:4], over], key=lambda a: (a.since_ms, a.episode), reverse=True)
    assert episodes() == [a.episode for a in by_age]
    assert episodes(Wanted(state="resolved")) == [over.episode]
    assert episodes(Wanted(level="warn")) == [made[0].episode]
    assert episodes(Wanted(rule="line-blocked")) == [made[2].episode]
    assert episodes(Wanted(teams=frozenset({"t9"}))) == [made[3].episode]
    assert episodes(Wanted(teams=frozenset())) == []
    assert episodes(Wanted(shadow=True)) == [made[4].episode]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = beside.inbox(cursor=cursor, limit=2)
        seen += [row.alert.episode for row in page.rows]
        cursor = page.cursor
    assert seen == [a.episode for a in by_age]
    assert cursor is None


def test_a_team_once_known_stays_with_its_episode(store: Store, clock: ManualClock) -> None:
    begun = alert(60_000)
    store.record(Recording([begun], teams={begun.episode: "t1"}))
    store.record(Recording([alert(70_000, since_ms=60_000, episode=begun.episode)]))
    row = PeopleDesk(store, clock).entry(begun.episode)
    assert row is not None
    assert row.team == "t1"


def test_what_is_old_goes_and_what_fires_keeps_its_handling(
    store: Store, clock: ManualClock
) -> None:
    desk = PeopleDesk(store, clock)
    fires, over = alert(60_000), alert(70_000, rule="r2", state="resolved")
    store.record(Recording([fires, over]))
    for made in (fires, over):
        desk.acknowledge(made.episode, "wang")
    desk.silence({"rule": "a"}, NOW_MS + 10, "wang", "why")
    while store.history.prune(NOW_MS + 1_000, journal_upto=0):
        pass
    assert store.handled.of([fires.episode, over.episode]).keys() == {fires.episode}
    assert desk.silences(over=True) == []
    assert desk.acts() == []


def test_matchers_take_patterns_lists_and_the_others() -> None:
    labels = labels_of(alert(scope=(("team", "T1"), ("campaign", "c7"))), pack="numbers")
    assert labels["pack"] == "numbers"
    assert labels["team"] == "T1"
    for written, left in (
        ({"rule": "number-*"}, []),
        ({"rule": ["x", "number-hangup"], "level": "crit"}, []),
        ({"team": "!T2"}, []),
        ({"team": "!T*"}, ["team"]),
        ({"team": "t1"}, ["team"]),
        ({"agent": ""}, []),
        ({"agent": "?*", "level": "warn"}, ["agent", "level"]),
    ):
        assert misses(read(written), labels) == left
