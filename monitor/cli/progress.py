"""The bar of a command that reads recorded events: how far, how fast, how long yet.

Owns the looks and the pace of redrawing; nothing is drawn where nobody sees it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.clock import Clock, SystemClock
from monitor.decisions import iso
from monitor.engine import Engine
from monitor.source.base import Source
from monitor.windows.watermark import NEVER

_EVERY_S = 0.1

Tell = Callable[[int, int], None]
"""Told of the last tick judged and of the events so far."""


def run_with_bar(engine: Engine, source: Source, what: str = "replaying") -> None:
    """Run an engine to the end of a source that has been started."""
    events = [0]
    with reading(what, source, SystemClock()) as tell:

        def move(read: int) -> None:
            events[0] += read
            tell(engine.judged, events[0])

        engine.run_to_end(move)


@contextmanager
def reading(what: str, source: Source, clock: Clock) -> Iterator[Tell]:
    """A bar over ``source``, which is started meanwhile; yields what moves it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _judged, _events: None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[at]}  {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    began_s, drawn_s = clock.monotonic_s(), [0.0]
    above = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=above) as progress:
        task = progress.add_task(what, total=None, at="", rate="")

        def tell(judged: int, events: int) -> None:
            now_s = clock.monotonic_s()
            if now_s - drawn_s[0] < _EVERY_S:
                return
            drawn_s[0] = now_s
            standings = source.standings().values()
            progress.update(
                task,
                total=sum(standing.end for standing in standings),
                completed=sum(standing.position for standing in standings),
                at="" if judged == NEVER else iso(judged),
                rate=f"{events / max(now_s - began_s, 1e-3):,.0f} events/s",
            )

        yield tell
