"""Statements in the making: who has one, which profile, what names mean.

Owns what is known of each before any line is worked out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from monitor.scorecards.figures import Figure, Standing, Sums
from monitor.scorecards.language import Value
from monitor.scorecards.load import DEFAULT, Card, tables
from monitor.scorecards.model import Profile, Scorecard
from monitor.scorecards.people import Employment, People, months_between
from monitor.scorecards.report import LineValue
from monitor.scorecards.working import Scope


@dataclass(slots=True, eq=False)
class Desk:
    """One statement in the making."""

    person: str
    team: str
    employment: Employment | None
    profile: str
    figures: dict[str, Figure]
    values: dict[str, Value]
    scope: Scope
    lines: list[LineValue] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def desks_of(card: Card, sums: Sums, people: People) -> Iterator[Desk]:
    """One for everybody who has a figure or is employed, in order of person and team."""
    parts = dict(sums.people)
    known = {person for person, _ in parts}
    for person in people.employed(sums.period):
        if person not in known:
            parts[person, ""] = Standing()
    for (person, team), standing in sorted(parts.items()):
        rows = people.during(person, sums.period)
        # The row that holds last in the period; without one, whatever events say.
        employment = rows[-1] if rows else None
        if card.spec.team_changes == "last":
            where = (employment.team if employment else "") or standing.team
        else:
            where = team or standing.team or (employment.team if employment else "")
        yield _desk(card, sums, person, where, standing, rows)


def _desk(
    card: Card,
    sums: Sums,
    person: str,
    team: str,
    standing: Standing,
    rows: tuple[Employment, ...],
) -> Desk:
    spec, period = card.spec, sums.period
    employment = rows[-1] if rows else None
    role = (employment.role if employment else "") or standing.role
    stage = employment.stage if employment else ""
    joined = employment.joined if employment else None
    tenure = None if joined is None else Fraction(max(0, months_between(joined, period.last)))
    profile = _profile(spec, person=(person,), role=role, team=team, stage=stage, tenure=tenure)
    figures = _figures(card, sums, standing, team)
    parameters = {**spec.parameters, **(profile.parameters if profile else {})}
    days = period.days if not rows else sum(each.days_in(period) for each in rows)
    values: dict[str, Value] = {
        **values_of(card, figures),
        **{name: Fraction(value) for name, value in parameters.items()},
        "person": person,
        "team": team,
        "role": role,
        "stage": stage,
        "profile": DEFAULT if profile is None else profile.id,
        "days": Fraction(period.days),
        "days_employed": Fraction(days),
        "tenure": tenure,
    }
    made = tables({**spec.tiers, **(profile.tiers if profile else {})})
    desk = Desk(
        person,
        team,
        employment,
        DEFAULT if profile is None else profile.id,
        figures,
        values,
        Scope(values, made, spec.rounding.mode),
    )
    if len(standing.teams) > 1 and spec.team_changes == "last":
        several = ", ".join(standing.teams)
        desk.remarks.append(f"worked in {several}: all of it counts for {team}")
    return desk


def _profile(
    spec: Scorecard,
    *,
    person: tuple[str],
    role: str,
    team: str,
    stage: str,
    tenure: Fraction | None,
) -> Profile | None:
    """The first that fits."""
    for profile in spec.profiles:
        match = profile.match
        pairs = ((match.role, role), (match.team, team), (match.stage, stage))
        fits = all(not wanted or found in wanted for wanted, found in pairs)
        fits = fits and (not match.person or person[0] in match.person)
        if match.tenure_below is not None:
            fits = fits and tenure is not None and tenure < match.tenure_below
        if fits:
            return profile
    return None


def _figures(card: Card, sums: Sums, standing: Standing, team: str) -> dict[str, Figure]:
    """Every figure of the card that the person has; those without evidence are left out."""
    found: dict[str, Figure] = {}
    for name, spec in card.spec.figures.items():
        whose = {"team": sums.teams.get(team, {}), "company": sums.company}
        figure = whose.get(spec.given or "", standing.figures).get(name)
        if figure is None and name in card.formulas:
            made = card.formulas[name]
            if made.of is not None:
                figure = Figure(Fraction(), Fraction())
            elif made.hits.operation not in {"min", "max"}:
                figure = Figure(Fraction())
        if figure is not None:
            found[name] = figure
    return found


def values_of(card: Card, figures: Mapping[str, Figure]) -> dict[str, Value]:
    """What the names of figures mean, ``otherwise`` laid over those without a value."""
    values: dict[str, Value] = {}
    for name, spec in card.spec.figures.items():
        figure = figures.get(name)
        value = None if figure is None else figure.value
        if value is None and spec.otherwise is not None:
            value = Fraction(spec.otherwise)
        values[name] = value
        if figure is not None and figure.of is not None:
            values[f"{name}.hits"], values[f"{name}.of"] = figure.hits, figure.of
    return values
