from __future__ import annotations

import random
from unittest import mock

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from monitor.source.base import Partition
from monitor.windows.pending import FRAMES_AT_ONCE, SETTLED_AT_ONCE, SLICED_FROM, Pending

PARTITIONS = [Partition("sms", 0), Partition("calls", 10), Partition("calls", 2)]
"""By ``src``: their order is calls-2, calls-10, sms-0."""

Row = tuple[int, int, int, int]
rows = st.lists(
    st.tuples(
        st.integers(0, 40), st.integers(0, 40), st.integers(0, 2), st.integers(0, 10_000)
    ).map(lambda r: (max(r[0], r[1]), r[1], r[2], r[3])),
    unique_by=lambda r: (r[2], r[3]),
    max_size=30,
).map(lambda rows: sorted(rows, key=lambda r: r[3]))
"""As they are read: the rows of one partition in the order of their offsets."""


def frame(items: list[Row]) -> pl.DataFrame:
    schema = {"eff": pl.Int64, "time": pl.Int64, "src": pl.UInt32, "offset": pl.Int64}
    return pl.DataFrame(items, schema=schema, orient="row")


@given(items=rows, cut=st.integers(0, 30), until=st.integers(0, 50), sliced=st.booleans())
def test_release_is_one_order_and_only_what_is_due(
    items: list[Row], cut: int, until: int, *, sliced: bool
) -> None:
    with (
        mock.patch("monitor.windows.pending.SLICED_FROM", 0 if sliced else SLICED_FROM),
        mock.patch("monitor.windows.pending.SLICED_FROM_SHARE", 1 if sliced else 8),
    ):
        _release_is_one_order_and_only_what_is_due(items, cut, until)


def _release_is_one_order_and_only_what_is_due(items: list[Row], cut: int, until: int) -> None:
    pending = Pending(tick_ms=5)
    pending.add(frame(items[:cut]))
    pending.add(frame(items[cut:]))
    restored = Pending(tick_ms=5)
    restored.restore(pending.snapshot())
    expected = sorted(
        (row for row in items if row[0] < until),
        key=lambda r: (r[0], r[1], PARTITIONS[r[2]], r[3]),
    )
    for buffer in (pending, restored):
        released = buffer.release(until, PARTITIONS)
        got = [] if released is None else released.select(frame([]).columns).rows()
        assert got == expected
        assert len(buffer) == len(items) - len(expected)
        if released is not None:
            ticks = released["tick"].to_list()
            assert all(t % 5 == 0 and t - 5 <= r[0] < t for t, r in zip(ticks, got, strict=True))
    assert pending.latest == max((r[0] for r in items), default=0)


@given(
    items=rows,
    cuts=st.lists(st.integers(0, 30), min_size=2, max_size=2).map(sorted),
    before=st.lists(st.integers(0, 50), min_size=3, max_size=3),
    until=st.lists(st.integers(0, 50), min_size=2, max_size=2),
)
def test_what_is_put_in_order_ahead_is_released_in_the_same_order(
    items: list[Row], cuts: list[int], before: list[int], until: list[int]
) -> None:
    """Whatever comes later, below what was put in order too."""
    with mock.patch("monitor.windows.pending.SETTLED_AT_ONCE", 1):
        plain, ahead = Pending(tick_ms=5), Pending(tick_ms=5)
        pieces = (items[: cuts[0]], items[cuts[0] : cuts[1]], items[cuts[1] :])
        for piece, limit in zip(pieces, before, strict=True):
            plain.add(frame(piece))
            ahead.add(frame(piece))
            ahead.settle(limit, PARTITIONS)
            assert len(ahead) == len(plain)
        restored = Pending(tick_ms=5)
        restored.restore(ahead.snapshot())
        for limit in (*until, 100):
            expected = plain.release(limit, PARTITIONS)
            for buffer in (ahead, restored):
                released = buffer.release(limit, PARTITIONS)
                assert (released is None) == (expected is None)
                if released is not None and expected is not None:
                    assert released.rows() == expected.rows()
            assert len(ahead) == len(plain)


def test_only_many_rows_are_put_in_order_ahead_and_not_at_each_step() -> None:
    made = frame([(n, n, 0, n) for n in range(SETTLED_AT_ONCE)])
    pending = Pending(tick_ms=2_000)
    pending.add(made.head(10))
    pending.settle(10, PARTITIONS)
    assert len(pending._runs) == 0
    pending.add(made.slice(10))
    pending.settle(SETTLED_AT_ONCE - 1, PARTITIONS)  # one of them has to wait
    assert len(pending._runs) == 0
    pending.settle(SETTLED_AT_ONCE + 98, PARTITIONS)
    assert len(pending._runs) == 0
    pending.settle(SETTLED_AT_ONCE + 99, PARTITIONS)
    assert [run.height for run in pending._runs] == [SETTLED_AT_ONCE]
    assert pending.nth_tick(1, 10_000) == 2_000
    pending.widen({"more": pl.String})
    released = pending.release(10_000, PARTITIONS)
    assert released is not None
    assert released["more"].null_count() == SETTLED_AT_ONCE


