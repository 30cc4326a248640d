"""What a response is made of: an indicator's words as conditions, hours and counters.

Owns the translation, no data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.decisions import derive_id
from monitor.events.public_holidays import public_holidays
from monitor.indicators.formula import Counter, Formula, Operation, Rows, rows_of
from monitor.indicators.frame import Frame
from monitor.indicators.model import Indicator
from monitor.indicators.now_model import WorkHours
from monitor.windows.arrays import Bool, Int64
from monitor.windows.hours import AllHours, Hours, WorkingHours, working_hours
from monitor.windows.spec import default_pane_ms
from monitor.windows.waits import WaitsPlan


@dataclass(frozen=True, slots=True)
class HoursPlan:
    """Which time counts."""

    zone: str
    from_min: int
    to_min: int
    days: tuple[int, ...]
    holidays: str | None
    outside: bool
    """Not how much of it: which questions. Only those asked outside the hours are looked at."""

    def made(self) -> WorkingHours:
        """The hours themselves."""
        days = frozenset(self.days)
        place = self.holidays
        closed = frozenset() if place is None else frozenset(public_holidays(place).tolist())
        return working_hours(self.zone, self.from_min, self.to_min, days, closed)


@dataclass(frozen=True, slots=True)
class Response:
    """What is measured: what asks, what answers, and the time between."""

    per: str
    asks: Rows
    replies: Rows
    hours: HoursPlan | None
    open_after_ms: int
    within_ms: int | None
    """A share of answers within this; None: their mean time."""
    max_age_ms: int

    @property
    def conditions(self) -> tuple[Rows, ...]:
        """The events it looks at."""
        return self.asks, self.replies

    @property
    def fields(self) -> frozenset[str]:
        """Fields it reads of events."""
        return self.asks.fields | self.replies.fields | {self.per}

    @property
    def types(self) -> frozenset[str]:
        """Event types it looks at."""
        return frozenset(self.asks.types + self.replies.types)

    @property
    def fingerprint(self) -> str:
        """Stands for all that is known of a conversation, but whose it is."""
        return derive_id(repr(self))

    @property
    def clock(self) -> Hours:
        """The clock that waits are measured on."""
        return AllHours() if self.hours is None or self.hours.outside else self.hours.made()

    def looked_at(self, times: Int64) -> Bool:
        """Which questions are, by when they were asked."""
        if self.hours is None or not self.hours.outside:
            return np.ones(len(times), dtype=np.bool_)
        return ~self.hours.made().inside(times)

    def waits_plan(
        self, *, scopes: int, tick_ms: int, lateness_ms: int, talks_max: int
    ) -> WaitsPlan:
        """What is asked of the table of open questions."""
        exact = self.within_ms is not None  # nothing grows from step to step
        return WaitsPlan(
            scopes=scopes,
            open_after_ms=self.open_after_ms,
            max_age_ms=self.max_age_ms,
            step_ms=tick_ms if exact else default_pane_ms(self.open_after_ms, tick_ms),
            tick_ms=tick_ms,
            lateness_ms=lateness_ms,
            talks_max=talks_max,
        )

    def rows(self, frame: Frame) -> tuple[Int64, Bool]:
        """Which rows of a load are looked at; all of them may name a key."""
        asks, replies = frame.mask(self.asks), frame.mask(self.replies)
        chosen = np.flatnonzero((asks | replies) & (frame.coded(self.per).codes >= 0))
        return chosen, np.zeros(len(chosen), dtype=np.bool_)

    def counter(self, operation: Operation) -> Awaited:
        """One of the counters that answers are counted by."""
        return Awaited(operation, self.conditions, self.per, self.max_age_ms, self)


@dataclass(frozen=True, slots=True)
class Awaited(Counter):
    """A figure made of answers: how long they took, how many, or how many were soon enough."""

    response: Response | None = None


def response(indicator: Indicator) -> Formula:
    """The counters of ``indicator``, which is of this kind.

    Raises:
        ExpressionError: a condition is not in the language.
    """
    plan = response_plan(indicator)
    hits = plan.counter("waits" if plan.within_ms is None else "soon")
    return Formula(hits, plan.counter("answers"), countable=False)


def response_plan(indicator: Indicator) -> Response:
    """What ``indicator``, of this kind, measures.

    Raises:
        ExpressionError: a condition is not in the language.
    """
    asks, replies = indicator.from_, indicator.to
    assert asks is not None and replies is not None  # noqa: S101, PT018 - the model demands them
    within = indicator.within
    return Response(
        per=indicator.per or "",
        asks=rows_of(asks),
        replies=rows_of(replies),
        hours=None if indicator.hours is None else _hours(indicator.hours),
        open_after_ms=indicator.open_after or 0 if within is None else within,
        within_ms=within,
        max_age_ms=indicator.max_age or 0,
    )


def _hours(hours: WorkHours) -> HoursPlan:
    return HoursPlan(
        hours.tz, hours.from_min, hours.to_min, hours.weekdays, hours.holidays, hours.outside
    )
