"""The linter: what it finds, where, how severe; and its formulas against simulation."""

# ruff: noqa: E501 - rules stand on one line

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from monitor.indicators.load import load_indicators, loads_indicators
from monitor.rules import chances
from monitor.rules.chances import Volume
from monitor.rules.detector import Detector
from monitor.rules.evidence import wilson_bound
from monitor.rules.lint import (
    Finding,
    Surroundings,
    lint,
    lint_files,
    place_indicators,
    place_rules,
)
from monitor.rules.load import loads_rules

PACK = Path(__file__).parents[2] / "rules" / "telemarketing"
INDICATORS = load_indicators(PACK / "indicators.yaml")
RULE = """version: 1
rules:
  - id: the-rule
    indicator: {indicator}
    by: {by}
    levels: {levels}
    {windows}
    evidence: {evidence}
    no_data: hold
    notify: {{route: {route}}}
    {more}
"""
SEQUENTIAL = "{method: sequential, false_alarms: 1 per 30 scope-days}"
ACT = "action: {suspend: {ttl: 30m}}"


def findings(
    *,
    indicator: str = "hangup_rate",
    by: str = "number",
    levels: str = "{crit: {above: 30%, clear: 25%}}",
    windows: str = "window: 30m",
    evidence: str = SEQUENTIAL,
    route: str = "supervisors",
    more: str = "",
    around: Surroundings | None = None,
) -> list[tuple[str, int, str]]:
    text = RULE.format(
        indicator=indicator,
        by=by,
        levels=levels,
        windows=windows,
        evidence=evidence,
        route=route,
        more=more,
    )
    rules = loads_rules(text, Path("rules.yaml"), INDICATORS.value.indicators)
    found = lint(place_rules(rules), place_indicators(INDICATORS), around)
    return [told(each) for each in found if each.problem.path == Path("rules.yaml")]


def told(finding: Finding) -> tuple[str, int, str]:
    return finding.severity, finding.problem.line, finding.problem.message


def severe(found: list[tuple[str, int, str]]) -> list[tuple[str, int]]:
    return [(severity, line) for severity, line, _ in found if severity != "info"]


def test_a_sound_rule_gets_its_figures_and_nothing_else() -> None:
    ((severity, line, message),) = findings(more=ACT)
    assert (severity, line) == ("info", 8)
    assert message.startswith("crit: at most one false alarm in 30 scope-days; at 12 an hour")
    assert "45% after" in message


@pytest.mark.parametrize(
    ("levels", "severity", "words"),
    [
        ("{warn: {below: 5}}", None, ""),
        ("{warn: {above: 5}}", "error", "can never fire: csat goes no further than 5"),
        ("{warn: {at_least: 5}}", None, ""),
        ("{warn: {below: 1}}", "error", "can never fire: csat goes no further than 1"),
        ("{warn: {at_most: 1}}", None, ""),
        ("{warn: {at_most: 5}}", "error", "always fires"),
        ("{warn: {above: 0.5}}", "error", "always fires"),
        ("{warn: {above: 1}}", None, ""),
        ("{warn: {at_least: 1}}", "error", "always fires"),
    ],
)
def test_thresholds_out_of_reach_of_a_mean(levels: str, severity: str | None, words: str) -> None:
    found = findings(
        indicator="csat",
        by="team",
        levels=levels,
        windows="window: 24h",
        evidence="{method: raw, min_of: 20}",
    )
    assert severe(found) == ([] if severity is None else [(severity, 6)])
    assert words in "".join(message for *_, message in found)


@pytest.mark.parametrize(
    ("levels", "errors"),
    [
        ("{warn: {above: 120%}}", 0),  # complaints may outnumber the calls of a short window
        ("{warn: {below: 0%}}", 1),
        ("{warn: {at_most: 0%}}", 0),
        ("{warn: {at_least: 0%}}", 1),
    ],
)
def test_thresholds_out_of_reach_of_a_ratio(levels: str, errors: int) -> None:
    found = findings(
        indicator="complaint_rate",
        by="team",
        levels=levels,
        windows="window: 24h",
        evidence="{method: raw, min_of: 20}",
    )
    assert [severity for severity, _ in severe(found)] == ["error"] * errors


def test_too_much_asked_for_is_an_error_in_a_rule_that_acts() -> None:
    def asking(least: int, more: str = "") -> list[tuple[str, int, str]]:
        return findings(
            indicator="complaint_rate",
            windows="window: 24h",
            levels="{crit: {above: 1%, clear: 0.5%}}",
            evidence=f"{{method: raw, min_of: {least}}}",
            more=more,
        )

    # One number usually makes 320 calls a day.
    for least, severity in ((320, []), (321, ["error"])):
        found = asking(least, "action: {suspend: {ttl: 24h}}")
        assert [each for each, _ in severe(found)] == severity
    (only,) = asking(321)
    assert only == (
        "warning",
        8,
        "needs 321 below the line, and one number usually has 320 in 24h",
    )


