"""The shipped fake, under the contract that Kafka and files keep."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from tests.source.contract import SourceContract, gather_count, gather_to_end, values


class MemoryBench:
    def __init__(self) -> None:
        self.partitions = [Partition("calls", 0), Partition("calls", 1)]
        self.log = MemorySource(self.partitions)

    def reader(self) -> MemorySource:
        return self.log.reopened()

    def append(
        self, partition: Partition, records: Sequence[bytes | None], *, timestamp_ms: int = 1_000
    ) -> None:
        self.log.append(partition, records, timestamp_ms=timestamp_ms)

    def grow(self) -> Partition:
        new = Partition("calls", 2)
        self.log.create(new)
        return new

    def leave_gap(self, partition: Partition) -> None:
        self.log.skip(partition, 3)

    def forget(self, partition: Partition, below: int) -> None:
        self.log.delete_before(partition, below)


class TestMemory(SourceContract):
    @pytest.fixture
    def bench(self) -> MemoryBench:
        return MemoryBench()


def test_unavailable_raises_and_loses_nothing() -> None:
    bench = MemoryBench()
    one, _ = bench.partitions
    bench.append(one, values(0, 2))
    source = bench.reader()
    source.unavailable = True
    with pytest.raises(SourceUnavailable):
        source.start({}, None)
    source.unavailable = False
    source.start({}, None)
    source.unavailable = True
    with pytest.raises(SourceUnavailable):
        source.poll(1, 0.0)
    source.unavailable = False
    assert len(gather_count(source, 2)[one]) == 2


def test_polling_before_start_is_refused() -> None:
    with pytest.raises(SourceError, match="before start"):
        MemorySource().poll(1, 0.0)


def test_the_kind_of_timestamp_splits_a_chunk() -> None:
    one = Partition("calls", 0)
    source = MemorySource([one])
    source.append(one, [b"1", b"2"], timestamp_ms=5)
    source.append(one, [b"3"], timestamp_ms=6, append_time=True)
    source.start({}, None)
    chunks = source.poll(10, 0.0)
    assert [(chunk.append_time, list(chunk.values)) for chunk in chunks] == [
        (False, [b"1", b"2"]),
        (True, [b"3"]),
    ]
    assert [chunk.timestamps.tolist() for chunk in chunks] == [[5, 5], [6]]


def test_exhausted_once_finished_and_read() -> None:
    one = Partition("calls", 0)
    source = MemorySource([one])
    source.append(one, [b"1"])
    source.start({}, None)
    source.finish()
    assert not source.exhausted()
    source.poll(10, 0.0)
    assert source.exhausted()


def test_a_position_beyond_the_end_begins_anew() -> None:
    one = Partition("calls", 0)
    source = MemorySource([one])
    source.append(one, [b"1"])
    source.start({one: 2}, None)
    assert gather_to_end(source)[one] == [(0, b"1")]
    assert source.out_of_range == 1
    assert not source.standings()[one].complete


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 4)),
            st.tuples(st.just("skip"), st.integers(1, 3)),
            st.tuples(st.just("poll"), st.integers(1, 5)),
            st.tuples(st.just("restart"), st.just(0)),
        ),
        max_size=30,
    )
)
def test_any_course_of_appends_gaps_polls_and_restarts_loses_and_repeats_nothing(
    steps: list[tuple[str, int]],
) -> None:
    one = Partition("calls", 0)
    log = MemorySource([one])
    source, written, read = log.reopened(), 0, []
    source.start({}, None)
    for step, size in [*steps, ("poll", 1_000)]:
        if step == "append":
            log.append(one, [b"%d" % n for n in range(written, written + size)])
            written += size
        elif step == "skip":
            log.skip(one, size)
        elif step == "poll":
            read += [value for chunk in source.poll(size, 0.0) for value in chunk.values]
        else:
            position = source.standings()[one].position
            source = log.reopened()
            source.start({one: position}, None)
    assert read == [b"%d" % n for n in range(written)]
