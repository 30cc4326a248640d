"""The root command: global options, and how errors end.

Exit status: 0 good, 1 found something (a failed test, a fault in a file), 2 usage or configuration,
130 ended by ctrl-c.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from monitor.cli.lazy import LazyGroup
from monitor.cli.stream import flush, is_full, say, silence, unwritten
from monitor.errors import ConfigError, MonitorError

app = typer.Typer(
    name="monitor",
    cls=LazyGroup,
    help="Watches a call centre live: ratios from call, SMS and message events, alerts to"
    " supervisors, outbound numbers suspended before carriers block them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - for this alone

        say(f"monitor {version('callcentre-monitor')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Nothing of its own: each command says what it does with ``--help``."""


def start() -> None:
    """Run the command that the arguments name; errors in plain words, no traceback for faults."""
    try:
        try:
            app(prog_name="monitor")  # however it was started
        finally:
            flush(sys.stdout)
    except ConfigError as error:
        _say(*map(str, error.problems))
        sys.exit(2)
    except MonitorError as error:
        _say(f"monitor: {error}")
        sys.exit(2)
    except OSError as error:
        if not is_full(error):
            raise
        silence(sys.stdout)
        _say(f"monitor: {unwritten(error)}")
        sys.exit(2)


def _say(*lines: str) -> None:
    # A path may hold ``:x:`` or ``[…]``, and is shown as it is.
    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)
    for line in lines:
        console.print(line, style="red")
