"""One rule on absence: it fires when nothing came for too long while it should have.

Owns what it hears and says. Since when each scope waits is ``waits``'s, what fires is
``firing``'s. Two facts are followed for each scope: whether its `while` holds, and when what must
come came last. It has waited since the later of that and the beginning of its `while`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import polars as pl

from monitor.decisions import Alert, Cleared, Evidence, Figures, Scope, Want, scope_text
from monitor.rules.absence import While
from monitor.rules.episodes import Row
from monitor.rules.firing import FiringRule
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.rules.scopes import Exceptions
from monitor.rules.waits import Key, Waits
from monitor.rules.wave import KEY
from monitor.rules.where import among, read_by
from monitor.units import format_duration
from monitor.windows.pending import aligned_after

_Row = tuple[str, int, list[str]]
"""What the event says (``hold``, ``over``, ``came``), its time in ms, and the values of ``by``."""
HOLD, OVER, _CAME = "hold", "over", "came"


class AbsenceRule(FiringRule):
    """The state of one rule on absence."""

    def __init__(self, rule: Rule, *, tick_ms: int, normalise: Callable[[str], str] = str) -> None:
        if rule.absent is None or rule.while_ is None or rule.for_ms is None:
            msg = f"{rule.id} is not a rule on absence"
            raise ValueError(msg)
        super().__init__(rule)
        self._absent, self._while, self._for_ms = rule.absent, rule.while_, rule.for_ms
        self._tick_ms = tick_ms
        self._exceptions = Exceptions(rule, normalise)
        self._ends_unheard = rule.no_data in {None, "resolve"}
        self._waits = Waits(rule.for_ms, rule.while_.max_age)
        self._waiting: dict[int, list[_Row]] = {}
        """Rows by tick, in order; of those of one scope that came, the newest alone, last."""
        self._in_force = True
        self._held: frozenset[str] = frozenset()
        """Numbers out of service at the last tick, for rules by number."""
        self._says = sayings(self._while)
        self._comes = among(self._absent.count, self._absent.where)

    @property
    def types(self) -> frozenset[str]:
        """The event types it looks at."""
        return frozenset([*self._absent.count, *self._while.on, *(self._while.until or ())])

    @property
    def fields(self) -> frozenset[str]:
        """Catalogue fields that it reads."""
        return (
            frozenset(self.rule.by)
            | read_by(self._absent.where, self._absent.count)
            | read_by(self._while.where, self._while.on)
        )

    @property
    def horizon_ms(self) -> int:
        """What began longer ago than this was told when its time was over, or is not known."""
        return self._for_ms + (self._while.max_age or self._for_ms)

    # --- a tick -----------------------------------------------------------------------------------

    def load(self, released: pl.DataFrame) -> None:
        """Keep the rows it looks at until their tick; rows without the scope are nobody's."""
        by = self.rule.by
        present = pl.all_horizontal(pl.col(name).is_not_null() for name in by)
        mine = released.filter(present & pl.col("type").is_in(list(self.types)))
        if mine.is_empty():
            return
        told = mine.select("tick", self._says.alias("says"), "time", *by).drop_nulls("says")
        came = mine.filter(self._comes).group_by("tick", *by, maintain_order=True)
        newest = came.agg(pl.col("time").max())
        for tick, says, time, *values in told.iter_rows():
            self._waiting.setdefault(tick, []).append((says, time, values))
        for tick, time, *values in newest.select("tick", "time", *by).iter_rows():
            self._waiting.setdefault(tick, []).append((_CAME, time, values))

    def step(
        self, tick: int, held: AbstractSet[str], *, in_force: bool = True
    ) -> tuple[list[Alert], list[Want], list[Cleared]]:
        """Judge one tick: alerts and wants, in no particular order; nothing is ever cleared.

        A rule that is not in force goes on hearing, so that it knows who waits when it is.
        """
        if in_force and not self._in_force:
            self._waits.all_again()
        self._in_force = in_force
        alerts = [] if in_force else self.firing.end_all(tick)
        for says, time, values in self._waiting.pop(tick, ()):
            alerts += self._hear(tick, says, time, tuple(values))
        if "number" in self.rule.by:
            alerts += self._rest(tick, held)
        if not in_force:
            self._listen(tick)
            return alerts, [], []
        begun: dict[str, Scope] = {}
        for key in self._waits.due(tick):
            scope: Scope = tuple(zip(self.rule.by, key, strict=True))
            if self.firing.fires(scope_text(scope)):
                alerts += self._look_again(tick, scope)
            elif self._waits.unheard(key, tick):
                self._waits.forget(key)
            elif dict(scope).get("number") in held:
                self._begin_anew(tick, key)
            elif not self._exceptions.match(scope):
                begun[scope_text(scope)] = scope
                self._watch(key)
        alerts += self.firing.begin(tick, begun, lambda text: self._standing(tick, begun[text]))
        again, wants = self.firing.lasting(
            tick, lambda text: self._standing(tick, self.rows[text].scope)
        )
        return alerts + again, wants, []

    def _listen(self, tick: int) -> None:
        """Not in force: who is heard of no more waits no more; who waits too long waits on."""
        for key in self._waits.due(tick):
            if self._waits.unheard(key, tick):
                self._waits.forget(key)
            else:
                self._waits.watch(key)

    def _hear(self, tick: int, says: str, time: int, key: Key) -> list[Alert]:
        text = scope_text(tuple(zip(self.rule.by, key, strict=True)))
        if says == HOLD:
            self._waits.hold(key, time)
            return []
        if says == OVER:
            over = self._waits.over(key, time)
            return self.firing.end(tick, text, "cleared") if over else []
        self._waits.came(key, time)
        if not self.firing.fires(text) or self._waits.too_long(key, tick):
            return []
        self._waits.again(key)
        return self.firing.end(tick, text, "recovered")

    def _rest(self, tick: int, held: AbstractSet[str]) -> list[Alert]:
        """Numbers out of service make no calls: nothing is awaited of them until they are back."""
        position = self.rule.by.index("number")
        back, self._held = self._held - held, frozenset(held)
        if back:
            for key in self._waits.waiting():
                if key[position] in back:
                    self._waits.came(key, tick)
        alerts: list[Alert] = []
        for text, row in list(self.rows.items()) if held else ():
            if text != KEY and _key(row)[position] in held:
                alerts += self.firing.end(tick, text, "suspended")
                self._begin_anew(tick, _key(row))
        return alerts

    def _look_again(self, tick: int, scope: Scope) -> list[Alert]:
        """It fires, and may not have been heard of for so long that nobody knows any more."""
        key = tuple(value for _, value in scope)
        if not self._waits.unheard(key, tick):
            self._watch(key)
        elif self._ends_unheard:
            self._waits.forget(key)
            return self.firing.end(tick, scope_text(scope), "no_data")
        return []

    def _watch(self, key: Key) -> None:
        if self._ends_unheard:
            self._waits.watch(key)

    def _begin_anew(self, tick: int, key: Key) -> None:
        """It waits as if what must come had come now."""
        self._waits.came(key, tick)
        self._waits.again(key)

    def _standing(self, tick: int, scope: Scope) -> tuple[Figures, Evidence]:
        waited = (tick - self._waits.since(tuple(value for _, value in scope))) / 1000
        window = format_duration(self._for_ms)
        figures = Figures(waited, waited, 1, window, "count")
        return figures, Evidence("absence", waited, self._for_ms / 1000)

    # --- from outside -----------------------------------------------------------------------------

    def close(self, key: str, tick: int, reason: str) -> Alert:
        """End the episode of a scope that has one; the alert that says so. It waits anew."""
        row = self.rows[key]
        alert = self.firing.close(key, tick, reason)
        if key != KEY:
            self._begin_anew(tick, _key(row))
        return alert

    @property
    def marks(self) -> int:
        """Scopes that wait."""
        return len(self._waits)

    @property
    def marks_dropped(self) -> int:
        """Scopes not watched because there were too many, since construction."""
        return self._waits.dropped

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        due = [tick for tick in self._waiting if tick > after]
        due += self.firing.repeats()
        due += [] if self._waits.next_due is None else [self._waits.next_due]
        if not due:
            return None
        return aligned_after(min(due), after, self._tick_ms)

    def counts(self) -> Counter[str]:
        """Scopes by state: those that fire, and those that wait and may."""
        counts = self.firing.counts()
        own = sum(key != KEY and _key(row) in self._waits for key, row in self.rows.items())
        counts[str(State.OK)] = len(self._waits) - own
        return counts

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            **self.firing.snapshot(),
            **self._waits.snapshot(),
            "waiting": [
                [tick, says, time, values]
                for tick in sorted(self._waiting)
                for says, time, values in self._waiting[tick]
            ],
            "in_force": self._in_force,
            "held": sorted(self._held),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.firing.restore(state)
        self._waits.restore(state)
        self._in_force = state["in_force"]
        self._held = frozenset(state["held"])
        self._waiting = {}
        for tick, says, time, values in state["waiting"]:
            self._waiting.setdefault(tick, []).append((says, time, list(values)))


def _key(row: Row) -> Key:
    return tuple(value for _, value in row.scope)


def sayings(while_: While) -> pl.Expr:
    """What each row says of `while`: ``hold``, ``over``, or null where it says nothing."""
    held = pl.when(among(while_.on, while_.where)).then(pl.lit(HOLD))
    over = pl.col("type").is_in([*while_.on, *(while_.until or ())])
    return held.when(over).then(pl.lit(OVER)).otherwise(pl.lit(None, dtype=pl.String))
