"""Evidence taken in for all rules on one indicator and scope.

Owns when it is: before the tick is judged, from the tick's new rows alone, and not of numbers that
are out of service. The arithmetic is ``monitor.rules.detector``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from monitor.rules.detector import Bank
from monitor.rules.figure_rule import FigureRule
from monitor.rules.ports import Int64


class Gathering:
    """The evidence of the rules given, which differ in their bounds alone."""

    def __init__(self, rules: Sequence[FigureRule]) -> None:
        """All look at the same indicator by the same scope, and have a detector."""
        self.by = rules[0].rule.by
        self._rules = [rule for rule in rules for _ in rule.detectors]
        self._bank = Bank([each for rule in rules for each in rule.detectors])
        self._view, self._numbers = rules[0].view, rules[0].numbers
        self._all = np.arange(len(self._rules))
        self._limited = any(rule.rule.term.limited for rule in rules)
        self._held: frozenset[str] = frozenset()

    def step(self, tick: int, held: AbstractSet[str]) -> None:
        """Take in the new rows of ``tick``; numbers just held begin again from nothing."""
        newly = held - self._held
        if newly:
            self._bank.reset(self._numbers.of_numbers(self._bank.fed(), newly))
        if newly or len(held) != len(self._held):
            self._held = frozenset(held)
        ids, hits, of = self._view.fresh()
        here = self._numbers.in_service(ids)
        self._bank.feed(tick, ids[here], hits[here], of[here], self._columns(tick))

    def forget(self, keys: Iterable[int]) -> None:
        """The keys were evicted; their ids may come back as others."""
        self._bank.forget(np.array(sorted(keys), dtype=np.int64))

    def _columns(self, tick: int) -> Int64:
        """The detectors of the rules in force."""
        if not self._limited:
            return self._all
        return np.flatnonzero([rule.rule.term.holds(tick) for rule in self._rules])


def gatherings(rules: Iterable[FigureRule]) -> list[Gathering]:
    """Of rules that judge by evidence: one for each indicator and scope."""
    groups: dict[tuple[str | None, tuple[str, ...]], list[FigureRule]] = {}
    for rule in rules:
        if rule.detectors:
            groups.setdefault((rule.rule.indicator, rule.rule.by), []).append(rule)
    return [Gathering(group) for group in groups.values()]
