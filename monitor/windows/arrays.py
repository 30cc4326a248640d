"""Small operations on key columns that every window table is made of.

Owns arithmetic on arrays only; what the columns mean belongs to their tables. All sums are int64,
so any order of additions gives the same figure to the bit.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from monitor.compiled.groups import add_by_key, number_keys

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
_Scalar = TypeVar("_Scalar", bound=np.generic)

_SPREAD_MAX, _SPREAD_LEAST = 16, 2**12

ROOMY_MAX = 2**16

Combine = Literal["add", "maximum"]
"""How two values of one key become one."""


def column(values: Any) -> Int64:
    """``values`` as a contiguous int64 array."""
    return np.ascontiguousarray(values, dtype=np.int64)


def roomy(rows: int, have: int) -> int:
    """How long an array becomes that has ``have`` rows and needs ``rows``.

    By a share of what it has, so that growing by one key costs the same on average: twice as long
    while it is small, then by a quarter, as rows that nobody uses are memory too.
    """
    return max(rows, 2 * have if have < ROOMY_MAX else have + have // 4)


def begins_of(ordered: npt.NDArray[_Scalar]) -> Bool:
    """Where a value stands that the one before it is not; equal values stand side by side."""
    begins = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return begins


def grown(array: npt.NDArray[_Scalar], rows: int, fill: int = 0) -> npt.NDArray[_Scalar]:
    """``array`` itself when it has ``rows`` rows, else a longer copy, see :func:`roomy`.

    New rows hold ``fill``.
    """
    if len(array) >= rows:
        return array
    larger = np.full((roomy(rows, len(array)), *array.shape[1:]), fill, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def is_dense(spread: int, rows: int) -> bool:
    """Whether a table may have a place for each of ``spread`` keys that ``rows`` could have.

    So many for each row, and so many whatever the rows; beyond that the keys are better sorted.
    """
    return spread <= _SPREAD_MAX * rows + _SPREAD_LEAST


def reduce_by_key(keys: Int64, values: Int64, combine: Combine) -> tuple[Int64, Int64]:
    """Rows of equal key made one.

    Args:
        keys: shape ``(n,)``, any order, none negative.
        values: shape ``(n, columns)``.
        combine: sum or maximum of each column.

    Returns:
        Ascending distinct keys, shape ``(k,)``, and their values, shape ``(k, columns)``.
    """
    if len(keys) > 1 and not bool(np.all(keys[1:] > keys[:-1])):
        spread = int(keys.max()) + 1
        if combine == "add" and is_dense(spread, len(keys)):
            return _added(keys, values, spread)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.empty(len(keys), dtype=np.bool_)
        first[0] = True
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        starts = np.flatnonzero(first)
        ufunc = np.add if combine == "add" else np.maximum
        # take: rows of a matrix by index cost four times as much.
        return keys[starts], ufunc.reduceat(values.take(order, axis=0), starts, axis=0)
    return keys, values


def _added(keys: Int64, values: Int64, spread: int) -> tuple[Int64, Int64]:
    """Sums by key without sorting; no key is negative, all are below ``spread``."""
    number = np.zeros(spread, dtype=np.int32)
    count = number_keys(keys, number)
    own, sums = np.empty(count, dtype=np.int64), np.zeros((count, values.shape[1]), dtype=np.int64)
    add_by_key(keys, number, np.ascontiguousarray(values), own, sums)
    return own, sums


def distinct_of(keys: Int64) -> Int64:
    """Ascending distinct ``keys``, of which none is negative."""
    spread = int(keys.max(initial=0)) + 1
    if not is_dense(spread, len(keys)):
        return unique_of([keys])
    there = np.zeros(spread, dtype=np.bool_)
    there[keys] = True
    return np.flatnonzero(there)


def unique_of(parts: list[Int64]) -> Int64:
    """Ascending distinct ids of all ``parts``, of which there is at least one.

    As ``np.unique`` of them, without what that spends on cases that do not come here.
    """
    ids = np.concatenate(parts)
    ids.sort()
    first = np.empty(len(ids), dtype=np.bool_)
    first[:1] = True
    np.not_equal(ids[1:], ids[:-1], out=first[1:])
    return ids[first]
