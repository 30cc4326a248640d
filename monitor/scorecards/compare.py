"""Two cards side by side: on past periods, and in a run where the higher is paid.

Owns the figures of a comparison; both cards are worked out on the same sums, so that all that
differs is the cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from monitor.scorecards.report import Sheet, text_of


@dataclass(frozen=True, slots=True)
class Gap:
    """What one person is paid by both cards in one period."""

    period: str
    person: str
    team: str
    old: Fraction
    new: Fraction
    promotions: tuple[str, ...] = ()

    @property
    def difference(self) -> Fraction:
        """New less old."""
        return self.new - self.old

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "period": self.period,
            "person": self.person,
            "team": self.team,
            "old": text_of(self.old),
            "new": text_of(self.new),
            "difference": text_of(self.difference),
        }


@dataclass(frozen=True, slots=True)
class Spread:
    """Differences of several, at a glance."""

    label: str
    count: int
    mean: Fraction
    largest: Gap
    smallest: Gap
    gain: int
    """How many get more by the new card."""
    lose: int
    """How many get less."""
    old: Fraction
    new: Fraction

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "label": self.label,
            "count": self.count,
            "mean": text_of(self.mean),
            "largest": self.largest.to_json(),
            "smallest": self.smallest.to_json(),
            "gain": self.gain,
            "lose": self.lose,
            "old": text_of(self.old),
            "new": text_of(self.new),
        }


@dataclass(frozen=True, slots=True)
class Backtest:
    """Old against new, all periods."""

    old: str
    new: str
    currency: str
    gaps: tuple[Gap, ...]
    """Every person in every period."""
    people: tuple[Spread, ...]
    """Each person over all ordinary periods, by the mean difference, the worst off first."""
    totals: tuple[Gap, ...]
    """Everybody together, period by period; ``person`` is empty."""
    ordinary: Spread | None
    """Of people and ordinary periods; None: there was nobody."""
    promotion: Spread | None
    """Of people and periods with days of a promotion."""
    ordinary_totals: Spread | None
    promotion_totals: Spread | None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        spreads = {
            name: None if (spread := getattr(self, name)) is None else spread.to_json()
            for name in ("ordinary", "promotion", "ordinary_totals", "promotion_totals")
        }
        return {
            "old": self.old,
            "new": self.new,
            "currency": self.currency,
            **spreads,
            "people": [each.to_json() for each in self.people],
            "totals": [each.to_json() for each in self.totals],
            "differences": [each.to_json() for each in self.gaps],
        }


def backtest(pairs: Sequence[tuple[Sheet, Sheet]]) -> Backtest:
    """Compare the sheets of an old and a new card, period by period.

    Raises:
        ValueError: there is no period.
    """
    old, new = pairs[0]
    gaps = tuple(gap for one, two in pairs for gap in gaps_of(one, two))
    totals = tuple(
        Gap(one.period.label, "", "", one.total, two.total, _promotions(one, two))
        for one, two in pairs
    )
    ordinary = [gap for gap in gaps if not gap.promotions]
    names = dict.fromkeys(gap.person for gap in ordinary)
    people = [spread(name, [gap for gap in ordinary if gap.person == name]) for name in names]
    found = [each for each in people if each is not None]
    return Backtest(
        old.card,
        new.card,
        new.currency,
        gaps,
        tuple(sorted(found, key=lambda each: (each.mean, each.label))),
        totals,
        spread("ordinary", ordinary),
        spread("promotion", [gap for gap in gaps if gap.promotions]),
        spread("ordinary", [gap for gap in totals if not gap.promotions]),
        spread("promotion", [gap for gap in totals if gap.promotions]),
    )


def gaps_of(old: Sheet, new: Sheet) -> list[Gap]:
    """What each person is paid by both, in order of the person."""
    one, two = old.by_person(), new.by_person()
    teams = {each.person: each.team for each in (*old.statements, *new.statements)}
    promotions = _promotions(old, new)
    return [
        Gap(
            new.period.label,
            name,
            teams[name],
            one.get(name, Fraction()),
            two.get(name, Fraction()),
            promotions,
        )
        for name in sorted({*one, *two})
    ]


def _promotions(old: Sheet, new: Sheet) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old.promotions, *new.promotions)))


def spread(label: str, gaps: Iterable[Gap]) -> Spread | None:
    """Mean, largest and smallest difference; None of none."""
    found = list(gaps)
    if not found:
        return None
    summed = sum((gap.difference for gap in found), Fraction())
    return Spread(
        label,
        len(found),
        summed / len(found),
        max(found, key=lambda gap: gap.difference),
        min(found, key=lambda gap: gap.difference),
        sum(gap.difference > 0 for gap in found),
        sum(gap.difference < 0 for gap in found),
        sum((gap.old for gap in found), Fraction()),
        sum((gap.new for gap in found), Fraction()),
    )


@dataclass(frozen=True, slots=True)
class Paid:
    """What one person gets in a parallel run."""

    gap: Gap
    takes_part: bool

    @property
    def paid(self) -> Fraction:
        """The higher for who takes part, the old card's for everybody else."""
        return max(self.gap.old, self.gap.new) if self.takes_part else self.gap.old

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            **self.gap.to_json(),
            "takes_part": self.takes_part,
            "paid": text_of(self.paid),
        }


@dataclass(frozen=True, slots=True)
class ParallelRun:
    """A period in which two cards hold."""

    old: str
    new: str
    currency: str
    period: str
    people: tuple[Paid, ...]

    @property
    def extra(self) -> Fraction:
        """What it costs beyond the old card."""
        return sum((each.paid - each.gap.old for each in self.people), Fraction())

    @property
    def total(self) -> Fraction:
        """What is paid to everybody."""
        return sum((each.paid for each in self.people), Fraction())

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "old": self.old,
            "new": self.new,
            "currency": self.currency,
            "period": self.period,
            "people": [each.to_json() for each in self.people],
            "extra": text_of(self.extra),
            "total": text_of(self.total),
        }


def parallel(old: Sheet, new: Sheet, people: Iterable[str]) -> ParallelRun:
    """Both cards for everybody, and who is paid the higher."""
    chosen = frozenset(people)
    paid = tuple(Paid(gap, gap.person in chosen) for gap in gaps_of(old, new))
    return ParallelRun(old.card, new.card, new.currency, new.period.label, paid)
