"""The root group: commands that are loaded when they are wanted.

Owns the placeholders in the list of commands, and what is the same for every command: a reader
that goes away in the middle, and the wording of a wrong value.
"""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from monitor.cli.commands import COMMANDS, Entry
from monitor.cli.interrupts import quick_end
from monitor.cli.stream import silence

_CHOICES = re.compile(r"'(?P<given>[^']*)' is not one of (?P<choices>'.*')")

_PLAIN = {
    r"Input should be a valid integer.*": "a whole number is needed",
    r"Input should be a valid number.*": "a number is needed",
    r"Input should be a valid datetime.*": "a time is needed, such as 2026-11-22T09:00",
    r"Input should be (greater|less) than": r"it must be \1 than",
}
"""What the validation says → how people say it."""


def load(entry: Entry) -> Any:
    """The command or group that ``entry`` stands for."""
    with quick_end():
        made = get_command(importlib.import_module(entry.module).app)
    made.name = entry.name
    return made


class LazyGroup(TyperGroup):
    """Lists ``COMMANDS`` without loading them, and loads the one that is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._entries = {entry.name: entry for entry in COMMANDS}
        for entry in COMMANDS:
            self.commands[entry.name] = TyperCommand(entry.name, help=entry.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments name, loaded; and the arguments left for it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load(self._entries[name]), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            silence(sys.stdout)  # the reader of a pipe has seen enough
            raise typer.Exit(0) from None
        except typer.BadParameter as error:
            error.message = _worded(error.message)
            raise


def _worded(message: str) -> str:
    """A wrong value in the words of this command line, with what may have been meant."""
    message = message.removeprefix("Value error, ")
    for pattern, words in _PLAIN.items():
        message = re.sub(pattern, words, message)
    found = _CHOICES.search(message)
    if found is None:
        return message
    choices = re.findall(r"'([^']*)'", found["choices"])
    close = difflib.get_close_matches(found["given"], choices, n=1)
    return f"{message.rstrip('.')}. Did you mean '{close[0]}'?" if close else message