def test_a_site_may_have_its_own_volume() -> None:
    busy = Surroundings(volume=Volume(events_per_hour={"number": 400}))
    found = findings(
        indicator="complaint_rate",
        windows="window: 24h",
        evidence="{method: raw, min_of: 3000}",
        around=busy,
    )
    assert severe(found) == []


def test_sequential_evidence_that_a_day_cannot_gather() -> None:
    quiet = Surroundings(volume=Volume(events_per_hour={"number": 4}))
    ((severity, line, message),) = findings(windows="window: 4h", more=ACT, around=quiet)
    assert (severity, line) == ("error", 8)
    assert "cannot fire within a day's work" in message
    assert severe(findings(windows="window: 4h", around=quiet)) == [("warning", 8)]


def test_evidence_of_a_level_is_blamed_on_the_level() -> None:
    levels = "{crit: {above: 30%, evidence: {method: wilson, confidence: 99%}}}"
    assert ("warning", 6) in severe(findings(levels=levels, more=ACT))


def test_wilson_is_told_apart_from_its_promise() -> None:
    evidence = "{method: wilson, confidence: 99%, min_hits: 3}"
    found = findings(evidence=evidence, windows="window: 4h", more="action: {suspend: {ttl: 4h}}")
    assert severe(found) == [("warning", 8)]
    assert "looks 5760 times a day" in found[0][2]
    assert severe(findings(evidence=evidence, windows="window: 4h")) == []


def test_wilson_with_more_hits_than_there_are_calls() -> None:
    evidence = "{method: wilson, confidence: 99%, min_hits: 7}"
    # 6 answered calls in half an hour.
    assert ("warning", 8) in severe(findings(evidence=evidence))
    assert severe(findings(evidence="{method: wilson, confidence: 99%, min_hits: 6}")) == []


def test_acting_on_a_raw_value_of_counts_is_acting_on_chance() -> None:
    found = findings(evidence="{method: raw, min_of: 5}", more="action: {suspend: {ttl: 30m}}")
    assert severe(found) == [("warning", 8)]
    assert "fires by chance" in found[0][2]


def test_a_window_that_is_never_judged() -> None:
    found = findings(
        indicator="complaint_rate",
        windows="windows: [4h, 24h]",
        evidence="{method: raw, min_of: 300}",
    )
    assert ("info", 7, "window 4h is hardly ever the one judged") in found


def test_pending_that_outlasts_the_window() -> None:
    assert severe(findings(more="pending: {for: 30m}")) == [("warning", 11)]
    assert severe(findings(more="pending: {for: 29m}")) == []


def test_a_recovery_that_never_comes() -> None:
    assert severe(findings(more="recovering: {for: 10m, min_of: 7}")) == [("warning", 11)]
    assert severe(findings(more="recovering: {for: 10m, min_of: 6}")) == []


@pytest.mark.parametrize(("ttl", "expected"), [("24h", []), ("23h", [("warning", 11)])])
def test_a_suspension_shorter_than_what_caused_it(
    ttl: str, expected: list[tuple[str, int]]
) -> None:
    found = findings(
        indicator="complaint_rate",
        windows="window: 24h",
        evidence="{method: raw, min_of: 300}",
        more=f"action: {{suspend: {{ttl: {ttl}}}}}",
    )
    assert severe(found) == expected


def test_routes() -> None:
    around = Surroundings(routes={"supervisors"})
    assert severe(findings(around=around)) == []
    assert severe(findings(route="supervisor", around=around)) == [("error", 10)]
    assert severe(findings(route="supervisor", around=around, more="status: shadow")) == [
        ("warning", 10)
    ]
    assert severe(findings(route="supervisor")) == []
    assert severe(findings(route='""')) == [("warning", 3)]
    assert severe(findings(route='""', more="status: shadow")) == []


def test_rules_that_are_off_are_left_alone() -> None:
    assert findings(route="nobody", around=Surroundings(routes=()), more="status: off") == []


def test_indicators_that_no_rule_looks_at_are_named() -> None:
    rules = loads_rules("version: 1\nrules: []\n", Path("rules.yaml"), ())
    found = lint_files([rules], [INDICATORS])
    assert [each.severity for each in found] == ["info"] * len(INDICATORS.value.indicators)
    assert {each.problem.owner for each in found} == {i.id for i in INDICATORS.value.indicators}


def test_other_figures_have_no_usual_volume() -> None:
    text = """version: 1
indicators:
  - {id: money, kind: count, value: {sum: amount, on: deal.won}, by: [team], windows: [24h]}
  - {id: ratings, kind: ratio, hits: {count: call.rated, where: score > 3}, of: {count: call.rated},
     by: [team], windows: [24h]}
"""
    indicators = loads_indicators(text, Path("i.yaml"))
    rules = """version: 1
rules:
  - {id: a, indicator: money, by: team, window: 24h, notify: {route: x}, levels: {warn: {below: -5}}}
  - {id: b, indicator: ratings, by: team, window: 24h, notify: {route: x}, levels: {warn: {above: 9%}}}
"""
    loaded = loads_rules(rules, Path("r.yaml"), indicators.value.indicators)
    assert lint_files([loaded], [indicators]) == []


