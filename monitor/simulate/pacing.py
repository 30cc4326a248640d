"""When simulated records are handed over: at once with a progress bar, or live by the clock.

Owns the waiting, through the ``Clock``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.clock import Clock
from monitor.simulate.simulation import Simulation
from monitor.simulate.sinks import FileSink, FolderSink, KafkaSink, Sink
from monitor.source.settings import KafkaConnection

SLICE_MS: Final = 200
"""Live records are handed over in slices so long."""
WAIT_S_MAX: Final = 1.0


def to_file(
    simulation: Simulation,
    path: Path,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> Path:
    """Write all records to ``path`` and the truth beside it; gives the truth's path.

    A path that ends in ``.jsonl`` becomes one file with ``….truth.json`` beside it; any other a
    folder with a file a topic and ``truth.json``. ``clock`` and ``stop`` as in :func:`deliver`.
    """
    single = path.suffix == ".jsonl"
    truth = path.with_suffix(".truth.json") if single else path / "truth.json"
    deliver(simulation, FileSink(path) if single else FolderSink(path), clock=clock, stop=stop)
    simulation.truth.write(truth)
    return truth


def to_kafka(
    simulation: Simulation,
    connection: KafkaConnection,
    *,
    partitions: int = 4,
    truth: Path | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Send all records to Kafka, and write the truth to ``truth`` where given."""
    sink = KafkaSink(connection, partitions=partitions)
    deliver(simulation, sink, clock=clock, stop=stop)
    if truth is not None:
        simulation.truth.write(truth)


def deliver(
    simulation: Simulation,
    sink: Sink,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    blocked: Callable[[], Collection[str]] = tuple,
) -> None:
    """Hand all records to ``sink`` and close it.

    At once when there is no ``clock``; else each when its arrival has come, and those of the past
    at once. ``stop`` ends it early.
    """
    stop = threading.Event() if stop is None else stop
    live_ms = None if clock is None else clock.now_ms()
    chunks: Iterable[pl.DataFrame] = simulation.chunks(blocked, live_ms)
    if clock is not None:
        chunks = paced(chunks, clock, stop)
    try:
        # A bar is for work that ends; live records go on, maybe below somebody's table.
        for records in chunks if clock is not None else _watched(chunks, simulation):
            if stop.is_set():
                return
            sink.write(records)
    finally:
        sink.close()


def paced(
    chunks: Iterable[pl.DataFrame], clock: Clock, stop: threading.Event
) -> Iterator[pl.DataFrame]:
    """The same records, each not before its arrival by ``clock``; ends when ``stop`` is set."""
    for records in chunks:
        done = 0
        while done < records.height:
            now = clock.now_ms()
            # Sorted by arrival, so what is due stands in front.
            due = int(records["arrival"].search_sorted(now, side="right"))
            if due > done:
                yield records.slice(done, due - done)
                done = due
            if done < records.height:
                ahead = max(records["arrival"][done] - now, SLICE_MS) / 1_000
                if clock.wait(stop, min(ahead, WAIT_S_MAX)):
                    return


def _watched(chunks: Iterable[pl.DataFrame], simulation: Simulation) -> Iterator[pl.DataFrame]:
    """The same, with a progress bar where somebody sits in front of it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from chunks
        return
    truth, written = simulation.truth, 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        total = truth.end_ms - truth.start_ms
        task = progress.add_task(truth.scenario, total=total, events=0)
        for records in chunks:
            written += records.height
            yield records
            if records.height:
                done = records["arrival"][-1] - truth.start_ms
                progress.update(task, completed=done, events=written)
