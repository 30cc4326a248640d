"""The root command: global options, the commands, and how errors end.

Exit status: 0 good, 1 found something (a failed test, a fault in a file), 2 usage or configuration.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from monitor.cli import alerts, check, numbers, replay, rule_tests, run, schema, simulate, status
from monitor.errors import ConfigError, MonitorError

app = typer.Typer(
    name="monitor",
    help="Watches a call centre live: ratios from call, SMS and message events, alerts to"
    " supervisors, outbound numbers suspended before carriers block them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("test")(rule_tests.rule_tests)
app.command("replay")(replay.replay)
app.command("simulate")(simulate.simulate)
app.command("status")(status.status)
app.command("schema")(schema.schema)
app.add_typer(numbers.app, name="numbers")
app.add_typer(alerts.app, name="alerts")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"monitor {version('callcentre-monitor')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Nothing of its own: each command says what it does with ``--help``."""


def main() -> None:
    """Entry point of the console script: errors in plain words, no traceback for user faults."""
    # A path may hold ``:x:`` or ``[…]``, and is shown as it is.
    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            console.print(str(problem), style="red")
        sys.exit(2)
    except MonitorError as error:
        console.print(f"monitor: {error}", style="red")
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)  # the reader of a pipe has seen enough
