"""What rules, exporter and replay read: one indicator, scope and window at the last step.

Owns no state: figures are gathered from the scope's counters when asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from monitor.compiled.groups import keep_news
from monitor.decisions import Scope
from monitor.indicators.formula import Counter
from monitor.indicators.loaded import SEPARATOR
from monitor.indicators.model import Figure, Indicator
from monitor.indicators.plan import Reading
from monitor.indicators.scope import ScopeState
from monitor.keys import KeyTable
from monitor.windows.anchored import AnchoredWindow
from monitor.windows.arrays import Int64, column
from monitor.windows.distinct import DistinctWindow
from monitor.windows.extremes import NONE


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """The final figure of a calendar period, as of a tick at which late rows may still join."""

    start_ms: int
    end_ms: int
    ids: Int64
    hits: Int64
    of: Int64


class View:
    """The figures of one indicator by one scope over one window.

    A ratio is ``(hits / scale_hits) / (of / scale_of)``, a mean likewise, a count
    ``hits / scale_hits``. Of the smallest and largest value ``of`` is 1, or 0 where no row has any.
    """

    def __init__(self, reading: Reading, scope: ScopeState) -> None:
        self.indicator: Indicator = reading.indicator
        self.by = reading.by
        self.window = reading.window
        self.kind: Figure = reading.indicator.figure
        self.countable = reading.formula.countable
        self.hits = reading.formula.hits
        self.of = reading.formula.of
        self.scale_hits = self.hits.scale
        self.scale_of = 1 if self.of is None else self.of.scale
        self._scope = scope
        self._state = scope.windows[reading.identity]
        # A counter is looked up by what it computes, which takes a while; figures are read often.
        self._read_hits = self._reader(self.hits)
        self._read_of = None if self.of is None else self._reader(self.of)

    @property
    def keys(self) -> KeyTable:
        """The table of the scope; pairs are joined by ``SEPARATOR`` in the order of ``by``."""
        return self._scope.keys

    def scope(self, key: int) -> Scope:
        """Dimensions and values of a living key."""
        return tuple(zip(self.by, self.keys.name(key).split(SEPARATOR), strict=True))

    @property
    def other(self) -> int | None:
        """The id of the bucket of all keys that found the table full; None: there is none.

        Its figures are for people: :meth:`touched`, :meth:`fresh` and :meth:`closed` leave it out,
        so no rule ever judges it. Different values are not counted for it, as it would fill the
        table of pairs that the known keys need; so an indicator made of them has none. Nor has an
        anchored window: from the first event of whoever came first, it would be nobody's.
        """
        if isinstance(self._state.spec, AnchoredWindow):
            return None
        counters = (self.hits, self.of)
        paired = any(
            each is not None and each.operation in {"distinct", "reached"} for each in counters
        )
        return None if paired else self.keys.other

    def touched(self) -> Int64:
        """Ids whose rows in the window changed at the last step, ascending and unique.

        Rows entered, left, or accrued; an id may stand here though this indicator's figures are as
        they were, because all indicators of the scope share its rows.
        """
        ids, other = self._state.sums.touched(), self.keys.other
        return ids if other is None else ids[ids != other]

    def figures(self, ids: Int64) -> tuple[Int64, Int64]:
        """(hits, of) in fixed point at the last step, each of the shape of ``ids``."""
        hits = self._read_hits(ids)
        if self.hits.operation in {"min", "max"}:
            present = hits != NONE
            sign = -1 if self.hits.operation == "min" else 1
            return np.where(present, sign * hits, 0), present.astype(np.int64)
        of = np.ones(len(ids), dtype=np.int64) if self._read_of is None else self._read_of(ids)
        return hits, of

    def fresh(self) -> tuple[Int64, Int64, Int64]:
        """(ids, hits, of) of the last step's new rows alone, ids ascending.

        Late rows count here even when the window no longer holds them: they are news. Ids to which
        the rows add neither hits nor of are left out.

        Raises:
            ValueError: the indicator is not made of counts and sums, so that rows alone say
                nothing.
        """
        hits_column, of_column = self._fresh_columns
        rows = self._scope.rows
        if rows is None:
            return column([]), column([]), column([])
        ids, hits, other = rows.ids, rows.sums[hits_column], self.keys.other
        of = hits if of_column is None else rows.sums[of_column]
        kept = np.empty((3, len(ids)), dtype=np.int64)
        count = keep_news(ids, hits, of, -1 if other is None else other, kept)
        ids, hits, of = kept[:, :count]
        if of_column is None:
            of.fill(1)
        return ids, hits, of

    def entered(self) -> tuple[Int64, Int64, Int64]:
        """As :meth:`fresh`, but ids with no hits and no ``of`` may stand among them.

        The arrays are the tick's own, not to be written. Whoever passes over those anyway is spared
        a loop that leaves them out; of a count, and where there is a bucket, it is :meth:`fresh`.
        """
        hits_column, of_column = self._fresh_columns
        rows = self._scope.rows
        if rows is None or of_column is None or self.keys.other is not None:
            return self.fresh()
        return rows.ids, rows.sums[hits_column], rows.sums[of_column]

    def covered(self, tick: int) -> bool:
        """The log seen covers this window at ``tick``; until then it is warming."""
        return self.covered_from <= self._state.spec.lo(tick)

    @property
    def covered_from(self) -> int:
        """The window is covered from the tick on at which it begins no earlier than this."""
        return max(
            # The state in which a window begins may have been told a whole max_age before.
            self._state.covered_from[counter] + counter.max_age_ms
            for counter in (self.hits, self.of)
            if counter is not None
        )

    def covered_at(self) -> int:
        """The first tick at which :meth:`covered` holds."""
        return self._state.spec.first_tick(self.covered_from)

    @property
    def horizon_ms(self) -> int:
        """How far before a tick rows can matter to these figures."""
        ages = (counter.max_age_ms for counter in (self.hits, self.of) if counter is not None)
        return self._state.spec.length_ms + max(ages)

    def closed(self, tick: int) -> ClosedPeriod | None:
        """The last calendar period with its late rows, from its end to its final tick.

        None for sliding windows, and when no row of the period is left or its figure was final
        before ``tick``.
        """
        closing = self._state.sums.closing
        total = closing.total()
        if closing.start is None or total is None or tick > closing.final:
            return None
        ids, other = total[0], self.keys.other
        if other is not None:
            ids = ids[ids != other]
        hits = self._closed_at(self.hits, ids, closing.start)
        of = np.ones(len(ids), dtype=np.int64)
        if self.of is not None:
            of = self._closed_at(self.of, ids, closing.start)
        elif self.hits.operation in {"min", "max"}:
            of = (hits != NONE).astype(np.int64)
            hits = np.where(of > 0, -hits if self.hits.operation == "min" else hits, 0)
        return ClosedPeriod(closing.start, self._state.spec.pane_end(closing.start), ids, hits, of)

    @cached_property
    def _fresh_columns(self) -> tuple[int, int | None]:
        layout = self._scope.layout
        if not self.hits.is_additive or not (self.of is None or self.of.is_additive):
            message = f"{self.indicator.id} is not made of counts and sums"
            raise ValueError(message)
        of = None if self.of is None else 1 + layout.summed.index(self.of)
        return 1 + layout.summed.index(self.hits), of

    def _reader(self, counter: Counter) -> Callable[[Int64], Int64]:
        """What gives the figures of ``counter`` for ids."""
        state = self._state
        match counter.operation:
            case "distinct":
                return self._scope.distinct[counter].windows[state.spec.identity].at
            case "reached":
                return self._level(counter).at
            case "min" | "max":
                return partial(state.extremes.at, index=state.extreme.index(counter))
            case _:
                return partial(state.sums.at, index=state.place[counter])

    def _level(self, counter: Counter) -> DistinctWindow:
        """Who reached a step of a funnel."""
        level = self._scope.funnels[counter.chain].levels[counter.step]
        return level.windows[self._state.spec.identity]

    def _closed_at(self, counter: Counter, ids: Int64, start: int) -> Int64:
        state = self._state
        match counter.operation:
            case "distinct":
                window = self._scope.distinct[counter].windows[state.spec.identity]
                return window.closed_at(ids, start)
            case "reached":
                return self._level(counter).closed_at(ids, start)
            case "min" | "max":
                found = state.extremes.closing.lookup(ids, NONE)
                return found[:, state.extreme.index(counter)]
            case _:
                return state.sums.closing.lookup(ids, 0)[:, state.place[counter]]
