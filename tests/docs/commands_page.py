"""docs/cli.md from the command line's own definition.

Owns the page's frame; what commands and options mean is said by `monitor.cli`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.cli.commands import COMMANDS
from monitor.cli.lazy import load

_COLUMNS = 100
_HEAD = """# Command line

<!-- Made by `python -m tests.docs.generate`; a test keeps it true. Do not edit by hand. -->

Every command says this with `--help`; `monitor --install-completion` makes the shell complete
commands, options and scenarios. A command that does not exist, an option or a name that is spelt
wrong is answered with what may have been meant.

| exit status | means |
|---|---|
| 0 | good; also where the reader of a pipe (`head`) has seen enough |
| 1 | something was found: a failed rule test, an error of `check`, a daemon that is not ready, a \
request that no daemon took, a delivery that stays parked |
| 2 | wrong usage or configuration; nobody answers; a file or the output cannot be read or written |
| 130 | ended by ctrl-c, where that is not the usual end (`run` and `simulate --live` end with 0) |

On a terminal, times are local, tables fold into its width, and colours stand for what words say
too; `NO_COLOR=1` turns them off. In a pipe nothing is cut. `--json` has all there is, with times in
UTC; customers' numbers are masked.
"""


def render() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, command in commands():
        parts.append(f"## monitor {name}\n\n```\n{_help(name, command)}\n```\n")
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, those of groups included, in the order of the help."""
    for entry in COMMANDS:
        command = load(entry)
        if hasattr(command, "commands"):
            yield from _below(command, f"{entry.name} ")
        else:
            yield entry.name, command


def _below(group: Any, above: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
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
    # Examples stand as they are written, which the plain form would wrap.
    examples, command.epilog = command.epilog, None
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    return "\n".join([*lines, "", *(examples or "").splitlines()]).strip()
