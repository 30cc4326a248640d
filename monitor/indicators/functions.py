"""The functions that ``where`` may call besides ``hour``: what they take, give and mean.

Owns the list and the checks of arguments; the work is done on whole columns by
``monitor.events``. A function takes fields first and then quoted texts, each of which is checked
when the file is read. A new one is an entry here and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import polars as pl

from monitor.events import calling_hours, day_counts, places
from monitor.events.catalogue import ZONES
from monitor.events.public_holidays import is_place
from monitor.indicators.tree import Type

_DTYPES: Mapping[Type, type[pl.DataType]] = {
    "number": pl.Float64,
    "text": pl.String,
    "bool": pl.Boolean,
}


class ArgumentError(ValueError):
    """Raised when a quoted text is not what the function takes; carries the mend."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language."""

    shown: str
    """As it is written, for messages and documentation."""
    doc: str
    takes: tuple[str, ...]
    """What each field is: ``time``, or ``phone``."""
    texts: tuple[Callable[[str], None], ...]
    """The check of each quoted text, which raises :class:`ArgumentError`."""
    gives: Type
    apply: Callable[..., pl.Series]
    """Columns of the fields, then of ``also``, then the texts: the answer, of the same length."""
    also: tuple[str, ...] = ()
    """Further fields that it reads."""

    def expr(self, fields: Sequence[str], texts: Sequence[str]) -> pl.Expr:
        """The answer for each row of a frame that has the fields."""

        def answer(columns: Sequence[pl.Series]) -> pl.Series:
            return self.apply(*columns, *texts)

        columns = [pl.col(name) for name in (*fields, *self.also)]
        return pl.map_batches(columns, answer, return_dtype=_DTYPES[self.gives])


def _hours(text: str) -> None:
    try:
        calling_hours.parse_hours(text)
    except ValueError as error:
        raise ArgumentError(str(error), "as in 'Mon-Fri 8:00-21:00'") from error


def _holidays_of(text: str) -> None:
    if not is_place(text):
        message = f"no public holidays are known of '{text}'"
        raise ArgumentError(message, "a country such as FR, or a part of one such as FR-57")


def _zone(text: str) -> None:
    if text not in ZONES:
        near = get_close_matches(text, ZONES, 1)
        hint = f"did you mean '{near[0]}'?" if near else "as in 'America/New_York'"
        message = f"no time zone '{text}'"
        raise ArgumentError(message, hint)


_CLOCK = ("customer", "customer_tz")

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "within_hours": Function(
            shown="within_hours(started_at, 'Mon-Fri 8:00-21:00')",
            doc="the time is within these hours on the customer's clock, in every zone that the"
            " customer may be in; null where none is known",
            takes=("time",),
            texts=(_hours,),
            gives="bool",
            apply=calling_hours.within_hours,
            also=_CLOCK,
        ),
        "is_holiday": Function(
            shown="is_holiday(started_at, 'FR')",
            doc="the time is on a public holiday of the country (or of a part of it: `FR-57`) on"
            " the customer's calendar, in any zone that the customer may be in; null where none is"
            " known",
            takes=("time",),
            texts=(_holidays_of,),
            gives="bool",
            apply=calling_hours.is_holiday,
            also=_CLOCK,
        ),
        "country": Function(
            shown="country(customer)",
            doc="the country that the telephone number was given out in, such as `FR`",
            takes=("phone",),
            texts=(),
            gives="text",
            apply=places.country,
        ),
        "area": Function(
            shown="area(customer)",
            doc="the state or province of a number of the US or Canada, such as `US-FL`",
            takes=("phone",),
            texts=(),
            gives="text",
            apply=places.area,
        ),
        "hours_between": Function(
            shown="hours_between(abandoned_at, started_at)",
            doc="hours from the first time to the second, with fractions",
            takes=("time", "time"),
            texts=(),
            gives="number",
            apply=day_counts.hours_between,
        ),
        "days_between": Function(
            shown="days_between(conversation_at, started_at, 'America/New_York')",
            doc="midnights from the first time to the second: 0 on one day, 1 on the next",
            takes=("time", "time"),
            texts=(_zone,),
            gives="number",
            apply=day_counts.days_between,
        ),
        "business_days_between": Function(
            shown="business_days_between(opted_out_at, time, 'US', 'America/New_York')",
            doc="days after that of the first time, up to and with that of the second, from Monday"
            " to Friday and without the public holidays",
            takes=("time", "time"),
            texts=(_holidays_of, _zone),
            gives="number",
            apply=day_counts.business_days_between,
        ),
    }
)
