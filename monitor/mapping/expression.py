"""The language of mappings: that of ``where``, on records whose shape nobody has declared.

Owns syntax and meaning. A name is a key of the record; ``a.b``, ``a['odd key']`` and ``a[0]`` lead
further in, and what is not there is null, as empty text is. ``record`` is the whole, ``site.x``
what the site has set. Comparisons, ``and or not``, ``in``, ``is null`` and ``+ - * /`` are as in
:mod:`monitor.indicators.expression`, unknown where SQL's would be; there are ``a if c else b`` and
the functions of :mod:`monitor.mapping.functions` besides. Where a number is needed, text that is
one will do; values of different kinds are never equal.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from monitor.errors import ExpressionError
from monitor.mapping.functions import (
    FUNCTIONS,
    BrokenValueError,
    Function,
    number_of,
    zone_fault,
)
from monitor.strict_yaml.expressions import DEPTH_MAX, NODES_MAX, NUMBER_MAX, ExpressionText

Run = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
"""Record, and what ``each`` has chosen in it: the value."""

_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = MappingProxyType(
    {
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }
)
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }
)
_WORDS: Mapping[str, bool | None] = MappingProxyType({"true": True, "false": False, "null": None})
_WORD = re.compile(r"[A-Za-z]+")
_ALLOWED_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else"})
_LANGUAGE = (
    "keys, values, == != < <= > >=, and or not, in [...], is null, + - * /, a if c else b, "
    + ", ".join(FUNCTIONS)
)
RESERVED = frozenset({"record", "site", *_WORDS, *FUNCTIONS})
"""Names that ``each`` and ``let`` may not take."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression that can be asked for its value."""

    run: Run
    size: int
    """Parts in it, those of what it refers to included."""
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """What names mean beside the record's keys."""

    chosen: frozenset[str] = frozenset()
    """By ``each``."""
    let: Mapping[str, Compiled] = field(default_factory=dict)
    site: Mapping[str, str] = field(default_factory=dict)


def compiled(text: str, names: Names) -> Compiled:
    """``text``, checked and ready to run.

    Running it raises :class:`BrokenValueError` where the record does not hold what it asks for.

    Raises:
        ExpressionError: not in the language, or too long or deep.
    """
    compiler = _Compiler(text, names)
    try:
        tree = compiler.text.parse(empty="empty expression", empty_hint="leave the key out")
    except ExpressionError as error:
        raise ExpressionError(str(error), error.offset, error.hint or _word_hint(text)) from None
    made = compiler.build(tree, 1)
    return Compiled(made.run, compiler.size, made.constant)


