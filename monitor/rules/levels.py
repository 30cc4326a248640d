"""Levels and evidence, as ``rules.yaml`` says them.

Owns where a rule fires and lets go, how sure it has to be, and that the two levels fit together.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from monitor.decisions import Level as LevelName
from monitor.rules.fields import Direction, FalseAlarms, Part, fault
from monitor.rules.relative import WRITTEN, Relative
from monitor.units import Share, Threshold

Bound = Annotated[Threshold | Relative, WRITTEN]
"""A threshold, or a bound that moves."""


def _is_none(value: object) -> bool:
    return value is None


LEVELS: tuple[LevelName, ...] = ("warn", "crit")
"""Mild to severe: a level's rank is its place here."""


class Sequential(Part):
    """The e-detector: a stated time between false alarms, at every look (docs/evidence.md)."""

    method: Literal["sequential"]
    """A stated time between false alarms, at every look."""
    false_alarms: FalseAlarms = Fraction(30)
    """At most so many: `1 per 30 scope-days`. A scope-day is 8 h of its work."""


class Wilson(Part):
    """The bound of Wilson's interval lies beyond the threshold; honest for a single look only."""

    method: Literal["wilson"]
    """Sure for one look only."""
    confidence: Share = Fraction(99, 100)
    min_hits: int = Field(default=3, ge=1)
    """Events on the bad side: hits for ``above``, misses for ``below``."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not Fraction(1, 2) <= self.confidence < 1:
            raise fault("confidence is from 50% up to, not including, 100%")
        return self


class Raw(Part):
    """The value itself lies beyond the threshold, with at least ``min_of`` below the line."""

    method: Literal["raw"]
    """The value itself."""
    min_of: int = Field(default=1, ge=1)
    """So much below the line, at least: events, or in the field's unit."""


EvidenceRule = Annotated[Sequential | Wilson | Raw, Field(discriminator="method")]


class Level(Part):
    """One severity: where it fires and where it lets go."""

    above: Bound | None = None
    """Breaches above it."""
    below: Bound | None = None
    """Breaches below it."""
    at_least: Bound | None = None
    """Breaches above it, and on it."""
    at_most: Bound | None = None
    """Breaches below it, and on it."""
    clear: Bound | None = None
    """The value at which it lets go, this value included; the threshold itself when left out."""
    gap: Annotated[Threshold | None, Field(exclude_if=_is_none)] = None
    """With a threshold that moves: how far beyond it the value must lie."""
    evidence: EvidenceRule | None = None
    """Overrides the rule's: a warning may use a looser figure than the level that acts."""

    @model_validator(mode="after")
    def _sides(self) -> Self:
        written = [bound for bound in self._written() if bound is not None]
        if len(written) > 1:
            raise fault("one of above, below, at_least, at_most, not several")
        if not written and self.clear is not None:
            raise fault("clear without a threshold")
        if not written and self.evidence is not None:
            raise fault("evidence without a threshold")
        if self.gap is not None and self.relative is None:
            raise fault("gap goes with a threshold that moves", "leave it out")
        if isinstance(self.clear, Relative) and self.relative is None:
            raise fault("clear moves and the threshold does not")
        if written and self.clear is not None:
            self._check_clear(written[0], self.clear)
        return self

    def _written(self) -> tuple[Threshold | Relative | None, ...]:
        return (self.above, self.below, self.at_least, self.at_most)

    def _check_clear(self, bound: Threshold | Relative, clear: Threshold | Relative) -> None:
        if isinstance(bound, Relative) or isinstance(clear, Relative):
            return  # which of them is larger changes from hour to hour
        if bound.is_share != clear.is_share:
            msg = f"clear ({clear}) and threshold ({bound}) are of different kinds"
            raise fault(msg)
        side = "below" if self.direction == "above" else "above"
        wrong = clear > bound if self.direction == "above" else clear < bound
        if wrong or (self.inclusive and clear == bound):
            msg = f"clear ({clear}) must be {side} the threshold ({bound})"
            raise fault(
                msg,
                "or it would fire and let go at once",
            )

    @property
    def bound(self) -> Threshold | None:
        """The fixed threshold; None where it moves, and for a rule without figures."""
        return next((bound for bound in self._written() if isinstance(bound, Threshold)), None)

    @property
    def relative(self) -> Relative | None:
        """The threshold that moves; None where it is fixed, and for a rule without figures."""
        return next((bound for bound in self._written() if isinstance(bound, Relative)), None)

    @property
    def fixed_clear(self) -> Threshold | None:
        """The fixed value at which it lets go, where one is written."""
        return None if isinstance(self.clear, Relative) else self.clear

    @property
    def direction(self) -> Direction:
        """On which side of the threshold the breach lies."""
        return "below" if self.below is not None or self.at_most is not None else "above"

    @property
    def inclusive(self) -> bool:
        """The threshold itself breaches."""
        return self.at_least is not None or self.at_most is not None


class Levels(Part):
    """One or both severities."""

    warn: Level | None = None
    """The milder level."""
    crit: Level | None = None
    """The severer level; what acts, acts at it."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        warn, crit = self.warn, self.crit
        if warn is None and crit is None:
            raise fault("a rule needs a level: warn, crit or both")
        if warn is None or crit is None:
            return self
        if warn.direction != crit.direction:
            raise fault("warn and crit point in different directions")
        if warn.bound is None or crit.bound is None:
            return self
        for name, mild, severe in (
            ("threshold", warn.bound, crit.bound),
            ("clear", warn.fixed_clear or warn.bound, crit.fixed_clear or crit.bound),
        ):
            wrong = severe < mild if warn.direction == "above" else severe > mild
            if wrong:
                msg = f"the {name} of crit ({severe}) is milder than that of warn ({mild})"
                raise fault(msg)
        return self

    @property
    def severest(self) -> tuple[LevelName, Level]:
        """The one at which a rule acts."""
        *_, severest = self.items()
        return severest

    def items(self) -> Iterator[tuple[LevelName, Level]]:
        """The levels there are, mild to severe."""
        for name in LEVELS:
            level: Level | None = getattr(self, name)
            if level is not None:
                yield name, level
