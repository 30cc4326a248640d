"""Bytewax: panes by its tumbling window, added up to the window by a stateful map.

Its own sliding window folds each event into all windows that hold it, 60 and 96; panes are the
cheaper way to the same figures, so that is what is compared. Run: ``python -m bench.peers.bytewax
FILE``; with ``BENCH_BYTEWAX=sliding`` by its ``SlidingWindower`` instead.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.files import FileSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from bench.peers.task import (
    OUT_OF_ORDER_MS,
    SCOPES,
    SPANS,
    Answer,
    Sums,
    added,
    measures,
    told,
)

_ALIGNED = datetime(2020, 1, 1, tzinfo=UTC)
Row = tuple[datetime, Sums]


def run(path: str) -> Answer:
    """All windows of all scopes, by one worker."""
    sliding = os.environ.get("BENCH_BYTEWAX") == "sliding"
    answer = Answer()
    flow = Dataflow("job")
    lines = op.input("read", flow, FileSource(Path(path), batch_size=1_000))
    rows = op.flat_map("rows", lines, _rows)
    clock = win.EventClock(
        ts_getter=lambda row: row[0],
        wait_for_system_duration=timedelta(milliseconds=OUT_OF_ORDER_MS),
        # Its watermark goes on with the system's clock, so that a file would come too late.
        now_getter=lambda: _ALIGNED,
        to_system_utc=lambda _when: None,
    )
    for length_ms, step_ms in SPANS:
        span = Span(length_ms, step_ms, sliding=sliding)
        step = f"{length_ms}"
        folded = win.fold_window(
            f"fold {step}", rows, clock, span.windower(), lambda: [0] * 6, _fold, added
        )
        if sliding:
            closed = op.map(f"closed {step}", folded.down, span.with_end)
        else:
            closed = op.stateful_flat_map(f"add {step}", folded.down, span.add_up)
        op.output(f"write {step}", closed, _Sink(answer, length_ms))
    run_main(flow)
    return answer


@dataclass(frozen=True, slots=True)
class Span:
    """One window: its length and step."""

    length_ms: int
    step_ms: int
    sliding: bool

    def windower(self) -> Any:
        """The window itself, or the panes it is made of."""
        step = timedelta(milliseconds=self.step_ms)
        if self.sliding:
            length = timedelta(milliseconds=self.length_ms)
            return win.SlidingWindower(length=length, offset=step, align_to=_ALIGNED)
        return win.TumblingWindower(length=step, align_to=_ALIGNED)

    def add_up(
        self, panes: list[tuple[int, Sums]] | None, closed: tuple[int, Sums]
    ) -> tuple[list[tuple[int, Sums]], list[tuple[int, Sums]]]:
        """The panes kept, and the window that ends with the one that closed."""
        first = closed[0] - self.length_ms // self.step_ms
        kept = [pane for pane in panes or [] if pane[0] > first]
        kept.append(closed)
        sums = [sum(column) for column in zip(*(pane[1] for pane in kept), strict=True)]
        return kept, [(self._begins_ms(closed[0]) + self.step_ms, sums)]

    def with_end(self, item: tuple[str, tuple[int, Sums]]) -> tuple[str, tuple[int, Sums]]:
        """A sliding window with its end in ms instead of its number."""
        key, (number, sums) = item
        return key, (self._begins_ms(number) + self.length_ms, sums)

    def _begins_ms(self, number: int) -> int:
        return round(_ALIGNED.timestamp() * 1_000) + number * self.step_ms


def _fold(sums: Sums, row: Row) -> Sums:
    return added(sums, row[1])


def _rows(line: str) -> Iterable[tuple[str, Row]]:
    event = json.loads(line)
    row = (datetime.fromisoformat(event["time"]), measures(event))
    return [(f"{scope} {event[scope]}", row) for scope in SCOPES]


class _Sink(DynamicSink[Any]):  # type: ignore[misc]  # without its library mypy sees Any
    def __init__(self, answer: Answer, length_ms: int) -> None:
        self._answer, self._length_ms = answer, length_ms

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Part:  # noqa: ARG002
        return _Part(self._answer, self._length_ms)


class _Part(StatelessSinkPartition[Any]):  # type: ignore[misc]
    def __init__(self, answer: Answer, length_ms: int) -> None:
        self._answer, self._length_ms = answer, length_ms

    def write_batch(self, items: list[tuple[str, tuple[int, Sums]]]) -> None:
        for key, (ends_ms, sums) in items:
            scope, _, name = key.partition(" ")
            self._answer.take(scope, name, self._length_ms, ends_ms, sums)


if __name__ == "__main__":
    told(run, importlib.metadata.version("bytewax"))
