"""What came of a card: statements of people, pools, and the whole of a period.

Owns the results as plain values, and their form as JSON; amounts there are decimal texts, so that
no reader makes binary floats of them unasked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from monitor.scorecards.figures import Figure
from monitor.scorecards.language import Value
from monitor.scorecards.money import shown
from monitor.scorecards.periods import Period

Titles = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By language, of what has one: ``card`` (its name), ``lines`` and ``figures`` by id."""


@dataclass(frozen=True, slots=True)
class LineValue:
    """One line of a statement."""

    id: str
    title: str
    value: Fraction | None
    """As it stands: after cap, floor and rounding; None: null."""
    pays: bool
    working: str
    """The formula with its values, and what was done to the outcome."""
    places: int | None = None
    """It is rounded to."""
    remark: str = ""
    """What the person must know of it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One person's, or that part of it which belongs to one team."""

    person: str
    name: str
    team: str
    role: str
    profile: str
    figures: Mapping[str, Figure]
    lines: tuple[LineValue, ...]
    total: Fraction
    remarks: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    """What every name stands for; of formulas in a spreadsheet, not of JSON."""

    def line(self, name: str) -> LineValue | None:
        """The line of that id; None where the profile has none."""
        return next((each for each in self.lines if each.id == name), None)

    @property
    def who(self) -> str:
        """For people."""
        return f"{self.name} ({self.person})" if self.name else self.person


@dataclass(frozen=True, slots=True)
class PoolResult:
    """One pool and how it was shared out."""

    line: str
    of: str
    """The team; empty: everybody."""
    amount: Fraction
    working: str
    shares: tuple[tuple[str, Fraction, Fraction], ...]
    """Person, weight and share, in order of the person."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A card's outcome in one period."""

    card: str
    title: str
    hash: str
    currency: str
    places: int
    period: Period
    promotions: tuple[str, ...]
    """Those that the period has days of."""
    statements: tuple[Statement, ...]
    """In order of person and team."""
    pools: tuple[PoolResult, ...]
    remarks: tuple[str, ...] = ()
    titles: Titles = field(default_factory=dict)
    """In all languages that the card has."""

    @property
    def total(self) -> Fraction:
        """Of all statements."""
        return sum((each.total for each in self.statements), Fraction())

    def by_person(self) -> dict[str, Fraction]:
        """What each is paid, of all teams together."""
        found: dict[str, Fraction] = {}
        for each in self.statements:
            found[each.person] = found.get(each.person, Fraction()) + each.total
        return found

    def to_json(self, teams: Iterable[str] | None = None) -> dict[str, Any]:
        """For programs; with ``teams``, their statements and pools only, and no total of others."""
        document = {
            "card": self.card,
            "title": self.title,
            "titles": {
                what: {name: dict(texts) for name, texts in named.items()}
                for what, named in self.titles.items()
            },
            "hash": self.hash,
            "currency": self.currency,
            "places": self.places,
            "period": self.period.label,
            "first": self.period.first.isoformat(),
            "last": self.period.last.isoformat(),
            "zone": self.period.zone,
            "promotions": list(self.promotions),
            "statements": [statement_json(each) for each in self.statements],
            "pools": [_pool(each) for each in self.pools],
            "remarks": list(self.remarks),
            "total": text_of(self.total),
        }
        return document if teams is None else of_teams(document, teams)


def title_in(
    document: Mapping[str, Any], what: str, name: str, language: str, otherwise: str
) -> str:
    """A title in a language, of a sheet's JSON; what was kept without them has one alone.

    ``what``, ``name``: as of :data:`Titles`.
    """
    titles = document.get("titles", {}).get(what, {}).get(name, {})
    return str(titles.get(language) or titles.get("en") or otherwise)


def of_teams(document: Mapping[str, Any], teams: Iterable[str]) -> dict[str, Any]:
    """A sheet's JSON as someone sees who may see these teams only."""
    wanted = frozenset(teams)
    statements = [each for each in document["statements"] if each["team"] in wanted]
    total = sum((Fraction(each["total"]) for each in statements), Fraction())
    return {
        **document,
        "statements": statements,
        "pools": [each for each in document["pools"] if each["of"] in wanted],
        "total": text_of(total),
    }


def statement_json(statement: Statement) -> dict[str, Any]:
    """One statement for programs."""
    return {
        "person": statement.person,
        "name": statement.name,
        "team": statement.team,
        "role": statement.role,
        "profile": statement.profile,
        "figures": {name: _figure(each) for name, each in statement.figures.items()},
        "lines": [
            {
                "id": each.id,
                "title": each.title,
                "value": text_of(each.value, each.places),
                "pays": each.pays,
                "working": each.working,
                "remark": each.remark,
            }
            for each in statement.lines
        ],
        "total": text_of(statement.total),
        "remarks": list(statement.remarks),
    }


def text_of(value: Fraction | None, places: int | None = None) -> str | None:
    """A figure as decimal text: all of its places, or at most twelve of those without end."""
    if value is None:
        return None
    if places is not None:
        return shown(value, max(places, 0))
    for few in range(13):
        if (value * 10**few).denominator == 1:
            return shown(value, few)
    return shown(value, 12)


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "value": text_of(figure.value),
        "hits": text_of(figure.hits),
        "of": text_of(figure.of),
        "events": figure.events,
        "by_hand": figure.by_hand,
    }


def _pool(pool: PoolResult) -> dict[str, Any]:
    return {
        "line": pool.line,
        "of": pool.of,
        "amount": text_of(pool.amount),
        "working": pool.working,
        "remark": pool.remark,
        "shares": [
            {"person": person, "weight": text_of(weight), "share": text_of(share)}
            for person, weight, share in pool.shares
        ],
    }
