"""The condition of a rule on an event, from the language of ``where``.

Owns nothing but the bridge to ``monitor.indicators``, which owns the language.
"""

from __future__ import annotations

import polars as pl

from monitor.indicators import expression
from monitor.indicators.predicate import passes
from monitor.rules.model import EventMatch


def condition(event: EventMatch) -> pl.Expr | None:
    """Which ``on`` events count, as a column of booleans without nulls; None: all of them.

    Raises:
        ExpressionError: the condition is not in the language, or not on fields of the event.
    """
    if event.where is None:
        return None
    return passes(expression.parse_where(event.where, {event.on}))


def fields_of(event: EventMatch) -> frozenset[str]:
    """Catalogue fields that the condition reads.

    Raises:
        ExpressionError: as :func:`condition`.
    """
    if event.where is None:
        return frozenset()
    tree = expression.parse_where(event.where, {event.on})
    return expression.fields_of(tree) - {"time"}
