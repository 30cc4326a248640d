"""Events that pass a condition, or do not: what a first test is made of.

Owns the guess. It understands comparisons of a field with a constant, joined by ``and``, ``or`` and
``not``; who writes more than that writes the story too. Whether it is right is seen by running it.
"""

from __future__ import annotations

from monitor.events.catalogue import FIELDS, Kind
from monitor.indicators.expression import conjuncts
from monitor.indicators.tree import (
    Compare,
    Constant,
    Field,
    In,
    IsNull,
    Junction,
    Node,
    Not,
    Value,
)

Values = dict[str, Value]

_FLIPPED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
SAMPLES: Values = {
    "number": "+862150000007",
    "customer": "+8613900000001",
    "agent": "agent-7",
    "group": "group-1",
    "team": "team-1",
    "campaign": "campaign-7",
    "number_type": "local",
    "customer_tag": "new",
}
"""A value of each dimension."""


def that_pass(  # noqa: PLR0911 - a case for each node
    node: Node | None, *, holds: bool = True
) -> Values | None:
    """Fields with which ``node`` is what ``holds`` says; None: it is not understood."""
    match node:
        case None:
            return {} if holds else None
        case Not(operand):
            return that_pass(operand, holds=not holds)
        case Junction(op, parts):
            return _joined(parts, holds=holds, every=(op == "and") == holds)
        case Field(name):
            return {name: holds}
        case IsNull(Field(name)):
            return {} if holds else {name: _some(name)}
        case In(Field(name), values):
            return {name: values[0] if holds else _other(name, values)}
        case Compare(op, Field(name), Constant(value)):
            return _compared(name, op if holds else _FLIPPED[op], value)
    return None


def that_fail(of: Node | None, hits: Node | None) -> Values | None:
    """Fields with which ``of`` holds and ``hits`` does not; None: there seem to be none."""
    extra = [each for each in conjuncts(hits) if each not in conjuncts(of)]
    for each in sorted(extra, key=repr):
        right, wrong = that_pass(of), that_pass(each, holds=False)
        if right is not None and wrong is not None and not _clash(right, wrong):
            return right | wrong
    return None


def _joined(parts: tuple[Node, ...], *, holds: bool, every: bool) -> Values | None:
    """All parts as wished, or the first that can be."""
    made: Values = {}
    for part in parts:
        found = that_pass(part, holds=holds)
        if not every:
            if found is not None:
                return found
            continue
        if found is None or _clash(made, found):
            return None
        made |= found
    return made if every else None


def _clash(one: Values, other: Values) -> bool:
    return any(one[name] != value for name, value in other.items() if name in one)


def _compared(name: str, op: str, value: Value) -> Values | None:
    field = FIELDS.get(name)
    if op in {"==", "<=", ">="}:
        return {name: value}
    if op == "!=":
        return {name: _other(name, (value,))}
    if isinstance(value, str | bool) or field is None:
        return None
    step = 1 if op == ">" else -1
    moved = value + step
    if moved < field.low:
        moved = value / 2
    return {name: int(moved) if float(moved).is_integer() else moved}


def _other(name: str, values: tuple[Value, ...]) -> Value:
    """A value that is none of these."""
    field = FIELDS.get(name)
    first = values[0]
    if isinstance(first, bool):
        return not first
    if field is not None and field.values:
        return next((each for each in field.values if each not in values), first)
    if isinstance(first, str):
        return f"{first}-other"
    return max(each for each in values if not isinstance(each, str)) + 1


def _some(name: str) -> Value:
    """Any value of a field."""
    field = FIELDS.get(name)
    if name in SAMPLES or field is None:
        return SAMPLES.get(name, "x")
    match field.kind:
        case Kind.BOOL:
            return True
        case Kind.ENUM:
            return field.values[0]
        case Kind.TIME:
            return "2026-11-22T01:00:00Z"
        case Kind.STRING:
            return "x"
    return int(field.low) + 1
