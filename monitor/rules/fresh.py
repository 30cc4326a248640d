"""What numbers on probation have done since they came back: a window of their own.

Owns which rows count for such a number: calls that *started* after it was known to be back, and
feedback on those calls. A call from before it was out, and a complaint about one, count for
nothing, though they come in now. From the rows follow the calls that prove a number
(``numbers.probation``) and the figures by which the rules that it was out for judge it.

A rule goes on judging by them after the probation until its own window holds nothing older either:
else the calls of before would have the number out again at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np
import polars as pl

from monitor.decisions import OnTrial
from monitor.events.catalogue import FEEDBACK_TYPES
from monitor.indicators.formula import Formula, formula
from monitor.indicators.frame import Frame
from monitor.indicators.view import View
from monitor.keys import KeyTable
from monitor.rules.model import Rule
from monitor.rules.ports import FigureView, Int64
from monitor.rules.scopes import SEPARATOR
from monitor.windows.pending import aligned_after

CALL_IDS_MAX: Final = 10_000
"""Calls of one number whose feedback is known to be about a fresh one; past it the oldest go."""
KEYS_MAX: Final = 100_000
"""Scopes of one rule with figures of their own; past it the oldest begin again from nothing."""
FIELDS: Final = frozenset({"started_at", "talk_s", "direction"})
"""What tells when a call began and whose it was."""

_Pair = list[int]


class FreshFigures:
    """One rule's figures of numbers on probation, by scope: hits and of since they came back."""

    def __init__(self, rule: Rule, made_of: Formula, horizon_ms: int) -> None:
        self.rule = rule
        self.horizon_ms = horizon_ms
        """As long as the longest window."""
        self._made_of = made_of
        self._position = rule.by.index("number")
        self._since: dict[str, int] = {}
        """By number, since when."""
        self._pairs: dict[str, _Pair] = {}
        """By scope text (dimensions joined by ``SEPARATOR``): hits and of, in fixed point."""
        self._news: dict[str, _Pair] = {}
        """Of the last tick alone."""

    @classmethod
    def of(cls, rule: Rule, views: Iterable[FigureView]) -> FreshFigures | None:
        """For a rule with a probation whose figures are sums over rows; None for others."""
        known = [view for view in views if isinstance(view, View)]
        if not _tries(rule) or not known:
            return None
        made_of = formula(known[0].indicator)
        if not all(counter.is_additive for counter in made_of.counters):
            return None
        return cls(rule, made_of, max(view.horizon_ms for view in known))

    @property
    def numbers(self) -> AbstractSet[str]:
        """Those judged by them."""
        return self._since.keys()

    def __bool__(self) -> bool:
        """Whether some number is judged by them."""
        return bool(self._since)

    def begin(self, number: str, since_ms: int) -> None:
        """The number is back; its window is empty."""
        self.forget(number)
        self._since[number] = since_ms

    def forget(self, number: str) -> None:
        """The number is judged by the common window."""
        if self._since.pop(number, None) is not None:
            for table in (self._pairs, self._news):
                for text in [text for text in table if self._number_of(text) == number]:
                    del table[text]

    def step(self, tick: int, proving: AbstractSet[str], rows: pl.DataFrame | None) -> None:
        """Take in the fresh rows of ``tick``; numbers whose window is as long as the rule's go."""
        for number in [n for n, at in self._since.items() if self._is_over(n, at, tick, proving)]:
            self.forget(number)
        self._news = {}
        if rows is None or not self._since:
            return
        rows = rows.filter(
            pl.col("number").is_in(list(self._since)),
            *(pl.col(name).is_not_null() for name in self.rule.by),
        )
        if rows.height:
            self._take(rows)

    def _take(self, rows: pl.DataFrame) -> None:
        frame = Frame(rows, [each for c in self._made_of.counters for each in c.sets])
        values = [frame.value(counter).tolist() for counter in self._made_of.counters]
        scopes = rows.select(self.rule.by).iter_rows()
        for scope, *pair in zip(scopes, *values, strict=True):
            if any(pair):
                text = SEPARATOR.join(scope)
                for table in (self._pairs, self._news):
                    sums = table.setdefault(text, [0, 0])
                    sums[0] += pair[0]
                    sums[1] += pair[-1]
        over = len(self._pairs) - KEYS_MAX
        for text in list(islice(self._pairs, max(0, over))):
            del self._pairs[text]

    def next_ms(self, proving: AbstractSet[str]) -> int | None:
        """When the next number goes by the common window again."""
        ends = (at + self.horizon_ms for n, at in self._since.items() if n not in proving)
        return min(ends, default=None)

    def over(self, keys: KeyTable, ids: Int64, hits: Int64, of: Int64) -> tuple[Int64, Int64]:
        """Figures of ``ids`` with those of numbers on probation in place of the common ones."""
        return self._laid_over(self._pairs, keys, ids, hits, of)

    def news(
        self, keys: KeyTable, ids: Int64, hits: Int64, of: Int64
    ) -> tuple[Int64, Int64, Int64]:
        """The last tick's rows of ``ids``, without those of numbers on probation that are old."""
        hits, of = self._laid_over(self._news, keys, ids, hits, of, counts=False)
        kept = (hits != 0) | (of != 0)
        return ids[kept], hits[kept], of[kept]

    def _laid_over(
        self,
        table: Mapping[str, _Pair],
        keys: KeyTable,
        ids: Int64,
        hits: Int64,
        of: Int64,
        *,
        counts: bool = True,
    ) -> tuple[Int64, Int64]:
        mine = self._ids(keys, ids)
        if not mine:
            return hits, of
        hits, of = hits.copy(), of.copy()
        for position, text in mine:
            mine_hits, mine_of = table.get(text, (0, 0))
            plain = len(self._made_of.counters) == 1  # a count: below the line there is one
            hits[position] = mine_hits
            of[position] = int(counts or text in table) if plain else mine_of
        return hits, of

    def _ids(self, keys: KeyTable, ids: Int64) -> list[tuple[int, str]]:
        """Where in ``ids`` numbers on probation stand, with their scope text."""
        if len(self.rule.by) > 1:
            names = keys.names(ids.tolist())
            return [(at, t) for at, t in enumerate(names) if self._number_of(t) in self._since]
        found: list[tuple[int, str]] = []
        for number in self._since:
            key = keys.find(number)
            if key is not None:
                found += [(at, number) for at in np.flatnonzero(ids == key).tolist()]
        return found

    def _is_over(self, number: str, since: int, tick: int, proving: AbstractSet[str]) -> bool:
        return number not in proving and tick >= since + self.horizon_ms

    def _number_of(self, text: str) -> str:
        return text.split(SEPARATOR)[self._position]

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            "since": dict(self._since),
            "pairs": [[text, *pair] for text, pair in self._pairs.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self._since = dict(state["since"])
        self._pairs = {text: list(pair) for text, *pair in state["pairs"]}


@dataclass(slots=True)
class _Number:
    """One number on probation, or lately so."""

    since_ms: int
    calls: int = 0
    """Calls of its own that started since."""
    ids: dict[str, None] = field(default_factory=dict)
    """Calls that started since, the oldest first."""


class FreshCalls:
    """Rows of numbers on probation that count, for all rules."""

    def __init__(
        self, rules: Iterable[Rule], figures: Iterable[FreshFigures | None], *, tick_ms: int
    ) -> None:
        """``rules`` are all, ``figures`` those of the rules that have any."""
        self._rules = {each.rule.id: each for each in figures if each is not None}
        self._asked = any(_tries(rule) for rule in rules)
        """Some rule wants to see how a number does that is back."""
        self._tick_ms = tick_ms
        self._numbers: dict[str, _Number] = {}
        self._proving: frozenset[str] = frozenset()
        self._loads: deque[tuple[Int64, pl.DataFrame]] = deque()
        """With the tick of each row, which ascend."""

    @property
    def fields(self) -> frozenset[str]:
        """Catalogue fields that are read."""
        return FIELDS if self._asked else frozenset()

    @property
    def calls(self) -> dict[str, int]:
        """By number on probation, the calls of its own that it has started since."""
        return {number: self._numbers[number].calls for number in self._proving}

    def load(self, released: pl.DataFrame) -> None:
        """Keep rows until their ticks: nobody knows yet who will be on probation then."""
        if released.height and (self._asked or self._numbers):
            self._loads.append((released["tick"].to_numpy(), released))

    def step(self, tick: int, held: AbstractSet[str], proving: Mapping[str, OnTrial]) -> None:
        """Go to ``tick``, before any rule does; ``proving`` are on probation as of the last one."""
        rows = self._rows(tick)
        if not proving and not self._numbers:
            return
        self._enter(held, proving)
        fresh = None if rows is None else self._fresh(rows)
        for figures in self._rules.values():
            figures.step(tick, self._proving, fresh)
        judged = {number for figures in self._rules.values() for number in figures.numbers}
        for number in self._numbers.keys() - judged - self._proving:
            del self._numbers[number]

    def _rows(self, tick: int) -> pl.DataFrame | None:
        """The rows of ``tick``; what is older is let go."""
        while self._loads:
            ticks, rows = self._loads[0]
            first, last = np.searchsorted(ticks, [tick, tick + 1]).tolist()
            if first == len(ticks):
                self._loads.popleft()
                continue
            return rows.slice(first, last - first) if last > first else None
        return None

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

    def _fresh(self, rows: pl.DataFrame) -> pl.DataFrame | None:
        """Of the rows of one tick, in order, those that count."""
        rows = rows.filter(pl.col("number").is_in(list(self._numbers)))
        if not rows.height:
            return None
        told = rows.select("number", "type", "call_id", "time", *_known_of(rows))
        kept = [self._counts(*row) for row in told.iter_rows()]
        return rows.filter(pl.Series(kept, dtype=pl.Boolean))

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


def _tries(rule: Rule) -> bool:
    return rule.action is not None and rule.action.suspend.probation is not None


def _known_of(rows: pl.DataFrame) -> list[pl.Expr]:
    """Fields of :data:`FIELDS`; null where nobody reads them."""
    return [
        pl.col(name) if name in rows.columns else pl.lit(None).alias(name)
        for name in ("started_at", "talk_s", "direction")
    ]
