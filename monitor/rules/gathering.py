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
from monitor.rules.term import Term


class Gathering:
    """The evidence of the rules given, which differ in their bounds alone."""

    def __init__(self, rules: Sequence[FigureRule]) -> None:
        """All judge one indicator by one scope, in the same term, and each has a detector.

        One that looks at numbers on probation is alone.
        """
        self.by = rules[0].rule.by
        self._rules = [rule for rule in rules for _ in rule.detectors]
        self._bank = Bank([each for rule in rules for each in rule.detectors])
        self._view, self._numbers = rules[0].view, rules[0].numbers
        self.hot: list[FigureRule] = []
        """For these some scope may have the evidence that is needed."""

    def step(self, tick: int, newly: AbstractSet[str]) -> None:
        """Take in the new rows of ``tick``, and say which rules have the evidence that they need.

        Numbers that are ``newly`` out of service begin again from nothing.
        """
        if newly:
            self._bank.reset(self._numbers.of_numbers(self._bank.fed(), newly))
        if not self._rules[0].term.holds(tick):
            return
        ids, hits, of = self._view.entered()
        fresh = self._rules[0].fresh
        if fresh:  # of numbers on probation only what is fresh is evidence
            ids, hits, of = fresh.news(self._view.keys, ids, hits, of)
        here = self._numbers.in_service(ids)
        self._bank.feed(tick, ids[here], hits[here], of[here])
        self.hot = [self._rules[column] for column in self._bank.over.nonzero()[0].tolist()]

    def forget(self, keys: Iterable[int]) -> None:
        """The keys were evicted; their ids may come back as others."""
        self._bank.forget(np.array(sorted(keys), dtype=np.int64))


def gatherings(rules: Iterable[FigureRule]) -> list[Gathering]:
    """Of rules that judge by evidence: one for each indicator, scope and term.

    A rule with a probation has one of its own: what it leaves out is evidence for the others.
    """
    groups: dict[tuple[str | None, tuple[str, ...], Term, str], list[FigureRule]] = {}
    for rule in rules:
        if rule.detectors:
            alone = "" if rule.fresh is None else rule.rule.id
            key = rule.rule.indicator, rule.rule.by, rule.term, alone
            groups.setdefault(key, []).append(rule)
    return [Gathering(group) for group in groups.values()]
