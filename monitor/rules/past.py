"""What a figure was at the same hour of past days, by scope.

Owns the samples, one for each scope, local hour and day, and the medians made of them once an hour.
A sample is the value at the end of the hour, of scopes that had data; a day is kept for as long
as a rule asks for it. Scopes are remembered by name: at night they leave the windows, and their
ids go to others.

Median and median absolute deviation: Leys et al. 2013, doi:10.1016/j.jesp.2013.03.013.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from monitor.rules.ports import FigureView, Float64, Int64
from monitor.rules.relative import LEAST_DAYS, Past
from monitor.sealed import Sealed, plain
from monitor.windows.arrays import grown
from monitor.windows.pending import aligned_after

Float32 = npt.NDArray[np.float32]
HOUR_MS = 3_600_000
HOURS = 24
SCOPES_MAX = 50_000
"""Scopes of one figure sampled in a day; past it new ones have no past, and are counted."""
_UNKNOWN, _NO_PAST = -2, -1


class _Day:
    """The samples of one local day: shape ``(24, scopes)``, NaN where there is none.

    Held in single precision, seven digits, as they are in checkpoints: a restart changes nothing.
    """

    def __init__(self, names: Iterable[str] = (), values: Float32 | None = None) -> None:
        self.rows = {name: row for row, name in enumerate(names)}
        self.values = _nothing(0) if values is None else values

    def take(self, hour: int, names: list[str], values: Float64) -> int:
        """Keep the samples of ``hour``; returns how many found no room."""
        known = [name for name in names if name in self.rows]
        room = SCOPES_MAX - len(self.rows)
        new = [name for name in names if name not in self.rows]
        for name in new[:room]:
            self.rows[name] = len(self.rows)
        wider = _nothing(len(self.rows))
        wider[:, : self.values.shape[1]] = self.values
        places = [place for place, name in enumerate(names) if name in self.rows]
        rows = [self.rows[names[place]] for place in places]
        wider[hour, rows] = values[places]
        self.values = wider  # anew, as a snapshot may hold the one before
        return len(names) - len(known) - len(new[:room])

    def plain(self) -> dict[str, Any]:
        """Names and values."""
        return {"names": list(self.rows), "values": self.values}


def _nothing(scopes: int) -> Float32:
    return np.full((HOURS, scopes), np.nan, dtype=np.float32)


class History:
    """The past of one figure by the hours of one zone; rules that ask for it share it."""

    def __init__(self, view: FigureView, zone: str, *, tick_ms: int) -> None:
        self.days = 0
        """How many past days are kept: as many as somebody asks for."""
        self.dropped = 0
        """Samples that found no room, since construction."""
        self.moved = False
        """At the last tick another hour began, so all bounds may have changed."""
        self._view = view
        self._zone = ZoneInfo(zone)
        self._tick_ms = tick_ms
        self._kept: dict[int, _Day] = {}
        """By the day's ordinal."""
        self._sealed: dict[int, Sealed] = {}
        self._next: int | None = None
        self._slot: tuple[int, int] | None = None
        """Day and hour that what follows is made for."""
        self._names: dict[str, int] = {}
        self._matrix: Float64 = np.empty((0, 0))
        """Values of the hour, shape ``(days, scopes)``, yesterday's first."""
        self._made: dict[Past, Float64] = {}
        self._rows = np.full(0, _UNKNOWN, dtype=np.int64)
        """By id, the column of the matrix."""

    def step(self, tick: int) -> None:
        """Take the samples of an hour that is over at ``tick``; called at every tick."""
        self.moved = False
        if self._next is None:
            self._next = self._end_of_hour(tick - self._tick_ms)
        if tick >= self._next:
            if self._view.covered(tick):
                self._sample(self._next)
            self._next = self._end_of_hour(self._next)
        slot = self._slot_of(tick)
        if slot != self._slot:
            self._slot = slot
            self.moved = True
            self._gather()

    def next_event_tick(self, after: int) -> int:
        """The tick at which the hour that ``after`` lies in is over."""
        at = self._end_of_hour(after) if self._next is None else self._next
        return aligned_after(at, after, self._tick_ms)

    def at(self, call: Past, ids: Int64) -> Float64:
        """What ``call`` gives for ``ids``; NaN where the past says nothing."""
        if call not in self._made:
            self._made[call] = self._make(call)
        made, rows = self._made[call], self._rows_of(ids)
        found = np.full(len(ids), np.nan)
        has = rows != _NO_PAST
        found[has] = made[rows[has]]
        return found

    def forget(self, ids: Int64) -> None:
        """These ids may come back as other scopes."""
        self._rows[ids[ids < len(self._rows)]] = _UNKNOWN

    @property
    def fullest(self) -> int:
        """Scopes of the day that has most."""
        return max((len(day.rows) for day in self._kept.values()), default=0)

    # --- samples ----------------------------------------------------------------------------------

    def _sample(self, end: int) -> None:
        ids = self._view.keys.living()
        hits, of = self._view.figures(ids)
        has = (of != 0) & (hits != 0) if self._view.kind == "count" else of != 0
        ids, values = ids[has], value_of(self._view, hits[has], of[has])
        day, hour = self._slot_of(end)
        kept = self._kept.setdefault(day, _Day())
        names = [self._view.keys.name(key) for key in ids.tolist()]
        self.dropped += kept.take(hour, names, values)
        self._sealed.pop(day, None)
        for old in [each for each in self._kept if each < day - self.days]:
            del self._kept[old]
            self._sealed.pop(old, None)

    def _slot_of(self, end: int) -> tuple[int, int]:
        """Day and local hour of the millisecond before ``end``."""
        moment = datetime.fromtimestamp((end - 1) / 1000, tz=self._zone)
        return moment.toordinal(), moment.hour

    def _end_of_hour(self, time: int) -> int:
        """The first end of a local hour after ``time``."""
        moment = datetime.fromtimestamp(time / 1000, tz=self._zone)
        offset = moment.utcoffset()
        shift = 0 if offset is None else int(offset.total_seconds() * 1000)
        return ((time + shift) // HOUR_MS + 1) * HOUR_MS - shift

    # --- bounds of an hour ------------------------------------------------------------------------

    def _gather(self) -> None:
        """Put the samples of the hour side by side."""
        day, hour = self._slot or (0, 0)
        before = [self._kept.get(day - back) for back in range(1, self.days + 1)]
        names: dict[str, int] = {}
        for each in before:
            for name in each.rows if each is not None else ():
                names.setdefault(name, len(names))
        self._names = names
        self._matrix = np.full((self.days, len(names)), np.nan)
        for back, each in enumerate(before):
            if each is not None:
                columns = np.fromiter((names[name] for name in each.rows), np.int64, len(each.rows))
                self._matrix[back, columns] = each.values[hour]
        self._made.clear()
        self._rows = np.full(0, _UNKNOWN, dtype=np.int64)

    def _make(self, call: Past) -> Float64:
        matrix = self._matrix[: call.days]
        if call.what == "ago":
            # Before the first step nothing is known.
            return matrix[-1] if len(matrix) == call.days else np.full(matrix.shape[1], np.nan)
        made = np.full(matrix.shape[1], np.nan)
        enough = np.count_nonzero(~np.isnan(matrix), axis=0) >= LEAST_DAYS
        known = matrix[:, enough]
        if known.size:
            middle = np.nanmedian(known, axis=0)
            made[enough] = (
                middle if call.what == "baseline" else np.nanmedian(abs(known - middle), axis=0)
            )
        return made

    def _rows_of(self, ids: Int64) -> Int64:
        if len(ids) and int(ids.max()) >= len(self._rows):
            self._rows = grown(self._rows, int(ids.max()) + 1, _UNKNOWN)
        rows: Int64 = self._rows[ids]
        unknown = np.flatnonzero(rows == _UNKNOWN)
        for place in unknown.tolist():
            name = self._view.keys.name(int(ids[place]))
            rows[place] = self._rows[ids[place]] = self._names.get(name, _NO_PAST)
        return rows

    # --- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """All days; those that are over are written once."""
        today = max(self._kept, default=0)
        for day, kept in self._kept.items():
            if day != today and day not in self._sealed:
                self._sealed[day] = Sealed(kept, _Day.plain)
        return {
            "next": self._next,
            "slot": None if self._slot is None else list(self._slot),
            "days": [
                [day, self._sealed[day] if day in self._sealed else kept.plain()]
                for day, kept in sorted(self._kept.items())
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self._next = state["next"]
        for day, entry in state["days"]:
            content = plain(entry)
            values = np.asarray(content["values"], dtype=np.float32).reshape(HOURS, -1)
            self._kept[day] = _Day(content["names"], values)
            if isinstance(entry, Sealed):
                self._sealed[day] = entry.held_as(self._kept[day], _Day.plain)
        # The same hour as before: a restart moves no bound.
        self._slot = None if state["slot"] is None else (state["slot"][0], state["slot"][1])
        self._gather()


def value_of(view: FigureView, hits: Int64, of: Int64) -> Float64:
    """The figure as people read it; ``of`` is nowhere 0."""
    values: Float64 = (hits / view.scale_hits) / (of / view.scale_of)
    return values
