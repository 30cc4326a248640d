"""One rule on other rules: it fires where all of them do, or any.

Owns the join. A part that is by the rule's own scope gives the scopes; one by another dimension
holds for all that belong there, a campaign's for each of its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from monitor.decisions import Alert, Evidence, Figures, Scope, Want, scope_text
from monitor.rules.belonging import Belonging
from monitor.rules.episodes import Row
from monitor.rules.firing import FiringRule
from monitor.rules.model import Rule
from monitor.rules.references import References
from monitor.rules.scopes import Exceptions
from monitor.rules.wave import KEY
from monitor.windows.pending import aligned_after


class Judging(Protocol):
    """A rule that has rows."""

    @property
    def rule(self) -> Rule:
        """As written."""
        ...

    @property
    def rows(self) -> Mapping[Any, Row]:
        """Its scopes that are not calm."""
        ...


class CombinedRule(FiringRule):
    """The state of one rule on others."""

    def __init__(
        self,
        rule: Rule,
        parts: Sequence[Judging],
        references: References,
        *,
        tick_ms: int,
        normalise: Callable[[str], str] = str,
    ) -> None:
        """``parts`` are those that are not off; they are judged before it."""
        super().__init__(rule)
        self._exceptions = Exceptions(rule, normalise)
        self._named = rule.parts
        self._parts = list(parts)
        self._tick_ms = tick_ms
        self._due = False
        """An episode of a part was ended from outside since the last tick."""
        self._elsewhere: dict[str, Belonging] = {}
        """Where a scope belongs, by the dimension it does not name itself."""
        for part in parts:
            for name in part.rule.by:
                if name not in rule.by:
                    self._elsewhere[name] = references.belonging(rule.by[0], name)

    def step(
        self, tick: int, held: AbstractSet[str], *, in_force: bool = True
    ) -> tuple[list[Alert], list[Want]]:
        """Judge one tick, after its parts; in no particular order."""
        self._due = False
        if not in_force:
            return self.firing.end_all(tick), []
        fire = self._firing()
        alerts: list[Alert] = []
        for text in [*self.rows, *self.firing.wave.folded]:
            if text != KEY and text not in fire:
                alerts += self.firing.end(tick, text, "recovered")
        begun = {
            text: scope
            for text, (scope, _, _) in fire.items()
            if not self.firing.fires(text)
            and dict(scope).get("number") not in held
            and not self._exceptions.match(scope)
        }
        alerts += self.firing.begin(tick, begun, lambda text: fire[text][1:])
        again, wants = self.firing.lasting(tick, lambda text: fire[text][1:])
        return alerts + again, wants

    def _firing(self) -> dict[str, tuple[Scope, Figures, Evidence]]:
        """What fires now, with what is shown of it: the first part's figures."""
        tables = [(part, _rows_of(part)) for part in self._parts]
        own = [table for part, table in tables if part.rule.by == self.rule.by]
        needed = len(self._named) if self.rule.all_of else 1
        found: dict[str, tuple[Scope, Figures, Evidence]] = {}
        for scope in dict.fromkeys(scope for table in own for scope in table):
            rows = [table.get(self._placed(scope, part)) for part, table in tables]
            fires = [row for row in rows if row is not None]
            if len(fires) >= needed:
                evidence = Evidence("combined", len(fires), needed)
                found[scope_text(scope)] = scope, fires[0].figures, evidence
        return found

    def _placed(self, scope: Scope, part: Judging) -> Scope:
        """The scope of ``part`` that holds for ``scope``; empty where nobody knows it."""
        values = dict(scope)
        placed: list[tuple[str, str]] = []
        for name in part.rule.by:
            value = values.get(name)
            if value is None:
                value = self._elsewhere[name].of(scope[0][1])
            if value is None:
                return ()
            placed.append((name, value))
        return tuple(placed)

    # --- from outside -----------------------------------------------------------------------------

    def part_closed(self) -> None:
        """An episode of some rule was ended from outside: look again at the next tick."""
        self._due = bool(self.rows)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        due = [*self.firing.repeats(), *([after] if self._due else [])]
        if not due:
            return None
        return aligned_after(min(due), after, self._tick_ms)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {**self.firing.snapshot(), "due": self._due}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.firing.restore(state)
        self._due = state["due"]


def _rows_of(part: Judging) -> dict[Scope, Row]:
    """The scopes whose episode is not over; that of a wave is nobody's."""
    rows = (row for row in part.rows.values() if row.level is not None and row.scope)
    return {row.scope: row for row in rows}
