"""Two rule sets side by side, against expectations made by hand; and one reading for both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from monitor.backtest import tee as module
from monitor.backtest.compare import CHANGES, Comparison, compare
from monitor.backtest.compared_page import compared_page
from monitor.backtest.compared_words import moved, sentences, show
from monitor.backtest.tee import Side, Tee
from monitor.decisions import Decision, Level
from monitor.errors import SourceError
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from tests.backtest.made import alert, at, reported, resume, suspend
from tests.backtest.test_page import checked


def fired(
    name: str, begin: str, end: str | None, *, rule: str = "hangup", level: Level = "warn",
    shadow: bool = False,
) -> list[Decision]:  # fmt: skip
    scope = (("number", name),)
    made: list[Decision] = [
        alert(begin, f"{rule} {name} {begin}", rule=rule, scope=scope, level=level, shadow=shadow)
    ]
    if end is not None:
        made.append(
            alert(
                end,
                f"{rule} {name} {begin}",
                rule=rule,
                scope=scope,
                level=level,
                shadow=shadow,
                over="recovered",
            )
        )
    return made


#        A                      B
#  n1    1h ── 2h               1h ── 2h                the same
#  n2    1h ── 3h               30m ───── 4h            earlier, longer
#  n3    1h ── 2h               90m ─ 2h                later, shorter
#  n4    1h ── 2h                                       only in A
#  n5                           1h ── 2h                only in B
#  n6    1h ── 2h, 3h ── 4h     1h ───────── 4h         longer; the second is in A alone
#  n7    1h ──…                 1h ──… critical         another level, both still on
#  n8    1h ── 2h               1h ── 2h in shadow
ONE = [
    *fired("n1", "1h", "2h"), *fired("n2", "1h", "3h"), *fired("n3", "1h", "2h"),
    *fired("n4", "1h", "2h"), *fired("n6", "1h", "2h"), *fired("n6", "3h", "4h"),
    *fired("n7", "1h", None), *fired("n8", "1h", "2h"),
    suspend("1h", "n1", "2h"), resume("2h", "n1"), suspend("5h", "n4", "6h"), resume("6h", "n4"),
]  # fmt: skip
OTHER = [
    *fired("n1", "1h", "2h"), *fired("n2", "30m", "4h"), *fired("n3", "90m", "2h"),
    *fired("n5", "1h", "2h"), *fired("n6", "1h", "4h"),
    *fired("n7", "1h", None, level="crit"), *fired("n8", "1h", "2h", shadow=True),
    suspend("50m", "n1", "3h"), resume("3h", "n1"),
]  # fmt: skip


def compared(one: Sequence[Decision], other: Sequence[Decision]) -> Comparison:
    return compare(reported(one), reported(other))


def test_what_differs() -> None:
    found = compared(ONE, OTHER)
    told = {(pair.about, pair.changes) for pair in found.alerts.pairs}
    assert told == {
        ("number n1", ()),
        ("number n2", ("earlier", "longer")),
        ("number n3", ("later", "shorter")),
        ("number n4", ("only_a",)),
        ("number n5", ("only_b",)),
        ("number n6", ("longer",)),
        ("number n6", ("only_a",)),
        ("number n7", ("level",)),
        ("number n8", ("shadow",)),
    }
    counted = {change: found.alerts.count(change) for change in CHANGES}
    assert counted == {
        "only_a": 2, "only_b": 1, "earlier": 1, "later": 1, "longer": 2, "shorter": 1, "level": 1,
        "shadow": 1,
    }  # fmt: skip
    assert (found.alerts.same, found.alerts.both) == (1, 6)
    assert found.alerts.typical_ms("longer") == (5_400_000 + 7_200_000) / 2
    outages = {(pair.about, pair.changes) for pair in found.outages.pairs}
    assert outages == {("n1", ("earlier", "longer")), ("n4", ("only_a",))}


def test_two_sentences() -> None:
    first, second = sentences(compared(ONE, OTHER))
    assert first.en == (
        "B raises 6 alerts where A raises 8: 1 only in B, 2 only in A; of 6 in both, 1 comes"
        " earlier (by 30 min), 1 comes later (by 30 min), 2 last longer (by 105 min in the middle),"
        " 1 lasts shorter (by 30 min)."
    )
    assert second.en == (
        "Numbers go out of service 1 time for 2.2 number-hours instead of 2 for 2.0, and people"
        " get 6.5 messages a day instead of 9.5."
    )
    assert "仅 B" in first.zh
    assert second.zh.startswith("停用号码 1 次")


def test_the_same() -> None:
    found = compared(ONE, ONE)
    assert found.same
    assert [each.en for each in sentences(found)] == [
        "A and B decide the same: 8 alerts, numbers out of service 2 times."
    ]
    assert found.to_json()["alerts"]["differing"] == []


def test_only_the_time_out_differs() -> None:
    assert not compared([suspend("1h", "n", "2h")], []).same
    moves = compared(fired("n", "1h", "2h", level="crit"), fired("n", "1h", "2h"))
    assert not moves.same
    assert "none moves" in sentences(moves)[0].en


def test_a_rule_of_another_name_is_another() -> None:
    found = compared(fired("n", "1h", "2h"), fired("n", "1h", "2h", rule="other"))
    assert [moved(pair).en for pair in found.alerts.pairs] == ["only in A", "only in B"]
    assert found.rules == ["hangup", "other"]


def test_shown() -> None:
    found = compared(ONE, OTHER)
    out = Console(width=120, record=True, file=StringIO())
    show(found, out, UTC)
    text = out.export_text()
    assert "Alerts that differ" in text
    assert "30 min earlier, 90 min longer" in text
    page = checked(compared_page(found, language="en", zone=UTC, now_ms=at("2d")))
    assert "更早 30 分钟" in page
    plain = found.to_json()
    assert plain["alerts"]["only_a"] == 2
    assert plain["suspensions"]["differing"][0]["begins_s"] == -600


P0, P1 = Partition("a", 0), Partition("a", 1)


def gathered(side: Side, rows: dict[Partition, list[int]], *, skip: frozenset[Partition]) -> None:
    for batch in side.poll(7, 0.0, skip):
        assert side.standings()[batch.partition].position >= batch.offsets[-1] + 1
        rows.setdefault(batch.partition, []).extend(batch.offsets.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_both_readers_see_everything_in_order(seed: int) -> None:
    source = MemorySource([P0, P1])
    source.append(P0, [b"x"] * 100)
    source.append(P1, [b"x"] * 40)
    source.finish()
    rng = np.random.default_rng(seed)
    one, other = sides = Tee(source).sides
    for side in sides:
        side.start({}, None)
    seen: list[dict[Partition, list[int]]] = [{}, {}]
    for _ in range(200):
        which = int(rng.integers(2))
        skip = frozenset({P0, P1} if rng.random() < 0.1 else {P1} if rng.random() < 0.3 else ())
        gathered(sides[which], seen[which], skip=skip)
    for which, side in enumerate(sides):
        while not side.exhausted():
            gathered(side, seen[which], skip=frozenset())
    assert seen[0] == seen[1] == {P0: list(range(100)), P1: list(range(40))}
    assert {part: each.position for part, each in one.standings().items()} == {P0: 100, P1: 40}
    one.close()
    other.close()


def test_neither_runs_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_MAX", 10)
    source = MemorySource([P0])
    source.append(P0, [b"x"] * 100)
    source.finish()
    one, other = Tee(source).sides
    one.start({}, None)
    other.start({}, None)
    read = sum(len(batch.values) for _ in range(50) for batch in one.poll(4, 0.0))
    assert read == 12, "three polls, and then it waits"
    assert not one.exhausted()
    assert sum(len(batch.values) for batch in other.poll(100, 0.0)) == 12
    assert len(one.poll(4, 0.0)) == 1
    other.close()
    one.close()
    with pytest.raises(SourceError):
        one.poll(1, 0.0)
