"""Conditions of rules on single events, from the language of ``where``.

Owns nothing but the bridge to ``monitor.indicators``, which owns the language.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from monitor.indicators import expression
from monitor.indicators.predicate import passes
from monitor.indicators.tree import Node


def among(types: Collection[str], where: str | None = None) -> pl.Expr:
    """Events of ``types`` for which ``where`` is true, as booleans without nulls.

    Raises:
        ExpressionError: the condition is not in the language, or not on fields of the events.
    """
    chosen = pl.col("type").is_in(list(types))
    return chosen if where is None else chosen & passes(_tree(where, types))


def read_by(where: str | None, types: Collection[str]) -> frozenset[str]:
    """Catalogue fields that a condition on ``types`` reads.

    Raises:
        ExpressionError: as :func:`among`.
    """
    if where is None:
        return frozenset()
    return expression.fields_of(_tree(where, types)) - {"time"}


def _tree(where: str, types: Collection[str]) -> Node:
    return expression.parse_where(where, set(types))
