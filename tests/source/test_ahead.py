"""Reading ahead keeps the contract of what it reads from, and tells of what it handed out alone."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np
import polars as pl
import pytest

from monitor.clock import SystemClock
from monitor.errors import SourceError, SourceUnavailable
from monitor.events.ahead import LIVE_ROWS_MAX, Prepared, ReadAhead, decoded_by
from monitor.events.batch import Decoded
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.kafka import POLL_RECORDS_MAX
from monitor.source.memory import MemorySource
from tests.source.contract import SourceContract, gather_count, values
from tests.source.test_memory import MemoryBench

CLOCK = SystemClock()


class Counting:
    """A decoder that counts."""

    def __init__(self) -> None:
        self.decoded = 0

    def decode(self, fetched: Fetched) -> Decoded:
        self.decoded += len(fetched.values)
        return Decoded(fetched.partition, pl.DataFrame(), pl.Series(), append_time=False)


class Ahead(ReadAhead):
    """One whose reading a test can look at from outside."""

    def __init__(self, inner: MemorySource) -> None:
        super().__init__(inner, CLOCK)
        self.counting = Counting()
        self.decoder = lambda: self.counting


class AheadBench(MemoryBench):
    def reader(self) -> ReadAhead:  # type: ignore[override]  # a source is all that is asked for
        return Ahead(super().reader())


class TestAhead(SourceContract):
    @pytest.fixture
    def bench(self) -> AheadBench:
        return AheadBench()


class Script:
    """A source that does what a test says, poll by poll; it waits for each."""

    def __init__(self, *, finite: bool = False) -> None:
        self.partition = Partition("calls", 0)
        self.given: list[list[bytes] | Exception] = []
        self.position = 0
        self.end = 0
        self.polls = 0
        self._more = threading.Condition()
        self._finite = finite
        self.closed = False

    def give(self, what: list[bytes] | Exception) -> None:
        with self._more:
            self.given.append(what)
            self._more.notify_all()

    def start(self, positions: Mapping[Partition, int], _since_ms: int | None) -> None:
        self.position = positions.get(self.partition, 0)

    def poll(
        self, _max_records: int, timeout_s: float, _skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        with self._more:
            self._more.wait_for(lambda: self.given, timeout_s)
            self.polls += 1
            if not self.given:
                return []
            what = self.given.pop(0)
        if isinstance(what, Exception):
            raise what
        offsets = np.arange(self.position, self.position + len(what))
        self.position = self.end = self.position + len(what)
        return [Fetched(self.partition, offsets, offsets, False, what, self.position)]

    def standings(self) -> Mapping[Partition, Standing]:
        return {self.partition: Standing(self.position, self.end, complete=True)}

    def exhausted(self) -> bool:
        return self._finite and not self.given

    def close(self) -> None:
        self.closed = True


def opened(script: Script) -> ReadAhead:
    source = ReadAhead(script, CLOCK)
    decoder = Counting()
    source.decoder = lambda: decoder
    source.start({}, None)
    return source


def until(source: ReadAhead, wanted: int) -> list[bytes | None]:
    found: list[bytes | None] = []
    while len(found) < wanted:
        for batch in source.poll(100, 0.05):
            found += batch.values
    return found


def poll_for_ever(source: ReadAhead) -> None:
    while True:
        assert source.poll(100, 0.05) == []


def test_it_runs_ahead_and_says_so_to_nobody() -> None:
    script = Script()
    source = opened(script)
    for number in range(5):
        script.give([b"%d" % number])
    assert until(source, 1) == [b"0"]
    waited = threading.Event()
    while script.polls < 5:
        waited.wait(0.01)
    (standing,) = source.standings().values()
    assert standing.position == 1, "four more were read, and none of them handed out"
    assert not standing.confirmed, "its end is hearsay while more waits"
    assert until(source, 4) == [b"1", b"2", b"3", b"4"]
    assert source.poll(100, 0.05) == []
    (standing,) = source.standings().values()
    assert (standing.position, standing.end, standing.confirmed) == (5, 5, True)
    source.close()
    assert script.closed


def test_it_runs_ahead_so_far_and_no_further() -> None:
    script = Script()
    source = ReadAhead(script, CLOCK, rows_max=3)
    decoder = Counting()
    source.decoder = lambda: decoder
    source.start({}, None)
    for number in range(5):
        script.give([b"%d" % number] * 2)
    assert until(source, 2) == [b"0", b"0"]
    waited = threading.Event()
    while script.polls < 3:
        waited.wait(0.01)
    waited.wait(0.1)  # nothing can be awaited that must not happen
    assert script.polls == 3, "four records wait, of three"
    assert until(source, 8) == [b"%d" % number for number in range(1, 5) for _ in range(2)]
    source.close()


def test_nothing_new_is_said_only_to_who_waits_for_it() -> None:
    """Old news of nothing, before the record that came after it, would make a silence of it."""
    script = Script()
    source = opened(script)
    script.give([b"a"])
    assert until(source, 1) == [b"a"]
    polls = script.polls
    threading.Event().wait(0.3)  # longer than a poll: nobody asks, and nothing is polled for twice
    assert script.polls <= polls + 1
    script.give([b"b"])
    assert [list(batch.values) for batch in source.poll(100, 5.0)] == [[b"b"]]
    source.close()


def test_a_fault_comes_in_its_turn_and_is_tried_again_when_asked() -> None:
    script = Script()
    source = opened(script)
    script.give([b"a"])
    script.give(SourceUnavailable("the broker is away"))
    script.give([b"b"])
    assert until(source, 1) == [b"a"]
    with pytest.raises(SourceUnavailable, match="away"):
        poll_for_ever(source)
    assert until(source, 1) == [b"b"]
    script.give(SourceError("not authorised"))
    with pytest.raises(SourceError, match="authorised"):
        poll_for_ever(source)
    source.close()


def test_a_poll_that_does_not_come_back_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.events.ahead.SLOW_S", 0.01)
    script = Script()
    source = opened(script)
    script.give([b"a"])
    assert until(source, 1) == [b"a"]
    begun, hung = threading.Event(), threading.Event()

    def hang(*_: object) -> list[Fetched]:
        begun.set()
        hung.wait(30)
        return []

    monkeypatch.setattr(script, "poll", hang)
    while not begun.is_set():  # what it was at before may take as long as it likes
        source.poll(100, 0.01)
    while source.poll(100, 0.01) or source.standings()[script.partition].confirmed:
        pass
    monkeypatch.setattr("monitor.events.ahead.STUCK_S", 0.0)
    with pytest.raises(SourceUnavailable, match="has not come back"):
        poll_for_ever(source)
    hung.set()
    source.close()


def test_after_a_reload_it_is_decoded_by_the_new_ones() -> None:
    bench = MemoryBench()
    bench.append(bench.partitions[0], values(0, 3))
    source = Ahead(bench.reader())
    source.start({}, None)
    gathered: list[Fetched] = []
    while not gathered:
        gathered = source.poll(100, 0.1)
    (batch,) = gathered
    assert isinstance(batch, Prepared)
    assert decoded_by(source.counting, batch) is batch.decoded
    assert source.counting.decoded == 3
    other = Counting()
    decoded_by(other, batch)
    assert other.decoded == 3
    source.close()


def test_a_finite_source_ends_once_all_is_handed_out() -> None:
    script = Script(finite=True)
    script.give([b"a"])
    script.give([b"b"])
    source = opened(script)
    found: list[bytes | None] = []
    while not source.exhausted():
        for batch in source.poll(100, 0.05):
            found += batch.values
    assert found == [b"a", b"b"]
    assert source.poll(1, 0.0) == []
    (standing,) = source.standings().values()
    assert (standing.position, standing.confirmed) == (2, True), "there is nothing left to hear"
    source.close()
    source.close()


class UntilAsked(Script):
    """A source that knows where its end is once it has found nothing there, as files do."""

    over = False

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        fetched = super().poll(max_records, timeout_s, skip)
        self.over = not fetched
        return fetched

    def standings(self) -> Mapping[Partition, Standing]:
        end = self.position if self.over else self.position + 1
        return {self.partition: Standing(self.position, end, complete=True)}

    def exhausted(self) -> bool:
        return self.over


def test_that_it_is_over_is_told_to_who_asks_late_and_to_nobody_without_a_rest() -> None:
    script = UntilAsked()
    script.give([b"a"])
    source = opened(script)
    assert until(source, 1) == [b"a"]
    waited = threading.Event()
    while not source.exhausted():  # nobody is asking when it finds nothing
        waited.wait(0.01)
    assert source.poll(100, 0.0) == []
    (standing,) = source.standings().values()
    assert (standing.position, standing.end, standing.confirmed) == (1, 1, True)
    source._thread.join(10)  # type: ignore[union-attr]
    began_s = CLOCK.monotonic_s()
    assert source.poll(100, 0.2) == []
    assert CLOCK.monotonic_s() - began_s >= 0.2, "who asks again and again would take a core"
    source.close()


def test_a_source_that_answers_at_once_is_asked_once_for_each_poll() -> None:
    bench = MemoryBench()
    inner = bench.reader()
    source = Ahead(inner)
    source.start({}, None)
    for _ in range(50):
        assert source.poll(100, 0.5) == []
        assert all(each.confirmed for each in source.standings().values())
    source.close()


def test_it_can_be_started_again() -> None:
    bench = MemoryBench()
    bench.append(bench.partitions[0], values(0, 4))
    source = Ahead(bench.reader())
    source.start({}, None)
    gather_count(source, 4)
    source.start({bench.partitions[0]: 2}, None)
    assert len(gather_count(source, 2)[bench.partitions[0]]) == 2
    source.close()


def test_a_daemon_reads_a_poll_while_another_waits() -> None:
    """Or the engine waits for each that it asks for: an eighth of the time of catching up."""
    assert POLL_RECORDS_MAX < LIVE_ROWS_MAX
