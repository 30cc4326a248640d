"""How a card differs from another, and whether it changes too much, too early or too often.

Owns the comparison of files. People can follow a card that moves in small steps; one that moves
every month is no promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from monitor.errors import Problem
from monitor.scorecards.load import Card
from monitor.scorecards.periods import before, period_of

_PARTS = ("figures", "parameters", "tiers", "profiles", "lines")
_ONES = ("total", "rounding", "person", "team_changes", "period", "month_begins", "zone")
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same."""

    part: str
    name: str
    kind: str
    """added, removed or changed."""

    def __str__(self) -> str:
        """For people."""
        return f"{self.part} {self.name}: {self.kind}" if self.name else f"{self.part}: {self.kind}"


def differences(old: Card, new: Card) -> list[Difference]:
    """What is not the same, titles aside."""
    one, two = (each.spec.model_dump(mode="json", by_alias=True) for each in (old, new))
    found: list[Difference] = []
    for part in _PARTS:
        first, second = _named(one[part]), _named(two[part])
        for name in dict.fromkeys([*first, *second]):
            if name not in first:
                found.append(Difference(part, name, "added"))
            elif name not in second:
                found.append(Difference(part, name, "removed"))
            elif first[name] != second[name]:
                found.append(Difference(part, name, "changed"))
        both = [name for name in first if name in second]
        if part in {"lines", "profiles"} and both != [name for name in second if name in first]:
            found.append(Difference(part, "", "in another order"))
    return found + [Difference(name, "", "changed") for name in _ONES if one[name] != two[name]]


def _named(part: Any) -> dict[str, Any]:
    """Its entries by name, without what is only read by people."""
    entries = part if isinstance(part, dict) else {each["id"]: each for each in part}
    return {
        name: {key: value for key, value in each.items() if key != "title"}
        if isinstance(each, dict)
        else each
        for name, each in entries.items()
    }


def warnings(card: Card, old: Card | None = None) -> Iterator[Problem]:
    """What speaks against this change: too early, too often, too much at once."""
    spec, pace = card.spec, card.spec.pace
    places: dict[date, tuple[str | int, ...]] = {
        change.on: ("changes", index, "on") for index, change in enumerate(spec.changes)
    }
    if old is not None and old.spec.valid_from < spec.valid_from:
        places.setdefault(old.spec.valid_from, ("valid_from",))
    places[spec.valid_from] = ("valid_from",)
    days = sorted(places)
    for last, day in pairwise(days):
        earliest = _later(card, last, pace.periods_between)
        if day < earliest:
            what = (
                f"changed on {day}, after {_counted(card, last, day)}: the change before was on"
                f" {last}, and {pace.periods_between} {spec.period}s should lie between"
            )
            yield card.file.problem(places[day], what, f"wait until {earliest}", card.name)
    last_year = [day for day in days if spec.valid_from - YEAR < day <= spec.valid_from]
    if len(last_year) > pace.per_year:
        what = f"{len(last_year)} changes within a year, and at most {pace.per_year} are planned"
        hint = "gather them into fewer"
        yield card.file.problem(("valid_from",), what, hint, card.name)
    if old is not None:
        yield from _at_once(card, old)


def _at_once(card: Card, old: Card) -> Iterator[Problem]:
    found = differences(old, card)
    if len(found) > card.spec.pace.at_once:
        what = (
            f"{len(found)} things change at once, and at most {card.spec.pace.at_once} are planned:"
            f" {'; '.join(map(str, found))}"
        )
        yield card.file.problem(("scorecard",), what, "change them one after the other", card.name)
    if found and card.spec.valid_from <= old.spec.valid_from:
        what = f"it differs from the card valid from {old.spec.valid_from}, and is valid from then"
        hint = "a change needs a new valid_from, and a line under changes"
        yield card.file.problem(("valid_from",), what, hint, card.name)
    known = {change.on for change in card.spec.changes}
    if found and old.spec.valid_from < card.spec.valid_from and old.spec.valid_from not in known:
        what = f"the change of {old.spec.valid_from} is not among its changes"
        hint = f"add {{on: {old.spec.valid_from}, what: …}}"
        yield card.file.problem(("valid_from",), what, hint, card.name)


def _later(card: Card, day: date, periods: int) -> date:
    """The first day of the period that comes so many after the one that ``day`` lies in."""
    spec = card.spec
    period = period_of(day, spec.period, spec.zone, month_begins=spec.month_begins)
    for _ in range(periods):
        after = period.last + timedelta(days=1)
        period = period_of(after, spec.period, spec.zone, month_begins=spec.month_begins)
    return period.first


def _counted(card: Card, last: date, day: date) -> str:
    """How many periods after ``last``, for people."""
    spec = card.spec
    period = period_of(day, spec.period, spec.zone, month_begins=spec.month_begins)
    count = 0
    while period.first > last and count < 100:
        period = before(period, month_begins=spec.month_begins)
        count += 1
    return f"{count} {spec.period}{'' if count == 1 else 's'}"
