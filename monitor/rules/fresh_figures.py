"""One rule's figures of numbers on probation: what they did since they came back, by scope.

Owns the sums and how they are laid over those of the rule's windows. Which rows count is what
``fresh`` owns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from monitor.indicators.formula import Formula, formula
from monitor.indicators.frame import Frame
from monitor.indicators.view import View
from monitor.keys import KeyTable
from monitor.rules.model import Rule
from monitor.rules.ports import FigureView, Int64
from monitor.rules.scopes import SEPARATOR

KEYS_MAX: Final = 100_000
"""Scopes of one rule with figures of their own; past it the oldest begin again from nothing."""

_Pair = list[int]


class FreshRows(NamedTuple):
    """Rows of one tick that count for numbers on probation."""

    frame: Frame
    """The load they are in, as the rules' indicators look at it."""
    places: list[int]
    """Where they stand there, ascending."""


def looks_on(rule: Rule) -> bool:
    """Whether the rule wants to see how a number does that is back."""
    return rule.action is not None and rule.action.suspend.probation is not None


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
        self.moved: set[str] = set()
        """Numbers whose window is another one as of the last tick: nothing else shows that."""

    @classmethod
    def of(cls, rule: Rule, views: Iterable[FigureView]) -> FreshFigures | None:
        """For a rule with a probation whose figures are sums over rows; None for others."""
        known = [view for view in views if isinstance(view, View)]
        if not looks_on(rule) or not known:
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

    @property
    def _marks(self) -> list[str]:
        """What stands for what is summed up."""
        return [counter.fingerprint for counter in self._made_of.counters]

    def begin(self, number: str, since_ms: int) -> None:
        """The number is back; its window is empty."""
        self.forget(number)
        self._since[number] = since_ms
        self.moved.add(number)

    def forget(self, number: str) -> None:
        """The number is judged by the common window."""
        if self._since.pop(number, None) is not None:
            self.moved.add(number)
            for table in (self._pairs, self._news):
                for text in [text for text in table if self._number_of(text) == number]:
                    del table[text]

    def step(self, tick: int, proving: AbstractSet[str], rows: FreshRows | None) -> None:
        """Take in the fresh rows of ``tick``; numbers whose window is as long as the rule's go."""
        for number in [n for n, at in self._since.items() if self._is_over(n, at, tick, proving)]:
            self.forget(number)
        self._news = {}
        if rows is not None and self._since:
            self._take(rows)

    def _take(self, rows: FreshRows) -> None:
        coded = [rows.frame.codes(dimension) for dimension in self.rule.by]
        values = [rows.frame.value(counter) for counter in self._made_of.counters]
        for place in rows.places:
            codes = [int(codes[place]) for _, codes in coded]
            pair = [int(each[place]) for each in values]
            if min(codes) < 0 or not any(pair):
                continue
            scope = [texts[code] for (texts, _), code in zip(coded, codes, strict=True)]
            if scope[self._position] not in self._since:
                continue
            text = SEPARATOR.join(scope)
            for table in (self._pairs, self._news):
                sums = table.setdefault(text, [0, 0])
                sums[0] += pair[0]
                sums[1] += pair[-1]
        over = len(self._pairs) - KEYS_MAX
        for text in list(islice(self._pairs, max(0, over))):
            del self._pairs[text]

    def moved_ids(self, keys: KeyTable) -> Int64:
        """The scopes of the numbers in :attr:`moved`, ascending."""
        if len(self.rule.by) == 1:
            found = [keys.find(number) for number in sorted(self.moved)]
            ids = [key for key in found if key is not None]
        else:
            living = keys.living().tolist()
            texts = zip(living, keys.names(living), strict=True)
            ids = [key for key, text in texts if self._number_of(text) in self.moved]
        return np.array(sorted(ids), dtype=np.int64)

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
            "made_of": self._marks,
            "since": dict(self._since),
            "pairs": [[text, *pair] for text, pair in self._pairs.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave; of another figure, the numbers without its sums."""
        self._since = dict(state["since"])
        same = state["made_of"] == self._marks
        self._pairs = {text: list(pair) for text, *pair in state["pairs"]} if same else {}
