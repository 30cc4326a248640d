"""The command line, called as the console script calls it, without a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import structlog

from monitor.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)


class Screen(io.StringIO):
    """Output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def monitor(
    *arguments: str | Path, columns: int | None = None, piped: bool = False, **environ: str
) -> Done:
    """Run ``monitor …``; anything but a clean exit is raised.

    In pipes, or with ``columns`` on a terminal so wide; then with ``piped`` its standard output is
    still a pipe's. ``environ`` goes on top of ours.
    """
    screen = columns is not None
    out, err = (
        Screen() if screen and not piped else io.StringIO(),
        Screen() if screen else io.StringIO(),
    )
    status = 0
    surroundings = {"COLUMNS": str(columns or 80), "LINES": "40", "TERM": "xterm-256color"}
    with (
        mock.patch.dict(os.environ, surroundings | environ),
        mock.patch.object(sys, "argv", ["monitor", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _signals_as_they_were(),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1 if end.code else 0
        finally:
            structlog.reset_defaults()
    return Done(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _signals_as_they_were() -> Iterator[None]:
    handled = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
