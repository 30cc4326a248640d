"""Calls in a ``where``: whether a function is called as it is to be, and the node that it makes.

Owns ``hour`` and the arguments of :mod:`monitor.indicators.functions`, no meaning.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol
from zoneinfo import available_timezones

from monitor.errors import ExpressionError
from monitor.events.catalogue import DERIVED, FIELDS, Kind
from monitor.events.phones import PHONE_FIELDS
from monitor.indicators.functions import FUNCTIONS, ArgumentError, Function
from monitor.indicators.tree import Call, Hour, Node

_HOUR = "hour(time, 'Asia/Shanghai')"
_TAKEN: Mapping[str, str] = MappingProxyType({"time": "a time", "phone": "number or customer"})


class Fault(Protocol):
    """Makes the error at the place of a part of the text."""

    def __call__(self, where: ast.expr, message: str, hint: str = "") -> ExpressionError:
        """The error, not raised."""
        ...


def checked_call(tree: ast.Call, name_of: Callable[[ast.Name], Node], fault: Fault) -> Node:
    """The node of a call; ``name_of`` refuses fields that the events do not have.

    Raises:
        ExpressionError: no such function, or not what it takes.
    """
    name = tree.func.id if isinstance(tree.func, ast.Name) else ""
    if name == "hour":
        return _hour(tree, name_of, fault)
    if name in FUNCTIONS:
        return _call(tree, name, FUNCTIONS[name], name_of, fault)
    known = ", ".join(sorted((*FUNCTIONS, "hour")))
    raise fault(tree, f"the only functions are {known}", _HOUR)


def _call(
    tree: ast.Call,
    name: str,
    function: Function,
    name_of: Callable[[ast.Name], Node],
    fault: Fault,
) -> Node:
    count = len(function.takes)
    if tree.keywords or len(tree.args) != count + len(function.texts):
        raise fault(tree, f"not how {name} is called", function.shown)
    fields: list[str] = []
    texts: list[str] = []
    for place, wanted in zip(tree.args, function.takes, strict=False):
        if not isinstance(place, ast.Name):
            raise fault(place, f"{name} takes {_TAKEN[wanted]} here", function.shown)
        name_of(place)
        if not _is(place.id, wanted):
            raise fault(place, f"{place.id} is not {_TAKEN[wanted]}", function.shown)
        fields.append(place.id)
    for quoted, check in zip(tree.args[count:], function.texts, strict=True):
        if not isinstance(quoted, ast.Constant) or not isinstance(quoted.value, str):
            raise fault(quoted, f"{name} takes a quoted text here", function.shown)
        try:
            check(quoted.value)
        except ArgumentError as error:
            raise fault(quoted, str(error), error.hint) from error
        texts.append(quoted.value)
    return Call(name, tuple(fields), tuple(texts), function.gives, function.also)


def _is(field: str, wanted: str) -> bool:
    if wanted == "phone":
        return field in PHONE_FIELDS
    return field == "time" or {**FIELDS, **DERIVED}[field].kind is Kind.TIME


def _hour(tree: ast.Call, name_of: Callable[[ast.Name], Node], fault: Fault) -> Node:
    match tree.args:
        case [ast.Name(id=name) as place, ast.Constant(value=str(zone)) as zoned] if (
            not tree.keywords
        ):
            name_of(place)
            if not _is(name, "time"):
                raise fault(place, f"{name} is not a time", "hour(time, …)")
            if zone not in _zones():
                near = get_close_matches(zone, sorted(_zones()), 1)
                hint = f"did you mean '{near[0]}'?" if near else "as in 'Asia/Shanghai'"
                raise fault(zoned, f"no time zone '{zone}'", hint)
            return Hour(name, zone)
        case _:
            raise fault(tree, "hour takes a time field and a time zone", _HOUR)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
