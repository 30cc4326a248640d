"""The tree that a ``where`` expression is: what every node means, independent of any engine.

Owns the shapes; :mod:`monitor.indicators.expression` makes and checks them,
:mod:`monitor.indicators.predicate` turns them into polars expressions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["number", "text", "bool"]
Comparison = Literal["==", "!=", "<", "<=", ">", ">="]
Arithmetic = Literal["+", "-", "*", "/"]
Value = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Field:
    """The value of a field, null where the event has none."""

    name: str
    type: Type
    values: tuple[str, ...] = ()
    """What an enumerated field may be."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, text or truth value."""

    value: Value
    type: Type


@dataclass(frozen=True, slots=True)
class Hour:
    """The local hour 0–23 of a time field in a zone."""

    field: str
    zone: str
    type: Type = "number"


@dataclass(frozen=True, slots=True)
class Call:
    """What a function of :mod:`monitor.indicators.functions` says of fields."""

    function: str
    fields: tuple[str, ...]
    """As written."""
    texts: tuple[str, ...]
    type: Type
    also: tuple[str, ...] = ()
    """Fields that the function reads besides."""


@dataclass(frozen=True, slots=True)
class Calculate:
    """``left op right`` on numbers, as floating point."""

    op: Arithmetic
    left: Node
    right: Node
    type: Type = "number"


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right`` on two values of one type."""

    op: Comparison
    left: Node
    right: Node
    type: Type = "bool"


@dataclass(frozen=True, slots=True)
class In:
    """``left in [values]``."""

    left: Node
    values: tuple[Value, ...]
    type: Type = "bool"


@dataclass(frozen=True, slots=True)
class IsNull:
    """``operand is null``."""

    operand: Node
    type: Type = "bool"


@dataclass(frozen=True, slots=True)
class Not:
    """``not operand``."""

    operand: Node
    type: Type = "bool"


@dataclass(frozen=True, slots=True)
class Junction:
    """``and`` or ``or`` of two or more parts."""

    op: Literal["and", "or"]
    parts: tuple[Node, ...]
    type: Type = "bool"


Node = Field | Constant | Hour | Call | Calculate | Compare | In | IsNull | Not | Junction
