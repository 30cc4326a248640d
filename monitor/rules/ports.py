"""What the rule engine needs of the indicators, as protocols.

Owns no code: ``monitor.indicators`` implements them, ``tests/rules/fakes.py`` too.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from monitor.decisions import Scope
from monitor.keys import KeyTable

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


class FigureView(Protocol):
    """One indicator × scope × window, at the last step.

    Keys are ids of ``keys``, which all windows and indicators of one scope share.
    """

    @property
    def indicator(self) -> BaseModel:
        """The definition, as read from YAML."""
        ...

    @property
    def kind(self) -> Literal["ratio", "mean", "count"]:
        """What the figure is."""
        ...

    @property
    def countable(self) -> bool:
        """Hits and of are counts of events, with hits among of."""
        ...

    @property
    def scale_hits(self) -> int:
        """Fixed-point units in one hit: 1, or 1000."""
        ...

    @property
    def scale_of(self) -> int:
        """Fixed-point units in one of ``of``: 1, or 1000."""
        ...

    @property
    def keys(self) -> KeyTable:
        """The table of the scope."""
        ...

    def touched(self) -> Int64:
        """Ids whose figures changed at the last step, ascending and unique."""
        ...

    def figures(self, ids: Int64) -> tuple[Int64, Int64]:
        """(hits, of) in fixed point, each of the shape of ``ids``."""
        ...

    def fresh(self) -> tuple[Int64, Int64, Int64]:
        """(ids, hits, of) of the last step's new rows alone, ids ascending."""
        ...

    def entered(self) -> tuple[Int64, Int64, Int64]:
        """As :meth:`fresh`; some of the ids may be such to which the rows add nothing."""
        ...

    def covered(self, tick: int) -> bool:
        """The log seen covers the window at ``tick``; once true, it stays so."""
        ...

    def covered_at(self) -> int:
        """The first tick at which :meth:`covered` holds; asked only while it does not."""
        ...

    def scope(self, key: int) -> Scope:
        """Dimensions and values of a key."""
        ...


class FigureSource(Protocol):
    """All the figures there are."""

    def view(self, indicator: str, by: tuple[str, ...], window: str) -> FigureView:
        """The view of one indicator, scope and window (as written)."""
        ...
