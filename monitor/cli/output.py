"""How commands print: tables, times, durations, files that were asked for.

Owns the looks alone. People get local time and what fits a terminal; ``--json`` has all of it, in
UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from monitor.cli.stream import silence
from monitor.decisions import Decision
from monitor.delivery.people import for_people
from monitor.errors import UsageError

_PIPE_COLUMNS = 10_000


class _Printer(Console):
    """A console whose reader may go away: the command goes on to its end, and to its status."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on."""
        silence(self.file)


class _Stream(_Printer):
    """A console for output that is work to make: without a reader, making it ends."""

    def on_broken_pipe(self) -> None:
        """Say it to the caller.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Where text goes as it is: in a pipe nothing is cut or wrapped to the width of a terminal."""
    made = _Printer(stderr=stderr, emoji=False, markup=False, highlight=False)
    if not made.is_terminal:
        made.width = _PIPE_COLUMNS
    return made


def lines(*, stderr: bool = False, stream: bool = False) -> Console:
    """Where lines go that a terminal may wrap but nobody cuts: paths in them stay whole.

    ``stream``: there is no end in sight, so a reader that has seen enough ends the command.
    """
    kind = _Stream if stream else _Printer
    return kind(stderr=stderr, soft_wrap=True, emoji=False, markup=False, highlight=False)


def plain_table(*headings: str) -> Table:
    """A table without lines; a cell that is too long for a terminal goes on below, whole."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def stamp(ms: int, zone: tzinfo | None = None, *, now_ms: int) -> str:
    """A time for people, where they sit or in ``zone``: ``11-22 13:05:09``; another year, whole."""
    moment = datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(zone)
    this_year = datetime.fromtimestamp(now_ms / 1000, tz=UTC).astimezone(zone).year
    return moment.strftime("%m-%d %H:%M:%S" if moment.year == this_year else "%Y-%m-%d %H:%M")


def stamp_of(text: str | None, zone: tzinfo | None = None, *, now_ms: int) -> str:
    """The same of an RFC 3339 text; a dash where there is none."""
    if not text:
        return "–"
    return stamp(round(datetime.fromisoformat(text).timestamp() * 1000), zone, now_ms=now_ms)


def span(seconds: float) -> str:
    """A duration at a glance: ``0.4 s``, ``37 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def counted(count: int, what: str) -> str:
    """``1 file``, ``2 files``, ``0 deliveries``."""
    if count != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what}"


def document(decision: Decision) -> dict[str, Any]:
    """A decision as JSON, with customers masked as everywhere else."""
    return for_people(decision)


def write(path: Path, text: str) -> None:
    """Write a file that was asked for.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error
