"""Partitions that were not there when ticks were judged, and floors that need not be kept."""

from __future__ import annotations

import itertools
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.source.base import Partition, Standing
from monitor.windows.floors import Expected
from monitor.windows.watermark import NEVER, Floor, Placed, Watermarks
from tests.time.test_watermark import P0, P1, SETTINGS, decoded, raw, standing


def put(
    marks: Watermarks,
    times: list[int],
    *,
    offset: int = 0,
    judged: int = NEVER,
    promised: int = NEVER,
    partition: Partition = P0,
) -> Placed:
    batch = decoded(times, offset=offset, partition=partition)
    return marks.place(batch, wall_ms=10**9, resumed_at=judged, promised=promised, raw=raw)


def test_a_partition_that_appears_begins_at_what_was_judged() -> None:
    #   judged 60_000, lateness 10_000
    marks = Watermarks(SETTINGS)
    put(marks, [61_000])
    placed = put(marks, [50_000, 49_999, 60_000, 65_000], offset=7, judged=60_000, partition=P1)
    assert placed.frame["eff"].to_list() == [60_000, 60_000, 65_000]
    assert [(r.offset, r.reason) for r in placed.rejects] == [(8, "too_late")]
    assert placed.floors == [Floor(P1, 7, 60_000)]
    assert placed.resumed_late == 1
    # Once: from now on it is a partition like the others.
    assert put(marks, [66_000], offset=11, judged=60_000, partition=P1).floors == []


def test_a_partition_of_the_beginning_is_noted_as_such() -> None:
    marks = Watermarks(SETTINGS)
    placed = put(marks, [50_000, 40_000])
    assert placed.floors == [Floor(P0, 0, NEVER)]
    assert placed.frame["eff"].to_list() == [50_000, 49_000]


def test_after_a_restart_the_journal_says_where_it_began() -> None:
    marks = Watermarks(SETTINGS)
    marks.restore({"engine": 59_000, "topics": [], "numbers": [], "watermarks": []})
    marks.expect([Floor(P1, 0, 65_000)], [])
    placed = put(marks, [50_000, 60_000], judged=55_000, promised=90_000, partition=P1)
    assert placed.floors == []
    assert placed.frame["eff"].to_list() == [65_000]


def test_a_partition_that_appears_while_nobody_runs_begins_at_what_was_promised() -> None:
    marks = Watermarks(SETTINGS)
    marks.restore({"engine": 59_000, "topics": [], "numbers": [], "watermarks": []})
    placed = put(marks, [85_000, 95_000], judged=55_000, promised=90_000, partition=P1)
    assert placed.floors == [Floor(P1, 0, 90_000)]
    assert placed.frame["eff"].to_list() == [90_000, 95_000]


def test_without_a_checkpoint_the_first_partitions_are_told_from_the_later_ones() -> None:
    marks = Watermarks(SETTINGS)
    marks.expect([Floor(P0, 0, NEVER)], [])
    assert put(marks, [20_000], promised=90_000).frame["eff"].to_list() == [20_000]
    later = put(marks, [89_000], promised=90_000, partition=P1)
    assert later.frame["eff"].to_list() == [90_000]


def test_without_a_journal_that_tells_them_all_are_read_as_they_are() -> None:
    marks = Watermarks(SETTINGS)
    assert put(marks, [20_000], promised=90_000).frame["eff"].to_list() == [20_000]


def test_rows_below_what_was_judged_are_late_however_they_got_there() -> None:
    marks = Watermarks(SETTINGS)
    put(marks, [50_000])
    placed = put(marks, [50_000, 49_999], offset=1, judged=60_000)
    assert placed.frame["eff"].to_list() == [60_000]
    assert placed.floors == [Floor(P0, 1, 60_000)]


def silent(marks: Watermarks, position: int, until: int) -> list[Floor]:
    """P0 is left out while ticks up to ``until`` are judged."""
    standings = {P0: standing(position, position), P1: Standing(0, 9, complete=True)}
    marks.heard(P0, 0.0)
    put(marks, [until + 5_000], offset=position, partition=P1)
    marks.advance(standings, wall_ms=10**6, now_s=1.0)
    marks.advance(standings, wall_ms=10**6, now_s=3.0)
    assert P0 in marks.left_out()
    return marks.silences(standings, until)


