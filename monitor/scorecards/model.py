"""What a scorecard's file may say: frozen pydantic models.

Owns the shapes, and every check that a part can be given on its own. What formulas mean, and that
all of it fits together, is checked by :mod:`monitor.scorecards.load`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from monitor.indicators.model import Identifier, Language, Measure
from monitor.indicators.parts import Part, fault, some
from monitor.scorecards.money import PLACES_MAX, PLACES_MIN, Mode
from monitor.scorecards.periods import Kind
from monitor.units import Share, Threshold

CardName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Texts = Annotated[
    dict[Language, str],
    BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value),
]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
]

STEPS_MAX = 50
LINES_MAX = 60
FIGURES_MAX = 40
CHANGES_MAX = 100


class Rounding(Part):
    """How a figure of money is rounded."""

    places: int = Field(ge=PLACES_MIN, le=PLACES_MAX)
    """Decimal places: 2 is cents, 0 whole units, -1 tens."""
    mode: Mode
    """half_up (ties away from zero), half_even (ties to the even digit), half_down, up, down,
    ceiling or floor."""


class FigureSpec(Part):
    """One figure of a person: from events, from an indicator, or given by hand."""

    title: Texts = Field(default={})
    value: Measure | None = None
    """A measure over events, as in indicators.yaml: count, sum, mean, min, max, distinct or
    seconds_in."""
    hits: Measure | None = None
    """Of a ratio: above the line."""
    of: Measure | None = None
    """Of a ratio: below the line."""
    indicator: Identifier | None = None
    """Id of an indicator of kind ratio, mean or count; over the period, by person."""
    given: Literal["person", "team", "company"] | None = None
    """In no event: told in the file of sums, for each person, each team or everybody."""
    otherwise: Threshold | None = None
    """What holds where nothing was given, or there is nothing to divide by. Not given: null."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("value", "indicator", "given") if getattr(self, name) is not None]
        if self.hits is not None or self.of is not None:
            if self.hits is None or self.of is None:
                raise fault("a ratio has `hits` and `of`", "write both")
            ways.append("hits and of")
        if len(ways) != 1:
            message = f"a figure is told in one way, not {' and '.join(ways) or 'none'}"
            raise fault(message, "one of value, hits and of, indicator, given")
        return self


class Step(Part):
    """One tier."""

    from_: Threshold = Field(alias="from")
    """Where it begins."""
    rate: Threshold
    """What holds from there on."""


