"""Rules that are gone while a suspension of theirs still waits for its event.

Owns listening on. A rule may be removed, switched off, made a shadow or given a ttl; the number it
has suspended until cleared must still come back when it is cleared. So the event goes on being
heard for that rule, for as long as the desk has a number that waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from monitor.decisions import Cleared, scope_text
from monitor.rules.model import Rule


def releasing(rule: Rule) -> str | None:
    """The event that ends the suspensions of a rule in force; None: it makes none of that kind."""
    if rule.status != "active" or rule.event is None or rule.action is None:
        return None
    return rule.event.until if rule.action.suspend.until == "cleared" else None


class Parted:
    """One rule that is gone, and the event that is still heard for it."""

    def __init__(self, rule: str, until: str, by: tuple[str, ...]) -> None:
        self.rule = rule
        self.until = until
        self.by = by
        self._waiting: dict[int, list[list[str]]] = {}

    def load(self, released: pl.DataFrame) -> None:
        """Keep the rows that end something until their tick."""
        present = pl.all_horizontal(pl.col(name).is_not_null() for name in self.by)
        rows = released.filter((pl.col("type") == self.until) & present)
        for tick, *values in rows.select("tick", *self.by).iter_rows():
            self._waiting.setdefault(tick, []).append(values)

    def step(self, tick: int) -> list[Cleared]:
        """What was cleared at ``tick``."""
        scopes = [
            tuple(zip(self.by, values, strict=True)) for values in self._waiting.pop(tick, ())
        ]
        return [Cleared(dict(scope)["number"], self.rule, scope_text(scope)) for scope in scopes]

    def next_event_tick(self, after: int) -> int | None:
        """The next tick with something in it, or None."""
        return min((tick for tick in self._waiting if tick > after), default=None)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        waiting = [
            [tick, values] for tick in sorted(self._waiting) for values in self._waiting[tick]
        ]
        return {"rule": self.rule, "until": self.until, "by": list(self.by), "waiting": waiting}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Parted:
        """What :meth:`snapshot` was taken of."""
        parted = cls(state["rule"], state["until"], tuple(state["by"]))
        for tick, values in state["waiting"]:
            parted._waiting.setdefault(tick, []).append(list(values))
        return parted
