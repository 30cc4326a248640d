"""Batches unpacked whole against the client's own unpacking, without a broker."""

from __future__ import annotations

import inspect
import struct
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.record.util import calc_crc32c, encode_varint

from monitor.compiled import kafka_batch
from monitor.compiled.kafka_batch import HEAD_COLUMNS, find_batches, find_records
from monitor.source import kafka_whole
from monitor.source.kafka_records import Rows, columns
from monitor.source.kafka_whole import WholePartitionRecords
from monitor.source.records import Records
from tests.source.batches import (
    ATTRIBUTES,
    PART,
    Aborted,
    Record,
    batch,
    legacy,
    marker,
    rows_of_client,
    rows_of_ours,
    summed,
    told,
)

COUNT_AT, RECORDS_AT = 57, 61
CODECS = (0, 1, 3, 4)  # none, gzip, lz4, zstd

TIMES = st.one_of(st.integers(-1, 2**41), st.integers(-(2**63), 2**63 - 1))
BYTES = st.one_of(st.none(), st.binary(max_size=12), st.binary(min_size=100, max_size=300))
HEADERS = st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=4)), max_size=2)


@st.composite
def records(draw: st.DrawFn, *, times: st.SearchStrategy[int] = TIMES) -> list[Record]:
    offsets = accumulate(draw(st.lists(st.integers(1, 3), min_size=1, max_size=12)))
    return [
        Record(offset - 1, draw(times), draw(BYTES), draw(BYTES), draw(HEADERS))
        for offset in offsets
    ]


@st.composite
def logs(draw: st.DrawFn) -> tuple[bytes, int, list[Aborted]]:
    """Batches of all kinds, one after the other; their end offset; the aborted transactions."""
    data, offset, aborted = b"", draw(st.integers(0, 2**40)), []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from([*["plain"] * 6, "transaction", "legacy"]))
        if kind == "legacy":
            rows = draw(records(times=st.integers(0, 2**41)))
            data += legacy(rows, offset, magic=draw(st.sampled_from([0, 1])))
            offset += rows[-1].offset + 1
            continue
        rows = draw(records())
        last = rows[-1].offset + draw(st.integers(0, 3))
        producer = draw(st.sampled_from([7, 8])) if kind == "transaction" else -1
        codec = draw(st.sampled_from([0, 0, 0, 0, *CODECS]))
        stamp = draw(st.sampled_from([None, None, None, 0, 2**41]))
        data += batch(
            rows, offset, codec=codec, producer=producer, append_time_ms=stamp, last_delta=last,
            sender=draw(st.sampled_from([-1, 7, 8])), epoch=draw(st.sampled_from([3, 3, 3, 4])),
        )  # fmt: skip
        first, offset = offset, offset + last + 1
        if kind == "transaction":
            commit = draw(st.booleans())
            data += marker(offset, producer, commit=commit)
            offset += 1
            aborted += [] if commit else [Aborted(producer, first)]
    return data, offset, aborted


TAKES = st.lists(st.integers(1, 20), min_size=1, max_size=3)


@settings(deadline=None, max_examples=400)
@given(logs(), TAKES, st.integers(0, 40))
def test_every_record_is_told_as_the_client_tells_it(
    log: tuple[bytes, int, list[Aborted]], takes: list[int], back: int
) -> None:
    data, end, aborted = log
    since = max(0, end - back)
    theirs, ours = both(data, takes, since=since, aborted=aborted)
    assert ours == theirs


@settings(deadline=None, max_examples=600)
@given(
    records(),
    st.sampled_from([0, 0, 0, 1, 4]),
    st.lists(st.tuples(st.integers(ATTRIBUTES, 400), st.integers(0, 255)), max_size=3),
    st.integers(0, 30),
    TAKES,
)
def test_a_damaged_batch_ends_as_it_does_in_the_client(
    rows: list[Record], codec: int, damage: list[tuple[int, int]], cut: int, takes: list[int]
) -> None:
    """Whatever is written over it or cut off, under a checksum that is right."""
    built = bytearray(batch(rows, 100, codec=codec))
    for at, byte in damage:
        built[ATTRIBUTES + (at - ATTRIBUTES) % (len(built) - ATTRIBUTES)] = byte
    del built[max(RECORDS_AT, len(built) - cut) :]
    struct.pack_into(">i", built, 8, len(built) - 12)
    theirs, ours = both(summed(built), takes)
    if "UnicodeDecodeError" not in str(theirs[-1]):  # of a header's name, which we do not look at
        assert ours == theirs


