"""One rule on single events: it fires when the event comes and ends when another one does.

Owns which scopes have had their event. It does not look at numbers out of service as figures do:
a flag on a number that is suspended for an hour matters, for the hour must not bring it back. Only
a number that is known to be flagged *and* out of service is not told of twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import polars as pl

from monitor.decisions import Alert, Evidence, Figures, Scope, Want, scope_text
from monitor.rules.episodes import NEVER, Episodes, Row
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.rules.scopes import Exceptions

MARKS_MAX = 200_000
"""Scopes remembered as having had their event; past it the oldest are forgotten."""
_SEEN = Figures(None, 1, 1, "")
_EVIDENCE = Evidence("event", 1, 1)
_ON, _UNTIL = "on", "until"


class EventRule:
    """The state of one rule on an event."""

    def __init__(self, rule: Rule, where: pl.Expr | None, *, tick_ms: int) -> None:
        """``where`` is the rule's condition on ``on`` events, compiled; null counts as false."""
        if rule.event is None:
            msg = f"{rule.id} is not a rule on an event"
            raise ValueError(msg)
        self.rule = rule
        self.rows: dict[str, Row] = {}
        """The scopes that fire, by scope text."""
        self.marks_dropped = 0
        """Marks forgotten because there were too many, since construction."""
        self._event = rule.event
        self._where = where
        self._tick_ms = tick_ms
        self._episodes = Episodes(rule)
        self._exceptions = Exceptions(rule)
        self._level = next(name for name, _ in rule.levels.items())
        self._marked: dict[str, int] = {}
        """Scopes whose event came and is not undone, with the tick of the last one, in order."""
        self._waiting: dict[int, list[tuple[str, list[str]]]] = {}
        """By tick, in order: ``on`` or ``until``, and the values of ``by``."""

    @property
    def types(self) -> frozenset[str]:
        """The event types it looks at."""
        return frozenset(name for name in (self._event.on, self._event.until) if name)

    # --- a tick -----------------------------------------------------------------------------------

    def load(self, released: pl.DataFrame) -> None:
        """Keep the rows it looks at until their tick; rows without the scope are nobody's."""
        kind = pl.col("type")
        on = kind == self._event.on
        if self._where is not None:
            on &= self._where.fill_null(value=False)
        wanted = on if self._event.until is None else on | (kind == self._event.until)
        present = pl.all_horizontal(pl.col(name).is_not_null() for name in self.rule.by)
        rows = released.filter(wanted & present).select("tick", on.alias("on"), *self.rule.by)
        for tick, is_on, *values in rows.iter_rows():
            self._waiting.setdefault(tick, []).append((_ON if is_on else _UNTIL, values))

    def step(self, tick: int, held: AbstractSet[str]) -> tuple[list[Alert], list[Want], list[str]]:
        """Judge one tick: alerts, wants and numbers cleared, in no particular order.

        What holds at the tick counts: of several events of one scope within it, the last.
        """
        alerts: list[Alert] = []
        cleared: list[str] = []
        last = {tuple(values): what for what, values in self._waiting.pop(tick, ())}
        for values, what in last.items():
            scope: Scope = tuple(zip(self.rule.by, values, strict=True))
            if self._exceptions.match(scope):
                continue
            if what == _ON:
                alert = self._begin(tick, scope, held)
            else:
                alert = self._undo(tick, scope)
                cleared += [dict(scope)["number"]] if self._releases() else []
            alerts += [] if alert is None else [alert]
        alerts += self._expire(tick)
        wants: list[Want] = []
        for row in self.rows.values():
            again, want = self._episodes.repeat(row, tick), self._episodes.want(row)
            alerts += [] if again is None else [again]
            wants += [] if want is None else [want]
        return alerts, wants, cleared

    def _begin(self, tick: int, scope: Scope, held: AbstractSet[str]) -> Alert | None:
        text = scope_text(scope)
        known = text in self._marked
        self._mark(text, tick)
        if text in self.rows or (known and dict(scope).get("number") in held):
            return None
        row = Row(scope, State.FIRING, _SEEN, _EVIDENCE)
        self._episodes.begin(row, tick, self._level)
        self.rows[text] = row
        return self._episodes.alert(row, tick, "breach")

    def _undo(self, tick: int, scope: Scope) -> Alert | None:
        text = scope_text(scope)
        self._marked.pop(text, None)
        return self.close(text, tick, "cleared") if text in self.rows else None

    def _releases(self) -> bool:
        """Its suspensions wait for the event that undoes them."""
        return self.rule.action is not None and self.rule.action.suspend.until == "cleared"

    def _expire(self, tick: int) -> list[Alert]:
        """Without an event that undoes it, an episode ends when its time is over."""
        if self._event.until is not None:
            return []
        over = [text for text in self.rows if tick >= self._ends(text)]
        alerts = [self.close(text, tick, "recovered") for text in over]
        for text in [text for text in self._marked if tick >= self._ends(text)]:
            del self._marked[text]
        return alerts

    def _ends(self, text: str) -> int:
        last = self._marked.get(text, self.rows[text].began if text in self.rows else 0)
        return last + self.rule.recovering.for_ms

    def _mark(self, text: str, tick: int) -> None:
        self._marked.pop(text, None)
        self._marked[text] = tick
        while len(self._marked) > MARKS_MAX:
            del self._marked[next(iter(self._marked))]
            self.marks_dropped += 1

    # --- from outside -----------------------------------------------------------------------------

    def close(self, key: str, tick: int, reason: str) -> Alert:
        """End the episode of a scope that has one; the alert that says so."""
        return self._episodes.alert(self.rows.pop(key), tick, reason, state="resolved")

    def find(self, episode: str) -> str | None:
        """The scope text whose row has this episode."""
        return next((key for key, row in self.rows.items() if row.episode == episode), None)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        due = [tick for tick in self._waiting if tick > after]
        due += [row.repeat_at for row in self.rows.values() if row.repeat_at != NEVER]
        if self._event.until is None:
            due += [self._ends(text) for text in self.rows]
        if not due:
            return None
        return max(-(-min(due) // self._tick_ms), after // self._tick_ms + 1) * self._tick_ms

    def counts(self) -> Counter[str]:
        """Scopes by state; those without an event are not known."""
        return Counter({str(State.FIRING): len(self.rows)})

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            "rows": [{"key": key, "row": self.rows[key].snapshot()} for key in sorted(self.rows)],
            "marked": [[text, tick] for text, tick in self._marked.items()],
            "waiting": [
                [tick, what, values]
                for tick in sorted(self._waiting)
                for what, values in self._waiting[tick]
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.rows = {entry["key"]: Row.restore(entry["row"]) for entry in state["rows"]}
        self._marked = dict(state["marked"])
        self._waiting = {}
        for tick, what, values in state["waiting"]:
            self._waiting.setdefault(tick, []).append((what, list(values)))
