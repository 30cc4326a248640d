"""A file's data with the place of every value, and the text it is read from.

Owns places, owners and the encoding; how YAML becomes nodes is ``composer``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from monitor.strict_yaml.syntax import Fault

TEXT_BYTES_MAX = 1_000_000

Path = tuple[str | int, ...]

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""What text does not hold: control characters, lone surrogates, and what is no character."""


@dataclass(slots=True, eq=False)
class Node:
    """One value, its place, and its parts; shared where the file uses an alias."""

    value: Any
    """None, bool, int, float, str, list or dict of the same."""
    line: int
    column: int
    keys: dict[str, tuple[int, int]]
    """Line and column of each key, when this is a mapping."""
    parts: dict[str | int, Node]
    size: int = 1
    """Values in here, this one included, aliases written out."""
    block: bool = False
    """True of a collection in block style, whose place is that of its first part."""
    text: str | None = None
    """What a scalar's characters were."""
    offset: int | None = None
    """Characters from ``column`` to the first of ``text``; None where they differ from the file."""

    def at(self, path: Path) -> Node | None:
        """The node at ``path`` below this one."""
        node: Node | None = self
        for part in path:
            if node is None:
                return None
            node = node.parts.get(part)
        return node

    def place(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column of the value at ``path``, or of the longest part of it that exists.

        A block collection is shown at its key, which is what a reader looks for.
        """
        node, place = self, (self.line, self.column)
        for index, part in enumerate(path):
            child = node.parts.get(part)
            if child is None:
                break
            place = (child.line, child.column)
            last = index == len(path) - 1
            if isinstance(part, str) and (child.block or (key and last)):
                place = node.keys[part]
            node = child
        return place

    def owner(self, path: Path) -> str:
        """The nearest ``id`` above ``path``, else the nearest ``name``, else nothing."""
        found = {"id": "", "name": ""}
        for node in self._along(path):
            for label in found:
                part = node.parts.get(label)
                if part is not None and isinstance(part.value, str):
                    found[label] = part.value
        return found["id"] or found["name"]

    def _along(self, path: Path) -> Iterator[Node]:
        node: Node | None = self
        for part in path:
            if node is None:
                return
            yield node
            node = node.parts.get(part)
        if node is not None:
            yield node


def decode(raw: bytes) -> tuple[str, list[Fault]]:
    """``raw`` as text, and a fault when it is too large, not UTF-8, or not text at all."""
    if len(raw) > TEXT_BYTES_MAX:
        return "", [Fault(0, 0, f"the file is larger than {TEXT_BYTES_MAX // 1000} kB")]
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line, column = _place_of(raw[: error.start].decode(errors="replace"))
        return "", [Fault(line, column, "the file is not UTF-8", "save it as UTF-8")]
    return text, control_faults(text)


def control_faults(text: str) -> list[Fault]:
    """A fault for the first character that text does not hold."""
    match = CONTROL.search(text)
    if match is None:
        return []
    line, column = _place_of(text[: match.start()])
    return [Fault(line, column, f"the character U+{ord(match[0]):04X} does not belong in text")]


def _place_of(before: str) -> tuple[int, int]:
    lines = re.split(r"\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1
