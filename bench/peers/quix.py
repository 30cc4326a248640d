"""Quix Streams on Apache Kafka: panes of 30 s by its tumbling window, added up to 30 minutes.

Its hopping window updates all 60 windows that hold an event, in RocksDB; panes are the cheaper way
to the same figures, so that is what is compared. Events are keyed by number; the other scopes need
``group_by``, which goes through a topic each (its documentation's way). Run:
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
from typing import Any

from quixstreams import Application, State
from quixstreams.dataframe.windows.aggregations import Aggregator

from bench.peers.task import (
    MEASURES,
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
            _window(grouped, scope, answer, hopping=hopping)
        app.run(timeout=_SILENT_S)
    answer.seconds = _WORKED[-1] - _STARTED[0]
    return answer


def _window(calls: Any, scope: str, answer: Answer, *, hopping: bool) -> None:
    pane, late = timedelta(milliseconds=PANE_MS), timedelta(milliseconds=OUT_OF_ORDER_MS)
    if hopping:
        length = timedelta(milliseconds=WINDOW_MS)
        windows = calls.hopping_window(length, pane, late, name=f"{scope}-hop")
    else:
        windows = calls.tumbling_window(pane, late, name=f"{scope}-pane")
    closed = windows.agg(sums=_Total()).final()
    if not hopping:
        closed = closed.apply(_add_up, stateful=True)

    def take(value: dict[str, Any], key: Any, timestamp: int, headers: Any) -> None:  # noqa: ARG001
        name = key.decode() if isinstance(key, bytes) else str(key)
        answer.take(scope, name, value["end"], value["sums"])

    closed.update(take, metadata=True)


def _add_up(value: dict[str, Any], state: State) -> dict[str, Any]:
    """The window that ends with the pane that closed."""
    panes = [pane for pane in state.get("panes", []) if pane[0] > value["end"] - WINDOW_MS]
    panes.append([value["end"], value["sums"]])
    state.set("panes", panes)
    sums = [sum(column) for column in zip(*(pane[1] for pane in panes), strict=True)]
    return {"end": value["end"], "sums": sums}


def _time(value: dict[str, Any], headers: Any, timestamp: float, kind: Any) -> int:  # noqa: ARG001
    if not _STARTED:
        _STARTED.append(time.perf_counter())
    return round(datetime.fromisoformat(value["time"]).timestamp() * 1_000)


if __name__ == "__main__":
    told(run, importlib.metadata.version("quixstreams"))
