"""What figures were: samples, thinned, within a budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from monitor.snapshot import IndicatorFigures, RuleStanding, Snapshot
from monitor.web.trend_log import EVERY_MS, TrendLog
from monitor.web.trends import BEHIND_MS, STEPS, Trends
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


# --- kept over a restart --------------------------------------------------------------------------


def begun(path: Path, budget: int = 2**24) -> Trends:
    """The trends of a daemon that starts."""
    trends = Trends(budget, TrendLog(path))
    trends.load()
    return trends


def lines(trends: Trends) -> list[tuple[list[int], list[float | None]]]:
    found = [trends.line("f", "agent", name, window=w) for name in "ab" for w in ("30m", "4h")]
    return [(line.at_ms, line.values) for line in found if line is not None]


def test_a_supervisor_at_nine_sees_the_night_though_the_daemon_was_restarted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "kept" / "trends.log"
    whole, broken = Trends(2**24), begun(path)
    for number, tick in enumerate(range(NOW, NOW + 14 * 3_600_000, 15_000)):
        if number in (1_000, 1_001, 2_500):  # a kill: nothing is closed
            broken = begun(path)
        names = ("a", "b") if number < 2_000 else ("a", "b", "c")
        for each in (whole, broken):
            each.add(at(tick, float(number), names))
    (seen, kept) = (whole.line("f", "agent", "b"), broken.line("f", "agent", "b"))
    assert seen is not None
    assert kept is not None
    assert kept.at_ms[0] == seen.at_ms[0] == NOW
    assert kept.at_ms[-1] == seen.at_ms[-1]
    assert len(kept.at_ms) > 0.95 * len(seen.at_ms)
    assert max(np.diff(kept.at_ms)) <= 360_000
    values = dict(zip(seen.at_ms, seen.values, strict=True))
    assert [values.get(ms, v) for ms, v in zip(kept.at_ms, kept.values, strict=True)] == kept.values
    assert path.stat().st_size < 2 * broken.bytes + 2**20
    assert path.stat().st_mode & 0o077 == 0


def test_what_is_read_again_after_a_restart_is_not_sampled_twice(tmp_path: Path) -> None:
    path = tmp_path / "trends.log"
    before = begun(path)
    for minute in range(60):
        before.add(at(NOW + minute * 60_000, float(minute)))
    after = begun(path)
    for minute in range(40, 70):  # it goes on from its last checkpoint
        after.add(at(NOW + minute * 60_000, -1.0 if minute < 60 else float(minute)))
    (line,) = {tuple(values) for _, values in lines(after)[:1]}
    assert list(line) == [float(minute) for minute in range(70)]
    again = begun(path)
    assert lines(again) == lines(after)


def test_another_log_than_that_of_the_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "trends.log"
    begun(path).add(at(NOW, 1.0))
    after = begun(path)
    assert after.add(at(NOW - BEHIND_MS, 2.0))
    assert lines(after)[0] == ([NOW - BEHIND_MS], [2.0])
    assert lines(begun(path)) == lines(after)


@pytest.mark.parametrize("cut", ["end", "middle", "head", "flip", "empty", "other"])
def test_a_damaged_file_costs_what_comes_after_the_damage_and_no_more(
    tmp_path: Path, cut: str
) -> None:
    path = tmp_path / "trends.log"
    before = begun(path)
    for minute in range(30):
        before.add(at(NOW + minute * 60_000, float(minute)))
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({
        "end": whole[:-3], "middle": whole[:middle], "head": whole[:5], "empty": b"",
        "flip": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "other": b"PK" + whole,
    }[cut])  # fmt: skip
    after = begun(path)
    kept = lines(after)[0][1] if lines(after) else []
    least = {"end": 29, "middle": 10, "flip": 10}.get(cut, 0)
    assert least <= len(kept) < 30
    assert kept == [float(minute) for minute in range(len(kept))]
    assert after.add(at(NOW + 3_600_000, 60.0))
    assert lines(begun(path))[0][1] == [*kept, 60.0]


def test_a_disk_that_takes_nothing_is_said_once_and_lines_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trends.log"
    trends = begun(path)
    trends.add(at(NOW, 0.0))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(TrendLog, "_put", full)
        for minute in range(1, 5):
            assert trends.add(at(NOW + minute * EVERY_MS, float(minute)))
    assert [line["event"] for line in logs] == ["trends_not_kept"]
    assert lines(trends)[0][1] == [0.0, 1.0, 2.0, 3.0, 4.0]
    trends.add(at(NOW + 5 * EVERY_MS, 5.0))
    assert lines(begun(path))[0][1] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_nobody_who_is_called_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trends.log"
    trends = begun(path)
    picture = at(NOW, 1.0, ("+8613912345678",))
    figures = tuple(replace(each, by=("customer",)) for each in picture.figures)
    trends.add(replace(picture, figures=figures))
    assert trends.line("f", "customer", "+8613912345678") is not None
    assert begun(path).line("f", "customer", "+8613912345678") is None


def test_the_budget_holds_for_what_was_kept_too(tmp_path: Path) -> None:
    path, names = tmp_path / "trends.log", tuple(f"agent-{i:05}" for i in range(5_000))
    trends = begun(path, 2**20)
    for minute in range(60):
        trends.add(at(NOW + minute * 60_000, float(minute), names))
    assert path.stat().st_size < 4 * 2**20
    smaller = begun(path, 2**19)
    assert 0 < smaller.bytes <= 2**19
    line = smaller.line("f", "agent", names[7])
    assert line is not None
    assert line.values[-1] == 59.0
