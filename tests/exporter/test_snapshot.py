from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.keys import OTHER, KeyTable
from monitor.snapshot import (
    Board,
    FigureKind,
    IndicatorFigures,
    IndicatorInfo,
    Int64,
    PartitionStanding,
    Snapshot,
    capture,
)
from monitor.stats import Stats

LOWER = IndicatorInfo("hangup_rate", "ratio", "lower", {}, target=0.25)
HIGHER = IndicatorInfo("answer_rate", "ratio", "higher", {}, target=0.25)


@dataclass
class FakeView:
    keys: KeyTable
    rows: dict[str, tuple[int, int]]
    kind: FigureKind = "ratio"
    by: tuple[str, ...] = ("number",)
    window: str = "30m"
    scale_hits: int = 1
    scale_of: int = 1
    other: int | None = None

    def figures(self, ids: Int64) -> tuple[Int64, Int64]:
        rows = [self.rows[name] for name in self.keys.names(ids.tolist())]
        return (
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.int64),
        )

    def covered(self, tick: int) -> bool:
        return tick >= 1_000


def view_of(rows: dict[str, tuple[int, int]], kind: FigureKind = "ratio") -> FakeView:
    table = KeyTable(1_000)
    table.intern(list(rows))
    return FakeView(table, rows, kind)


def kept(rows: dict[str, tuple[int, int]], info: IndicatorInfo, keys_max: int) -> Sequence[str]:
    return capture(view_of(rows, info.kind), info, tick=0, keys_max=keys_max).names


def test_without_a_cut_every_key_is_there_by_name() -> None:
    shown = capture(view_of({"b": (1, 4), "a": (0, 0)}), LOWER, tick=1_000, keys_max=2)
    assert shown.names == ("a", "b")
    assert shown.hits.tolist() == [0.0, 1.0]
    assert shown.of.tolist() == [0.0, 4.0]
    assert np.isnan(shown.values[0])
    assert shown.values[1] == 0.25
    assert (shown.dropped, shown.covered) == (0, True)


def test_the_bucket_is_no_key_and_stands_apart() -> None:
    view = view_of({"a": (1, 4)})
    assert capture(view, LOWER, tick=0, keys_max=9).other is None
    view.other = view.keys.bucket()
    view.rows[OTHER] = (3_000, 6)
    view.scale_hits = 1_000
    shown = capture(view, LOWER, tick=0, keys_max=9)
    assert (shown.names, shown.other) == (("a",), (3.0, 6.0))


def test_covered_is_asked_for_the_tick() -> None:
    assert not capture(view_of({"a": (0, 1)}), LOWER, tick=999, keys_max=1).covered


def test_fixed_point_becomes_the_fields_own_unit() -> None:
    view = view_of({"a": (1_500, 3_000_000)})
    view.scale_hits, view.scale_of = 1_000, 1_000
    shown = capture(view, LOWER, tick=0, keys_max=1)
    assert (shown.hits.tolist(), shown.of.tolist()) == ([1.5], [3_000.0])
    assert shown.values.tolist() == [0.0005]


def test_the_cap_keeps_what_is_worst_by_rate_and_volume() -> None:
    # Against 25 %: one of one is 0.75 too many, 60 of 100 is 35, 10 of 100 is 15 too few.
    rows = {"one-of-one": (1, 1), "busy-bad": (60, 100), "busy-good": (10, 100), "silent": (0, 0)}
    assert kept(rows, LOWER, 1) == ("busy-bad",)
    assert kept(rows, LOWER, 2) == ("busy-bad", "one-of-one")
    assert kept(rows, LOWER, 3) == ("busy-bad", "busy-good", "one-of-one")


def test_the_cap_looks_the_other_way_where_higher_is_better() -> None:
    rows = {"bad": (0, 100), "good": (90, 100), "usual": (25, 100)}
    assert kept(rows, HIGHER, 1) == ("bad",)
    assert kept(rows, HIGHER, 2) == ("bad", "usual")


def test_without_a_target_the_overall_rate_takes_its_place() -> None:
    info = IndicatorInfo("x", "ratio", "lower", {})
    assert kept({"a": (5, 10), "b": (1, 90), "c": (0, 0)}, info, 1) == ("a",)
    assert kept({"a": (0, 0), "b": (0, 0)}, info, 1) == ("a",)


def test_a_count_is_cut_by_its_hits() -> None:
    info = IndicatorInfo("x", "count", "lower", {}, target=100.0)
    assert kept({"a": (3, 1), "b": (9, 1), "c": (0, 1)}, info, 1) == ("b",)
    shown = capture(view_of({"a": (3, 1)}, "count"), info, tick=0, keys_max=1)
    assert shown.values.tolist() == [3.0]


def test_equal_keys_are_cut_in_the_order_they_came() -> None:
    assert kept({"z": (1, 2), "a": (1, 2), "m": (1, 2)}, LOWER, 2) == ("a", "z")


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=4), st.tuples(st.integers(0, 50), st.integers(0, 50))
    ),
    st.integers(1, 12),
)
def test_cut_against_the_oracle(rows: dict[str, tuple[int, int]], keys_max: int) -> None:
    shown = capture(view_of(rows), LOWER, tick=0, keys_max=keys_max)
    ranked = sorted(
        rows, key=lambda name: (rows[name] == (0, 0), -(rows[name][0] - 0.25 * rows[name][1]))
    )
    assert list(shown.names) == sorted(ranked[:keys_max])
    assert shown.dropped == max(0, len(rows) - keys_max)
    assert [(int(h), int(o)) for h, o in zip(shown.hits, shown.of, strict=True)] == [
        rows[name] for name in shown.names
    ]


def test_the_picture_cannot_be_painted_over() -> None:
    shown = capture(view_of({"a": (1, 2)}), LOWER, tick=0, keys_max=1)
    with pytest.raises(ValueError, match="read-only"):
        shown.hits[0] = 7
    with pytest.raises(ValueError, match="read-only"):
        shown.of[0] = 7


def test_columns_must_agree() -> None:
    with pytest.raises(ValueError, match="different length: x by"):
        IndicatorFigures("x", "ratio", ("team",), "1h", ("a",), np.zeros(1), np.zeros(2))


def test_lag_is_never_negative() -> None:
    assert PartitionStanding("calls", 0, 5, 9, None).lag == 4
    assert PartitionStanding("calls", 0, 9, 5, None).lag == 0


def test_the_board_shows_the_newest() -> None:
    board = Board()
    seen = [board.latest]
    for wall_ms in (1, 2):
        board.publish(Snapshot(wall_ms=wall_ms, stats=Stats()))
        seen.append(board.latest)
    assert [None if picture is None else picture.wall_ms for picture in seen] == [None, 1, 2]
