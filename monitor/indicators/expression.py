"""The language of ``where``: parsed, checked against the event catalogue, bounded.

Owns syntax and types. Python's own ``ast`` parses the text and a whitelist lets through: field
names, literals, ``== != < <= > >=``, ``and or not``, ``in [...]``, ``is null``, ``is not null``,
``hour(time, 'Area/City')``, the functions of ``monitor.indicators.functions``, and ``+ - * /``.
Nothing in it can call anything else, import, index or loop.

**Null is SQL's unknown.** A comparison, ``in`` or arithmetic with null is unknown; ``not`` unknown
is unknown; ``and`` is false when either side is false, else unknown when either is unknown; ``or``
is true when either side is true, else unknown when either is unknown; ``is null`` is never unknown.
A row passes where the whole is true, so unknown counts as false. Division by zero, and any result
that is not a finite number, is null.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from monitor.events.catalogue import DERIVED, EVENT_TYPES, FIELDS, ON_EVERY_EVENT, Kind
from monitor.indicators.calls import checked_call
from monitor.indicators.tree import (
    Arithmetic,
    Calculate,
    Call,
    Compare,
    Comparison,
    Constant,
    Field,
    Hour,
    In,
    IsNull,
    Junction,
    Node,
    Not,
    Type,
    Value,
)
from monitor.strict_yaml.expressions import (
    DEPTH_MAX,
    NODES_MAX,
    NUMBER_MAX,
    ExpressionText,
)

EVERYWHERE = (*ON_EVERY_EVENT, "time")
"""Fields that every event may have."""

_COMPARISONS: Mapping[type[ast.cmpop], Comparison] = MappingProxyType(
    {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
)
_ARITHMETIC: Mapping[type[ast.operator], Arithmetic] = MappingProxyType(
    {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
)
_WORDS: Mapping[str, bool] = MappingProxyType({"true": True, "false": False})
_KINDS: Mapping[Kind, Type] = MappingProxyType(
    {
        Kind.STRING: "text",
        Kind.ENUM: "text",
        Kind.SECONDS: "number",
        Kind.NUMBER: "number",
        Kind.INT: "number",
        Kind.TIME: "number",
        Kind.BOOL: "bool",
    }
)
_CALLED = {"number": "a number", "text": "a text", "bool": "true or false"}


def parse_where(text: str, types: Collection[str]) -> Node:
    """The checked tree of ``text``, a condition on events of any of ``types``.

    Raises:
        ExpressionError: not in the language, a field that none of the types has, values of
            different types, a value that an enumerated field never has, or too long or deep.
    """
    checker = _Checker(text, types)
    tree = checker.parse()
    node = checker.check(tree, 1)
    if node.type != "bool":
        raise checker.error(
            tree, f"this is {_CALLED[node.type]}, not a condition", "compare it with something"
        )
    return node


def fields_of(node: Node) -> frozenset[str]:  # noqa: PLR0911 - a case for each node
    """Names of all fields that ``node`` reads, ``time`` included."""
    match node:
        case Field():
            return frozenset({node.name})
        case Hour():
            return frozenset({node.field})
        case Call():
            return frozenset((*node.fields, *node.also))
        case Constant():
            return frozenset()
        case Calculate() | Compare():
            return fields_of(node.left) | fields_of(node.right)
        case In():
            return fields_of(node.left)
        case IsNull() | Not():
            return fields_of(node.operand)
        case Junction():
            return frozenset().union(*map(fields_of, node.parts))


def conjuncts(node: Node | None) -> frozenset[Node]:
    """The parts that must all be true for ``node`` to be; none of them for no condition."""
    if node is None:
        return frozenset()
    if isinstance(node, Junction) and node.op == "and":
        return frozenset().union(*map(conjuncts, node.parts))
    return frozenset({node})


class _Checker:
    """Turns one parsed text into a tree, or says where it is wrong."""

    def __init__(self, text: str, types: Collection[str]) -> None:
        self._text = ExpressionText(text)
        self.error = self._text.error
        self._types = sorted(types)
        self._allowed = {*EVERYWHERE, *DERIVED}.union(*(EVENT_TYPES[name].fields for name in types))
        self._nodes = 0

    def parse(self) -> ast.expr:
        """Python's tree of the text."""
        return self._text.parse(
            empty="empty condition", empty_hint="leave `where` out to take every event"
        )

    def check(self, tree: ast.expr, depth: int) -> Node:  # noqa: C901, PLR0911 - a case a node
        """The checked node for ``tree``, at ``depth`` from 1."""
        self._nodes += 1
        if depth > DEPTH_MAX or self._nodes > NODES_MAX:
            raise self.error(tree, "too deeply nested or too many parts", "split the indicator")
        match tree:
            case ast.BoolOp():
                parts = tuple(self._bool(part, depth) for part in tree.values)
                return Junction("and" if isinstance(tree.op, ast.And) else "or", parts)
            case ast.UnaryOp(op=ast.Not()):
                return Not(self._bool(tree.operand, depth))
            case ast.UnaryOp(op=ast.USub()):
                operand = self._number(tree.operand, depth)
                if isinstance(operand, Constant) and not isinstance(operand.value, str):
                    return Constant(-operand.value, "number")
                return Calculate("-", Constant(0, "number"), operand)
            case ast.Compare():
                return self._comparison(tree, depth)
            case ast.BinOp() if type(tree.op) in _ARITHMETIC:
                left, right = self._number(tree.left, depth), self._number(tree.right, depth)
                return Calculate(_ARITHMETIC[type(tree.op)], left, right)
            case ast.Name():
                return self._name(tree)
            case ast.Constant():
                return self._constant(tree)
            case ast.Call():
                return checked_call(tree, self._name, self.error)
            case _:
                raise self.error(tree, "not in the language of `where`", _LANGUAGE)

    def _typed(self, tree: ast.expr, depth: int, wanted: Type) -> Node:
        node = self.check(tree, depth + 1)
        if node.type != wanted:
            raise self.error(tree, f"this is {_CALLED[node.type]}, not {_CALLED[wanted]}")
        return node

    def _bool(self, tree: ast.expr, depth: int) -> Node:
        return self._typed(tree, depth, "bool")

    def _number(self, tree: ast.expr, depth: int) -> Node:
        return self._typed(tree, depth, "number")

    def _comparison(self, tree: ast.Compare, depth: int) -> Node:
        parts: list[Node] = []
        left = tree.left
        for op, right in zip(tree.ops, tree.comparators, strict=True):
            parts.append(self._pair(left, op, right, depth))
            left = right
        return parts[0] if len(parts) == 1 else Junction("and", tuple(parts))

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Node:
        if isinstance(op, (ast.Is, ast.IsNot)):
            if not _is_null(right):
                raise self.error(right, "`is` goes with null only", "write `is null` or `==`")
            null = IsNull(self.check(left, depth + 1))
            return null if isinstance(op, ast.Is) else Not(null)
        if isinstance(op, (ast.In, ast.NotIn)):
            found = self._in(left, right, depth)
            return found if isinstance(op, ast.In) else Not(found)
        for side in (left, right):
            if _is_null(side):
                raise self.error(side, "nothing equals null", "write `is null` or `is not null`")
        first, second = self.check(left, depth + 1), self.check(right, depth + 1)
        sign = _COMPARISONS[type(op)]
        if first.type != second.type:
            message = f"compares {_CALLED[first.type]} with {_CALLED[second.type]}"
            raise self.error(right, message)
        if first.type != "number" and sign not in {"==", "!="}:
            raise self.error(left, f"`{sign}` needs numbers", "use == or !=")
        for field, value, place in ((first, second, right), (second, first, left)):
            if isinstance(field, Field) and isinstance(value, Constant):
                self._known_value(field, value.value, place)
        return Compare(sign, first, second)

    def _in(self, left: ast.expr, right: ast.expr, depth: int) -> Node:
        node = self.check(left, depth + 1)
        if not isinstance(right, (ast.List, ast.Tuple)) or not right.elts:
            raise self.error(right, "`in` needs a list of values", "write in ['a', 'b']")
        values: list[Value] = []
        for item in right.elts:
            value = self.check(item, depth + 1)
            if not isinstance(value, Constant):
                raise self.error(item, "a list holds values, not fields")
            if value.type != node.type:
                message = f"compares {_CALLED[node.type]} with {_CALLED[value.type]}"
                raise self.error(item, message)
            if isinstance(node, Field):
                self._known_value(node, value.value, item)
            values.append(value.value)
        return In(node, tuple(values))

    def _known_value(self, field: Field, value: Value, place: ast.expr) -> None:
        if field.values and value not in field.values:
            near = get_close_matches(str(value), field.values, 1)
            known = f"it is one of {', '.join(field.values)}"
            hint = f"did you mean '{near[0]}'?" if near else known
            raise self.error(place, f"{field.name} is never '{value}'", hint)

    def _name(self, tree: ast.Name) -> Node:
        name = tree.id
        if name in _WORDS:
            return Constant(_WORDS[name], "bool")
        if name == "null":
            raise self.error(tree, "null stands only after `is`", "write `is null`")
        if name in self._allowed:
            if name == "time":
                return Field("time", "number")
            field = DERIVED.get(name) or FIELDS[name]
            # Of a text that is checked against a list, the list is no part of what is meant.
            values = field.values if field.kind is Kind.ENUM else ()
            return Field(name, _KINDS[field.kind], values)
        types = ", ".join(self._types)
        near = get_close_matches(name, self._allowed, 1)
        hint = f"did you mean {near[0]}?" if near else ""
        raise self.error(tree, f"{types} has no field {name}", hint)

    def _constant(self, tree: ast.Constant) -> Node:
        match tree.value:
            case bool():
                return Constant(tree.value, "bool")
            case int() | float():
                if not abs(tree.value) <= NUMBER_MAX:
                    raise self.error(tree, "a number beyond all reason")
                return Constant(tree.value, "number")
            case str():
                return Constant(tree.value, "text")
            case _:
                raise self.error(tree, "not in the language of `where`", _LANGUAGE)


_LANGUAGE = "fields, values, == != < <= > >=, and or not, in [...], is null, hour(…), + - * /"


def _is_null(tree: ast.expr) -> bool:
    named = isinstance(tree, ast.Name) and tree.id == "null"
    return named or (isinstance(tree, ast.Constant) and tree.value is None)
