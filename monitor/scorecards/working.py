"""What a formula comes to for one person, and how it is written with the values in it.

Owns the arithmetic of :mod:`monitor.scorecards.language`'s trees, exact throughout.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from monitor.scorecards.language import Node, Value
from monitor.scorecards.money import Mode, rounded, shown


@dataclass(frozen=True, slots=True)
class Table:
    """Tiers: from where each rate holds, ascending."""

    steps: tuple[tuple[Fraction, Fraction], ...]
    """Where it begins, and the rate."""
    above: bool = False
    """A step is reached by more than where it begins, not by that itself."""

    def reached(self, x: Fraction) -> list[tuple[Fraction, Fraction]]:
        """The steps that ``x`` has reached."""
        return [step for step in self.steps if x > step[0] or (x == step[0] and not self.above)]

    def rate(self, x: Fraction) -> Fraction:
        """That of the step ``x`` is on; 0 below the first."""
        found = self.reached(x)
        return found[-1][1] if found else Fraction()

    def pieces(self, x: Fraction) -> list[tuple[Fraction, Fraction]]:
        """How much of ``x`` lies on each step that it has reached, with the rate."""
        steps = self.reached(x)
        ends = [*(start for start, _ in steps[1:]), x][: len(steps)]
        return [(end - start, rate) for (start, rate), end in zip(steps, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean for one person."""

    values: Mapping[str, Value]
    tiers: Mapping[str, Table]
    mode: Mode


_NUMERIC: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)


def worked(node: Node, scope: Scope) -> Value:  # noqa: PLR0911 - a case a node
    """The value of ``node``; null as the module of the language says."""
    match node.kind:
        case "value":
            return node.value
        case "name":
            return scope.values.get(node.name)
        case "if":
            chosen = node.parts[0] if worked(node.parts[1], scope) is True else node.parts[2]
            return worked(chosen, scope)
        case "null":
            return worked(node.parts[0], scope) is None
        case "coalesce":
            found = (worked(part, scope) for part in node.parts)
            return next((value for value in found if value is not None), None)
        case "and" | "or":
            return _junction([worked(part, scope) for part in node.parts], node.kind == "and")
    values = [worked(part, scope) for part in node.parts]
    if values[0] is None or (node.kind != "in" and None in values):
        return None
    return _applied(node, values, scope)


def _junction(values: list[Value], is_and: bool) -> bool | None:  # noqa: FBT001
    """SQL's: what decides alone wins over the unknown."""
    if (not is_and) in values:
        return not is_and
    return None if None in values else is_and


def _applied(node: Node, values: list[Any], scope: Scope) -> Value:  # noqa: C901, PLR0911, PLR0912
    first = values[0]
    match node.kind:
        case "not":
            return not first
        case "neg":
            return Fraction(-first)
        case "in":
            return first in values[1:]
        case "/":
            return None if values[1] == 0 else Fraction(first) / values[1]
        case "min":
            return Fraction(min(values))
        case "max":
            return Fraction(max(values))
        case "abs":
            return Fraction(abs(first))
        case "clamp":
            return Fraction(max(values[1], min(first, values[2])))
        case "round":
            return rounded(first, int(values[1]), scope.mode)
        case "scale":
            return _scaled(*values)
        case "step":
            return scope.tiers[node.name].rate(first)
        case "whole":
            return Fraction(first * scope.tiers[node.name].rate(first))
        case "marginal":
            pieces = scope.tiers[node.name].pieces(first)
            return sum((size * rate for size, rate in pieces), Fraction())
    found: Value = _NUMERIC[node.kind](first, values[1])
    return found


def _scaled(x: Fraction, x1: Fraction, x2: Fraction, y1: Fraction, y2: Fraction) -> Fraction | None:
    """On the line through (x1, y1) and (x2, y2), held between them; null where they are one."""
    if x1 == x2:
        return None
    along = min(max((x - x1) / (x2 - x1), Fraction()), Fraction(1))
    return y1 + along * (y2 - y1)


# --- for people -----------------------------------------------------------------------------------

_BINDS = {"or": 1, "and": 2, "not": 3, "+": 5, "-": 5, "*": 6, "/": 6, "neg": 7}
_SIGNS = {"*": "×", "/": "÷", "-": "−"}


def written(node: Node, scope: Scope | None = None) -> str:
    """The formula for people; with ``scope``, each name followed by what it stands for."""
    return _written(node, scope, 0)


def _written(node: Node, scope: Scope | None, outer: int) -> str:  # noqa: C901 - a case a node
    binds = _BINDS.get(node.kind, 4 if node.kind in _NUMERIC else 9)
    match node.kind:
        case "value":
            return _value(node.value)
        case "name":
            if scope is None:
                return node.name
            return f"{node.name} {_value(scope.values.get(node.name))}"
        case "if":
            yes, test, no = (_written(part, scope, 1) for part in node.parts)
            text, binds = f"{yes} if {test} else {no}", 0
        case "null":
            text, binds = f"{_written(node.parts[0], scope, 4)} is null", 4
        case "in":
            first, *rest = (_written(part, scope, 4) for part in node.parts)
            text, binds = f"{first} in [{', '.join(rest)}]", 4
        case "not":
            text = f"not {_written(node.parts[0], scope, binds)}"
        case "neg":
            text = f"−{_written(node.parts[0], scope, binds)}"
        case "and" | "or":
            text = f" {node.kind} ".join(_written(part, scope, binds + 1) for part in node.parts)
        case _ if binds == 9:
            return _called(node, scope)
        case sign:
            left, right = node.parts
            more = binds + (sign in {"-", "/"} or binds == 4)
            text = f"{_written(left, scope, binds)} {_SIGNS.get(sign, sign)} "
            text += _written(right, scope, more)
    return f"({text})" if binds < outer or (binds == 0 and outer) else text


def _called(node: Node, scope: Scope | None) -> str:
    inner = ", ".join(_written(part, scope, 0) for part in node.parts)
    if not node.name:
        return f"{node.kind}({inner})"
    text = f"{node.kind}({node.name}, {inner})"
    x = None if scope is None else worked(node.parts[0], scope)
    if scope is None or not isinstance(x, Fraction):
        return text
    table = scope.tiers[node.name]
    if node.kind != "marginal":
        return f"{text} [rate {_value(table.rate(x))}]"
    pieces = " + ".join(f"{_value(size)} × {_value(rate)}" for size, rate in table.pieces(x))
    return f"{text} [{pieces or '0'}]"


def _value(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Fraction():
            return shown(value)
        case _:
            return repr(value)