class _Compiler:
    """Turns one parsed text into a function, or says where it is wrong."""

    def __init__(self, text: str, names: Names) -> None:
        self.text = ExpressionText(text)
        self.size = 0
        self._names = names

    def build(self, tree: ast.expr, depth: int) -> Compiled:  # noqa: C901, PLR0911 - a case a node
        """The function of ``tree``, at ``depth`` from 1."""
        self._count(tree, 1, depth)
        match tree:
            case ast.BoolOp():
                parts = [self.build(part, depth + 1).run for part in tree.values]
                return Compiled(_junction(parts, is_and=isinstance(tree.op, ast.And)), 1)
            case ast.UnaryOp(op=ast.Not()):
                return Compiled(_negation(self.build(tree.operand, depth + 1).run), 1)
            case ast.UnaryOp(op=ast.USub()):
                zero = Compiled(_always(0), 1, constant=True)
                operand = self.build(tree.operand, depth + 1)
                run = _calculation(operator.sub, zero.run, operand.run)
                return Compiled(run, 1, operand.constant)
            case ast.Compare():
                return Compiled(self._comparison(tree, depth), 1)
            case ast.BinOp() if type(tree.op) in _ARITHMETIC:
                left, right = self.build(tree.left, depth + 1), self.build(tree.right, depth + 1)
                run = _calculation(_ARITHMETIC[type(tree.op)], left.run, right.run)
                return Compiled(run, 1, left.constant and right.constant)
            case ast.IfExp():
                condition, yes, no = (
                    self.build(part, depth + 1).run for part in (tree.test, tree.body, tree.orelse)
                )
                return Compiled(_choice(condition, yes, no), 1)
            case ast.Name():
                return self._name(tree)
            case ast.Attribute():
                return self._inside(tree, tree.value, tree.attr, depth)
            case ast.Subscript():
                return self._inside(tree, tree.value, self._key(tree.slice), depth)
            case ast.Constant():
                return self._constant(tree)
            case ast.Call():
                return self._call(tree, depth)
            case _:
                raise self.text.error(tree, "not in the language of mappings", _LANGUAGE)

    def _count(self, tree: ast.expr, more: int, depth: int) -> None:
        self.size += more
        if depth > DEPTH_MAX or self.size > NODES_MAX:
            raise self.text.error(tree, "too deeply nested or too many parts", "split it with let")

    def _name(self, tree: ast.Name) -> Compiled:
        name = tree.id
        if name in _WORDS:
            return Compiled(_always(_WORDS[name]), 1, constant=True)
        if name == "record":
            return Compiled(lambda record, _: record, 1)
        if name == "site":
            raise self.text.error(tree, "`site` alone is no value", "as in site.zone")
        if name in self._names.let:
            known = self._names.let[name]
            self._count(tree, known.size, 1)
            return known
        if name in self._names.chosen:
            return Compiled(lambda _, chosen: _there(chosen.get(name)), 1)
        return Compiled(lambda record, _: _there(record.get(name)), 1)

    def _inside(self, tree: ast.expr, inner: ast.expr, key: str | int, depth: int) -> Compiled:
        if isinstance(inner, ast.Name) and inner.id == "site":
            return self._setting(tree, str(key))
        return Compiled(_part(self.build(inner, depth + 1).run, key), 1)

    def _setting(self, tree: ast.expr, name: str) -> Compiled:
        if name not in self._names.site:
            near = get_close_matches(name, self._names.site, 1)
            known = ", ".join(self._names.site) or "none"
            hint = f"did you mean {near[0]}?" if near else f"under settings: there are {known}"
            raise self.text.error(tree, f"no setting {name}", hint)
        return Compiled(_always(_there(self._names.site[name])), 1, constant=True)

    def _key(self, tree: ast.expr) -> str | int:
        match tree:
            case ast.Constant(value=str() as key):
                return key
            case ast.Constant(value=int() as index) if not isinstance(index, bool):
                return index
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as index)):
                return -index
        raise self.text.error(tree, "[…] takes a quoted key or a whole number", "as in a['from']")

    def _constant(self, tree: ast.Constant) -> Compiled:
        match tree.value:
            case bool() | str():
                return Compiled(_always(tree.value), 1, constant=True)
            case int() | float() if abs(tree.value) <= NUMBER_MAX:
                return Compiled(_always(tree.value), 1, constant=True)
            case int() | float():
                raise self.text.error(tree, "a number beyond all reason")
            case _:
                raise self.text.error(tree, "not in the language of mappings", _LANGUAGE)

    def _comparison(self, tree: ast.Compare, depth: int) -> Run:
        parts: list[Run] = []
        left = tree.left
        for op, right in zip(tree.ops, tree.comparators, strict=True):
            parts.append(self._pair(left, op, right, depth))
            left = right
        return parts[0] if len(parts) == 1 else _junction(parts, is_and=True)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Run:
        first = self.build(left, depth + 1).run
        if isinstance(op, ast.Is | ast.IsNot):
            if not _is_null(right):
                raise self.text.error(right, "`is` goes with null only", "write `is null` or `==`")
            wanted = isinstance(op, ast.Is)
            return lambda record, chosen: (first(record, chosen) is None) is wanted
        if isinstance(op, ast.In | ast.NotIn):
            found = _membership(first, self._values(right, depth))
            return found if isinstance(op, ast.In) else _negation(found)
        for side in (left, right):
            if _is_null(side):
                raise self.text.error(side, "nothing equals null", "write `is null`")
        second = self.build(right, depth + 1).run
        return _compared(_COMPARISONS[type(op)], first, second)

    def _values(self, tree: ast.expr, depth: int) -> list[Any]:
        if not isinstance(tree, ast.List | ast.Tuple) or not tree.elts:
            raise self.text.error(tree, "`in` needs a list of values", "write in ['a', 'b']")
        values = []
        for item in tree.elts:
            made = self.build(item, depth + 1)
            if not made.constant:
                raise self.text.error(item, "a list holds values, not keys")
            values.append(made.run({}, {}))
        return values

    def _call(self, tree: ast.Call, depth: int) -> Compiled:
        name = tree.func.id if isinstance(tree.func, ast.Name) else ""
        if name not in FUNCTIONS:
            near = get_close_matches(name, FUNCTIONS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FUNCTIONS)}"
            raise self.text.error(tree, f"no function {name or 'of this kind'}", hint)
        function = FUNCTIONS[name]
        if tree.keywords or not function.least <= len(tree.args) <= function.most:
            raise self.text.error(tree, f"not how {name} is called", function.shown)
        parts = [self.build(part, depth + 1) for part in tree.args]
        if function.zone_at is not None:
            self._zone(tree.args[function.zone_at], parts[function.zone_at])
        return Compiled(_called(function, [part.run for part in parts]), 1)

    def _zone(self, tree: ast.expr, made: Compiled) -> None:
        if not made.constant:
            raise self.text.error(tree, "a time zone is quoted, or a setting", "as in site.zone")
        name = made.run({}, {})
        fault = zone_fault(name if isinstance(name, str) else "")
        if fault is not None:
            raise self.text.error(tree, *fault)


