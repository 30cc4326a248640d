"""Watermarks against a record-at-a-time oracle, whatever the batches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.batch import Decoded
from monitor.source.base import Partition, Standing
from monitor.windows.watermark import NEVER, Floor, Placed, TimeSettings, Watermarks

P0, P1 = Partition("calls", 0), Partition("calls", 1)
SETTINGS = TimeSettings(
    out_of_order_ms=1_000, lateness_ms=10_000, max_ahead_ms=5_000, idle_after_ms=2_000
)


def decoded(
    times: list[int],
    *,
    offset: int = 0,
    stamps: list[int] | None = None,
    partition: Partition = P0,
) -> Decoded:
    frame = pl.DataFrame(
        {
            "id": [str(offset + i) for i in range(len(times))],
            "time": pl.Series(times, dtype=pl.Int64),
            "offset": pl.Series(range(offset, offset + len(times)), dtype=pl.Int64),
        }
    )
    return Decoded(
        partition=partition,
        frame=frame,
        timestamps=pl.Series(stamps or [-1] * len(times), dtype=pl.Int64),
        append_time=stamps is not None,
    )


def raw(offset: int) -> bytes:
    return f"raw {offset}".encode()


def place(marks: Watermarks, batch: Decoded, wall_ms: int | None = None) -> Placed:
    return marks.place(batch, wall_ms=wall_ms, resumed_at=NEVER, raw=raw)


@dataclass
class Oracle:
    """One record at a time, as the text of docs/semantics.md says it."""

    watermark: int = NEVER

    def record(self, time: int, stamp: int | None, wall: int | None, floor: int) -> str | int:
        self.watermark = max(self.watermark, floor)
        reference = stamp if stamp is not None else wall
        if reference is not None and time > reference + SETTINGS.max_ahead_ms:
            return "from_the_future"
        before = self.watermark
        capped = time if stamp is None else min(time, stamp)
        self.watermark = max(before, capped - SETTINGS.out_of_order_ms)
        if time < before - SETTINGS.lateness_ms:
            return "too_late"
        return max(time, before)


@given(
    records=st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)), max_size=40),
    append_time=st.booleans(),
    wall=st.one_of(st.none(), st.integers(0, 60_000)),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    floor_at=st.integers(0, 45),
    floor=st.integers(0, 60_000),
)
def test_equals_the_oracle_for_any_batches(
    records: list[tuple[int, int]],
    append_time: bool,
    wall: int | None,
    cuts: list[int],
    floor_at: int,
    floor: int,
) -> None:
    oracle = Oracle()
    expected = [
        oracle.record(
            time, stamp if append_time else None, wall, floor if at >= floor_at else NEVER
        )
        for at, (time, stamp) in enumerate(records)
    ]
    marks = Watermarks(SETTINGS)
    marks.expect([Floor(P0, floor_at, floor)], [])
    got: dict[int, str | int] = {}
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    for start, end in itertools.pairwise(edges):
        part = records[start:end]
        batch = decoded(
            [time for time, _ in part],
            offset=start,
            stamps=[stamp for _, stamp in part] if append_time else None,
        )
        placed = place(marks, batch, wall)
        for reject in placed.rejects:
            got[reject.offset] = reject.reason
            assert reject.value == f"raw {reject.offset}".encode()
        got.update(placed.frame.select("offset", "eff").iter_rows())
    assert [got[at] for at in range(len(records))] == expected
    # A floor counts from its first record on, so it shows only once one has been read.
    assert marks.watermark(P0) == (oracle.watermark if records else NEVER)


def test_exactly_at_the_limits() -> None:
    #   watermark after the first record: 100_000 - 1_000 = 99_000; lateness reaches to 89_000
    marks = Watermarks(SETTINGS)
    placed = place(marks, decoded([100_000, 99_000, 98_999, 89_000, 88_999, 105_001], stamps=None))
    assert placed.frame["eff"].to_list() == [100_000, 99_000, 99_000, 99_000, 105_001]
    assert placed.late == 2
    assert [r.reason for r in placed.rejects] == ["too_late"]


def test_a_clock_ahead_is_refused_beyond_max_ahead_only_and_journaled() -> None:
    marks = Watermarks(SETTINGS)
    placed = place(marks, decoded([15_000, 15_001]), wall_ms=10_000)
    assert placed.frame["time"].to_list() == [15_000]
    assert placed.refused_by_clock == [1]
    assert marks.watermark(P0) == 14_000
    # Read again later, when the wall clock would let it pass: the journal still refuses it.
    again = Watermarks(SETTINGS)
    again.expect([], [(P0, 1)])
    replayed = place(again, decoded([15_000, 15_001]), wall_ms=None)
    assert replayed.frame["time"].to_list() == [15_000]
    assert replayed.refused_by_clock == []


def test_refusals_of_other_records_do_not_matter() -> None:
    #   offsets 0 … 4 are read in two batches; 1, 3 and some that never come were refused
    marks = Watermarks(SETTINGS)
    marks.expect([], [(P0, 3), (P0, 900)])
    marks.expect([], [(P0, 1), (P0, 3), (P0, -7)])
    first = place(marks, decoded([15_000, 15_001, 15_002]), wall_ms=None)
    assert first.frame["time"].to_list() == [15_000, 15_002]
    second = place(marks, decoded([15_003, 15_004], offset=3), wall_ms=None)
    assert second.frame["time"].to_list() == [15_004]
    assert place(marks, decoded([]), wall_ms=None).rejects == []


def test_a_broker_stamp_caps_what_a_record_may_claim() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([14_000], stamps=[10_000]))
    assert marks.watermark(P0) == 9_000


def standing(position: int, end: int, *, confirmed: bool = True) -> Standing:
    return Standing(position=position, end=end, complete=True, confirmed=confirmed)


def test_the_engine_waits_for_the_slowest_and_leaves_out_the_idle() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    place(marks, decoded([20_000], partition=P1))
    both = {P0: standing(1, 1), P1: standing(1, 1)}
    assert marks.advance(both, wall_ms=60_000, now_s=0.0) == 19_000
    marks.heard(P0, 1.999)
    # P1 has been silent for two seconds less a millisecond, then for two.
    assert marks.advance(both, wall_ms=60_000, now_s=1.999) == 19_000
    assert marks.left_out() == []
    assert marks.advance(both, wall_ms=60_000, now_s=2.0) == 49_000
    assert marks.left_out() == [P1]
    # P1 comes back with old news: it counts from the last judged tick on.
    placed = marks.place(
        decoded([45_000], offset=1, partition=P1), wall_ms=60_000, resumed_at=48_000, raw=raw
    )
    assert placed.frame["eff"].to_list() == [48_000]
    assert marks.left_out() == []
    assert marks.watermark(P1) == 48_000


def test_with_all_idle_the_wall_clock_moves_it_and_it_never_goes_back() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    at_end = {P0: standing(1, 1)}
    marks.advance(at_end, wall_ms=60_000, now_s=0.0)
    assert marks.advance(at_end, wall_ms=62_000, now_s=2.0) == 61_000
    assert marks.advance(at_end, wall_ms=30_000, now_s=3.0) == 61_000


def test_an_outage_is_not_a_quiet_night() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    away = {P0: standing(1, 1, confirmed=False)}
    marks.advance(away, wall_ms=60_000, now_s=0.0)
    assert marks.advance(away, wall_ms=90_000, now_s=30.0) == 49_000


def test_a_partition_that_is_behind_is_never_left_out() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    place(marks, decoded([20_000], partition=P1))
    behind = {P0: standing(1, 1), P1: standing(1, 9)}
    for second in (0.0, 10.0, 20.0):
        assert marks.advance(behind, wall_ms=60_000, now_s=second) == 19_000


def test_a_finite_source_at_its_end_holds_nobody_up() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    place(marks, decoded([20_000], partition=P1))
    ended = {P0: standing(1, 5), P1: standing(1, 1)}
    assert marks.advance(ended, wall_ms=None, now_s=0.0) == 49_000
    done = {P0: standing(5, 5), P1: standing(1, 1)}
    assert marks.advance(done, wall_ms=None, now_s=0.0) == 49_000


def test_partitions_far_ahead_are_named() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    place(marks, decoded([20_000], partition=P1))
    marks.advance({P0: standing(1, 5), P1: standing(1, 5)}, wall_ms=60_000, now_s=0.0)
    assert marks.ahead(29_999) == {P0}
    assert marks.ahead(30_000) == frozenset()


def test_restored_equals_uninterrupted() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    place(marks, decoded([20_000], partition=P1))
    marks.advance({P0: standing(1, 1), P1: standing(1, 1)}, wall_ms=60_000, now_s=0.0)
    again = Watermarks(SETTINGS)
    again.restore(marks.snapshot())
    assert again.snapshot() == marks.snapshot()
    late = decoded([30_000, 70_000], offset=1)
    assert place(again, late).frame.equals(place(marks, late).frame)


def test_a_restart_is_no_silence() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    again = Watermarks(SETTINGS)
    again.restore(marks.snapshot())
    again.advance({P0: standing(1, 1)}, wall_ms=90_000, now_s=5_000.0)
    assert again.left_out() == []


def test_an_empty_batch_changes_nothing() -> None:
    marks = Watermarks(SETTINGS)
    place(marks, decoded([50_000]))
    before = marks.snapshot()
    empty = decoded([], offset=1)
    assert place(marks, empty).frame.height == 0
    assert marks.snapshot() == before
    assert np.array_equal(empty.frame["offset"].to_numpy(), [])
