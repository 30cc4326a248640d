"""What every source must do, whatever it reads: one suite for Kafka, files and memory.

A subclass gives a ``bench``: the producer's and broker's side of a log of its own. A gap of one
kind of source is a strict xfail there, with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import pytest

from monitor.source.base import Fetched, Partition, Source, Standing

AWAIT_S = 60.0
Rows = dict[Partition, list[tuple[int, bytes | None]]]


class Bench(Protocol):
    """One log with ``partitions``; ``reader`` opens it as a process that has just begun would."""

    partitions: list[Partition]

    def reader(self) -> Source: ...

    def append(
        self,
        partition: Partition,
        records: Sequence[bytes | None],
        /,
        *,
        timestamp_ms: int = 1_000,
    ) -> None: ...

    def grow(self) -> Partition:
        """Add an empty partition to the log that is being read."""
        ...

    def leave_gap(self, partition: Partition) -> None:
        """Use up offsets that no reader is ever given a record for."""
        ...

    def forget(self, partition: Partition, below: int) -> None:
        """Delete the records below an offset."""
        ...


def gather(source: Source, done: Callable[[Rows], bool], *, max_records: int = 1_000) -> Rows:
    """Poll until ``done``; what came, by partition, in the order it came."""
    rows: Rows = {}
    deadline = time.monotonic() + AWAIT_S
    while not done(rows):
        assert time.monotonic() < deadline, f"only {counts(rows)}, standing {source.standings()}"
        for chunk in source.poll(max_records, 0.1):
            check_shape(chunk)
            pairs = zip(chunk.offsets.tolist(), chunk.values, strict=True)
            rows.setdefault(chunk.partition, []).extend(pairs)
    return rows


def gather_count(source: Source, count: int) -> Rows:
    return gather(source, lambda rows: sum(counts(rows).values()) >= count)


def gather_to_end(source: Source) -> Rows:
    return gather(source, lambda _: at_end(source.standings()))


def at_end(standings: Mapping[Partition, Standing]) -> bool:
    return bool(standings) and all(each.position >= each.end for each in standings.values())


def counts(rows: Rows) -> dict[Partition, int]:
    return {partition: len(values) for partition, values in rows.items()}


def check_shape(chunk: Fetched) -> None:
    offsets = chunk.offsets.tolist()
    assert len(offsets) == len(chunk.timestamps) == len(chunk.values) > 0
    assert offsets == sorted(set(offsets))
    assert chunk.next_position > offsets[-1]


def values(first: int, last: int) -> list[bytes | None]:
    """Records named after their place, of differing lengths."""
    return [b'{"n":%d,"pad":"%s"}' % (n, b"x" * (n % 7)) for n in range(first, last)]


class SourceContract:
    """Inherit, and give a fixture ``bench`` with two partitions."""

    def test_every_record_comes_once_and_in_order(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 500))
        bench.append(two, values(500, 600))
        source = bench.reader()
        source.start({}, None)
        rows = gather_count(source, 600)
        source.close()
        assert [value for _, value in rows[one]] == values(0, 500)
        assert [value for _, value in rows[two]] == values(500, 600)

    def test_any_position_resumes_exactly(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 30))
        source = bench.reader()
        source.start({}, None)
        everything = gather_count(source, 30)[one]
        source.close()
        for place in (0, 1, 17, 29):
            again = bench.reader()
            again.start({one: everything[place][0], two: 0}, None)
            assert gather_count(again, 30 - place)[one] == everything[place:]
            again.close()

    def test_next_position_of_every_chunk_resumes_exactly(self, bench: Bench) -> None:
        one, _ = bench.partitions
        bench.append(one, values(0, 40))
        bench.leave_gap(one)
        bench.append(one, values(40, 60))
        seen: list[tuple[int, bytes | None]] = []
        position = 0
        for _ in range(200):
            source = bench.reader()
            source.start({one: position}, None)
            chunk = next(iter(poll_some(source, 13, one)), None)
            source.close()
            if chunk is None:
                break
            seen.extend(zip(chunk.offsets.tolist(), chunk.values, strict=True))
            position = chunk.next_position
        assert [value for _, value in seen] == values(0, 60)

    def test_polls_are_bounded(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 1_000))
        bench.append(two, values(0, 1_000))
        source = bench.reader()
        source.start({}, None)
        largest = 0
        got = 0
        deadline = time.monotonic() + AWAIT_S
        while got < 2_000 and time.monotonic() < deadline:
            size = sum(len(chunk.values) for chunk in source.poll(100, 0.1))
            largest, got = max(largest, size), got + size
        source.close()
        assert got == 2_000
        assert 1 <= largest <= 110  # "about": a rounding up for each partition

    def test_skipped_partitions_wait_and_lose_nothing(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 300))
        bench.append(two, values(0, 300))
        source = bench.reader()
        source.start({}, None)
        rows: Rows = {}
        deadline = time.monotonic() + AWAIT_S
        for turn in range(1_000):
            assert time.monotonic() < deadline
            skip = {one} if turn < 20 else ({two} if turn % 2 else frozenset())
            for chunk in source.poll(37, 0.05, skip):
                assert chunk.partition not in skip
                pairs = zip(chunk.offsets.tolist(), chunk.values, strict=True)
                rows.setdefault(chunk.partition, []).extend(pairs)
            if sum(counts(rows).values()) == 600:
                break
        source.close()
        assert [value for _, value in rows[one]] == values(0, 300)
        assert [value for _, value in rows[two]] == values(0, 300)

    def test_standings_tell_the_end(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 10))
        source = bench.reader()
        source.start({}, None)
        gather_count(source, 10)
        gather_to_end(source)
        assert set(source.standings()) == {one, two}
        assert all(each.complete for each in source.standings().values())
        bench.append(one, values(10, 11))
        assert gather_count(source, 1)[one][0][1] == values(10, 11)[0]
        gather_to_end(source)
        source.close()

    def test_a_partition_is_not_at_its_end_while_records_wait(self, bench: Bench) -> None:
        one, _ = bench.partitions
        bench.append(one, values(0, 500))
        source = bench.reader()
        source.start({}, None)
        got = 0
        deadline = time.monotonic() + AWAIT_S
        while got < 500:
            assert time.monotonic() < deadline
            got += sum(len(chunk.values) for chunk in source.poll(60, 0.1))
            standing = source.standings()[one]
            assert got == 500 or standing.position < standing.end
        source.close()

    def test_offsets_without_records_are_passed_over(self, bench: Bench) -> None:
        one, _ = bench.partitions
        bench.append(one, values(0, 3))
        bench.leave_gap(one)
        source = bench.reader()
        source.start({}, None)
        rows = gather_to_end(source)
        assert [value for _, value in rows[one]] == values(0, 3)
        bench.append(one, values(3, 5))
        assert [value for _, value in gather_count(source, 2)[one]] == values(3, 5)
        source.close()

    def test_an_empty_log_stands_at_its_end_and_is_complete(self, bench: Bench) -> None:
        source = bench.reader()
        source.start({}, None)
        assert gather_to_end(source) == {}
        assert source.standings() == {
            partition: Standing(0, 0, complete=True) for partition in bench.partitions
        }
        source.close()

    def test_resuming_is_not_complete_unless_from_the_very_beginning(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 4))
        source = bench.reader()
        source.start({}, None)
        offsets = [offset for offset, _ in gather_count(source, 4)[one]]
        source.close()
        again = bench.reader()
        again.start({one: offsets[1], two: 0}, None)
        assert not again.standings()[one].complete
        assert again.standings()[two].complete
        again.close()

    def test_a_new_partition_shows_up_and_is_read_from_its_beginning(self, bench: Bench) -> None:
        source = bench.reader()
        source.start({}, None)
        source.poll(10, 0.0)
        three = bench.grow()
        bench.append(three, values(0, 5))
        assert [value for _, value in gather_count(source, 5)[three]] == values(0, 5)
        assert source.standings()[three].complete
        source.close()

    def test_tombstones_are_handed_on(self, bench: Bench) -> None:
        one, _ = bench.partitions
        bench.append(one, [b"1", None, b"3"])
        source = bench.reader()
        source.start({}, None)
        assert [value for _, value in gather_count(source, 3)[one]] == [b"1", None, b"3"]
        source.close()

    def test_since_begins_at_the_first_record_that_is_young_enough(self, bench: Bench) -> None:
        one, two = bench.partitions
        for stamp in (1_000, 2_000, 3_000):
            bench.append(one, [b"%d" % stamp], timestamp_ms=stamp)
        bench.append(two, [b"old"], timestamp_ms=1_500)
        source = bench.reader()
        source.start({}, 2_000)
        rows = gather_to_end(source)
        assert [value for _, value in rows[one]] == [b"2000", b"3000"]
        assert two not in rows
        assert not source.standings()[one].complete
        source.close()

    def test_a_position_wins_over_since(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, [b"a", b"b"], timestamp_ms=1_000)
        source = bench.reader()
        source.start({one: 0, two: 0}, 9_000)
        assert [value for _, value in gather_count(source, 2)[one]] == [b"a", b"b"]
        source.close()

    def test_records_deleted_below_the_position_are_noticed(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 10))
        source = bench.reader()
        source.start({}, None)
        offsets = [offset for offset, _ in gather_count(source, 10)[one]]
        source.close()
        bench.forget(one, offsets[6])
        again = bench.reader()
        again.start({one: offsets[2], two: 0}, None)
        assert [value for _, value in gather_to_end(again)[one]] == values(6, 10)
        assert not again.standings()[one].complete
        assert again.standings()[two].complete
        again.close()

    def test_records_deleted_under_a_reader_are_noticed(self, bench: Bench) -> None:
        one, _ = bench.partitions
        source = bench.reader()
        source.start({}, None)
        gather_to_end(source)
        assert source.standings()[one].complete
        bench.append(one, values(0, 10))
        bench.forget(one, 7)
        last = values(9, 10)[0]
        rows = gather(source, lambda rows: last in [value for _, value in rows.get(one, [])])
        assert [value for _, value in rows[one]][-3:] == values(7, 10)
        if len(rows[one]) == 3:  # else they were fetched before they were deleted
            assert not source.standings()[one].complete
        source.close()

    def test_a_log_that_begins_late_is_not_complete(self, bench: Bench) -> None:
        one, two = bench.partitions
        bench.append(one, values(0, 5))
        bench.forget(one, 5)
        source = bench.reader()
        source.start({}, None)
        gather_to_end(source)
        assert not source.standings()[one].complete
        assert source.standings()[two].complete
        source.close()

    def test_a_record_of_ten_megabytes(self, bench: Bench) -> None:
        one, _ = bench.partitions
        large = b'{"large":"%s"}' % (b"y" * 10_000_000)
        bench.append(one, [b"before", large, b"after"])
        source = bench.reader()
        source.start({}, None)
        assert [value for _, value in gather_count(source, 3)[one]] == [b"before", large, b"after"]
        source.close()

    def test_nothing_to_read_is_an_empty_poll(self, bench: Bench) -> None:
        source = bench.reader()
        source.start({}, None)
        assert source.poll(10, 0.0) == []
        assert source.poll(10, 0.05) == []
        source.close()

    def test_closing_twice_is_fine_and_polling_then_is_not(self, bench: Bench) -> None:
        source = bench.reader()
        source.start({}, None)
        source.close()
        source.close()
        with pytest.raises(Exception, match=r"close"):
            source.poll(1, 0.0)


def poll_some(source: Source, max_records: int, partition: Partition) -> list[Fetched]:
    """The next chunks of ``partition``; empty when it is read to its end."""
    deadline = time.monotonic() + AWAIT_S
    while time.monotonic() < deadline:
        chunks = [chunk for chunk in source.poll(max_records, 0.1) if chunk.partition == partition]
        if chunks or at_end(source.standings()):
            return chunks
    raise AssertionError(source.standings())