def _word_hint(text: str) -> str:
    """The mend where a key is a word that Python keeps for itself."""
    words = [word for word in _WORD.findall(text) if keyword.iskeyword(word)]
    taken = [word for word in words if word not in _ALLOWED_WORDS or f".{word}" in text]
    return (
        f"as a key, {taken[0]} is written a['{taken[0]}'] or record['{taken[0]}']" if taken else ""
    )


def _there(value: Any) -> Any:
    """``value``, or null for empty text, which says nothing."""
    return None if isinstance(value, str) and not value else value


def _always(value: Any) -> Run:
    return lambda _record, _chosen: value


def _part(inner: Run, key: str | int) -> Run:
    if isinstance(key, str):

        def named(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> Any:
            value = inner(record, chosen)
            return _there(value.get(key)) if isinstance(value, dict) else None

        return named

    def numbered(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> Any:
        value = inner(record, chosen)
        if not isinstance(value, list) or not -len(value) <= key < len(value):
            return None
        return _there(value[key])

    return numbered


def _truth(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise BrokenValueError("wrong_type", "not true or false")


def _junction(parts: Sequence[Run], *, is_and: bool) -> Run:
    """SQL's ``and``, or ``or``: what decides alone wins over the unknown."""
    decisive = not is_and

    def run(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool | None:
        unknown = False
        for part in parts:
            value = _truth(part(record, chosen))
            if value is decisive:
                return decisive
            unknown = unknown or value is None
        return None if unknown else is_and

    return run


def _negation(inner: Run) -> Run:
    def run(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool | None:
        value = _truth(inner(record, chosen))
        return None if value is None else not value

    return run


def _choice(condition: Run, yes: Run, no: Run) -> Run:
    def run(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> Any:
        return (yes if _truth(condition(record, chosen)) else no)(record, chosen)

    return run


def _calculation(op: Callable[[Any, Any], Any], left: Run, right: Run) -> Run:
    def run(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> float | int | None:
        first, second = left(record, chosen), right(record, chosen)
        if first is None or second is None:
            return None
        try:
            result: float | int = op(number_of(first), number_of(second))
            return result if math.isfinite(result) else None
        except (ZeroDivisionError, OverflowError):
            return None

    return run


def _compared(op: Callable[[Any, Any], bool], left: Run, right: Run) -> Run:
    ordered = op not in {operator.eq, operator.ne}

    def run(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool | None:
        first, second = left(record, chosen), right(record, chosen)
        if first is None or second is None:
            return None
        if ordered:
            return op(number_of(first), number_of(second))
        return _same(first, second) is (op is operator.eq)

    return run


def _membership(left: Run, values: Sequence[Any]) -> Run:
    def run(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool | None:
        first = left(record, chosen)
        return None if first is None else any(_same(first, value) for value in values)

    return run


def _same(first: Any, second: Any) -> bool:
    """Whether they are equal; a number is what its text says."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, str) == isinstance(second, str):
        return bool(first == second)
    try:
        return number_of(first) == number_of(second)
    except BrokenValueError:
        return False


def _called(function: Function, parts: Sequence[Run]) -> Run:
    apply, takes_null = function.apply, function.takes_null

    def run(record: Mapping[str, Any], chosen: Mapping[str, Any]) -> Any:
        values = [part(record, chosen) for part in parts]
        if not takes_null and None in values:
            return None
        return _there(apply(*values))

    return run


def _is_null(tree: ast.expr) -> bool:
    named = isinstance(tree, ast.Name) and tree.id == "null"
    return named or (isinstance(tree, ast.Constant) and tree.value is None)
