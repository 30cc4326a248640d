"""Advice on rules of all kinds, from streams in which what is right can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.advise import thresholds, weigh
from monitor.advise.advice import Advice, a_week, fired
from monitor.advise.advise import advise
from monitor.advise.history import SAMPLES_MAX
from monitor.advise.odds import Estimate
from monitor.advise.weigh import Candidate
from monitor.errors import UsageError
from monitor.rules.levels import Level
from monitor.shadow.episodes import begun
from monitor.site import Site
from monitor.source.base import Source
from monitor.units import Threshold
from tests.explain.made import T0, Event, site, source

HANGS: dict[str, Any] = {
    "id": "i",
    "kind": "ratio",
    "hits": {"count": "call.ended", "where": "hangup_by == 'customer'"},
    "of": {"count": "call.ended"},
    "by": ["number", "team"],
    "windows": ["30m"],
}
RULE: dict[str, Any] = {
    "indicator": "i",
    "by": "number",
    "levels": {"crit": {"above": "30%", "clear": "25%"}},
    "window": "30m",
    "no_data": "hold",
}
FLAGGED: dict[str, Any] = {
    "event": {"on": "number.flagged", "until": "number.cleared"},
    "by": "number",
    "levels": {"crit": {}},
    "no_data": "hold",
}
RATES = {"+862150000001": 0.1, "+862150000002": 0.2, "+862150000003": 0.8}


def calls(hours: float = 2, every_s: float = 30) -> list[Event]:
    """Each number calls every so often, and is hung up on at its own rate."""
    rng = np.random.default_rng(3)
    return [
        {
            "at": at + place * 2,
            "type": "call.ended",
            "number": number,
            "team": "t",
            "outcome": "answered",
            "hangup_by": "customer" if rng.random() < rate else "agent",
            "talk_s": 20,
        }
        for at in np.arange(0, hours * 3600, every_s).tolist()
        for place, (number, rate) in enumerate(RATES.items())
    ]


def advised(made: Site, events: Sequence[Event], *, wished: float = 5, name: str = "r") -> Advice:
    def run(engine: Any, log: Source) -> None:
        log.start({}, None)
        engine.run_to_end()

    return advise(made, name, lambda: source(events), run, wished=wished)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Advice:
    return advised(site(tmp_path_factory.mktemp("pack"), HANGS, RULE), calls(), wished=10)


def test_what_was_read(told: Advice) -> None:
    assert (told.scopes, told.events, told.days) == (3, 720, 1)
    assert told.first_ms is not None
    assert 0 <= told.first_ms - T0 <= 5_000
    assert "less than a week" in told.remarks[0]


def test_the_spread_of_scopes_and_windows(told: Advice) -> None:
    assert told.over_scopes is not None
    assert told.over_scopes.count == 3
    assert told.over_scopes.quantiles[3] == pytest.approx(0.2, abs=0.05)
    assert told.over_scopes.quantiles[-1] == pytest.approx(0.8, abs=0.05)
    assert told.over_windows is not None
    assert told.over_windows.count == 9  # 3 whole half hours of three numbers
    assert sum(told.over_windows.bins) == 9


def test_volume(told: Advice) -> None:
    assert told.volume is not None
    assert told.volume.per_hour == pytest.approx((120, 120, 120), rel=0.02)
    assert told.volume.hours_a_day == pytest.approx(2, abs=0.05)
    assert told.volume.in_window[1] == 60


def test_what_would_have_fired(told: Advice) -> None:
    assert (told.fired.episodes, told.fired.scopes) == (1, 1)
    assert told.fired.by_level == (("crit", 1),)
    assert told.fired.most == (("+862150000003", 1),)
    assert told.fired.a_week.value == 7
    assert told.fired.lasted_ms is None


def test_odds_of_the_level(told: Advice) -> None:
    (level,) = told.levels
    assert (level.key, level.threshold, level.scopes_enough) == ("above", Threshold("3/10"), 3)
    assert level.usual == pytest.approx(0.2, abs=0.05)
    quiet, _, busy = level.odds
    assert quiet.at_threshold == busy.at_threshold == pytest.approx(1 / 30)
    assert busy.at_usual is not None
    assert busy.at_usual < busy.at_threshold / 10
    slow, fast = busy.detections
    assert fast.calls.value < slow.calls.value
    assert fast.hours == pytest.approx(fast.calls.value / 120, rel=0.02)
    assert level.false_alarms_a_week is not None
    assert 0 < level.false_alarms_a_week < 0.05


def test_the_suggestion_is_the_mildest_with_so_many(told: Advice) -> None:
    (level,) = told.levels
    suggested = level.suggested
    assert suggested is not None
    assert suggested.a_week.value <= 10
    place = level.candidates.index(suggested)
    assert all(each.a_week.value <= 10 for each in level.candidates[place:])
    assert place == 0 or level.candidates[place - 1].a_week.value > 10
    bounds = [each.threshold for each in level.candidates]
    assert bounds == sorted(bounds)
    assert Threshold("3/10") in bounds
    present = level.candidates[bounds.index(Threshold("3/10"))]
    assert (present.alerts, present.scopes) == (1, 1)
    assert present.clear == Threshold("1/4")


def test_json_has_all_of_it(told: Advice) -> None:
    plain = told.to_json()
    assert plain["history"]["scopes"] == 3
    assert plain["levels"][0]["above"] == "30%"
    assert plain["levels"][0]["suggested"]["alerts"] == 1
    assert plain["fired"]["most"] == [{"scope": ["+862150000003"], "episodes": 1}]
    assert len(plain["over_scopes"]["quantiles"]) == len(plain["quantiles"])


def test_below_is_the_other_way_round(tmp_path: Path) -> None:
    rule = RULE | {"levels": {"warn": {"below": "30%", "clear": "40%"}}}
    found = advised(site(tmp_path, HANGS, rule), calls(), wished=7)
    (level,) = found.levels
    bounds = [each.threshold for each in level.candidates]
    assert bounds == sorted(bounds, reverse=True)
    assert found.fired.most[0][0] == "+862150000001"
    assert level.odds[0].at_usual is None  # the usual scope is bad


def test_a_raw_rule_says_how_many_scopes_are_judged_at_all(tmp_path: Path) -> None:
    rule = RULE | {"evidence": {"method": "raw", "min_of": 100}}
    (level,) = advised(site(tmp_path, HANGS, rule), calls(hours=1)).levels
    assert (level.least, level.scopes_enough, level.least_is) == (100, 0, "in its window")
    assert level.false_alarms_a_week is None


def test_wilson_has_bounds_too(tmp_path: Path) -> None:
    rule = RULE | {"evidence": {"method": "wilson"}}
    (level,) = advised(site(tmp_path, HANGS, rule), calls(hours=1)).levels
    assert level.false_alarms_a_week is not None
    assert level.odds[1].detections[1].calls.low == 1


def test_a_count_has_thresholds_and_no_odds(tmp_path: Path) -> None:
    count = {"id": "i", "kind": "count", "value": {"count": "call.ended"}} | {
        key: HANGS[key] for key in ("by", "windows")
    }
    rule = RULE | {"levels": {"warn": {"above": 50}}, "evidence": {"method": "raw"}}
    found = advised(site(tmp_path, count, rule), calls(hours=1), wished=0)
    (level,) = found.levels
    assert found.volume is None
    assert (level.odds, level.least) == ((), None)
    assert found.fired.episodes == 3
    assert level.suggested is not None
    assert level.suggested.threshold >= 59


def test_a_mean_is_judged_by_what_stands_below_its_line(tmp_path: Path) -> None:
    mean = {"id": "i", "kind": "mean", "value": {"mean": "talk_s", "on": "call.ended"}} | {
        key: HANGS[key] for key in ("by", "windows")
    }
    rule = RULE | {"levels": {"warn": {"below": 60}}, "evidence": {"method": "raw", "min_of": 20}}
    (level,) = advised(site(tmp_path, mean, rule), calls(hours=1)).levels
    assert (level.least, level.scopes_enough, level.odds) == (20, 3, ())


def test_a_figure_that_rows_do_not_add_up_to(tmp_path: Path) -> None:
    distinct = {"id": "i", "kind": "ratio", "hits": {"distinct": "number", "on": "call.ended"}}
    distinct |= {"of": {"count": "call.ended"}, "by": ["team"], "windows": ["30m"]}
    rule = RULE | {"by": "team", "levels": {"warn": {"above": "1%"}}}
    rule |= {"evidence": {"method": "raw", "min_of": 100}}
    found = advised(site(tmp_path, distinct, rule), calls(hours=2))
    assert found.over_scopes is not None
    assert found.over_scopes.quantiles[3] == pytest.approx(3 / 180, rel=0.1)
    assert found.volume is None


def test_a_threshold_that_moves_has_no_others(tmp_path: Path) -> None:
    rule = RULE | {"levels": {"warn": {"above": "2 * baseline(7d, same_hour)"}}}
    rule |= {"evidence": {"method": "raw", "min_of": 10}}
    (level,) = advised(site(tmp_path, HANGS, rule), calls(hours=1)).levels
    assert (level.threshold, level.candidates, level.suggested) == (None, (), None)


def test_a_rule_on_events_says_what_would_have_fired(tmp_path: Path) -> None:
    rule = {"event": {"on": "call.ended"}, "by": "number", "levels": {"crit": {}}}
    rule |= {"recovering": {"for": "10s"}, "wave": "1000/10m"}
    found = advised(site(tmp_path, HANGS, rule), calls(hours=0.1))
    assert found.fired.scopes == 3
    assert found.fired.lasted_ms is not None
    (level,) = found.levels
    assert (level.key, level.odds, level.candidates) == ("fires", (), ())


def test_nothing_of_it_was_read(tmp_path: Path) -> None:
    event = {"at": 0, "type": "sms.sent", "number": "+862150000001", "customer": "c"}
    for rule in (RULE, FLAGGED):
        found = advised(site(tmp_path, HANGS, rule), [event])
        assert found.fired.episodes == 0
        if "indicator" in rule:
            assert (found.first_ms, found.days) == (None, 0)
            assert found.remarks == ("no event of this rule was read: nothing can be said",)


def test_an_unknown_rule_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rule 'x'; there are: r"):
        advised(site(tmp_path, HANGS, RULE), [], name="x")


def test_windows_are_thinned_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SAMPLES_MAX >= 1_000_000
    monkeypatch.setattr("monitor.advise.history.SAMPLES_MAX", 5)
    found = advised(site(tmp_path, HANGS, RULE), calls())
    assert found.over_windows is not None
    assert 3 <= found.over_windows.count <= 5


def test_rates_a_week() -> None:
    assert a_week(0, 0) == Estimate(0, 0, 0)
    found = a_week(14, 14)
    assert found.value == 7
    assert found.low < 7 < found.high


def test_clear_keeps_its_proportion() -> None:
    above = Level.model_validate({"above": "30%", "clear": "24%"})
    assert thresholds._clear(above, Threshold("1/2", is_share=True)) == Threshold("2/5")
    below = Level.model_validate({"below": "20%", "clear": "60%"})
    assert thresholds._clear(below, Threshold("1/10", is_share=True)) == Threshold("55/100")
    plain = Level.model_validate({"below": 4, "clear": 5})
    assert thresholds._clear(plain, Threshold(2)) == Threshold("5/2")
    assert thresholds._clear(Level.model_validate({"above": "30%"}), Threshold(1)) is None
    assert thresholds.worth_a_try(Level.model_validate({}), np.ones(3)) == []


def test_no_threshold_gives_so_few() -> None:
    many = Candidate(Threshold(1), None, 9, Estimate(9, 4, 17), 1)
    assert weigh.suggest((many,), 5) is None
    assert fired([], 7).lasted_ms is None
    assert begun([]) == []
