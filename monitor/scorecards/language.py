"""The language of a card's formulas: parsed by Python's ``ast``, checked, and bounded.

Owns syntax and types; a value is worked out in :mod:`monitor.scorecards.working`. Names are figures
(``csat``, and ``csat.hits``, ``csat.of`` below and above its line), parameters, earlier lines, and
what is known of a person and a period. Nothing in it can call anything else, import or loop.

**Null** is a figure without evidence: no rating, no mean. Arithmetic and comparisons with it give
null, a condition that is null is not met, ``coalesce`` and ``is null`` say what holds then.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from monitor.strict_yaml.expressions import DEPTH_MAX, NODES_MAX, NUMBER_MAX, ExpressionText

Type = Literal["number", "text", "bool"]
Value = Fraction | str | bool | None

_PLACES = frozenset(map(Fraction, range(7)))
_DIGITS_MAX = 15
"""A literal of more digits would not be what is written: Python reads it as a float."""


@dataclass(frozen=True, slots=True)
class Node:
    """One part of a formula."""

    kind: str
    """``value``, ``name``, an operator's sign, ``if``, ``null`` or a function's name."""
    type: Type
    parts: tuple[Node, ...] = ()
    value: Value = None
    """Of a ``value``."""
    name: str = ""
    """Of a ``name``; of a function on tiers, the table."""


@dataclass(frozen=True, slots=True)
class Function:
    """What may be called."""

    shown: str
    least: int
    most: int
    on_tiers: bool = False


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "step": Function("step(table, x): the rate of the step that x has reached", 1, 1, True),
        "whole": Function("whole(table, x): x times the rate of its step", 1, 1, True),
        "marginal": Function(
            "marginal(table, x): each part of x at the rate of its own step", 1, 1, True
        ),
        "min": Function("min(a, b, …)", 2, 20),
        "max": Function("max(a, b, …)", 2, 20),
        "abs": Function("abs(x)", 1, 1),
        "clamp": Function("clamp(x, low, high)", 3, 3),
        "round": Function("round(x, places): in the card's mode", 2, 2),
        "scale": Function(
            "scale(x, x1, x2, y1, y2): from y1 at x1 to y2 at x2 along a line, held at both ends",
            5,
            5,
        ),
        "coalesce": Function("coalesce(a, b, …): the first that is not null", 2, 20),
    }
)
_COMPARISONS: Mapping[type[ast.cmpop], str] = MappingProxyType(
    {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
)
_ARITHMETIC: Mapping[type[ast.operator], str] = MappingProxyType(
    {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
)
_CALLED = {"number": "a number", "text": "a text", "bool": "true or false"}
_LANGUAGE = "names, numbers, + - * /, == != < <= > >=, and or not, in [...], a if c else b, " + (
    ", ".join(FUNCTIONS)
)
RESERVED = frozenset({"true", "false", "null", *FUNCTIONS})
"""Names that figures, parameters, tiers and lines may not take."""


@dataclass(frozen=True, slots=True)
class Names:
    """What names mean where a formula stands."""

    types: Mapping[str, Type]
    tiers: frozenset[str] = frozenset()


def parse(text: str, names: Names, wanted: Type = "number") -> Node:
    """The checked tree of ``text``.

    Raises:
        ExpressionError: not in the language, an unknown name, values of different types, or too
            long or deep.
    """
    parser = _Parser(text, names)
    return parser.typed(parser.tree(), wanted, 1)


def names_of(node: Node) -> frozenset[str]:
    """All names that ``node`` reads, without ``.hits`` and ``.of``."""
    own = {node.name.partition(".")[0]} if node.kind == "name" else set[str]()
    return frozenset(own).union(*map(names_of, node.parts))


def tables_of(node: Node) -> frozenset[str]:
    """All tables of tiers that ``node`` reads."""
    own = {node.name} if node.kind in FUNCTIONS and FUNCTIONS[node.kind].on_tiers else set[str]()
    return frozenset(own).union(*map(tables_of, node.parts))


def unguarded(node: Node) -> frozenset[str]:
    """Names whose null would make ``node`` null: those not within ``coalesce`` or ``is null``.

    Names in what a condition chooses between are taken for guarded where the condition asks.
    """
    if node.kind == "coalesce":
        return unguarded(node.parts[-1])
    if node.kind == "null":
        return frozenset()
    if node.kind == "if":
        asked = _asked(node.parts[1])
        return frozenset().union(*map(unguarded, (node.parts[0], node.parts[2]))) - asked
    if node.kind == "name":
        return frozenset({node.name})
    return frozenset().union(*map(unguarded, node.parts))


def _asked(node: Node) -> frozenset[str]:
    if node.kind == "null":
        return names_of(node.parts[0])
    return frozenset().union(*map(_asked, node.parts))


class _Parser:
    """Turns one text into a tree, or says where it is wrong."""

    def __init__(self, text: str, names: Names) -> None:
        self._text = ExpressionText(text)
        self._names = names
        self._nodes = 0

    def tree(self) -> ast.expr:
        return self._text.parse(empty="empty formula", empty_hint="as in deals * per_deal")

    def typed(self, tree: ast.expr, wanted: Type, depth: int) -> Node:
        node = self._node(tree, depth)
        if node.type != wanted:
            message = f"this is {_CALLED[node.type]}, not {_CALLED[wanted]}"
            raise self._text.error(tree, message)
        return node

    def _node(self, tree: ast.expr, depth: int) -> Node:  # noqa: C901, PLR0911 - a case a node
        self._nodes += 1
        if depth > DEPTH_MAX or self._nodes > NODES_MAX:
            raise self._text.error(tree, "too deeply nested or too many parts", "split the line")
        match tree:
            case ast.BoolOp():
                parts = tuple(self.typed(part, "bool", depth + 1) for part in tree.values)
                return Node("and" if isinstance(tree.op, ast.And) else "or", "bool", parts)
            case ast.UnaryOp(op=ast.Not()):
                return Node("not", "bool", (self.typed(tree.operand, "bool", depth + 1),))
            case ast.UnaryOp(op=ast.USub()):
                return Node("neg", "number", (self._number(tree.operand, depth),))
            case ast.BinOp() if type(tree.op) in _ARITHMETIC:
                parts = (self._number(tree.left, depth), self._number(tree.right, depth))
                return Node(_ARITHMETIC[type(tree.op)], "number", parts)
            case ast.Compare():
                return self._comparison(tree, depth)
            case ast.IfExp():
                test = self.typed(tree.test, "bool", depth + 1)
                yes = self._node(tree.body, depth + 1)
                no = self.typed(tree.orelse, yes.type, depth + 1)
                return Node("if", yes.type, (yes, test, no))
            case ast.Call():
                return self._call(tree, depth)
            case ast.Name() | ast.Attribute():
                return self._name(tree)
            case ast.Constant():
                return self._constant(tree)
        raise self._text.error(tree, "not in the language of scorecards", _LANGUAGE)

    def _number(self, tree: ast.expr, depth: int) -> Node:
        return self.typed(tree, "number", depth + 1)

    def _constant(self, tree: ast.Constant) -> Node:
        match tree.value:
            case str():
                return Node("value", "text", value=tree.value)
            case int() | float() if not isinstance(tree.value, bool):
                digits = repr(tree.value).partition("e")[0].replace(".", "").lstrip("0")
                if not abs(tree.value) <= NUMBER_MAX or len(digits) > _DIGITS_MAX:
                    raise self._text.error(tree, "a number beyond all reason")
                return Node("value", "number", value=Fraction(repr(tree.value)))
        raise self._text.error(tree, "not in the language of scorecards", _LANGUAGE)

    def _name(self, tree: ast.Name | ast.Attribute) -> Node:
        name = ast.unparse(tree)
        if name in {"true", "false"}:
            return Node("value", "bool", value=name == "true")
        if name == "null":
            raise self._text.error(tree, "null stands only after `is`", "write `is null`")
        if name in self._names.types:
            return Node("name", self._names.types[name], name=name)
        if name in self._names.tiers:
            hint = f"as in step({name}, deals)"
            raise self._text.error(tree, f"{name} is a table of tiers", hint)
        near = get_close_matches(name, self._names.types, 1)
        hint = f"did you mean {near[0]}?" if near else "a figure, a parameter or a line above"
        raise self._text.error(tree, f"nothing is called {name}", hint)

    def _comparison(self, tree: ast.Compare, depth: int) -> Node:
        parts: list[Node] = []
        left = tree.left
        for op, right in zip(tree.ops, tree.comparators, strict=True):
            parts.append(self._pair(left, op, right, depth))
            left = right
        return parts[0] if len(parts) == 1 else Node("and", "bool", tuple(parts))

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Node:
        first = self._node(left, depth + 1)
        if isinstance(op, ast.Is | ast.IsNot):
            if not _is_null(right):
                raise self._text.error(right, "`is` goes with null only", "write `is null` or `==`")
            null = Node("null", "bool", (first,))
            return null if isinstance(op, ast.Is) else Node("not", "bool", (null,))
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
                raise self._text.error(right, "`in` needs a list of values", "write in ['a', 'b']")
            values = tuple(self.typed(each, first.type, depth + 1) for each in right.elts)
            found = Node("in", "bool", (first, *values))
            return found if isinstance(op, ast.In) else Node("not", "bool", (found,))
        for side in (left, right):
            if _is_null(side):
                raise self._text.error(side, "nothing equals null", "write `is null`")
        sign = _COMPARISONS[type(op)]
        if first.type != "number" and sign not in {"==", "!="}:
            raise self._text.error(left, f"`{sign}` needs numbers", "use == or !=")
        return Node(sign, "bool", (first, self.typed(right, first.type, depth + 1)))

    def _call(self, tree: ast.Call, depth: int) -> Node:
        name = tree.func.id if isinstance(tree.func, ast.Name) else ""
        if name not in FUNCTIONS:
            near = get_close_matches(name, FUNCTIONS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FUNCTIONS)}"
            raise self._text.error(tree, f"no function {name or 'of this kind'}", hint)
        function = FUNCTIONS[name]
        arguments, table = tree.args, ""
        if function.on_tiers and arguments:
            table, arguments = self._table(arguments[0]), arguments[1:]
        if tree.keywords or not function.least <= len(arguments) <= function.most:
            raise self._text.error(tree, f"not how {name} is called", function.shown)
        parts = tuple(self._number(part, depth) for part in arguments)
        if name == "round" and (parts[1].kind != "value" or parts[1].value not in _PLACES):
            raise self._text.error(arguments[1], "places are a number from 0 to 6")
        return Node(name, "number", parts, name=table)

    def _table(self, tree: ast.expr) -> str:
        name = tree.id if isinstance(tree, ast.Name) else ""
        if name not in self._names.tiers:
            near = get_close_matches(name, self._names.tiers, 1)
            known = ", ".join(sorted(self._names.tiers)) or "none"
            hint = f"did you mean {near[0]}?" if near else f"under tiers: there are {known}"
            raise self._text.error(tree, f"no table of tiers {name}".rstrip(), hint)
        return name


def _is_null(tree: ast.expr) -> bool:
    named = isinstance(tree, ast.Name) and tree.id == "null"
    return named or (isinstance(tree, ast.Constant) and tree.value is None)
