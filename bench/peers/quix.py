"""Quix Streams on Apache Kafka: panes by its tumbling window, added up to the window.

Its hopping window updates all windows that hold an event, 60 and 96, in RocksDB; panes are the
cheaper way to the same figures, so that is what is compared. Events are keyed by number; the other
scopes need ``group_by``, which goes through a topic each (its documentation's way). Run:
``python -m bench.peers.quix BOOTSTRAP/TOPIC/COUNT``; with ``BENCH_QUIX=hopping`` by its hopping
window instead.
"""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
import time
from collections import deque
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from quixstreams import Application, State
from quixstreams.dataframe.windows.aggregations import Aggregator

from bench.peers.task import (
    MEASURES,
    OUT_OF_ORDER_MS,
    SCOPES,
    SPANS,
    Answer,
    Sums,
    added,
    measures,
    told,
)

_SILENT_S = 10.0
"""Nothing comes for so long: this was all."""
_STARTED: deque[float] = deque(maxlen=1)
_WORKED: deque[float] = deque(maxlen=1)
"""When the first event was read, and when an event was last counted in a scope."""


class _Total(Aggregator):  # type: ignore[misc]  # without its library mypy sees Any
    def initialize(self) -> Sums:
        return [0] * len(MEASURES)

    def agg(self, old: Sums, new: dict[str, Any], timestamp: int) -> Sums:  # noqa: ARG002
        _WORKED.append(time.perf_counter())
        return added(old, measures(new))

    def result(self, value: Sums) -> Sums:
        return value


def run(where: str) -> Answer:
    """All windows of all scopes that close before the topic's end, in one process."""
    bootstrap, topic_name, _ = where.split("/")
    hopping = os.environ.get("BENCH_QUIX") == "hopping"
    answer = Answer()
    with tempfile.TemporaryDirectory(prefix="quix-") as folder:
        app = Application(
            broker_address=bootstrap,
            consumer_group=f"quix-{os.getpid()}",
            auto_offset_reset="earliest",
            state_dir=folder,
            loglevel="WARNING",
            request_timeout=60,
        )
        topic = app.topic(topic_name, value_deserializer="json", timestamp_extractor=_time)
        calls = app.dataframe(topic)
        for scope in SCOPES:
            grouped = calls if scope == "number" else calls.group_by(scope)
            for length_ms, step_ms in SPANS:
                _window(grouped, f"{scope} {length_ms} {step_ms}", answer, hopping=hopping)
        app.run(timeout=_SILENT_S)
    answer.seconds = _WORKED[-1] - _STARTED[0]
    return answer


def _window(calls: Any, span: str, answer: Answer, *, hopping: bool) -> None:
    scope, length_ms, step_ms = span.split()
    step, late = timedelta(milliseconds=int(step_ms)), timedelta(milliseconds=OUT_OF_ORDER_MS)
    name = f"{scope}-{length_ms}"
    if hopping:
        length = timedelta(milliseconds=int(length_ms))
        windows = calls.hopping_window(length, step, late, name=f"{name}-hop")
    else:
        windows = calls.tumbling_window(step, late, name=f"{name}-pane")
    closed = windows.agg(sums=_Total()).final()
    if not hopping:
        closed = closed.apply(partial(_add_up, f"panes-{length_ms}", int(length_ms)), stateful=True)

    def take(value: dict[str, Any], key: Any, timestamp: int, headers: Any) -> None:  # noqa: ARG001
        key_text = key.decode() if isinstance(key, bytes) else str(key)
        answer.take(scope, key_text, int(length_ms), value["end"], value["sums"])

    closed.update(take, metadata=True)


def _add_up(name: str, length_ms: int, value: dict[str, Any], state: State) -> dict[str, Any]:
    """The window that ends with the pane that closed."""
    panes = [pane for pane in state.get(name, []) if pane[0] > value["end"] - length_ms]
    panes.append([value["end"], value["sums"]])
    state.set(name, panes)
    sums = [sum(column) for column in zip(*(pane[1] for pane in panes), strict=True)]
    return {"end": value["end"], "sums": sums}


def _time(value: dict[str, Any], headers: Any, timestamp: float, kind: Any) -> int:  # noqa: ARG001
    if not _STARTED:
        _STARTED.append(time.perf_counter())
    return round(datetime.fromisoformat(value["time"]).timestamp() * 1_000)


if __name__ == "__main__":
    told(run, importlib.metadata.version("quixstreams"))
