"""What rules, exporter and replay read of a population: one indicator and scope, as of the tick.

It is asked as :class:`monitor.indicators.view.View` is.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from monitor.decisions import Scope
from monitor.indicators.loaded import SEPARATOR
from monitor.indicators.model import Indicator
from monitor.indicators.now_model import NOW
from monitor.indicators.population import By, PopulationState
from monitor.indicators.view import View
from monitor.keys import KeyTable
from monitor.windows.arrays import Int64


class NowView:
    """The figures of one population by one scope.

    A share is ``hits / of``; of a plain number ``hits`` is the figure.
    """

    scale_hits = scale_of = 1
    countable = False
    """Its hits are no events: what holds at a tick held at the one before."""
    closed = staticmethod(lambda _tick: None)
    """It has no periods."""

    def __init__(self, indicator: Indicator, by: By, state: PopulationState) -> None:
        self.indicator = indicator
        self.by = by
        self.window = NOW
        self.kind: Literal["ratio", "mean", "count"] = indicator.figure
        self._state = state
        self._sums = state.sums[by]

    @property
    def keys(self) -> KeyTable:
        """The table of the scope."""
        return self._state.scopes[self.by].keys

    @property
    def other(self) -> int | None:
        """The id of the bucket of all keys that found the table full; None: there is none."""
        return self.keys.other

    def scope(self, key: int) -> Scope:
        """Dimensions and values of a living key."""
        return tuple(zip(self.by, self.keys.name(key).split(SEPARATOR), strict=True))

    def touched(self) -> Int64:
        """Ids whose figures the last step changed, ascending and unique."""
        ids, other = self._sums.touched, self.keys.other
        return ids if other is None else ids[ids != other]

    def figures(self, ids: Int64) -> tuple[Int64, Int64]:
        """(hits, of) at the last step, each of the shape of ``ids``."""
        hits, of = self._sums.at(ids, self.keys.size)
        return hits, np.ones(len(ids), dtype=np.int64) if self.kind == "count" else of

    def fresh(self) -> tuple[Int64, Int64, Int64]:
        """Nothing: a population is not made of events.

        Raises:
            ValueError: always.
        """
        message = f"{self.indicator.id} is not made of counts and sums"
        raise ValueError(message)

    def entered(self) -> tuple[Int64, Int64, Int64]:
        """As :meth:`fresh`."""
        return self.fresh()

    @property
    def covered_from(self) -> int:
        """The figures are covered from this tick on: by then all have been heard of that are in."""
        return self._state.covered_from[self.by] + self._state.plan.max_age_ms

    def covered(self, tick: int) -> bool:
        """The log seen tells of all entities at ``tick``; until then it is warming."""
        return self.covered_from <= tick

    def covered_at(self) -> int:
        """The first tick at which :meth:`covered` holds."""
        tick_ms = self._state.table.plan.tick_ms
        return -(-self.covered_from // tick_ms) * tick_ms

    @property
    def horizon_ms(self) -> int:
        """How far before a tick rows can matter to these figures."""
        return self._state.plan.max_age_ms


AnyView = View | NowView
"""What an indicator set shows."""
