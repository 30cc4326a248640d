"""Bytewax: panes of 30 s by its tumbling window, added up to 30 minutes by a stateful map.

Its own sliding window folds each event into all 60 windows that hold it; panes are the cheaper way
to the same figures, so that is what is compared. Run: ``python -m bench.peers.bytewax FILE``; with
``BENCH_BYTEWAX=sliding`` by its ``SlidingWindower`` instead.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterable
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
    PANE_MS,
    SCOPES,
    WINDOW_MS,
    Answer,
    Sums,
    added,
    measures,
    told,
)

_ALIGNED = datetime(2020, 1, 1, tzinfo=UTC)
_PANES = WINDOW_MS // PANE_MS
_PANE = timedelta(milliseconds=PANE_MS)
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
    windower: Any = win.TumblingWindower(length=_PANE, align_to=_ALIGNED)
    if sliding:
        length = timedelta(milliseconds=WINDOW_MS)
        windower = win.SlidingWindower(length=length, offset=_PANE, align_to=_ALIGNED)
    folded = win.fold_window(
        "fold", rows, clock, windower, lambda: [0] * 6, lambda sums, row: added(sums, row[1]), added
    )
    if sliding:
        closed = op.map("closed", folded.down, lambda item: (item[0], _ends(item[1], sliding)))
    else:
        closed = op.stateful_flat_map("add", folded.down, _add_up)
    op.output("write", closed, _Sink(answer))
    run_main(flow)
    return answer


def _rows(line: str) -> Iterable[tuple[str, Row]]:
    event = json.loads(line)
    row = (datetime.fromisoformat(event["time"]), measures(event))
    return [(f"{scope} {event[scope]}", row) for scope in SCOPES]


def _ends(window: tuple[int, Sums], sliding: bool) -> tuple[int, Sums]:  # noqa: FBT001
    number, sums = window
    begins_ms = round(_ALIGNED.timestamp() * 1_000) + number * PANE_MS
    return begins_ms + (WINDOW_MS if sliding else PANE_MS), sums


def _add_up(
    panes: list[tuple[int, Sums]] | None, closed: tuple[int, Sums]
) -> tuple[list[tuple[int, Sums]], list[tuple[int, Sums]]]:
    """The panes kept, and the window that ends with the one that closed."""
    kept = [pane for pane in panes or [] if pane[0] > closed[0] - _PANES]
    kept.append(closed)
    sums = [sum(column) for column in zip(*(pane[1] for pane in kept), strict=True)]
    return kept, [_ends((closed[0], sums), sliding=False)]


class _Sink(DynamicSink[Any]):  # type: ignore[misc]  # without its library mypy sees Any
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Part:  # noqa: ARG002
        return _Part(self._answer)


class _Part(StatelessSinkPartition[Any]):  # type: ignore[misc]
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def write_batch(self, items: list[tuple[str, tuple[int, Sums]]]) -> None:
        for key, (ends_ms, sums) in items:
            scope, _, name = key.partition(" ")
            self._answer.take(scope, name, ends_ms, sums)


if __name__ == "__main__":
    told(run, importlib.metadata.version("bytewax"))
