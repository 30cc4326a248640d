"""docs/cli.md from the command line's own definition.

Owns the page's frame; what commands and options mean is said by `monitor.cli`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from monitor.cli.main import app

_COLUMNS = 100
_HEAD = """# Command line

<!-- Made by `python -m tests.docs.generate`; a test keeps it true. Do not edit by hand. -->

Every command says this with `--help`; `monitor --install-completion` makes the shell complete
commands, options and scenarios. Exit status: 0 good, 1 something was found (a failed rule test, an
error of `check`, a daemon that is not ready), 2 wrong usage or configuration.
"""


def render() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, command in commands():
        parts.append(f"## monitor {name}\n\n```\n{_help(name, command)}\n```\n")
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, those of groups included, in the order of the help."""
    yield from _below(get_command(app), "")


def _below(group: Any, above: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _below(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


def _help(name: str, command: Any) -> str:
    """The help text without frames, in a width that does not depend on the terminal."""
    command.rich_markup_mode = None
    context = command.make_context(
        f"monitor {name}",
        [],
        resilient_parsing=True,
        terminal_width=_COLUMNS,
        max_content_width=_COLUMNS,
    )
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()
