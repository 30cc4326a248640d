"""Answers: what is one, what is not, and that positions follow what was handed out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from monitor.decisions import Ack
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.telephony.acks import WAITING_MAX, AckReader

ACKS = Partition("telephony.acks", 0)
AT = "2026-11-22T09:00:00Z"
AT_MS = 1_795_338_000_000


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def read(*values: bytes | None, timestamp_ms: int = -1) -> tuple[list[Ack], AckReader]:
    """All answers in ``values``, and the reader that read them, closed."""
    source = MemorySource([ACKS])
    source.append(ACKS, values, timestamp_ms=timestamp_ms)
    reader = AckReader(source)
    reader.restore({})
    acks: list[Ack] = []

    def done() -> bool:
        acks.extend(reader.poll())
        return reader.positions() == {ACKS: len(values)}

    wait_until(done)
    reader.close()
    reader.close()
    return acks, reader


def answer(**fields: Any) -> bytes:
    return msgspec.json.encode({"command_id": "c1", "status": "applied", "at": AT} | fields)


def test_an_answer() -> None:
    acks, reader = read(answer(detail="done", more=[1]), answer(status="rejected", detail=None))
    assert acks == [Ack("c1", "applied", "done", AT_MS), Ack("c1", "rejected", "", AT_MS)]
    assert not +reader.ignored


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"[]", "malformed"),
        (b'"\xff"', "malformed"),
        (b"[" * 100_000, "malformed"),
        (answer(status="maybe"), "malformed"),
        (answer(command_id=7), "malformed"),
        (answer(command_id=""), "malformed"),
        (answer(command_id="x" * 129), "malformed"),
        (answer(at="yesterday"), "bad_time"),
        (answer(at="2026-11-22T09:00:00"), "bad_time"),
        (answer(at=1_795_338_000), "bad_time"),
        (answer(at=None), "bad_time"),
    ],
)
def test_what_is_no_answer_is_counted_and_passed_over(value: bytes | None, reason: str) -> None:
    acks, reader = read(value, answer(command_id="x" * 128))
    assert [ack.command_id for ack in acks] == ["x" * 128]
    assert {name: count for name, count in reader.ignored.items() if count} == {reason: 1}


def test_a_flood_of_rubbish_is_one_line_a_batch_and_reason() -> None:
    with capture_logs() as logs:
        _, reader = read(*[b"rubbish", None] * 200)
    assert reader.ignored["malformed"] == reader.ignored["tombstone"] == 200
    told = [line for line in logs if line["event"] == "acks_ignored"]
    assert sum(line["count"] for line in told) == 400
    assert len(told) <= 4


def test_without_a_time_of_its_own_an_answer_has_the_brokers() -> None:
    acks, _ = read(answer(at=None), timestamp_ms=AT_MS + 5)
    assert acks[0].at_ms == AT_MS + 5


def test_a_long_detail_is_cut() -> None:
    acks, _ = read(answer(detail="y" * 501))
    assert acks[0].detail == "y" * 500


def test_reading_goes_on_where_the_positions_say() -> None:
    source = MemorySource([ACKS])
    source.append(ACKS, [answer(command_id=f"c{n}") for n in range(4)])
    reader = AckReader(source)
    reader.restore({ACKS: 2})
    assert reader.positions() == {ACKS: 2}
    acks: list[Ack] = []

    def done() -> bool:
        acks.extend(reader.poll())
        return len(acks) == 2

    wait_until(done)
    reader.close()
    assert [ack.command_id for ack in acks] == ["c2", "c3"]
    assert reader.positions() == {ACKS: 4}


def test_a_source_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.telephony.acks.RETRY_S", 0.01)
    source = MemorySource([ACKS])
    source.append(ACKS, [answer()])
    source.unavailable = True
    reader = AckReader(source)
    reader.restore({})
    assert reader.poll() == []
    source.unavailable = False
    wait_until(lambda: len(reader.poll()) == 1)
    reader.close()


def test_more_answers_than_wait_at_once_all_arrive_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.telephony.acks.POLL_RECORDS", 1)
    count = 50  # more batches than may wait
    acks, _ = read(*(answer(command_id=f"c{n}") for n in range(count)))
    assert [ack.command_id for ack in acks] == [f"c{n}" for n in range(count)]


def test_while_nobody_takes_answers_reading_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.telephony.acks.POLL_RECORDS", 1)
    source = MemorySource([ACKS])
    source.append(ACKS, [answer(command_id=f"c{n}") for n in range(50)])
    reader = AckReader(source)
    reader.restore({})
    wait_until(lambda: reader._batches.qsize() == WAITING_MAX)
    assert source.standings()[ACKS].position <= WAITING_MAX + 1
    taken: list[Ack] = []

    def done() -> bool:
        taken.extend(reader.poll())
        return len(taken) == 50

    wait_until(done)
    reader.close()
