"""The same figures by brute force: every row looked at again for every key, window and tick.

Shares no code with the product but the event's field names: conditions are Python functions,
calendar periods are local dates, panes are found by counting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Test = Callable[[Row], bool]
QUARTER_MS = 900_000


@dataclass(frozen=True)
class Sliding:
    length: int
    pane: int

    def lo(self, tick: int) -> int:
        start = tick - self.length
        while start % self.pane:
            start += 1_000
        return start


@dataclass(frozen=True)
class Local:
    period: str
    zone: str

    def label(self, time: int) -> tuple[int, ...]:
        day = datetime.fromtimestamp(time / 1000, tz=UTC).astimezone(ZoneInfo(self.zone)).date()
        if self.period == "week":
            return tuple(day.isocalendar()[:2])
        return (day.year, day.month, day.day) if self.period == "day" else (day.year, day.month)

    def lo(self, tick: int) -> int:
        """Walk back, by ever smaller powers of two of a quarter of an hour, within the label."""
        label = self.label(tick - 1)
        start = (tick - 1) // QUARTER_MS * QUARTER_MS
        for step in (64, 32, 16, 8, 4, 2, 1):
            while self.label(start - step * QUARTER_MS) == label:
                start -= step * QUARTER_MS
        return start


@dataclass(frozen=True)
class Rolling:
    days: int
    zone: str

    def lo(self, tick: int) -> int:
        """Walk back a day of the calendar at a time."""
        day = Local("day", self.zone)
        start = day.lo(tick)
        for _ in range(self.days - 1):
            start = day.lo(start)  # the day that holds the millisecond before
        return start


@dataclass(frozen=True)
class First:
    """From a key's first event on, for so long."""

    length: int
    tick: int

    def lo(self, tick: int) -> int:
        return tick - self.length


Window = Sliding | Local | Rolling | First


@dataclass(frozen=True)
class Figure:
    """How one measure is computed from the rows of a key inside a window."""

    verb: str
    test: Test
    field: str = ""
    others: tuple[Test, ...] = ()
    """Further sets of an intersection, or the further steps of a funnel."""
    max_age: int = 0
    entity: str = "agent"
    within: int = 0

    def rows(self, rows: Sequence[Row]) -> Any:
        """The figure of rows that are all of the key and in the window."""
        if self.verb == "reached":
            return len(self.reached(rows))
        chosen = [row for row in rows if self.test(row)]
        if self.verb == "count":
            return len(chosen)
        values = [row[self.field] for row in chosen if row[self.field] is not None]
        if self.verb == "sum":
            return sum(round(value * 1000) for value in values)
        if self.verb == "distinct":
            found = set(values)
            for other in self.others:
                found &= {row[self.field] for row in rows if other(row)}
            return len(found)
        return values

    def reached(self, rows: Sequence[Row]) -> set[str]:
        """The values that took all steps, by the definition: one event after the other is tried."""
        steps = (self.test, *self.others)

        def goes_on(step: int, since: int, last: int, own: Sequence[Row]) -> bool:
            if step == len(steps):
                return True
            return any(
                goes_on(step + 1, since, row["time"], own)
                for row in own
                if steps[step](row) and last <= row["time"] <= since + self.within
            )

        found = set()
        for value in {row[self.field] for row in rows} - {None}:
            own = [row for row in rows if row[self.field] == value]
            if any(self.test(row) and goes_on(1, row["time"], row["time"], own) for row in own):
                found.add(value)
        return found


def key_of(row: Row, by: Sequence[str]) -> tuple[str, ...] | None:
    key = tuple(row[name] for name in by)
    return None if None in key else key


@dataclass(frozen=True)
class Span:
    """Time of one key in a state: ``[start, end)``."""

    key: tuple[str, ...]
    start: int
    end: int


def spans(figure: Figure, rows: Sequence[Row], by: Sequence[str], tick: int) -> list[Span]:
    """All intervals that accepted events tell, up to ``tick``."""
    current: dict[str, Row] = {}
    found: list[Span] = []

    def close(row: Row, end: int) -> None:
        key = key_of(row, by)
        end = min(end, row["time"] + figure.max_age)
        if key is not None and figure.test(row) and end > row["time"]:
            found.append(Span(key, row["time"], end))

    for row in rows:
        who = row[figure.entity]
        if row["type"] != "agent.state" or who is None:
            continue
        if who in current:
            if row["time"] < current[who]["time"]:
                continue
            close(current[who], row["time"])
        current[who] = row
    for row in current.values():
        close(row, tick)
    return found


def since_first(
    figures: Sequence[Figure | None],
    rows: Sequence[Row],
    by: Sequence[str],
    window: First,
    tick: int,
) -> dict[tuple[str, ...], list[Row]]:
    """The rows in each key's open window at ``tick``: one row after the other, as they apply."""
    inside: dict[tuple[str, ...], list[Row]] = {}

    def over(begin: int) -> int:
        return (begin + window.length) // window.tick * window.tick + window.tick

    for row in sorted(rows, key=lambda each: (each["tick"], each["time"])):
        key = key_of(row, by)
        if key is None or not any(each is not None and each.rows([row]) for each in figures):
            continue
        own = inside.get(key)
        if own and over(own[0]["time"]) < row["tick"]:
            own = None  # it was let go at that tick
        if own is None or row["time"] >= own[0]["time"] + window.length:
            inside[key] = [row]
        else:
            own.append(row)
    return {key: own for key, own in inside.items() if over(own[0]["time"]) > tick}


def figures(
    figure: Figure, rows: Sequence[Row], by: Sequence[str], window: Window, tick: int
) -> dict[tuple[str, ...], Any]:
    """The figure of every key at ``tick``; ``rows`` are those with effective time before it."""
    lo = window.lo(tick)
    return between(figure, rows, by, lo, tick, tick)


def between(
    figure: Figure, rows: Sequence[Row], by: Sequence[str], lo: int, hi: int, tick: int
) -> dict[tuple[str, ...], Any]:
    """The figure of every key over times in ``[lo, hi)``, as known at ``tick``."""
    if figure.verb == "seconds":
        sums: dict[tuple[str, ...], int] = {}
        for span in spans(figure, rows, by, tick):
            length = min(span.end, hi) - max(span.start, lo)
            if length > 0:
                sums[span.key] = sums.get(span.key, 0) + length
        return sums
    inside: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = key_of(row, by)
        if key is not None and lo <= row["time"] < hi:
            inside.setdefault(key, []).append(row)
    return {key: figure.rows(of_key) for key, of_key in inside.items()}