def test_many_small_batches_are_put_in_order_ahead_too() -> None:
    pending = Pending(tick_ms=2_000)
    for n in range(FRAMES_AT_ONCE):
        pending.settle(n, PARTITIONS)
        assert pending._runs == []
        pending.add(frame([(FRAMES_AT_ONCE - n, FRAMES_AT_ONCE - n, 0, n)]))
    pending.settle(1_000, PARTITIONS)
    (run,) = pending._runs
    assert run["eff"].to_list() == list(range(1, FRAMES_AT_ONCE + 1))
    assert pending._frames == []


@mock.patch("monitor.windows.pending.SLICED_FROM", 8)
@mock.patch("monitor.windows.pending.SLICED_FROM_SHARE", 2)
def test_only_rows_between_those_that_are_due_and_those_that_are_not_are_copied() -> None:
    pending = Pending(tick_ms=5)
    items = [(eff, eff, 0, offset) for offset, eff in enumerate([1, 2, 6, 4, 7, 3, 8, 9])]
    pending.add(frame(items))
    with mock.patch.object(pl.DataFrame, "filter", autospec=True) as copied:
        copied.side_effect = lambda rows, mask: (
            rows.clear() if mask.is_empty() else rows[mask.arg_true()]
        )
        released = pending.release(5, PARTITIONS)
    assert released is not None
    assert released["eff"].to_list() == [1, 2, 3, 4]
    assert {call.args[0].height for call in copied.call_args_list} == {4}
    rest = pending.release(10, PARTITIONS)
    assert rest is not None
    assert rest["eff"].to_list() == [6, 7, 8, 9]


def test_few_rows_that_stand_in_order_are_not_copied() -> None:
    pending = Pending(tick_ms=5)
    pending.add(frame([(eff, eff, 0, eff) for eff in range(10)]))
    with mock.patch.object(pl.DataFrame, "filter", side_effect=AssertionError("a copy")):
        released = pending.release(5, PARTITIONS)
    assert released is not None
    assert released["eff"].to_list() == [0, 1, 2, 3, 4]


def test_rows_in_disorder_stay_in_few_pieces() -> None:
    """Cut into slices, each piece would leave two of itself, and hold the memory of all."""
    pending = Pending(tick_ms=5)
    times = random.Random(1).sample(range(20_000), 20_000)
    pending.add(frame([(eff, eff, 0, offset) for offset, eff in enumerate(times)]))
    for until in range(1_000, 20_000, 1_000):
        released = pending.release(until, PARTITIONS)
        assert released is not None
        assert released["eff"].to_list() == list(range(until - 1_000, until))
        assert len(pending._all()) == 1


def test_nothing_due_is_none() -> None:
    pending = Pending(tick_ms=5)
    assert pending.release(10, PARTITIONS) is None
    pending.add(frame([(10, 10, 0, 0)]))
    assert pending.release(10, PARTITIONS) is None
    assert len(pending) == 1


@given(rows, st.integers(0, 2**40))
def test_times_far_apart_are_ordered_too(items: list[Row], lag: int) -> None:
    """So far apart that eff, time, partition and place do not fit into one number."""
    far = [(r[0] * 2**30, r[0] * 2**30 - r[1] * lag, r[2], r[3]) for r in items]
    pending = Pending(tick_ms=5)
    pending.add(frame(far))
    released = pending.release(2**62, PARTITIONS)
    got = [] if released is None else released.select(frame([]).columns).rows()
    assert got == sorted(far, key=lambda r: (r[0], r[1], PARTITIONS[r[2]], r[3]))


@given(items=rows, cut=st.integers(0, 30), count=st.integers(1, 6), until=st.integers(0, 10))
def test_so_many_ticks_have_rows_up_to_the_nth(
    items: list[Row], cut: int, count: int, until: int
) -> None:
    pending = Pending(tick_ms=5)
    pending.add(frame(items[:cut]))
    pending.add(frame(items[cut:]))
    until_ms = until * 5
    ticks = sorted({row[0] // 5 * 5 + 5 for row in items if row[0] < until_ms})
    nth = pending.nth_tick(count, until_ms)
    assert nth == (ticks[count - 1] if len(ticks) >= count else until_ms)
