"""What figures were: samples, thinned, within a budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.snapshot import IndicatorFigures, RuleStanding, Snapshot
from monitor.web.trends import STEPS, Trends
from tests.exporter import sample
from tests.interface.reading import NOW


def at(
    tick_ms: int, value: float, names: tuple[str, ...] = ("a", "b"), window: str = "30m"
) -> Snapshot:
    hits = np.array([value] * len(names))
    figures = IndicatorFigures("f", "mean", ("agent",), window, names, hits, np.ones(len(names)))
    longer = replace(figures, window="4h", hits=hits * 10)
    rule = RuleStanding("r", "f", ("agent",), "4h", "active")
    return Snapshot(
        wall_ms=tick_ms, stats=sample.stats(), tick_ms=tick_ms, figures=(longer, figures),
        rules=(rule,),
    )  # fmt: skip


def test_a_sample_every_quarter_of_a_minute() -> None:
    trends = Trends(2**20)
    assert trends.add(at(NOW, 1.0))
    assert not trends.add(at(NOW + 14_999, 2.0))
    assert trends.add(at(NOW + 15_000, 3.0))
    line = trends.line("f", "agent", "b")
    assert line is not None
    assert (line.window, line.at_ms, line.values) == ("30m", [NOW, NOW + 15_000], [1.0, 3.0])
    judged = trends.line("f", "agent", "b", window="4h", since_ms=NOW + 1)
    assert judged is not None
    assert judged.values == [30.0]
    assert trends.line("f", "agent", "b", window="24h") is None
    assert trends.line("g", "agent", "b") is None


def test_a_day_is_kept_the_older_the_coarser() -> None:
    trends = Trends(2**24)
    for tick in range(NOW, NOW + 26 * 3_600_000, 15_000):
        trends.add(at(tick, float(tick - NOW)))
    line = trends.line("f", "agent", "a")
    assert line is not None
    gaps = np.diff(line.at_ms)
    assert len(trends) == sum(count for _, count in STEPS)
    assert (gaps[:200] >= 300_000).all()
    assert (gaps[-39:] == 15_000).all()
    assert 23.5 < (line.at_ms[-1] - line.at_ms[0]) / 3_600_000 < 25


def test_the_budget_holds_and_the_oldest_go_first() -> None:
    names = tuple(f"agent-{i:05}" for i in range(5_000))
    trends = Trends(2**20)
    for tick in range(NOW, NOW + 3_600_000, 15_000):
        trends.add(at(tick, 1.0, names))
        assert trends.bytes <= 2**20
    line = trends.line("f", "agent", names[-1])
    assert line is not None
    assert line.at_ms[-1] == NOW + 3_600_000 - 15_000
    assert len(trends) == len(line.at_ms) == pytest.approx(2**20 / 83_000, abs=2)


def test_keys_come_and_go() -> None:
    trends = Trends(2**20)
    trends.add(at(NOW, 1.0, ("a",)))
    trends.add(at(NOW + 60_000, 2.0, ("a", "b")))
    trends.add(at(NOW + 120_000, float("nan"), ("b",)))
    lines = [trends.line("f", "agent", name) for name in "ab"]
    assert [line and line.values for line in lines] == [[1.0, 2.0, None], [None, 2.0, None]]


def test_another_log_begins_anew() -> None:
    trends = Trends(2**20)
    trends.add(at(NOW, 1.0))
    trends.add(at(NOW - 3_600_000, 2.0))
    line = trends.line("f", "agent", "a")
    assert line is not None
    assert line.values == [2.0]
    empty = replace(at(NOW, 1.0), figures=())
    assert not trends.add(empty)
    assert not trends.add(replace(empty, tick_ms=None))


def test_another_window_begins_a_line_of_its_own() -> None:
    trends = Trends(2**20)
    trends.add(at(NOW, 1.0, window="1h"))
    trends.add(at(NOW + 60_000, 2.0))
    line = trends.line("f", "agent", "a")
    assert line is not None
    assert line.window == "1h"
    assert line.values == [1.0]
