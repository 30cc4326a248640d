"""A snapshot as one plain value, so that two of them can be compared.

Owns the joining of parts: into how many a table is cut depends on when it was asked for them, what
it says does not.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from monitor.numbers.seen import over
from monitor.sealed import Later, Sealed
from monitor.windows.arrays import Combine, reduce_by_key


def whole(value: Any, *, combine: Combine = "add") -> Any:
    """``value`` with all that stands in parts joined; ``combine``: of the panes in it."""
    if isinstance(value, Later):
        return whole(value.content())
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            how: Combine = "maximum" if key == "extremes" else combine
            found[key] = whole(item, combine=how)
        return found
    if isinstance(value, list):
        if value and all(isinstance(each, Sealed) for each in value):
            return _joined(value, combine)
        return [whole(each, combine=combine) for each in value]
    if isinstance(value, bytes) and value:
        return _rows(value)
    return value


def _rows(blob: bytes) -> list[Any]:
    """Of an Arrow file, whose bytes depend on how its rows came together."""
    frame = pl.read_ipc(io.BytesIO(blob))
    return [frame.columns, *map(list, frame.rows())]


def _joined(parts: list[Sealed], combine: Combine) -> Any:
    contents = [part.content() for part in parts]
    if isinstance(contents[0], list):
        return [name for content in contents for name in content]
    if isinstance(contents[0], bytes):
        return [row for blob in contents for row in _rows(blob)[1:]]
    if set(contents[0]) == {"keys", "values"}:
        keys = np.concatenate([content["keys"] for content in contents])
        values = np.concatenate([content["values"] for content in contents])
        keys, values = reduce_by_key(keys, values, combine)
        return {"keys": keys.copy(), "values": values.copy()}
    seen = over(parts)
    return {number: seen[number] for number in sorted(seen) if seen[number]}