# --- formulas --------------------------------------------------------------------------------


def median_events(
    threshold: Fraction, rate: float, needed: float, per_day: int, *, above: bool = True
) -> float:
    """Brute force: four hundred scopes fed one event at a time at even intervals."""
    rng = np.random.default_rng(20261122)
    scopes, gap = 400, 28_800_000 // per_day
    detector = Detector(
        threshold, "above" if above else "below", tick_ms=gap, scope_day_ms=28_800_000
    )
    ids = np.arange(scopes)
    fired = np.full(scopes, np.inf)
    for event in range(1, 4_000):
        hits = (rng.random(scopes) < rate).astype(np.int64)
        detector.feed(event * gap, ids, hits, np.ones(scopes, dtype=np.int64))
        fired[(detector.score(ids) >= needed) & np.isinf(fired)] = event
        if np.isfinite(fired).sum() > scopes // 2:
            break
    return float(np.median(fired))


@pytest.mark.parametrize(
    ("threshold", "rate", "needed", "per_day", "above"),
    [
        (Fraction(3, 10), 0.4, 30, 960, True),
        (Fraction(3, 10), 0.6, 30, 960, True),
        (Fraction(3, 10), 0.5, 30, 96, True),
        (Fraction(1, 4), 0.5, 5, 96, True),
        (Fraction(1, 10), 0.05, 30, 320, False),
        (Fraction(1, 100), 0.03, 30, 320, True),
    ],
)
def test_the_delay_of_sequential_evidence_is_about_right(
    threshold: Fraction, rate: float, needed: float, per_day: int, *, above: bool
) -> None:
    said = chances.sequential_events(threshold, rate, needed, per_day, above=above)
    seen = median_events(threshold, rate, needed, per_day, above=above)
    assert seen <= said <= 1.6 * seen  # it errs on the slow side


def test_a_rate_on_the_good_side_is_never_detected() -> None:
    assert chances.sequential_events(Fraction(3, 10), 0.3, 30, 960) == math.inf


@pytest.mark.parametrize("bad", [Fraction(3, 10), Fraction(1, 20), Fraction(9, 10)])
def test_the_least_that_wilson_needs(bad: Fraction) -> None:
    least = chances.wilson_least(bad, Fraction(99, 100), 1)
    counts = np.array([least - 1, least])
    bounds = wilson_bound(counts, counts, Fraction(99, 100), "lower")
    assert (bounds > float(bad)).tolist() == [False, True]
    assert chances.wilson_least(bad, Fraction(99, 100), least + 5) == least + 5


@pytest.mark.parametrize(("count", "mean"), [(0, 0.5), (3, 1.5), (9.5, 5), (1_000, 1_000)])
def test_the_chance_of_a_count(count: float, mean: float) -> None:
    assert chances.exceeds(count, mean) == pytest.approx(stats.poisson.sf(count, mean), abs=1e-9)
    assert chances.exceeds(count, 0) == 0.0


def test_a_day_of_work_is_not_a_day_on_the_clock() -> None:
    volume = Volume(events_per_hour={"number": 10, "customer": 0.1}, scope_day_ms=28_800_000)
    hour = 3_600_000
    assert volume.events(("number",), hour) == 10
    assert volume.events(("number",), 8 * hour) == 80
    assert volume.events(("number",), 24 * hour) == 80
    assert volume.events(("number",), 48 * hour) == 160
    assert volume.events(("number",), 26 * hour) == 100
    assert volume.events(("number", "customer"), hour) == pytest.approx(0.1)
    assert volume.signed_in_s(("agent",), hour) == 3_600


@pytest.mark.parametrize(
    ("levels", "least", "deaf"),
    [
        ("{crit: {above: 1%}}", 5, True),
        ("{crit: {above: 30%}}", 3, False),
        ("{crit: {below: 99%}}", 5, True),
    ],
)
def test_wilson_that_only_nonsense_would_satisfy(levels: str, least: int, deaf: bool) -> None:
    evidence = f"{{method: wilson, confidence: 99%, min_hits: {least}}}"
    found = findings(levels=levels, evidence=evidence)
    deaf_ones = [each for each in found if "hardly ever fires" in each[2]]
    assert [severity for severity, _, _ in deaf_ones] == ["warning"] * deaf


def test_what_a_scope_on_target_has_to_fear() -> None:
    ((_, _, words),) = findings(evidence=SEQUENTIAL)
    assert "; on the target of 25% a false alarm comes once in " in words
    (other,) = findings(levels="{crit: {above: 25%, clear: 20%}}")
    assert "on the target" not in other[2]
