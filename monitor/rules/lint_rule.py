"""Findings on one rule on an indicator: can it fire, how surely, does it ever let go.

Owns the judgement of a single rule against its indicator and the usual volume; which rules are
looked at, and what concerns several of them, is ``monitor.rules.lint``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, Literal, Protocol, TypeVar

from monitor.decisions import Level as LevelName
from monitor.errors import Problem
from monitor.events.catalogue import FIELDS
from monitor.indicators.formula import is_countable
from monitor.indicators.model import Indicator
from monitor.indicators.now_model import NOW
from monitor.rules import chances
from monitor.rules.chances import HOUR_MS, Volume
from monitor.rules.levels import EvidenceRule, Level, Raw, Sequential, Wilson
from monitor.rules.model import Rule
from monitor.units import Threshold, format_duration, parse_duration

Severity = Literal["error", "warning", "info"]
Loc = tuple[str | int, ...]
T = TypeVar("T")

_CALENDAR_MS = {"day": 24 * HOUR_MS, "week": 7 * 24 * HOUR_MS, "month": 30 * 24 * HOUR_MS}
_HARDLY = 0.01
"""Chance of one look at twice the threshold, below which a rule is as good as deaf."""
_LOOKED_AT_MAX = 20_000
"""Events of a window; with more nothing is deaf."""
_DEFAULT_COUNTABLE = Sequential(method="sequential")
_DEFAULT_OTHER = Raw(method="raw")


class Locate(Protocol):
    """Puts a fault of one rule or indicator on its line."""

    def __call__(self, loc: Loc, message: str, hint: str = "") -> Problem:
        """The problem at ``loc`` within the rule or indicator."""
        ...


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A rule or indicator as it is in force, and where it was written."""

    value: T
    locate: Locate


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark of the linter."""

    severity: Severity
    problem: Problem


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rule is judged against."""

    routes: Collection[str] | None = None
    """Routes that ``config.yaml`` defines; None: not known here, not checked."""
    volume: Volume = field(default_factory=Volume)
    tick_ms: int = 5_000


