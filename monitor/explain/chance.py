"""What some rows have in common that others have not, tested against chance.

Owns the statistics, on frames alone; which rows are compared is ``monitor.explain.question``'s.

For each value of each dimension: how many of the *bad* rows have it, and how many of the *rest*.
Had the value nothing to do with it, the number among the bad rows would be hypergeometric, given
how many rows there are of each kind: Fisher's exact test, one-sided (R. A. Fisher, Statistical
Methods for Research Workers, §21.02). How many bad rows there are is given too, so that an alert
was picked for having many of them takes nothing from it.

Many values are looked at, so some are rare by chance. Each dimension gets an equal part of the
chance of a false word, and within it Holm's correction over all its values (S. Holm, Scandinavian
Journal of Statistics 6, 1979) holds it, however values depend on each other: so thousands of
customers do not drown ten agents. ``chance`` is the outcome: with nothing in common, the chance
that *any* value of any dimension is given that figure or less is at most that figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

NAMED_AT = 0.01
"""A value is named as a cause when its ``chance`` is at most this."""
_NEGLIGIBLE = 1e-17


@dataclass(frozen=True, slots=True)
class Common:
    """The value of one dimension that the bad rows have most beyond their share."""

    dimension: str
    value: str
    bad_with: int
    bad: int
    base_with: int
    base: int
    p: float
    """Of this value alone, as if no other had been looked at."""
    chance: float
    """Corrected for all that was looked at."""

    @property
    def share(self) -> float:
        """Of the bad rows, those that have the value."""
        return self.bad_with / self.bad

    @property
    def base_share(self) -> float:
        """Of all rows compared with, those that have the value."""
        return self.base_with / self.base

    @property
    def lift(self) -> float:
        """How many times as common it is among the bad rows; infinite where it is nowhere else."""
        return self.share / self.base_share if self.base_with else math.inf

    @property
    def named(self) -> bool:
        """Whether chance is no explanation."""
        return self.chance <= NAMED_AT


@dataclass(frozen=True, slots=True)
class Comparison:
    """All dimensions that were compared, those first that chance explains least."""

    common: tuple[Common, ...]
    values: int
    """Looked at, in all dimensions."""

    @property
    def named(self) -> tuple[Common, ...]:
        """Those that chance does not explain."""
        return tuple(each for each in self.common if each.named)


def compare(
    bad: pl.DataFrame, rest: pl.DataFrame, dimensions: Sequence[str], *, nested: bool
) -> Comparison:
    """What ``bad`` has more of than ``rest``, by dimension.

    Args:
        bad: rows with a column of text for each of ``dimensions``; a null is none of its values.
        rest: the same of the rows that are not bad.
        dimensions: those in which some row differs from another are compared.
        nested: shares are shown of ``bad`` and ``rest`` together, for ``bad`` is a part of them;
            otherwise of ``rest`` alone.
    """
    tables = {name: _counted(bad[name], rest[name]) for name in dimensions}
    tables = {name: table for name, table in tables.items() if table.height > 1}
    if bad.is_empty() or rest.is_empty():
        return Comparison((), 0)
    found = [
        _most(name, table, bad.height, rest.height, len(tables), nested=nested)
        for name, table in tables.items()
    ]
    common = sorted(
        (each for each in found if each is not None), key=lambda each: (each.chance, each.p)
    )
    return Comparison(tuple(common), sum(table.height for table in tables.values()))


def _counted(bad: pl.Series, rest: pl.Series) -> pl.DataFrame:
    """``value``, ``bad``, ``rest``: how often each comes, ascending by value."""
    parts = [
        pl.select(rows.cast(pl.String).drop_nulls().alias("value")).with_columns(
            bad=pl.lit(kind), rest=pl.lit(not kind)
        )
        for rows, kind in ((bad, True), (rest, False))
    ]
    return pl.concat(parts).group_by("value").agg(pl.col("bad", "rest").sum()).sort("value")


def _most(
    name: str, table: pl.DataFrame, bad: int, rest: int, dimensions: int, *, nested: bool
) -> Common | None:
    """The value with the most excess, None where none has any."""
    rows = list(table.iter_rows())
    ps = [tail(with_bad, with_bad + with_rest, bad, bad + rest) for _, with_bad, with_rest in rows]
    chances = holm(ps)
    base = bad + rest if nested else rest
    excess = [
        with_bad - bad * (with_rest + with_bad * nested) / base for _, with_bad, with_rest in rows
    ]
    best = max(range(len(rows)), key=lambda row: (excess[row], -ps[row]))
    if excess[best] <= 0:
        return None
    value, with_bad, with_rest = rows[best]
    return Common(
        dimension=name,
        value=value,
        bad_with=with_bad,
        bad=bad,
        base_with=with_rest + with_bad * nested,
        base=base,
        p=ps[best],
        chance=min(1.0, dimensions * chances[best]),
    )


def tail(least: int, marked: int, drawn: int, rows: int) -> float:
    """The chance of at least ``least`` marked among ``drawn``, of ``rows`` with so many ``marked``.

    The hypergeometric tail. Where there is no excess it is not worked out: 1.
    """
    if least * rows <= drawn * marked:
        return 1.0
    unmarked = rows - marked
    term = math.exp(
        _log_choose(marked, least) + _log_choose(unmarked, drawn - least) - _log_choose(rows, drawn)
    )
    total = 0.0
    for count in range(least, min(marked, drawn) + 1):
        total += term
        # Beyond the expected number each term is smaller than the one before, and ever more so.
        up = (marked - count) * (drawn - count)
        term *= up / ((count + 1) * (unmarked - drawn + count + 1))
        if term <= total * _NEGLIGIBLE:
            break
    return min(1.0, total)


def holm(ps: Sequence[float]) -> list[float]:
    """Each of ``ps`` corrected for all of them, in their order."""
    corrected = [1.0] * len(ps)
    worst = 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, (len(ps) - place) * ps[index])
        corrected[index] = min(1.0, worst)
    return corrected


def _log_choose(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)
