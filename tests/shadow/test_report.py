"""What a rule in shadow would have done, next to what happened after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.shadow import report as module
from monitor.shadow.report import ShadowReport, report
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.shadow.made import FIGURES, SITE
from tests.store.made import alert, command

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_800_000_000_000
SINCE = NOW - 7 * DAY
ONE, TWO, THREE = ("+8621500000" + each for each in ("01", "02", "03"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(StoreSettings(path=tmp_path / "s.db"), SystemClock()) as made:
        yield made


def at(hours: float, **changes: Any) -> Any:
    """An alert of the trial so many hours ago, of number one."""
    number = changes.pop("number", ONE)
    given = {"rule": "trial", "shadow": True, "scope": (("number", number),)} | changes
    return alert(NOW - round(hours * HOUR), **given)


def told(store: Store, *decisions: Decision, only: str | None = "trial") -> ShadowReport:
    ordered = sorted(decisions, key=lambda each: each.at_ms)
    store.record(Recording(ordered))
    (found,) = report(store.history, SITE, FIGURES, since_ms=SINCE, until_ms=NOW, only=only)
    return found


def test_nothing_was_recorded(store: Store) -> None:
    found = told(store)
    assert (found.episodes, found.nothing, found.followed, found.cases) == (0, 0, {}, ())
    assert found.a_week[0] == 0


def test_an_episode_counts_once_and_at_the_level_it_began_with(store: Store) -> None:
    first = at(50, level="warn")
    worse = at(49, level="crit", episode=first.episode, since_ms=first.at_ms)
    over = at(48, state="resolved", episode=first.episode, since_ms=first.at_ms)
    found = told(store, first, worse, over, at(30, number=TWO))
    assert (found.episodes, found.scopes, found.by_level) == (2, 2, {"warn": 1, "crit": 1})
    assert found.a_week[0] == pytest.approx(2)
    assert found.a_week[1] < 2 < found.a_week[2]
    assert found.nothing == 2
    assert [case.alert.scope[0][1] for case in found.cases] == [TWO, ONE]


def test_what_is_older_or_real_is_not_counted(store: Store) -> None:
    assert told(store, at(8 * 24), at(50, shadow=False)).episodes == 0


def test_what_happened_after(store: Store) -> None:
    trial = at(100)
    found = told(
        store,
        trial,
        command(trial.at_ms, episode=trial.episode, number=ONE, shadow=True, rule="trial"),
        command(trial.at_ms + HOUR, number=ONE, rule="real", episode="r"),
        alert(trial.at_ms + HOUR, rule="real", scope=(("number", ONE),)),
        alert(trial.at_ms + 2 * HOUR, rule="flagged", scope=(("number", ONE),), shadow=True),
        alert(trial.at_ms + 3 * HOUR, rule="complained", scope=(("number", ONE),)),
        alert(trial.at_ms + 25 * HOUR, rule="real", scope=(("number", ONE),), level="warn"),
    )
    assert found.suspensions == 1
    assert found.followed == {"suspended": 1, "flagged": 1, "complained": 1, "alerted": 1}
    assert (found.nothing, found.missed) == (0, {})
    (case,) = found.cases
    assert case.suspends
    assert {each.what: each.after_ms // HOUR for each in case.follows} == {
        "suspended": 1,
        "alerted": 1,
        "flagged": 2,
        "complained": 3,
    }


def test_other_numbers_and_later_and_earlier_do_not_count(store: Store) -> None:
    trial = at(100)
    found = told(
        store,
        trial,
        command(trial.at_ms + HOUR, number=TWO, rule="real"),
        command(trial.at_ms - HOUR, number=ONE, rule="real"),
        command(trial.at_ms + 25 * HOUR, number=ONE, rule="real"),
        command(trial.at_ms + HOUR, number=ONE, rule="x", shadow=True),
        command(trial.at_ms + 2 * HOUR, number=ONE, action="resume", rule="real"),
    )
    assert (found.followed, found.nothing) == ({}, 1)
    # Two without any alert before, and one whose alert came after, or too long before.
    assert found.missed == {"suspended": 2}


def test_young_episodes_are_not_said_to_be_quiet(store: Store) -> None:
    found = told(store, at(2), at(30, number=TWO))
    assert (found.open, found.nothing) == (1, 1)
    assert [case.open for case in found.cases] == [True, False]


def test_a_rule_by_another_dimension_is_followed_by_it(store: Store) -> None:
    scope = (("agent", "a-1"),)
    found = told(
        store,
        alert(NOW - 50 * HOUR, rule="by-agent", scope=scope, shadow=True),
        alert(NOW - 49 * HOUR, rule="other", scope=(("agent", "a-1"), ("team", "t"))),
        alert(NOW - 40 * HOUR, rule="by-agent", scope=(), shadow=True, episode="wave"),
        command(NOW - 48 * HOUR, number=ONE),
        only="by-agent",
    )
    assert found.followed == {"alerted": 1}
    assert (found.nothing, found.missed) == (1, {})


def test_all_that_are_in_shadow_or_one_whatever_it_is(store: Store) -> None:
    store.record(Recording([at(50)]))
    times: dict[str, Any] = {"since_ms": SINCE, "until_ms": NOW}
    every = report(store.history, SITE, FIGURES, **times)
    assert [each.rule for each in every] == ["trial", "by-agent", "flagged"]
    (real,) = report(store.history, SITE, FIGURES, only="real", **times)
    assert (real.status, real.episodes) == ("active", 0)
    assert report(store.history, SITE, FIGURES, only="nothing", **times) == []


def test_it_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_MAX", 3)
    monkeypatch.setattr(module, "CASES_MAX", 2)
    found = told(store, *(at(hours) for hours in range(30, 40)))
    assert found.cut
    assert (found.episodes, len(found.cases)) == (3, 2)


def test_json(store: Store) -> None:
    trial = at(100)
    real = command(trial.at_ms + HOUR, number=ONE, rule="real", episode="r")
    plain = told(store, trial, real).to_json()
    assert plain["cases"][0]["after"] == [{"what": "suspended", "after_s": 3600, "rule": "real"}]
    assert plain["cases"][0]["scope"] == {"number": ONE}
    assert plain["followed"] == {"suspended": 1}
    assert plain["a_week"][0] == 1
