"""How far a command is that works through recorded events: a bar on a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.decisions import iso
from monitor.engine import Engine
from monitor.source.base import Source
from monitor.windows.watermark import NEVER


def run_with_bar(engine: Engine, source: Source, what: str = "replaying") -> None:
    """Run to the end of a source that has been started."""
    console = Console(stderr=True)
    if not console.is_terminal:
        engine.run_to_end()
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[at]}"),
        TimeRemainingColumn(),
    )
    # What is printed stands above the bar on a screen; a file or pipe gets it as ever.
    above = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=above) as progress:
        task = progress.add_task("replay", total=None, at="")

        def tell(_read: int) -> None:
            standings = source.standings().values()
            at = "" if engine.judged == NEVER else iso(engine.judged)
            progress.update(
                task,
                total=sum(standing.end for standing in standings),
                completed=sum(standing.position for standing in standings),
                at=at,
            )

        engine.run_to_end(tell)
