"""A rule's levels against the figures of many keys at once.

Owns the vector part of judging: thresholds, evidence, and which of several windows is shown. It
knows nothing of states and time; ``monitor.rules.figure_rule`` walks the few rows that matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from monitor.decisions import Evidence, Figures
from monitor.decisions import Level as LevelName
from monitor.rules.conditions import Bounds
from monitor.rules.detector import Detector
from monitor.rules.evidence import wilson_bound
from monitor.rules.fresh_figures import FreshFigures
from monitor.rules.levels import Level, Raw, Sequential, Wilson
from monitor.rules.model import Rule
from monitor.rules.ports import Bool, FigureView, Float64, Int64
from monitor.rules.references import Moving, References
from monitor.rules.walk import Sighting

DEFAULT_COUNTABLE = Sequential(method="sequential")
DEFAULT_COUNT = Raw(method="raw")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one level says of each key in one window; shapes ``(n,)``."""

    breach: Bool
    cleared: Bool
    enough: Bool
    score: Float64
    needed: float
    bound: Float64 | None = None
    """Where it breaches, of a bound that moves; ``score`` is the value then."""


class LevelJudge:
    """One level of a rule."""

    def __init__(
        self,
        name: LevelName,
        level: Level,
        rule: Rule,
        view: FigureView,
        references: References,
        **times: int,
    ) -> None:
        self.name = name
        self.moving = None if level.relative is None else Moving(rule, level, view, references)
        self.bounds: Bounds | None = None
        if self.moving is None:
            self.bounds = Bounds.of(level, scale_hits=view.scale_hits, scale_of=view.scale_of)
        self.evidence = level.evidence or rule.evidence or default_evidence(view)
        self._threshold = level.bound or Fraction(0)
        self._above = level.direction == "above"
        self._inclusive = level.inclusive
        self._scale_of = view.scale_of
        self.detector: Detector | None = None
        if isinstance(self.evidence, Sequential):
            needed = float(self.evidence.false_alarms)
            self.detector = Detector(self._threshold, level.direction, needed=needed, **times)

    @property
    def least(self) -> int:
        """Below the line, in fixed point, less than this is never a breach by value."""
        return self.evidence.min_of * self._scale_of if isinstance(self.evidence, Raw) else 1

    def suspicious(self, ids: Int64) -> Bool:
        """Where the detector, which there is, has what it needs."""
        assert self.detector is not None  # noqa: S101
        return self.detector.enough(ids)

    def judge(self, ids: Int64, hits: Int64, of: Int64) -> Verdict:
        """The verdict on figures of ``ids``; nothing breaches or clears where ``of`` is 0."""
        if self.bounds is None:
            return self._judge_moving(ids, hits, of)
        data = of != 0
        breached = self.bounds.breached(hits, of) & data
        cleared = self.bounds.cleared(hits, of) & data
        match self.evidence:
            case Raw(min_of=least):
                enough = data & (of >= least * self._scale_of)
                score = of / self._scale_of
                return Verdict(breached & enough, cleared, enough, score, float(least))
            case Wilson():
                bound, sure = self._wilson(self.evidence, hits, of)
                breach = breached & sure
                return Verdict(breach, cleared, breach | ~breached, bound, float(self._threshold))
            case Sequential(false_alarms=days):
                needed = float(days)
                score = self._scores(ids)
                # A value that has already let go would fire and recover at once.
                breach = (score >= needed) & data & ~cleared
                return Verdict(breach, cleared, breach | ~breached, score, needed)

    def _judge_moving(self, ids: Int64, hits: Int64, of: Int64) -> Verdict:
        assert self.moving is not None  # noqa: S101
        data = of != 0
        enough = data & (of >= self.least)
        value, bound = self.moving.values(hits, of), self.moving.bound(ids)
        return Verdict(
            breach=self.moving.breached(value, bound) & enough,
            cleared=self.moving.cleared(ids, value, bound) & data,
            enough=enough,
            score=value,
            needed=0.0,
            bound=bound,
        )

    def _wilson(self, rule: Wilson, hits: Int64, of: Int64) -> tuple[Float64, Bool]:
        side: Literal["lower", "upper"] = "lower" if self._above else "upper"
        bound = wilson_bound(hits, of, rule.confidence, side)
        bad = hits if self._above else of - hits
        threshold = float(self._threshold)
        beyond = bound > threshold if self._above else bound < threshold
        if self._inclusive:
            beyond |= bound == threshold
        return bound, beyond & (bad >= rule.min_hits)

    def _scores(self, ids: Int64) -> Float64:
        return np.zeros(len(ids)) if self.detector is None else self.detector.score(ids)

    def stands(self, score: float, needed: float, bound: float | None) -> Evidence:
        """The evidence on one key, for its alert: of a verdict, at the key's position."""
        if bound is not None:
            return Evidence("relative", score, 0.0 if math.isnan(bound) else bound)
        return Evidence(self.evidence.method, 0.0 if math.isnan(score) else score, needed)


