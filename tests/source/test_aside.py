"""A source behind a thread of its own: the same source, and one that can be left."""

from __future__ import annotations

import threading
import time
from collections.abc import Set as AbstractSet

import pytest

from monitor.errors import SourceError, SourceUnavailable
from monitor.source.aside import THREAD, Aside
from monitor.source.base import Fetched, Partition
from monitor.source.memory import MemorySource
from tests.source.contract import SourceContract, gather_to_end, values
from tests.source.test_memory import MemoryBench

ONE = Partition("calls", 0)


class AsideBench(MemoryBench):
    def reader(self) -> Aside:  # type: ignore[override]
        return Aside(super().reader(), threading.Event())


class TestAside(SourceContract):
    @pytest.fixture
    def bench(self) -> AsideBench:
        return AsideBench()


class Hanging(MemorySource):
    """A source whose calls wait until they are let go."""

    def __init__(self) -> None:
        super().__init__([ONE])
        self.begun, self.let_go, self.closed = (threading.Event() for _ in range(3))
        self.hangs = True

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        if self.hangs:
            self.begun.set()
            self.let_go.wait(30)
        return super().poll(max_records, timeout_s, skip)

    def close(self) -> None:
        super().close()
        self.closed.set()


def test_a_call_that_hangs_is_left_when_told_to_stop_and_changes_nothing() -> None:
    stop, inner = threading.Event(), Hanging()
    inner.append(ONE, values(0, 3), timestamp_ms=1)
    source = Aside(inner, stop)
    source.start({}, None)
    before = dict(source.standings())
    threading.Thread(target=_set_after, args=(inner.begun, stop)).start()
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="told to stop"):
        source.poll(10, 0.0)
    assert time.monotonic() - started < 5
    inner.let_go.set()
    with pytest.raises(SourceUnavailable, match="told to stop"):
        source.poll(10, 0.0)
    source.close()
    assert source.standings() == before, "what came after that is nobody's"
    assert inner.closed.wait(30), "its thread closes it"
    with pytest.raises(SourceError, match="closed"):
        source.poll(10, 0.0)


def _set_after(first: threading.Event, then: threading.Event) -> None:
    first.wait(30)
    then.set()


def test_a_call_that_ends_soon_is_waited_for() -> None:
    stop, inner = threading.Event(), MemorySource([ONE])
    inner.append(ONE, values(0, 3), timestamp_ms=1)
    source = Aside(inner, stop)
    source.start({}, None)
    stop.set()
    assert len(gather_to_end(source)[ONE]) == 3
    source.close()
    source.close()
    assert THREAD not in {thread.name for thread in threading.enumerate()}


def test_one_that_was_never_started_closes() -> None:
    inner = Hanging()
    Aside(inner, threading.Event()).close()
    assert inner.closed.is_set()
