"""How a command or a group of commands is declared: markup, examples, values with units.

Owns what is alike in the definitions of all of them; what they do is said in their own modules.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import typer

from monitor.units import parse_duration

_F = TypeVar("_F", bound=Callable[..., Any])


def group(help_text: str) -> typer.Typer:
    """A group of commands, such as ``monitor numbers …``."""
    app = typer.Typer(
        help=help_text, no_args_is_help=True, add_completion=False, rich_markup_mode="rich"
    )
    app.callback()(_nothing)  # a group stays one, with a single command too
    return app


def single(name: str, function: Callable[..., Any], *examples: str) -> typer.Typer:
    """A command of its own; the module's ``app``."""
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name, help=_flowing(function), epilog=_epilog(examples))(function)
    return app


def member(app: typer.Typer, name: str, *examples: str) -> Callable[[_F], _F]:
    """Add a function to a group as a command."""

    def add(function: _F) -> _F:
        command = app.command(name, help=_flowing(function), epilog=_epilog(examples))
        command(function)
        return function

    return add


def duration(text: str) -> int:
    """An option's duration as milliseconds; for ``parser=``.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        msg = f"{error}: write a whole number and a unit, such as 30s, 5m, 24h, 7d"
        raise typer.BadParameter(msg) from error


def some_duration(text: str) -> int:
    """The same, for what cannot be zero."""
    if parsed := duration(text):
        return parsed
    msg = f"{text} is no time at all"
    raise typer.BadParameter(msg)


def one_of(given: str, choices: Iterable[str]) -> str:
    """``given``, when it is one of ``choices``.

    Raises:
        typer.BadParameter: it is not; names them, and the one that may have been meant.
    """
    known = list(choices)
    if given in known:
        return given
    close = difflib.get_close_matches(given, known, n=1)
    meant = f". Did you mean '{close[0]}'?" if close else ""
    msg = f"'{given}' is not one of {', '.join(known)}{meant}"
    raise typer.BadParameter(msg)


def _nothing() -> None: ...


def _flowing(function: Callable[..., Any]) -> str:
    """Its docstring, one line a paragraph: the terminal breaks lines, the source does not."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _epilog(examples: Iterable[str]) -> str | None:
    lines = [f"$ monitor {example}" for example in examples]
    return "\n".join(["Examples:", *lines]) if lines else None
