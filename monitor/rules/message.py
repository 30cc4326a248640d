"""Message templates: named fields in braces, and nothing else.

Owns parsing and filling. ``str.format`` would let a template reach attributes and items of what it
is given; here a field is a plain name with an optional format, checked when the file is loaded.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from monitor.events.batch import SCOPES

FIGURE_FIELDS = frozenset({"value", "hits", "of", "bound", "window", "level", "rule"})
"""Fields every rule has; the dimensions in its ``by`` come on top."""
_NAME = re.compile(r"[a-z][a-z_]*")
_SPEC = re.compile(r"%|\.[0-9]%|,|d|\.[0-9]f|,\.[0-9]f")
_NUMBERS = frozenset({"value", "hits", "of", "bound"})
_FIELDS = FIGURE_FIELDS | {"waited", *SCOPES}
_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: literal text and fields in turn."""

    text: str
    parts: tuple[tuple[str, str, str], ...]
    """(literal before, field or "", format)."""

    @property
    def fields(self) -> frozenset[str]:
        """The names it uses."""
        return frozenset(name for _, name, _ in self.parts if name)

    def fill(self, values: Mapping[str, str | float | None]) -> str:
        """The text with every field replaced; a value that is not there (None) reads ``–``."""
        return "".join(
            before + (_show(values[name], spec) if name else "")
            for before, name, spec in self.parts
        )

    @classmethod
    def parse(cls, value: Any) -> Template:
        """The template in ``value``.

        Raises:
            PydanticCustomError: not text, a brace left open, or a field that is more than a name
                and a known format.
        """
        if isinstance(value, Template):
            return value
        if not isinstance(value, str):
            raise _fault("a message is text")
        if len(value) > _LENGTH_MAX:
            message = f"a message is at most {_LENGTH_MAX} characters long"
            raise _fault(message)
        try:
            pieces = list(string.Formatter().parse(value))
        except ValueError as error:
            message = f"braces do not match: {error}"
            raise _fault(message) from error
        for _, name, spec, conversion in pieces:
            if name is not None:
                _check(name, spec or "", conversion)
        return cls(value, tuple((text, name or "", spec or "") for text, name, spec, _ in pieces))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Parsed from text, dumped as written."""
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda template: template.text
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Text."""
        return {"type": "string", "examples": ["{number} hangs up {value:%} ({hits}/{of})"]}


def _fault(message: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("message", "{fault}", {"fault": message, "hint": hint})


def _check(name: str, spec: str, conversion: str | None) -> None:
    written = f"{{{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
    if not _NAME.fullmatch(name) or conversion:
        message = f"{written} is not a field"
        raise _fault(message, "a field is a plain name: {number}, {value:%}")
    # Whether there is such a field is checked where the rule is known.
    is_text = name in _FIELDS and name not in _NUMBERS
    if spec and (is_text or not _SPEC.fullmatch(spec)):
        message = f"{written}: the format is not known here"
        raise _fault(message, "{value:%}, {value:.1%}, {value:.2f}, {hits:d}")


def _show(value: str | float | None, spec: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if spec == "%":
        return f"{_plain(value * 100, 2)}%"
    if spec == "d":
        return f"{value:.0f}"
    return format(value, spec) if spec else _plain(value, 4)


def _plain(value: float, digits: int) -> str:
    """``value`` without needless zeros: 80.0 → 80, 0.3333… → 0.3333."""
    return f"{round(value, digits):.{digits}f}".rstrip("0").rstrip(".")
