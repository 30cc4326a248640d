"""Files that people write, loaded strictly: every fault at once, each with line, column and mend.

Owns the way from bytes to a validated model. It knows no particular model, merges nothing and
writes nothing. ``composer`` reads text, ``validate`` applies the model, ``faults`` words errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.errors import ConfigError, Problem
from monitor.strict_yaml import nodes
from monitor.strict_yaml.composer import compose
from monitor.strict_yaml.faults import discreet, explain
from monitor.strict_yaml.nodes import Node
from monitor.strict_yaml.syntax import Fault
from monitor.strict_yaml.validate import validator

__all__ = ["Loaded", "load_yaml", "loads_yaml"]

M = TypeVar("M", bound=BaseModel)

PROBLEMS_MAX = 100
"""Past this many the rest is only counted: the file is of another kind altogether."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """A validated file that still knows where each value stood."""

    value: M
    path: Path
    root: Node

    @property
    def data(self) -> dict[str, Any]:
        """The file as plain data, before the model; not to be changed."""
        data: dict[str, Any] = self.root.value
        return data

    def problem(
        self,
        loc: tuple[str | int, ...],
        message: str,
        hint: str = "",
        owner: str = "",
        *,
        at_key: bool = False,
        offset: int | None = None,
    ) -> Problem:
        """A fault found later, at the value ``loc`` leads to, or the longest part that exists.

        Args:
            loc: keys and indices as in the file, from the top.
            message: what is wrong.
            hint: the mend.
            owner: id of the rule or indicator; by default the nearest one around ``loc``.
            at_key: blame the key instead of its value.
            offset: a place inside a text value, in characters from 0, as an expression's parser
                gives it; used where the value stands on one line without escapes.
        """
        line, column = self.root.place(loc, key=at_key)
        node = self.root.at(loc)
        if offset is not None and node is not None and node.offset is not None:
            column += node.offset + offset
        return Problem(self.path, line, column, message, hint, owner or self.root.owner(loc))


def load_yaml(path: Path, model: type[M]) -> Loaded[M]:
    """Read ``path`` as ``model``.

    Raises:
        ConfigError: with every problem found, in order of line; nothing else is ever raised for
            what a file may hold.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(nodes.TEXT_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise ConfigError([Problem(path, 0, 0, "there is no such file")]) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError([Problem(path, 0, 0, f"cannot be read: {reason}")]) from error
    return _load(raw, path, model)


def loads_yaml(text: str, path: Path, model: type[M]) -> Loaded[M]:
    """Read ``text`` as ``model``; ``path`` is only named in problems.

    Raises:
        ConfigError: with every problem found, in order of line.
    """
    return _load(text.encode(errors="surrogatepass"), path, model)


def _load(raw: bytes, path: Path, model: type[M]) -> Loaded[M]:
    text, faults = nodes.decode(raw)
    if faults:
        raise _refused(path, faults, None)
    root, faults = compose(text.removeprefix("\ufeff"))
    faults = [discreet(fault, model) for fault in faults]
    if root is None:
        raise _refused(path, faults, None)
    try:
        value: M = validator(model).validate_python(root.value)
    except ValidationError as error:
        faults = _with_errors(faults, explain(error, root, model))
    if faults:
        raise _refused(path, faults, root)
    return Loaded(value, path, root)


def _with_errors(faults: Sequence[Fault], errors: Iterable[Fault]) -> list[Fault]:
    """``faults`` of the text, and those ``errors`` of the model that are not their consequence."""
    blamed = {(fault.line, fault.column) for fault in faults}
    return [*faults, *(error for error in errors if (error.line, error.column) not in blamed)]


def _refused(path: Path, faults: list[Fault], root: Node | None) -> ConfigError:
    ordered = sorted(faults, key=lambda fault: (fault.line, fault.column, fault.message))
    problems = [
        Problem(
            path,
            fault.line,
            fault.column,
            fault.message,
            fault.hint,
            "" if root is None else root.owner(fault.path),
        )
        for fault in ordered[:PROBLEMS_MAX]
    ]
    if len(ordered) > PROBLEMS_MAX:
        rest = len(ordered) - PROBLEMS_MAX
        problems.append(Problem(path, 0, 0, f"and {rest} more problems"))
    return ConfigError(problems)