class RuleLint:
    """The findings on one rule on an indicator."""

    def __init__(
        self, rule: Placed[Rule], indicator: Indicator, surroundings: Surroundings
    ) -> None:
        self._rule = rule.value
        self._locate = rule.locate
        self._indicator = indicator
        self._around = surroundings
        self._countable = is_countable(indicator)
        self._scope = " × ".join(self._rule.by)
        keys = self._rule.window_keys
        self._lengths = [_length_ms(key) for key in keys]
        self._usual = [self._below_the_line(length) for length in self._lengths]

    def findings(self) -> Iterator[Finding]:
        """All of them."""
        yield from self._pending()
        for name, level in self._rule.levels.items():
            impossible = list(self._range(name, level))
            yield from impossible
            if not impossible:
                yield from self._evidence(name, level)
        yield from self._recovery()
        yield from self._suspension()

    # --- can it fire at all? ----------------------------------------------------------------------

    def _range(self, name: LevelName, level: Level) -> Iterator[Finding]:
        """Thresholds beyond what the figure can be, or on this side of all it can be."""
        bound = level.bound
        if bound is None:
            return
        low, high = self._reach()
        above, inclusive = level.direction == "above", level.inclusive
        end, start = (high, low) if above else (low, high)
        sign = 1 if above else -1
        loc = ("levels", name, _key_of(level))
        if end is not None and _beyond(bound, end, sign, at=not inclusive):
            shown = Threshold(end, is_share=bound.is_share)
            message = f"can never fire: {self._indicator.id} goes no further than {shown}"
            yield Finding("error", self._locate(loc, message))
        elif start is not None and _beyond(start, bound, sign, at=inclusive):
            message = f"always fires: {self._indicator.id} is never on the good side of {bound}"
            yield Finding("error", self._locate(loc, message))

    def _reach(self) -> tuple[Fraction | None, Fraction | None]:
        """The least and the largest value the figure can have, where that is known."""
        indicator = self._indicator
        if indicator.kind == "mean" and indicator.value is not None:
            kinds = [FIELDS.get(name) for name in indicator.value.added]
            ranged = [kind for kind in kinds if kind is not None and kind.is_ranged]
            if len(ranged) < len(kinds):
                return None, None
            # A missing part of a sum adds nothing, so the least may be that of one part alone.
            below = sum(kind.low for kind in ranged if kind.low < 0)
            least = below or min(kind.low for kind in ranged)
            return Fraction(least), Fraction(sum(kind.high for kind in ranged))
        signed = any(
            measure.verb == "sum" and any(FIELDS[name].low < 0 for name in measure.added)
            for measure in indicator.measures.values()
        )
        low = None if signed else Fraction(0)
        is_share = self._countable or self._indicator.kind in {"population", "response"}
        share = is_share and self._indicator.figure == "ratio"
        return low, Fraction(1) if share else None

    # --- does it fire when it should, and only then? ----------------------------------------------

    def _evidence(self, name: LevelName, level: Level) -> Iterator[Finding]:
        default = _DEFAULT_COUNTABLE if self._countable else _DEFAULT_OTHER
        evidence: EvidenceRule = level.evidence or self._rule.evidence or default
        own = level.evidence is not None
        loc: Loc = ("levels", name, "evidence") if own else ("evidence",)
        if isinstance(evidence, Sequential):
            yield from self._sequential(name, level, evidence, loc)
        elif isinstance(evidence, Wilson):
            yield from self._wilson(level, evidence, loc)
        else:
            yield from self._raw(name, level, evidence, loc)

    def _sequential(
        self, name: LevelName, level: Level, evidence: Sequential, loc: Loc
    ) -> Iterator[Finding]:
        per_day = self._below_the_line(self._around.volume.scope_day_ms)
        bound = level.bound
        if per_day is None or bound is None or not 0 < bound < 1:
            return
        above = level.direction == "above"
        day_h = self._around.volume.scope_day_ms / HOUR_MS
        needed = float(evidence.false_alarms)

        def hours(rate: float) -> float:
            events = chances.sequential_events(bound, rate, needed, per_day, above=above)
            return day_h * events / per_day

        at_worst = hours(1.0 if above else 0.0)
        if at_worst > day_h:
            message = (
                f"{name} cannot fire within a day's work: {self._usually(per_day, day_h)}, and even"
                f" if all were bad it would take {at_worst:.1f} h"
            )
            hint = "allow more false alarms, or judge a scope with more events"
            yield Finding(self._if_acting(), self._locate(loc, message, hint))
            return
        rates = [_worse(bound, factor, above=above) for factor in (1.5, 2.0)]
        delays = ", ".join(f"{rate * 100:.3g}% after {_hours(hours(rate))}" for rate in rates)
        usually = self._usually(per_day, day_h)
        message = f"{name}: at most one false alarm in {needed:g} scope-days; {usually} it sees"
        message += f" a true rate of {delays}, or so"
        message += self._on_target(bound, needed, per_day, above=above)
        yield Finding("info", self._locate(loc, message))

    def _on_target(self, bound: Threshold, needed: float, per_day: float, *, above: bool) -> str:
        """How rare false alarms are where all is as it should be."""
        target = self._indicator.target
        if target is None or not 0 < target < 1 or target == bound or (target < bound) != above:
            return ""
        most = chances.false_alarms_most(bound, float(target), needed, per_day, above=above)
        return f"; on the target of {target} a false alarm comes once in {1 / most:,.0f} or more"

    def _wilson(self, level: Level, evidence: Wilson, loc: Loc) -> Iterator[Finding]:
        bound, usual = level.bound, self._usual[-1]
        if bound is None:
            return
        bad = Fraction(bound) if level.direction == "above" else 1 - bound
        least = chances.wilson_least(bad, evidence.confidence, evidence.min_hits)
        if usual is not None and least > usual:
            yield self._too_few(least, len(self._usual) - 1, loc)
        elif usual is not None:
            yield from self._hardly(bound, evidence, usual, loc, above=level.direction == "above")
        looks = self._around.volume.scope_day_ms // self._around.tick_ms
        wrong = float(1 - evidence.confidence)
        message = (
            f"wilson's {evidence.confidence} holds for one look, and a rule looks"
            f" {looks} times a day: at the threshold it is wrong far more often than {wrong:.2g}"
        )
        hint = "sequential keeps its word at every look"
        yield Finding(self._if_acting("warning", "info"), self._locate(loc, message, hint))

    def _hardly(
        self, bound: Threshold, evidence: Wilson, usual: float, loc: Loc, *, above: bool
    ) -> Iterator[Finding]:
        """It could fire if nearly all were bad, and nothing is ever as bad as that."""
        if not 0 < bound < 1:
            return
        rate = _worse(bound, 2.0, above=above)
        held = min(round(usual), _LOOKED_AT_MAX)
        least, confidence = evidence.min_hits, evidence.confidence
        chance = chances.wilson_chance(bound, confidence, least, held, rate, above=above)
        if chance < _HARDLY:
            message = (
                f"hardly ever fires: {self._held(-1)}, and even at a true rate of {rate * 100:.3g}%"
                f" a look at so many breaches with a chance of {chance:.1g}"
            )
            hint = "a longer window, a scope with more events, or sequential, which needs no window"
            yield Finding("warning", self._locate(loc, message, hint))

    def _raw(self, name: LevelName, level: Level, evidence: Raw, loc: Loc) -> Iterator[Finding]:
        last = len(self._usual) - 1
        usual = self._usual[last]
        if usual is not None and evidence.min_of > usual:
            yield self._too_few(evidence.min_of, last, (*loc, "min_of"))
            return
        for index in range(last):
            few = self._usual[index]
            if few is not None and evidence.min_of > few:
                message = f"window {self._rule.window_keys[index]} is hardly ever the one judged"
                hint = f"{self._held(index)}, and min_of is {evidence.min_of}"
                yield Finding("info", self._locate(("windows", index), message, hint))
        if self._countable and self._rule.action is not None:
            message = "a rule that acts on a raw value fires by chance: it looks at every tick"
            hint = "evidence: {method: sequential, false_alarms: 1 per 30 scope-days}"
            yield Finding("warning", self._locate(loc, message, hint))
        yield from self._by_chance(name, level, evidence, loc)

    def _by_chance(
        self, name: LevelName, level: Level, evidence: Raw, loc: Loc
    ) -> Iterator[Finding]:
        """How often one full window breaches when all is on target; hits are rare and chance."""
        target, bound = self._indicator.target, level.bound
        counts = all(
            measure.verb in {"count", "distinct"} for measure in self._indicator.measures.values()
        )
        is_ratio = self._indicator.kind == "ratio"
        if target is None or bound is None or level.direction == "below":
            return
        if not (is_ratio and counts and target.is_share and 0 < target <= bound < Fraction(1, 10)):
            return
        # Above the bound, or on it: the largest count that does not breach.
        edge = bound * evidence.min_of
        calm = edge if not level.inclusive or edge.denominator != 1 else edge - 1
        chance = chances.exceeds(float(calm), float(target * evidence.min_of))
        message = (
            f"{name}: one {self._scope} right on target ({target}) breaches by chance in"
            f" {chance * 100:.2g}% of its windows of {evidence.min_of}"
        )
        yield Finding("info", self._locate(loc, message))

    def _too_few(self, least: int, index: int, loc: Loc) -> Finding:
        message = f"needs {least} below the line, and {self._held(index)}"
        hint = "a lower figure, a longer window, or a scope with more events"
        return Finding(self._if_acting(), self._locate(loc, message, hint))

    # --- windows, recovery, suspension ------------------------------------------------------------

    def _pending(self) -> Iterator[Finding]:
        if any(a >= b for a, b in zip(self._lengths, self._lengths[1:], strict=False)):
            message = (
                "windows are not in order of length; the shortest with enough evidence is judged"
            )
            yield Finding("warning", self._locate(("windows",), message, "shortest first"))
        pending = self._rule.pending.for_ms
        if pending and pending >= min(self._lengths) > 0:
            message = f"pending for {format_duration(pending)} outlasts the window it looks at"
            yield Finding("warning", self._locate(("pending", "for"), message))

    def _recovery(self) -> Iterator[Finding]:
        least, usual = self._rule.recovering.min_of, self._usual[-1]
        if usual is not None and usual < least:
            message = f"hardly ever recovers: it needs {least} below the line, and "
            problem = self._locate(("recovering", "min_of"), message + self._held(-1))
            yield Finding("warning", problem)

    def _suspension(self) -> Iterator[Finding]:
        action = self._rule.action
        if action is None or action.suspend.ttl is None:
            return
        kinds = [level.evidence or self._rule.evidence for _, level in self._rule.levels.items()]
        if any(
            isinstance(kind, Sequential) or (kind is None and self._countable) for kind in kinds
        ):
            return  # its evidence starts anew after a suspension
        longest = max(self._lengths)
        if action.suspend.ttl < longest:
            ttl = format_duration(action.suspend.ttl)
            message = f"after {ttl} the same events still stand in the window of"
            message += f" {self._rule.window_keys[-1]}, and suspend it again"
            problem = self._locate(("action", "suspend", "ttl"), message, "make ttl as long")
            yield Finding("warning", problem)

    # --- words ------------------------------------------------------------------------------------

    def _below_the_line(self, length_ms: int) -> float | None:
        """What usually stands below the line of a window so long; None where nobody knows."""
        below = self._indicator.measures.get("of") or self._indicator.measures.get("value")
        if below is None or below.verb in {"distinct", "min", "max", "sum"}:
            return None
        if below.verb == "seconds_in":
            return self._around.volume.signed_in_s(self._rule.by, length_ms)
        types = {name for selection in below.selections for name in selection.on}
        if not types <= {"call.ended"} or self._indicator.kind == "count":
            return None  # how many ratings or messages there are is anybody's guess
        answered = all("'answered'" in (each.where or "") for each in below.selections)
        share = self._around.volume.answered if answered else 1.0
        return share * self._around.volume.events(self._rule.by, length_ms)

    def _held(self, index: int) -> str:
        window = self._rule.window_keys[index]
        return f"one {self._scope} usually has {self._usual[index] or 0:.0f} in {window}"

    def _usually(self, events: float, hours: float) -> str:
        return f"at {events / hours:g} an hour"

    def _if_acting(self, acting: Severity = "error", telling: Severity = "warning") -> Severity:
        return acting if self._rule.action is not None else telling


def _length_ms(key: str) -> int:
    """Of a window by its key: a period or a duration, maybe with what it is cut by behind ``@``.

    Of figures as of now it is 0.
    """
    if key == NOW:
        return 0
    length = key.partition("@")[0]
    return _CALENDAR_MS[length] if length in _CALENDAR_MS else parse_duration(length)


def _key_of(level: Level) -> str:
    names = ("above", "below", "at_least", "at_most")
    return next(name for name in names if getattr(level, name) is not None)


def _beyond(value: Fraction, end: Fraction, sign: int, *, at: bool) -> bool:
    """``value`` lies past ``end`` in the direction of ``sign``; or on it, where that counts."""
    return (value - end) * sign > 0 or (at and value == end)


def _worse(bound: Fraction, factor: float, *, above: bool) -> float:
    """A true rate that is ``factor`` times as bad as the threshold, short of all being bad."""
    bad = float(bound if above else 1 - bound)
    worse = min(factor * bad, 1 - (1 - bad) / factor)
    return worse if above else 1 - worse


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