@settings(deadline=None, max_examples=600)
@given(
    st.lists(records(), min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), min_size=1, max_size=2),
    st.booleans(),
    st.integers(0, 70),
    TAKES,
)
def test_batches_end_where_one_is_damaged(
    batches: list[list[Record]],
    damage: list[tuple[int, int]],
    under_sum: bool,
    cut: int,
    takes: list[int],
) -> None:
    """Anywhere, in what says how long they are too; or under checksums that are right."""
    built, offset = list[bytearray](), 100
    for rows in batches:
        built.append(bytearray(batch(rows, offset)))
        offset += rows[-1].offset + 1
    for at, byte in damage:
        one = built[at % len(built)]
        one[at % len(one)] = byte
    whole = [summed(one) if under_sum else bytes(one) for one in built]
    theirs, ours = both(b"".join(whole)[: -cut or None], takes, since=101)
    if "UnicodeDecodeError" not in str(theirs[-1]):
        assert ours == theirs


@pytest.mark.parametrize("length", [-(2**31), -1, -12, -13, -100, -400, 0, 48, 2**31 - 1])
@pytest.mark.parametrize("place", [0, 1])
def test_a_length_that_cannot_be_is_the_clients_to_refuse(length: int, place: int) -> None:
    """No checksum is over it; below zero it would have us go back, or before all memory."""
    rows = [Record(n, 1_000 + n, b"key", b"value-%d" % n) for n in range(5)]
    batches = [bytearray(batch(rows, 0)), bytearray(batch(rows, 5))]
    for each in (length, length - len(batches[0])):
        struct.pack_into(">i", batches[place], 8, max(each, -(2**31)))
        theirs, ours = both(b"".join(batches), [5])
        assert ours == theirs


def test_the_last_offsets_there_can_be_are_told_as_the_client_tells_them() -> None:
    rows = [Record(n, 1_000 + n, b"key", b"value-%d" % n) for n in range(3)]
    for base in (2**63 - 2**32, 2**63 - 2**31, 2**63 - 4):
        theirs, ours = both(batch(rows, base), [5])
        assert ours == theirs