class Tiers(Part):
    """Rates by how much there is; used as step(name, x), whole(name, x), marginal(name, x)."""

    reached_by: Literal["at_least", "more_than"] = "at_least"
    """Whether a value exactly at `from` is on that step, or still on the one below."""
    steps: Annotated[tuple[Step, ...], some(STEPS_MAX)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for one, two in pairwise(self.steps):
            if two.from_ <= one.from_:
                message = f"a step from {two.from_} stands after one from {one.from_}"
                raise fault(message, "write them in ascending order")
        return self


class Match(Part):
    """Whom a profile is for: all that is said must fit."""

    role: Names = ()
    team: Names = ()
    stage: Names = ()
    person: Names = ()
    tenure_below: int | None = Field(default=None, ge=1, le=600)
    """Whole months since `joined`, at the period's last day, fewer than these."""


class Profile(Part):
    """Other parameters and tiers for some people; the first that fits holds."""

    id: Identifier
    title: Texts = Field(default={})
    match: Match
    parameters: dict[Identifier, Threshold] = Field(default={})
    """Over the card's own."""
    tiers: dict[Identifier, Tiers] = Field(default={})
    """Over the card's own."""


class PoolSpec(Part):
    """Money for several together, shared out to the last cent."""

    by: Literal["team", "company"]
    """One pool for each team, or one for everybody."""
    amount: str
    """Formula of the pool; names of figures and lines are those of its members together."""
    weight: str = "1"
    """Formula of a member's share in it; below zero counts as none."""
    round: Rounding | None = None
    """Of the amount, and the unit of shares; by default the card's rounding."""


class Line(Part):
    """One line of a statement; lines may use those above them."""

    id: Identifier
    title: Texts = Field(default={})
    formula: str | None = None
    """For each person."""
    weighted: dict[str, Share] | None = None
    """The weighted mean of figures or lines above, with shares of 100% together; what is null
    is left out, and the others weigh the more."""
    pool: PoolSpec | None = None
    """A share of a pool."""
    pays: bool = False
    """Part of the total. It is rounded, by the card's rounding where the line names none."""
    for_: Names = Field(default=(), alias="for")
    """Profiles that have this line; all, where none is named. `default`: who fits no profile."""
    floor: str | None = None
    """Formula: never less than this."""
    cap: str | None = None
    """Formula: never more than this; goes before the floor's, which is applied last."""
    round: Rounding | None = None
    """Applied after cap and floor."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("formula", "weighted", "pool") if getattr(self, name) is not None]
        if len(ways) != 1:
            message = (
                f"a line has one of formula, weighted, pool, not {' and '.join(ways) or 'none'}"
            )
            raise fault(message)
        if self.pool is not None and (self.cap or self.floor or self.round):
            raise fault(
                "a share of a pool has no cap, floor or rounding of its own: shares would not add"
                " up to the pool",
                "put them into a line of its own, or round the pool",
            )
        if self.weighted is not None and sum(self.weighted.values(), Fraction()) != 1:
            raise fault("the weights are not 100% together")
        return self


class Total(Part):
    """What is paid: the lines that pay, together."""

    floor: str | None = None
    """Formula: never less than this, such as 0 for nobody pays back."""
    cap: str | None = None
    """Formula: never more than this."""


class Promotion(Part):
    """Dates that are like no others, shown apart in comparisons and left out of forecasts."""

    name: str
    first: date
    last: date
    """Itself included."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise fault("it ends before it begins")
        return self


class Change(Part):
    """One earlier change of this card."""

    on: date
    """From when it held."""
    what: str
    """In a few words."""


class Pace(Part):
    """How often a card may change without a warning."""

    periods_between: int = Field(3, ge=0, le=60)
    """A change sooner than so many of its periods after the one before is warned of."""
    per_year: int = Field(4, ge=1, le=50)
    """More changes than these within 365 days are warned of."""
    at_once: int = Field(2, ge=1, le=50)
    """More figures, lines, tiers or parameters changed at once are warned of."""


class Parallel(Part):
    """A run beside the card that holds: the higher is paid."""

    people: Annotated[tuple[str, ...], some(10_000)]
    """For whom."""
    until: date
    """The last day."""


class Scorecard(Part):
    """The whole of a scorecard's file."""

    version: Literal[1]
    scorecard: CardName
    """What commands and kept results call it."""
    title: Texts = Field(default={})
    valid_from: date
    """First day of the period from which it holds as it is written."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    """ISO 4217, such as CNY; shown, never converted."""
    zone: str
    """IANA time zone of days."""
    period: Kind = "month"
    """day, week (ISO) or month; a command may ask for other dates."""
    month_begins: int = Field(1, ge=1, le=28)
    """Day of the month on which a month begins: 26 → the 26th to the 25th, named by its end."""
    rounding: Rounding
    """Of lines that pay and name none of their own."""
    person: Literal["agent", "group", "team"] = "agent"
    """Dimension of events that says who is paid."""
    team_changes: Literal["last", "split"] = "last"
    """Who changes teams within a period: all counts for the last team, or a statement for each."""
    figures: dict[Identifier, FigureSpec] = Field(min_length=1, max_length=FIGURES_MAX)
    parameters: dict[Identifier, Threshold] = Field(default={})
    """Numbers that formulas name: 120, 4.2, 30%."""
    tiers: dict[Identifier, Tiers] = Field(default={})
    profiles: Annotated[tuple[Profile, ...], Field(max_length=20)] = ()
    """Other parameters and tiers by role, team, stage or person."""
    lines: Annotated[tuple[Line, ...], some(LINES_MAX)]
    total: Total = Total()
    promotions: Annotated[tuple[Promotion, ...], Field(max_length=200)] = ()
    changes: Annotated[tuple[Change, ...], Field(max_length=CHANGES_MAX)] = ()
    """Earlier changes, for warnings of too many and too early ones."""
    pace: Pace = Pace()
    parallel: Parallel | None = None

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            message = f"no time zone {zone!r}"
            raise fault(message, "an IANA name such as Asia/Shanghai")
        return zone

    def placed(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Names that the card gives, each with where."""
        for part in ("figures", "parameters", "tiers"):
            for name in getattr(self, part):
                yield (part, name), name
        for index, line in enumerate(self.lines):
            yield ("lines", index, "id"), line.id
