"""Whose turn it is.

Owns the calendar of a rotation. A turn begins at the first instant at which local clocks show the
handover (where they jump over it, at the jump), so one that clocks change in is an hour longer or
shorter, and nobody is called back to a shift that has been handed over.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from monitor.delivery.routing.settings import Rotation


class Turn(NamedTuple):
    """Somebody's turn, or the part of it without interruption."""

    person: str
    begins_ms: int
    ends_ms: int
    """Wall times; at its end the next one has begun."""
    override: bool
    """By an override."""


class Rota:
    """One rotation."""

    def __init__(self, rotation: Rotation) -> None:
        self._rotation = rotation
        self._zone = ZoneInfo(rotation.tz)
        hour, minute = rotation.handover.split(":")
        self._handover = timedelta(hours=int(hour), minutes=int(minute))

    def at(self, now_ms: int) -> Turn:
        """Whose turn it is; turns go back and on without end."""
        day = self._day(now_ms)
        person, override = self._on(day)
        first, last = day, day + timedelta(days=1)
        for _ in range(370):
            if self._on(first - timedelta(days=1)) != (person, override):
                break
            first -= timedelta(days=1)
        for _ in range(370):
            if self._on(last) != (person, override):
                break
            last += timedelta(days=1)
        return Turn(person, self._begins_ms(first), self._begins_ms(last), override)

    def person(self, now_ms: int) -> str:
        """Likewise, the name alone."""
        return self._on(self._day(now_ms))[0]

    def _day(self, now_ms: int) -> date:
        """The day on which the present shift began."""
        day = datetime.fromtimestamp(now_ms / 1000, tz=self._zone).date()
        return day if now_ms >= self._begins_ms(day) else day - timedelta(days=1)

    def _begins_ms(self, day: date) -> int:
        midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        local = midnight + self._handover  # wall clock arithmetic, fold 0: the first of two
        return int(local.timestamp()) * 1000

    def _on(self, day: date) -> tuple[str, bool]:
        """Who takes the shift that begins on ``day``, and whether by an override."""
        rotation = self._rotation
        for cover in reversed(rotation.overrides):
            if cover.from_ <= day < cover.until:
                return cover.person, True
        turns = (day - rotation.begins).days // (7 if rotation.every == "week" else 1)
        return rotation.people[turns % len(rotation.people)], False
