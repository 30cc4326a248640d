"""A stretch of a log with an end."""

from __future__ import annotations

from monitor.source.base import Partition
from monitor.source.bounded import BoundedSource
from monitor.source.memory import MemorySource

A, B, LATER = Partition("calls", 0), Partition("calls", 1), Partition("crm", 0)


def filled() -> MemorySource:
    source = MemorySource([A, B])
    for stamp in range(5):
        source.append(A, [f"a{stamp}".encode()], timestamp_ms=stamp)
    source.append(B, [b"b0", None, b"b2"], timestamp_ms=2)
    return source


def read(source: BoundedSource, size: int = 2) -> list[tuple[Partition, int, bytes | None]]:
    """Everything up to the end, with offsets."""
    found: list[tuple[Partition, int, bytes | None]] = []
    while not source.exhausted():
        for batch in source.poll(size, 0.0):
            assert len(batch.offsets) == len(batch.timestamps) == len(batch.values) > 0
            found += [
                (batch.partition, offset, value)
                for offset, value in zip(batch.offsets.tolist(), batch.values, strict=True)
            ]
    return sorted(found)


def test_it_ends_where_the_log_ended_when_it_began() -> None:
    inner = filled()
    source = BoundedSource(inner)
    source.start({}, None)
    assert not source.exhausted()
    inner.append(A, [b"after", b"after"], timestamp_ms=9)
    inner.append(LATER, [b"after"], timestamp_ms=9)
    assert [value for _, _, value in read(source)] == [
        b"a0", b"a1", b"a2", b"a3", b"a4", b"b0", None, b"b2",
    ]  # fmt: skip
    assert source.exhausted()
    assert {part: standing.end for part, standing in source.standings().items()} == {A: 5, B: 3}


def test_records_count_up_to_a_broker_time() -> None:
    source = BoundedSource(filled(), until_ms=3)
    source.start({}, None)
    assert [value for _, _, value in read(source, 10)] == [b"a0", b"a1", b"a2", b"b0", None, b"b2"]


def test_a_time_before_everything_leaves_nothing_and_still_ends() -> None:
    source = BoundedSource(filled(), until_ms=0)
    source.start({}, None)
    assert read(source) == []
    assert source.exhausted()


def test_it_begins_where_it_is_told() -> None:
    source = BoundedSource(filled())
    source.start({A: 3, B: 3}, None)
    assert [value for _, _, value in read(source)] == [b"a3", b"a4"]


def test_since_is_the_inner_source_s() -> None:
    source = BoundedSource(filled())
    source.start({}, 4)
    assert [value for _, _, value in read(source)] == [b"a4"]


def test_partitions_that_are_skipped_stay_where_they_are() -> None:
    source = BoundedSource(filled())
    source.start({}, None)
    taken = source.poll(100, 0.0, frozenset({A}))
    assert {batch.partition for batch in taken} == {B}
    assert not source.exhausted()


def test_an_empty_log_is_over_at_once() -> None:
    source = BoundedSource(MemorySource([A]))
    source.start({}, None)
    assert source.exhausted()


def test_closing_closes_the_inner_source() -> None:
    inner = filled()
    source = BoundedSource(inner)
    source.start({}, None)
    source.close()
    assert inner._closed
