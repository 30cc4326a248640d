"""A checked ``where`` tree as polars expressions.

Owns the translation only; what the language means stands in :mod:`monitor.indicators.expression`.
polars' ``&``, ``|`` and ``~`` are three-valued as SQL's are, and its comparisons give null for
null; what differs (division by zero, overflow) is made null here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType

import polars as pl

from monitor.indicators.functions import FUNCTIONS
from monitor.indicators.tree import (
    Calculate,
    Call,
    Compare,
    Constant,
    Field,
    Hour,
    In,
    IsNull,
    Junction,
    Node,
    Not,
)

_OPERATORS: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
    }
)

_NOT_FINITE = [math.inf, -math.inf, math.nan]


def to_polars(node: Node) -> pl.Expr:  # noqa: C901, PLR0911 - a case for each node
    """The value of ``node`` for each row of a decoded frame; a condition may be null."""
    match node:
        case Field():
            return pl.col(node.name)
        case Constant():
            return pl.lit(node.value)
        case Hour():
            utc = pl.from_epoch(pl.col(node.field), time_unit="ms").dt.replace_time_zone("UTC")
            return utc.dt.convert_time_zone(node.zone).dt.hour().cast(pl.Int64)
        case Call():
            return FUNCTIONS[node.function].expr(node.fields, node.texts)
        case Calculate():
            left, right = (to_polars(side).cast(pl.Float64) for side in (node.left, node.right))
            # Not `when(result.is_finite()).then(result)`: that doubles the tree at every level.
            return _OPERATORS[node.op](left, right).replace(_NOT_FINITE, [None] * len(_NOT_FINITE))
        case Compare():
            return _OPERATORS[node.op](to_polars(node.left), to_polars(node.right))
        case In():
            left = to_polars(node.left)
            if node.left.type != "number":
                return left.is_in(list(node.values))
            return left.cast(pl.Float64).is_in([float(value) for value in node.values])
        case IsNull():
            return to_polars(node.operand).is_null()
        case Not():
            return ~to_polars(node.operand)
        case Junction():
            join = operator.and_ if node.op == "and" else operator.or_
            return reduce(join, [to_polars(part) for part in node.parts])


def passes(node: Node) -> pl.Expr:
    """True where ``node`` is true, false where it is false or unknown; never null."""
    return to_polars(node).fill_null(value=False)
