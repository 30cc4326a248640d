"""What numbers on probation have done since they came back: a window of their own.

Owns which rows count for such a number: calls that *started* after it was known to be back, and
feedback on those calls. A call from before it was out, and a complaint about one, count for
nothing, though they come in now. From the rows follow the calls that prove a number
(``numbers.probation``) and the figures by which the rules that it was out for judge it.

A rule goes on judging by them after the probation until its own window holds nothing older either:
else the calls of before would have the number out again at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from monitor.decisions import OnTrial
from monitor.events.catalogue import FEEDBACK_TYPES
from monitor.indicators.frame import Frame
from monitor.rules.fresh_figures import FreshFigures, FreshRows, looks_on
from monitor.rules.model import Rule
from monitor.rules.ports import Int64
from monitor.windows.ids import coded
from monitor.windows.pending import aligned_after

CALL_IDS_MAX: Final = 10_000
"""Calls of one number whose feedback is known to be about a fresh one; past it the oldest go."""
LOOKED_AT_ONCE: Final = 16_384
"""Rows that are looked through at once for those of some numbers."""
FIELDS: Final = frozenset({"started_at", "talk_s", "direction"})
"""What tells when a call began and whose it was."""
_TELLING: Final = ("number", "type", "call_id", "time", "started_at", "talk_s", "direction")


@dataclass(slots=True)
class _Number:
    """One number on probation, or lately so."""

    since_ms: int
    calls: int = 0
    """Calls of its own that started since."""
    ids: dict[str, None] = field(default_factory=dict)
    """Calls that started since, the oldest first."""


class _Load:
    """Rows of several ticks, in order."""

    def __init__(self, rows: pl.DataFrame, frame: Frame | None) -> None:
        self.rows = rows
        self.frame = frame
        self._ticks = rows["tick"].to_numpy()
        self._codes_of: dict[str, int] | None = None
        """By number; made when somebody is looked for, as are the codes."""
        self._codes: Int64 = np.empty(0, dtype=np.int64)
        """By row; that of a row without a number is -1."""
        # What was looked for last: of whom, up to which row, and the rows that were found.
        self._asked_for: frozenset[str] = frozenset()
        self._until = 0
        self._ahead = LOOKED_AT_ONCE
        self._places: list[int] = []
        self._rows: list[tuple[Any, ...]] = []

    def until(self, tick: int) -> bool:
        """Whether all of it comes before ``tick``."""
        return bool(self._ticks[-1] < tick)

    def told(self, tick: int, numbers: AbstractSet[str]) -> list[tuple[Any, ...]]:
        """Of the rows of one tick those of ``numbers``, in order.

        Each is its place in the load, and what tells when a call began and whose it was: the
        values of :data:`_TELLING`. A tick has few rows, and to ask a frame for them takes a hundred
        times as long as to look at them: it is asked for those of several ticks.
        """
        first, last = np.searchsorted(self._ticks, [tick, tick + 1]).tolist()
        if first == last:
            return []
        over, others = last > self._until, not numbers <= self._asked_for
        if over or others:
            # Where somebody comes back at every tick, what was found beyond it is looked for again.
            self._ahead = min(2 * self._ahead, LOOKED_AT_ONCE) if over else max(self._ahead // 2, 1)
            self._look(first, max(last, first + self._ahead), frozenset(numbers))
        begin, end = bisect_left(self._places, first), bisect_left(self._places, last)
        return [row for row in self._rows[begin:end] if row[1] in numbers]

    def _look(self, first: int, until: int, numbers: frozenset[str]) -> None:
        if self._codes_of is None:
            names, self._codes = (
                coded(self.rows["number"]) if self.frame is None else self.frame.coded("number")
            )
            self._codes_of = {number: code for code, number in enumerate(names.texts)}
        codes_of = self._codes_of
        wanted = np.zeros(len(codes_of) + 1, dtype=np.bool_)  # the last one is that of -1
        wanted[[codes_of[each] for each in numbers if each in codes_of]] = True
        self._places = (first + np.flatnonzero(wanted[self._codes[first:until]])).tolist()
        self._until, self._asked_for = until, numbers
        chosen = pl.Series(self._places, dtype=pl.UInt32)
        columns = [
            self.rows[name][chosen].to_list()
            if name in self.rows.columns  # else nobody reads it
            else [None] * len(self._places)
            for name in _TELLING
        ]
        self._rows = list(zip(self._places, *columns, strict=True))


class FreshCalls:
    """Rows of numbers on probation that count, for all rules."""

    def __init__(
        self, rules: Iterable[Rule], figures: Iterable[FreshFigures | None], *, tick_ms: int
    ) -> None:
        """``rules`` are all, ``figures`` those of the rules that have any."""
        self._rules = {each.rule.id: each for each in figures if each is not None}
        self._asked = any(looks_on(rule) for rule in rules)
        """Some rule wants to see how a number does that is back."""
        self._tick_ms = tick_ms
        self._numbers: dict[str, _Number] = {}
        self._proving: frozenset[str] = frozenset()
        self._loads: deque[_Load] = deque()

    @property
    def fields(self) -> frozenset[str]:
        """Catalogue fields that are read."""
        return FIELDS if self._asked else frozenset()

    @property
    def calls(self) -> dict[str, int]:
        """By number on probation, the calls of its own that it has started since."""
        return {number: self._numbers[number].calls for number in self._proving}

    def load(self, released: pl.DataFrame, frame: Frame | None) -> None:
        """Keep rows until their ticks: nobody knows yet who will be on probation then.

        ``frame``: the same rows as the indicators load them.
        """
        if released.height and (self._asked or self._numbers):
            self._loads.append(_Load(released, frame))

    def step(self, tick: int, held: AbstractSet[str], proving: Mapping[str, OnTrial]) -> None:
        """Go to ``tick``, before any rule does; ``proving`` are on probation as of the last one."""
        while self._loads and self._loads[0].until(tick):
            self._loads.popleft()
        for figures in self._rules.values():
            figures.moved.clear()
        if not proving and not self._numbers:
            return
        self._enter(held, proving)
        fresh = self._fresh(tick)
        for figures in self._rules.values():
            figures.step(tick, self._proving, fresh)
        judged = {number for figures in self._rules.values() for number in figures.numbers}
        for number in self._numbers.keys() - judged - self._proving:
            del self._numbers[number]

    def _enter(self, held: AbstractSet[str], proving: Mapping[str, OnTrial]) -> None:
        for number in [n for n in self._numbers if n in held]:
            del self._numbers[number]
            for figures in self._rules.values():
                figures.forget(number)
        for number, trial in proving.items():
            known = self._numbers.get(number)
            if known is None or known.since_ms != trial.since_ms:
                self._numbers[number] = _Number(trial.since_ms)
                for rule in trial.rules:
                    if rule in self._rules:
                        self._rules[rule].begin(number, trial.since_ms)
        self._proving = frozenset(proving)

    def _fresh(self, tick: int) -> FreshRows | None:
        """Of the rows of one tick, in order, those that count."""
        load = self._loads[0] if self._loads else None
        if load is None:
            return None
        told = load.told(tick, self._numbers.keys())
        counted = [place for place, *row in told if self._counts(*row)]
        return FreshRows(load.frame, counted) if load.frame is not None and counted else None

    def _counts(
        self,
        number: str,
        kind: str,
        call_id: str | None,
        time_ms: int,
        started_at: int | None,
        talk_s: float | None,
        direction: str | None,
    ) -> bool:
        entry = self._numbers[number]
        if kind in FEEDBACK_TYPES and call_id is not None:
            return call_id in entry.ids
        began_ms = time_ms - round((talk_s or 0) * 1000) if started_at is None else started_at
        if began_ms < entry.since_ms:
            return False
        if kind == "call.ended":
            entry.calls += direction != "inbound"
            if call_id is not None:
                entry.ids[call_id] = None
                if len(entry.ids) > CALL_IDS_MAX:
                    del entry.ids[next(iter(entry.ids))]
        return True

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        ends = [each.next_ms(self._proving) for each in self._rules.values()]
        due = min((at for at in ends if at is not None), default=None)
        return None if due is None else aligned_after(due, after, self._tick_ms)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose; no load waits then."""
        return {
            "numbers": [
                [number, each.since_ms, each.calls, list(each.ids)]
                for number, each in self._numbers.items()
            ],
            "proving": sorted(self._proving),
            "rules": {name: each.snapshot() for name, each in self._rules.items() if each},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave, of rules that there are."""
        self._numbers = {
            number: _Number(since_ms, calls, dict.fromkeys(ids))
            for number, since_ms, calls, ids in state["numbers"]
        }
        self._proving = frozenset(state["proving"])
        for name, entry in state["rules"].items():
            if name in self._rules:
                self._rules[name].restore(entry)
