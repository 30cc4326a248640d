"""One rule on single events: it fires when the event comes and ends when another one does.

Owns which scopes have had their event. It does not look at numbers out of service as figures do:
a flag on a number that is suspended for an hour matters, for the hour must not bring it back. Only
a number that is known to be flagged *and* out of service is not told of twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import polars as pl

from monitor.decisions import Alert, Cleared, Evidence, Figures, Scope, Want, scope_text
from monitor.rules.firing import FiringRule
from monitor.rules.model import Rule
from monitor.rules.parted import releasing
from monitor.rules.scopes import Exceptions
from monitor.rules.wave import KEY
from monitor.rules.where import among, read_by
from monitor.windows.pending import aligned_after

MARKS_MAX = 200_000
"""Scopes remembered as having had their event; past it the oldest are forgotten."""
_SEEN = Figures(None, 1, 1, "")
_EVIDENCE = Evidence("event", 1, 1)
_ON, _UNTIL = "on", "until"


class EventRule(FiringRule):
    """The state of one rule on an event."""

    def __init__(self, rule: Rule, *, tick_ms: int, normalise: Callable[[str], str] = str) -> None:
        if rule.event is None:
            msg = f"{rule.id} is not a rule on an event"
            raise ValueError(msg)
        super().__init__(rule)
        self.marks_dropped = 0
        """Marks forgotten because there were too many, since construction."""
        self._event = rule.event
        self._on = among([self._event.on], self._event.where)
        self._tick_ms = tick_ms
        self._exceptions = Exceptions(rule, normalise)
        self._releases = releasing(rule) is not None
        self._marked: dict[str, int] = {}
        """Scopes whose event came and is not undone, with the tick of the last one, in order."""
        self._waiting: dict[int, list[tuple[str, list[str]]]] = {}
        """By tick, in order: ``on`` or ``until``, and the values of ``by``."""

    @property
    def types(self) -> frozenset[str]:
        """The event types it looks at."""
        return frozenset(name for name in (self._event.on, self._event.until) if name)

    @property
    def fields(self) -> frozenset[str]:
        """Catalogue fields that it reads."""
        return frozenset(self.rule.by) | read_by(self._event.where, [self._event.on])

    @property
    def horizon_ms(self) -> int:
        """Nothing of before is looked for: an event that was told is told."""
        return 0

    # --- a tick -----------------------------------------------------------------------------------

    def load(self, released: pl.DataFrame) -> None:
        """Keep the rows it looks at until their tick; rows without the scope are nobody's."""
        on, until = self._on, self._event.until
        wanted = on if until is None else on | (pl.col("type") == until)
        present = pl.all_horizontal(pl.col(name).is_not_null() for name in self.rule.by)
        rows = released.filter(wanted & present).select("tick", on.alias("on"), *self.rule.by)
        for tick, is_on, *values in rows.iter_rows():
            self._waiting.setdefault(tick, []).append((_ON if is_on else _UNTIL, values))

    def step(
        self, tick: int, held: AbstractSet[str], *, in_force: bool = True
    ) -> tuple[list[Alert], list[Want], list[Cleared]]:
        """Judge one tick: alerts, wants and what was cleared, in no particular order.

        What holds at the tick counts: of several events of one scope within it, the last. A rule
        that is not in force hears of what is cleared, for the sake of its suspensions, and no more.
        """
        alerts = [] if in_force else self._end_all(tick)
        cleared: list[Cleared] = []
        begun: dict[str, Scope] = {}
        last = {tuple(values): what for what, values in self._waiting.pop(tick, ())}
        for values, what in last.items():
            scope: Scope = tuple(zip(self.rule.by, values, strict=True))
            text = scope_text(scope)
            if what == _UNTIL:
                # Of exceptions too: they may have been suspended before they were excepted.
                alerts += self._undo(tick, text)
                if self._releases:
                    cleared.append(Cleared(dict(scope)["number"], self.rule.id, text))
            elif in_force and not self._exceptions.match(scope) and self._is_new(tick, scope, held):
                begun[text] = scope
        alerts += self.firing.begin(tick, begun, lambda _text: (_SEEN, _EVIDENCE))
        alerts += self._expire(tick)
        again, wants = self.firing.lasting(tick)
        return alerts + again, wants, cleared

    def _is_new(self, tick: int, scope: Scope, held: AbstractSet[str]) -> bool:
        """Whether the event begins an episode; marks the scope."""
        text = scope_text(scope)
        known = text in self._marked
        self._mark(text, tick)
        return text not in self.rows and not (known and dict(scope).get("number") in held)

    def _undo(self, tick: int, text: str) -> list[Alert]:
        self._marked.pop(text, None)
        return self.firing.end(tick, text, "cleared")

    def _end_all(self, tick: int) -> list[Alert]:
        self._marked.clear()
        return self.firing.end_all(tick)

    def _expire(self, tick: int) -> list[Alert]:
        """Without an event that undoes it, an episode ends when its time is over."""
        if self._event.until is not None:
            return []
        over = [text for text in self.rows if text != KEY and tick >= self._ends(text)]
        alerts = [self.close(text, tick, "recovered") for text in over]
        while self._marked and tick >= self._ends(text := next(iter(self._marked))):
            del self._marked[text]  # in order of their last events
            alerts += self.firing.leave_wave(tick, text)
        return alerts

    def _ends(self, text: str) -> int:
        last = self._marked.get(text, self.rows[text].began if text in self.rows else 0)
        return last + self.rule.recovering.for_ms

    def _mark(self, text: str, tick: int) -> None:
        self._marked.pop(text, None)
        self._marked[text] = tick
        while len(self._marked) > MARKS_MAX:
            oldest = next(iter(self._marked))
            del self._marked[oldest]
            self.firing.wave.folded.pop(oldest, None)
            self.marks_dropped += 1

    # --- from outside -----------------------------------------------------------------------------

    @property
    def marks(self) -> int:
        """Scopes remembered as having had their event."""
        return len(self._marked)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        due = [tick for tick in self._waiting if tick > after]
        due += self.firing.repeats()
        if self._event.until is None:
            due += [self._ends(text) for text in self.rows if text != KEY]
            due += [self._ends(text) for text in itertools.islice(self._marked, 1)]
        if not due:
            return None
        return aligned_after(min(due), after, self._tick_ms)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            **self.firing.snapshot(),
            "marked": [[text, tick] for text, tick in self._marked.items()],
            "waiting": [
                [tick, what, values]
                for tick in sorted(self._waiting)
                for what, values in self._waiting[tick]
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.firing.restore(state)
        self._marked = dict(state["marked"])
        self._waiting = {}
        for tick, what, values in state["waiting"]:
            self._waiting.setdefault(tick, []).append((what, list(values)))
