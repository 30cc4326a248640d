"""What is known of people in a period: figures with the records behind them, and where they work.

Owns the plain values that a card is worked out from, whoever found them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from monitor.scorecards.periods import Period


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one person."""

    hits: Fraction
    of: Fraction | None = None
    """None: a plain number, nothing to divide by."""
    events: int = 0
    """Records behind it."""
    by_hand: str = ""
    """Where it stands, when a person wrote it: ``sums.csv:3``."""

    @property
    def value(self) -> Fraction | None:
        """None: there is nothing to divide by."""
        if self.of is None:
            return self.hits
        return None if self.of == 0 else self.hits / self.of


Part = tuple[str, str]
"""A person and a team; the team is empty where statements are not split by it."""


@dataclass(slots=True)
class Standing:
    """A person in a period."""

    figures: dict[str, Figure] = field(default_factory=dict)
    team: str = ""
    """Of the latest event, or as given."""
    teams: tuple[str, ...] = ()
    """All of them, in order of the latest event of each."""
    role: str = ""


@dataclass(slots=True)
class Sums:
    """All figures of one period."""

    period: Period
    people: dict[Part, Standing] = field(default_factory=dict)
    teams: dict[str, dict[str, Figure]] = field(default_factory=dict)
    """Given for a team."""
    company: dict[str, Figure] = field(default_factory=dict)
    """Given for everybody."""
    remarks: list[str] = field(default_factory=list)
    """What the reader must know: records refused, a log that begins too late."""

    def standing(self, person: str, team: str = "") -> Standing:
        """That of a person, made where there is none."""
        return self.people.setdefault((person, team), Standing())


def laid_over(below: Sums, above: Sums) -> Sums:
    """``above``, told by hand, over ``below``, found in events; neither is changed."""
    people = {part: _copied(each) for part, each in below.people.items()}
    for (person, team), standing in above.people.items():
        part = (person, team)
        if part not in people and not team:
            # Not said for which team: all of them, which only one can be.
            mine = [each for each in people if each[0] == person]
            part = mine[-1] if mine else part
        merged = people.setdefault(part, Standing())
        merged.figures.update(standing.figures)
        merged.team = standing.team or merged.team
        merged.teams = merged.teams or standing.teams
        merged.role = standing.role or merged.role
    return Sums(
        below.period,
        people,
        _merged(below.teams, above.teams),
        {**below.company, **above.company},
        [*below.remarks, *above.remarks],
    )


def _copied(standing: Standing) -> Standing:
    return Standing(dict(standing.figures), standing.team, standing.teams, standing.role)


def _merged(
    below: Mapping[str, dict[str, Figure]], above: Mapping[str, dict[str, Figure]]
) -> dict[str, dict[str, Figure]]:
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in {**below, **above}}