def default_evidence(view: FigureView) -> Sequential | Raw:
    """What judges a rule that names no evidence."""
    return DEFAULT_COUNTABLE if view.countable else DEFAULT_COUNT


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says of each key: of all its levels, in the window chosen for the key."""

    ids: Int64
    window: Int64
    """Position of the chosen window."""
    hits: Int64
    of: Int64
    breach: Bool
    """Shape ``(levels, n)``, as ``cleared``."""
    cleared: Bool
    enough: Bool
    verdicts: tuple[tuple[Verdict, ...], ...]
    """By window, then level."""
    windows: list[int]
    """Positions of the windows judged: what ``verdicts`` counts along."""


class RuleJudge:
    """All levels of a rule over all its windows."""

    def __init__(
        self, rule: Rule, views: list[FigureView], references: References, **times: int
    ) -> None:
        self.views = views
        self.fresh = FreshFigures.of(rule, views)
        """Figures of numbers on probation, in place of the windows'."""
        self.keys = rule.window_keys
        self._scales = np.array([view.scale_of for view in views], dtype=np.int64)
        self.levels = [
            LevelJudge(name, level, rule, views[0], references, **times)
            for name, level in rule.levels.items()
        ]
        self._named = {level.name: (place, level) for place, level in enumerate(self.levels)}
        self.moving = [level.moving for level in self.levels if level.moving is not None]
        self._proven = [level for level in self.levels if level.detector is not None]
        valued = [level for level in self.levels if level.detector is None]
        fixed = [level.bounds for level in valued if level.bounds is not None]
        self._mildest: Bounds | None = None
        """Of the levels that go by the value: what breaches one of them lies beyond this."""
        if fixed:
            inclusive = any(bounds.inclusive for bounds in fixed)
            self._mildest = replace(fixed[0], inclusive=inclusive)
        self._least = min((level.least for level in valued), default=0)

    @property
    def by_value(self) -> bool:
        """Some level may breach by its value alone."""
        return self._mildest is not None or bool(self.moving)

    def suspects(self, ids: Int64, windows: list[int]) -> tuple[Bool, list[Int64]]:
        """Which of ``ids`` may breach: all that do, and few others.

        At nearly every tick that is nobody, and this is all that is done for the rule: a few
        comparisons instead of the sixty that :meth:`judge` makes.

        Returns:
            The mask, and the figures below the line that were looked at, by window; none where
            the detectors alone decide.
        """
        below: list[Int64] = []
        mask = np.zeros(len(ids), dtype=np.bool_)
        for level in self._proven:
            mask |= level.suspicious(ids)
        if self._mildest is not None:
            for window in windows:
                hits, of = self._figures(window, ids)
                mask |= self._mildest.breached(hits, of) & (of >= self._least)
                below.append(of)
        for moving in self.moving:
            hits, of = self._figures(0, ids)
            breached = moving.breached(moving.values(hits, of), moving.bound(ids))
            mask |= breached & (of >= self._least)
        return mask, below

    def judge(self, ids: Int64, windows: list[int]) -> Judgement:
        """Judge ``ids`` (ascending) in the windows at these positions, shortest first.

        The window chosen for a key is the shortest with enough evidence: the first one in which
        its worst breach is proven, else the first whose verdict can be told at all. Under ``raw``
        a window with ``min_of`` settles it, whatever longer windows say.
        """
        figures = [self._figures(w, ids) for w in windows]
        verdicts = tuple(
            tuple(level.judge(ids, hits, of) for level in self.levels) for hits, of in figures
        )
        chosen = self._choose(verdicts, figures, len(ids))

        def pick(columns: list[Any]) -> Any:
            return columns[0] if len(columns) == 1 else np.array(columns)[chosen, rows]

        rows = np.arange(len(ids))
        levels = range(len(self.levels))
        return Judgement(
            ids=ids,
            window=np.array(windows, dtype=np.int64)[chosen],
            hits=pick([hits for hits, _ in figures]),
            of=pick([of for _, of in figures]),
            breach=np.array([pick([found[n].breach for found in verdicts]) for n in levels]),
            cleared=np.array([pick([found[n].cleared for found in verdicts]) for n in levels]),
            enough=np.logical_and.reduce(
                [pick([found[n].enough for found in verdicts]) for n in levels]
            ),
            verdicts=verdicts,
            windows=windows,
        )

    def _figures(self, window: int, ids: Int64) -> tuple[Int64, Int64]:
        view = self.views[window]
        figures = view.figures(ids)
        return self.fresh.over(view.keys, ids, *figures) if self.fresh else figures

    def _choose(
        self,
        verdicts: tuple[tuple[Verdict, ...], ...],
        figures: list[tuple[Int64, Int64]],
        n: int,
    ) -> Int64:
        if len(verdicts) == 1:
            return np.zeros(n, dtype=np.int64)
        best = np.full(n, -1, dtype=np.int64)
        chosen = np.full(n, len(verdicts) - 1, dtype=np.int64)
        settled = np.zeros(n, dtype=np.bool_)
        for position, (per_level, (_, of)) in enumerate(zip(verdicts, figures, strict=True)):
            worth = (of != 0).astype(np.int64)
            for level, verdict in enumerate(per_level):
                worth += verdict.enough & (of != 0)
                worth = np.where(verdict.breach, 10 * (level + 1), worth)
            better = (worth > best) & ~settled
            chosen = np.where(better, position, chosen)
            best = np.where(better, worth, best)
            for level_judge, verdict in zip(self.levels, per_level, strict=True):
                if isinstance(level_judge.evidence, Raw):
                    settled |= verdict.enough
        return chosen

    def codes(self, judgement: Judgement, min_of: int) -> list[int]:
        """By key, one number for all that a :class:`Sighting` says but its figures.

        While it stays as it was, only time moves a scope. ``min_of`` as in :meth:`sight`.
        """
        ample = judgement.of >= min_of * self._scales[judgement.window]
        codes: Int64 = (judgement.of != 0) + 2 * judgement.enough.astype(np.int64) + 4 * ample
        for flags in (*judgement.breach, *judgement.cleared):
            codes = 2 * codes + flags
        found: list[int] = codes.tolist()
        return found

    def sight(self, judgement: Judgement, position: int, min_of: int) -> Sighting:
        """One key of a judgement in plain values; ``min_of`` in events, or in the field's unit."""
        chosen, of = int(judgement.window[position]), int(judgement.of[position])
        breach, cleared = judgement.breach[:, position], judgement.cleared[:, position]
        names = [level.name for level in self.levels]
        return Sighting(
            data=of != 0,
            enough=bool(judgement.enough[position]),
            ample=of >= min_of * self.views[chosen].scale_of,
            breach=dict(zip(names, breach.tolist(), strict=True)),
            cleared=dict(zip(names, cleared.tolist(), strict=True)),
            figures=self.figures(judgement, position),
            evidence={name: self.stands(judgement, position, name) for name in names},
        )

    def figures(self, judgement: Judgement, position: int) -> Figures:
        """The figures of one key, in the window chosen for it."""
        chosen = int(judgement.window[position])
        return self._figures_of(chosen, int(judgement.hits[position]), int(judgement.of[position]))

    def stands(self, judgement: Judgement, position: int, name: LevelName) -> Evidence:
        """The evidence of one key for a level, in the window chosen for it."""
        _, level = self._named[name]
        return level.stands(*self._evidence_of(judgement, position, name))

    def shows(
        self, judgement: Judgement, position: int, name: LevelName
    ) -> Callable[[], tuple[Figures, Evidence]]:
        """What makes both; it holds nothing of the other keys."""
        chosen = int(judgement.window[position])
        figures = chosen, int(judgement.hits[position]), int(judgement.of[position])
        evidence = self._evidence_of(judgement, position, name)
        _, level = self._named[name]
        return lambda: (self._figures_of(*figures), level.stands(*evidence))

    def _figures_of(self, chosen: int, hits: int, of: int) -> Figures:
        view = self.views[chosen]
        # Two integers divided are rounded once, as their fraction would be.
        value = (hits * view.scale_of) / (of * view.scale_hits) if of else None
        return Figures(
            value, hits / view.scale_hits, of / view.scale_of, self.keys[chosen], view.kind
        )

    def _evidence_of(
        self, judgement: Judgement, position: int, name: LevelName
    ) -> tuple[float, float, float | None]:
        place, _ = self._named[name]
        verdict = judgement.verdicts[judgement.windows.index(int(judgement.window[position]))][
            place
        ]
        bound = None if verdict.bound is None else float(verdict.bound[position])
        return float(verdict.score[position]), verdict.needed, bound