def test_batches_that_are_left_to_the_client_are_not_summed_up_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two records with one offset: whoever may write to the topic may send thousands."""
    one = [Record(0, 1_000, None, b"v"), Record(0, 1_000, None, b"v")]
    data = b"".join(batch(one, 10 * n) for n in range(50))
    summed_up = list[int]()

    def counted(memory: Any) -> int:
        summed_up.append(len(memory))
        return int(calc_crc32c(memory))

    monkeypatch.setattr(kafka_whole, "calc_crc32c", counted)
    unpacking = WholePartitionRecords(0, PART, *memory(data))
    assert len(unpacking.take()) == 100
    assert summed_up == []
    assert len(WholePartitionRecords(0, PART, *memory(batch([one[0]], 0) + data)).take()) == 101
    assert len(summed_up) == 1


def test_what_comes_before_a_batch_with_a_wrong_sum_is_told() -> None:
    rows = [Record(n, 1_000 + n, b"key", b"value-%d" % n) for n in range(5)]
    wrong = bytearray(batch(rows, 10))
    wrong[-1] ^= 1
    theirs, ours = both(batch(rows, 0) + batch(rows, 5) + bytes(wrong) + batch(rows, 15), [5])
    assert ours == theirs
    assert "CorruptRecordError" in ours[-1]


def test_batches_of_no_transaction_are_one() -> None:
    rows = [Record(n, 1_000 + n, b"key", b"value-%d" % n) for n in range(5)]
    data = batch(rows, 0) + batch(rows, 5, sender=7) + batch(rows, 20, last_delta=9)
    alone = batch(rows, 30, codec=1)
    again = batch(rows, 40) + batch(rows, 50)
    parts = list(WholePartitionRecords(0, PART, *memory(data + alone + again)).take())
    assert [len(part.value) for part in parts] == [15, 5, 10]
    assert [part.offset for part in parts] == [24, 34, 54]


@pytest.mark.parametrize(
    "after",
    [
        {"epoch": 1},
        {"append_time_ms": 5},
        {"codec": 4},
        {"producer": 7},
        {"base_offset": 4},
    ],
)
def test_a_batch_that_is_otherwise_is_not_taken_with_those_before_it(after: dict[str, int]) -> None:
    rows = [Record(n, 1_000 + n, b"key", b"value-%d" % n) for n in range(5)]
    data = batch(rows, 0) + batch(rows, after.pop("base_offset", 5), **after)
    parts = list(WholePartitionRecords(0, PART, *memory(data)).take())
    assert [len(part.value) for part in parts] == [5, 5]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(records(times=st.integers(0, 2**41)), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=3),
    st.integers(0, 70),
    st.integers(1, 4),
)
def test_the_loop_over_batches_reads_nothing_beyond_them(
    batches: list[list[Record]], damage: list[tuple[int, int]], cut: int, room: int
) -> None:
    built, offset = bytearray(), 0
    for rows in batches:
        built += batch(rows, offset)
        offset += rows[-1].offset + 1
    for at, byte in damage:
        built[at % len(built)] = byte
    raw = np.frombuffer(built, np.uint8)[: len(built) - cut]
    told_of = [np.zeros((room, HEAD_COLUMNS), np.int64) for _ in range(2)]
    with np.errstate(over="ignore"):
        plainly = interpreted("find_batches")(raw, 0, told_of[1])
    assert find_batches(raw, 0, told_of[0]) == plainly
    assert told_of[0][:plainly].tolist() == told_of[1][:plainly].tolist()


def both(data: bytes, takes: list[int], **more: Any) -> tuple[list[Any], list[Any]]:
    return (
        told(Fetcher.PartitionRecords, data, takes, rows=rows_of_client, **more),
        told(WholePartitionRecords, data, takes, rows=rows_of_ours, **more),
    )


ODD = [-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 64, 2**31, 2**62, 2**63 - 1]


@settings(deadline=None, max_examples=600)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(ODD)), max_size=2),
    st.integers(0, 2),
    st.integers(-1, 1),
    st.binary(max_size=2),
)
def test_a_number_that_cannot_be_is_taken_as_the_client_takes_it(
    odd: list[tuple[int, int]], record: int, more: int, trailing: bytes
) -> None:
    """In any place of any record: lengths beyond the end and beyond 64 bits, counts, signs."""
    body = b"".join(spelled(offset, dict(odd) if offset == record else {}) for offset in range(3))
    built = bytearray(batch([Record(0, 1_000, None, None)]))[:RECORDS_AT] + body + trailing
    struct.pack_into(">i", built, 8, len(built) - 12)
    struct.pack_into(">i", built, COUNT_AT, 3 + more)
    theirs, ours = both(summed(built), [2])
    assert ours == theirs


def spelled(offset: int, odd: dict[int, int]) -> bytes:
    """A record; the numbers at places in ``odd`` are others than they should be."""
    numbers = [0, 7, offset, 3, 2, 1, 4, 1]  # attributes … headers, sizes of the one header's parts
    texts = [b"", b"", b"", b"key", b"va", b"", b"name", b"h"]
    body = bytearray()
    parts = 6 if odd.get(5, 1) <= 0 else 8  # no headers, no parts of theirs
    for place, (number, text) in enumerate(zip(numbers[:parts], texts[:parts], strict=True)):
        encode_varint(odd.get(place, number), body.append)
        body += text
    length = bytearray()
    encode_varint(odd.get(8, len(body)), length.append)
    return bytes(length + body)


@settings(deadline=None, max_examples=300)
@given(
    records(times=st.integers(0, 2**41)),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3),
    st.integers(0, 20),
    st.integers(-1, 1),
)
def test_the_loop_reads_nothing_beyond_the_batch(
    rows: list[Record], damage: list[tuple[int, int]], cut: int, more: int
) -> None:
    """As plain Python it has arrays that mind their bounds; as machine code it must find the same.

    An index below 0 would be minded by neither: the loop only ever goes on.
    """
    body = bytearray(batch(rows))[RECORDS_AT:]
    for at, byte in damage:
        body[at % len(body)] = byte
    raw = np.frombuffer(body, np.uint8)[: max(0, len(body) - cut)]
    count = max(0, len(rows) + more)
    found, plainly = np.zeros((4, count), np.int64), np.zeros((4, count), np.int64)
    with np.errstate(over="ignore"):
        size = interpreted("find_records")(raw, 0, 5, 1_000, plainly)
    assert find_records(raw, 0, 5, 1_000, found) == size
    if size >= 0:
        assert found.tolist() == plainly.tolist()


def interpreted(name: str) -> Any:
    """A loop as Python runs it, with all that it calls."""
    source = inspect.getsource(kafka_batch).replace("@compiled\n", "")
    names: dict[str, Any] = {}
    exec(compile(source, kafka_batch.__file__, "exec"), names)  # noqa: S102 - our own module
    names["byte"] = lambda raw, at: raw[at]
    return names[name]


def test_batches_become_one_piece_of_memory_without_an_object_for_each_record() -> None:
    rows = [Record(n, 1_000 + n, b"key", b"value-%d" % n) for n in range(100)]
    data = batch(rows, 0) + batch(rows, 100, codec=4) + batch(rows, 200, codec=1)
    unpacking = WholePartitionRecords(150, PART, *memory(data))
    taken = unpacking.take(120)
    assert len(taken) == 120
    parts = list(taken)
    assert [len(part.value) for part in parts] == [50, 70]
    (chunk,) = columns(PART, parts)
    assert isinstance(chunk.values, Records)
    assert list(chunk.values) == [b"value-%d" % (n % 100) for n in range(50, 170)]
    assert chunk.offsets.tolist() == list(range(150, 270))
    assert chunk.next_position == unpacking.next_fetch_offset == 270


def memory(data: bytes) -> tuple[Any]:
    from kafka.record.memory_records import MemoryRecords  # noqa: PLC0415

    return (MemoryRecords(data),)


@pytest.mark.parametrize("values", [[None], [b"1", None], [None, b""], [b"", None, b"3", None]])
def test_tombstones_are_none_and_an_empty_value_is_not(values: list[bytes | None]) -> None:
    rows = [Record(n, 0, None, value) for n, value in enumerate(values)]
    heard = told(WholePartitionRecords, batch(rows), [1, 2], rows=rows_of_ours)
    assert [row[-1] for row in heard if isinstance(row, tuple) and len(row) == 4] == values


def test_a_header_that_is_not_utf8_is_no_reason_to_read_no_further() -> None:
    """Anyone may write one, and the client refuses the batch for it, again and again."""
    built = bytearray(batch([Record(0, 5, None, b"value", [("abc", None)])]))
    built[built.index(b"abc") :][:1] = b"a"
    data = summed(bytearray(bytes(built).replace(b"abc", b"a\xe9c")))
    theirs, ours = both(data, [10])
    assert "UnicodeDecodeError" in theirs[-1]
    assert (0, 5, False, b"value") in ours


def test_a_timestamp_beyond_64_bits_wraps_as_in_the_broker() -> None:
    built = bytearray(batch([Record(0, 2**63 - 5, None, b"1"), Record(1, 2**63 - 1, None, b"2")]))
    struct.pack_into(">q", built, 27, 2**63 - 1)
    ours = told(WholePartitionRecords, summed(built), rows=rows_of_ours)
    assert [row[1] for row in ours if isinstance(row, tuple) and len(row) == 4] == [
        2**63 - 1,
        -(2**63) + 3,
    ]


def test_a_count_that_no_memory_could_hold_is_not_believed() -> None:
    built = bytearray(batch([Record(0, 5, None, b"value")]))
    struct.pack_into(">i", built, COUNT_AT, 2**31 - 1)
    theirs, ours = both(summed(built), [10])
    assert ours == theirs
    assert "IndexError" in ours[-1]


def test_offsets_that_do_not_ascend_are_left_to_the_client() -> None:
    body = bytearray()
    for delta in (3, 3):
        one = bytearray([0])
        for number in (0, delta, -1, 1):
            encode_varint(number, one.append)
        one += b"v\0"
        encode_varint(len(one), body.append)
        body += one
    raw = np.frombuffer(body, np.uint8)
    assert find_records(raw, 0, 0, 0, np.zeros((4, 2), np.int64)) == -1
    assert find_records(raw[: len(raw) // 2], 0, 0, 0, np.zeros((4, 1), np.int64)) == 7


def test_rows_are_cut_where_they_stand() -> None:
    rows = Rows(bytearray(b"..abcdef.."), np.array([[2, 5, 9], [0, 0, 0], [2, 4, 6], [4, 6, 8]]))
    assert rows.since(2) is rows
    assert [len(rows.since(offset)) for offset in (3, 5, 6, 9, 10)] == [2, 2, 1, 1, 0]
    first, others = rows.since(5).split(1)
    assert (first.last_offset, bytes(first.memory)) == (5, b"cd")
    assert (others.last_offset, len(others)) == (9, 1)