def test_a_silence_that_no_record_feels_needs_no_floor() -> None:
    marks = Watermarks(SETTINGS)
    put(marks, [50_000])
    assert silent(marks, 1, 60_000) == [Floor(P0, 1, 60_000)]
    # 60_500 moves the watermark to 59_500 only: not known yet. The next one settles it.
    assert put(marks, [60_500], offset=1, judged=60_000).needless == []
    assert put(marks, [61_000], offset=2, judged=60_000).needless == [Floor(P0, 1, 60_000)]


def test_a_silence_that_a_record_feels_keeps_its_floor() -> None:
    marks = Watermarks(SETTINGS)
    put(marks, [50_000])
    silent(marks, 1, 60_000)
    assert put(marks, [60_500, 59_999, 70_000], offset=1, judged=60_000).needless == []
    assert put(marks, [80_000], offset=4, judged=60_000).needless == []


def test_the_floor_that_records_begin_with_stays() -> None:
    marks = Watermarks(SETTINGS)
    silent(marks, 0, 60_000)
    assert put(marks, [90_000, 91_000], judged=60_000).needless == []


@settings(deadline=None)
@given(
    times=st.lists(st.integers(40_000, 80_000), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=4),
)
def test_without_a_needless_floor_records_are_placed_alike(
    times: list[int], cuts: list[int]
) -> None:
    live, needless, floor = Watermarks(SETTINGS), list[Floor](), Floor(P0, 1, 60_000)
    put(live, [50_000])
    silent(live, 1, 60_000)
    edges = sorted({0, len(times), *(cut for cut in cuts if cut < len(times))})
    got: list[tuple[int, int]] = []
    for begin, end in itertools.pairwise(edges):
        placed = put(live, times[begin:end], offset=1 + begin, judged=60_000)
        needless += placed.needless
        got += placed.frame.select("offset", "eff").iter_rows()
    for journal in ([floor], [floor] if floor not in needless else []):
        again = Watermarks(SETTINGS)
        again.expect(journal, [])
        put(again, [50_000])
        placed = again.place(decoded(times, offset=1), wall_ms=None, resumed_at=NEVER, raw=raw)
        assert list(placed.frame.select("offset", "eff").iter_rows()) == got


def test_an_order_of_people_passes_a_tick_and_nobody_is_left_out() -> None:
    marks = Watermarks(SETTINGS)
    put(marks, [50_000])
    standings = {P0: standing(1, 9), P1: Standing(3, 9, complete=True)}
    assert marks.pass_to(55_000, standings) == [Floor(P0, 1, 55_000), Floor(P1, 3, 55_000)]
    assert marks.left_out() == []
    assert marks.advance(standings, wall_ms=10**6, now_s=100.0) == 55_000
    placed = put(marks, [54_000, 56_500], offset=1, judged=55_000)
    assert placed.frame["eff"].to_list() == [55_000, 56_500]
    assert placed.floors == []


@settings(deadline=None)
@given(
    floors=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 99)), max_size=10),
    position=st.integers(0, 35),
)
def test_the_highest_floor_up_to_a_position(floors: list[tuple[int, int]], position: int) -> None:
    expected = Expected()
    expected.add(Floor(P0, offset, height) for offset, height in floors)
    before = [height for offset, height in floors if offset <= position]
    assert expected.at(position) == max(before, default=NEVER)
    assert expected.begun_by(position) == bool(before)


def test_a_start_with_many_floors_is_linear() -> None:
    count = 200_000
    marks = Watermarks(SETTINGS)
    began = time.perf_counter()
    marks.expect([Floor(P0, at, 1_000 * at) for at in range(count)], [])
    for _ in range(100):
        marks.advance({P0: standing(count, count + 5)}, wall_ms=10**12, now_s=0, promised=10**9)
    placed = put(marks, [10**9] * 1_000, offset=count + 1)
    # Quadratic, it took half a minute; linear, a part of a second on any machine.
    assert time.perf_counter() - began < 10
    assert placed.frame.height == 1_000
