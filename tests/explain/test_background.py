"""What messages tell beside an alert: its rule, what was done, where the records are, a trend."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.errors import StoreError
from monitor.explain.background import SiteBackground
from monitor.explain.remarks import remark
from monitor.site import load_site
from monitor.source.base import Partition
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.explain.made import site
from tests.explain.test_kinds import HANGUPS, calls, indicator, rule
from tests.explain.test_remarks import HANG, fired, held_of
from tests.store.made import NUMBER, alert, command, refusal

SITE = load_site(None)


def test_the_rule_and_what_was_done(tmp_path: Path) -> None:
    seen = alert(60_000, episode="e1")
    mine: list[Decision] = [command(65_000), refusal(60_000, episode="e1")]
    others: list[Decision] = [
        command(70_000, id="x", episode="e2"),
        command(71_000, id="y", shadow=True),
        command(72_000, id="z", number="+862150000008"),
        refusal(73_000, id="w", episode="e2"),
    ]
    with Store.open(StoreSettings(path=tmp_path / "m.db"), ManualClock()) as store:
        store.record(Recording([seen, *mine, *others], []))
        background = SiteBackground(lambda: SITE, store.history)
        about = background.of(seen)
        assert about.title["zh"] == "号码挂断率过高"
        assert about.bound == {"en": "above 30%", "zh": "高于 30%"}
        assert about.done == (mine[1], mine[0])
        stranger = background.of(alert(60_000, rule="gone", scope=(("agent", "a"),)))
        assert (stranger.title, stranger.bound, stranger.done) == ({}, {}, ())
        flagged = background.of(alert(60_000, rule="number-flagged", level="warn"))
        assert flagged.bound == {}
        with mock.patch.object(store.history, "commands", side_effect=StoreError("locked")):
            assert background.of(seen).done == ()


@pytest.mark.parametrize(
    ("rule", "level", "text"),
    [("number-hangup", "warn", "above 25%"), ("number-complaint", "crit", "above 1%")],
)
def test_the_bound_of_the_level(rule: str, level: str, text: str, tmp_path: Path) -> None:
    with Store.open(StoreSettings(path=tmp_path / "m.db"), ManualClock()) as store:
        about = SiteBackground(lambda: SITE, store.history).of(
            alert(rule=rule, level=level, scope=(("number", NUMBER),))
        )
    assert about.bound["en"] == text


def test_where_records_are_and_how_it_came_to_this(tmp_path: Path) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    seen, loads = fired(pack, [*calls()])
    held = held_of(pack, loads)
    told = remark(pack, seen, held, lambda: [Partition("calls", 3)])
    assert told is not None
    assert len(told.records) == 5
    places = [int(text.removeprefix("calls/3@")) for text in told.records]
    assert places == sorted(places, reverse=True)
    known = [value for value in told.trend if value is not None]
    assert len(told.trend) == 12
    assert all(0 <= value <= 1 for value in known)
    assert any(known)
    nobody = remark(pack, seen, held)  # a partition that is not known yet
    assert nobody is not None
    assert nobody.records == ()


def test_of_a_count_the_trend_counts(tmp_path: Path) -> None:
    counted = indicator("count", value={"count": "number.flagged"}, by=["number"])
    tested = rule(
        by="number", levels={"warn": {"at_least": 6}}, evidence={"method": "raw", "min_of": 1}
    )
    pack = site(tmp_path, counted, tested)
    events = [
        {"type": "number.flagged", "at": n * 20, "number": NUMBER if n % 2 else "+862150000009"}
        for n in range(20)
    ]
    seen, loads = fired(pack, events)
    told = remark(pack, seen, held_of(pack, loads))
    assert told is not None
    assert sum(value or 0 for value in told.trend) == told.bad
