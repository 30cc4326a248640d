"""What the bounds of all rules move by, kept once: the past of figures, who belongs where.

Owns the tables behind bounds that move, and the bounds themselves for one rule and level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from monitor.decisions import derive_id
from monitor.rules.belonging import Belonging
from monitor.rules.levels import Level, Raw
from monitor.rules.model import Rule
from monitor.rules.past import History, value_of
from monitor.rules.peers import Peers
from monitor.rules.ports import Bool, FigureView, Float64, Int64
from monitor.rules.relative import Past, PeerQuantile, Relative
from monitor.units import Threshold

_DAY_MS = 86_400_000
_NOT_MEASURED = ("title", "description", "class_", "area", "by", "windows", "better", "target")
"""What may be said of an indicator without its figures being others."""


class References:
    """Histories and belongings, each kept once however many rules ask for it."""

    def __init__(self, *, tick_ms: int) -> None:
        self._tick_ms = tick_ms
        self._histories: dict[str, History] = {}
        """By what they are the past of."""
        self._scopes: dict[str, tuple[str, ...]] = {}
        self._belongings: dict[tuple[str, str], Belonging] = {}

    def history(self, rule: Rule, view: FigureView, call: Past) -> History:
        """The past of a rule's figure, long enough for ``call``."""
        measured = view.indicator.model_dump_json(exclude=set(_NOT_MEASURED))
        name = derive_id(measured, " ".join(rule.by), rule.window_keys[0], call.zone)
        if name not in self._histories:
            self._histories[name] = History(view, call.zone, tick_ms=self._tick_ms)
            self._scopes[name] = rule.by
        found = self._histories[name]
        found.days = max(found.days, call.days)
        return found

    def belonging(self, member: str, group: str) -> Belonging:
        """Which ``group`` each ``member`` is in."""
        return self._belongings.setdefault((member, group), Belonging(member, group))

    def load(self, released: pl.DataFrame) -> None:
        """Keep what rows say of who belongs where, until their ticks."""
        for belonging in self._belongings.values():
            belonging.load(released)

    def step(self, tick: int) -> None:
        """Go to ``tick``, after the figures did and before any rule does."""
        for belonging in self._belongings.values():
            belonging.step(tick)
        for history in self._histories.values():
            history.step(tick)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest tick after ``after`` at which time alone moves a bound."""
        return min((each.next_event_tick(after) for each in self._histories.values()), default=None)

    @property
    def horizon_ms(self) -> int:
        """How far back the log has to be read for the bounds to be as they were."""
        return max(((each.days + 1) * _DAY_MS for each in self._histories.values()), default=0)

    def fill(self) -> tuple[int, int, int]:
        """Members and scopes with samples, of the fullest; and samples that found no room."""
        histories = self._histories.values()
        return (
            max((len(each) for each in self._belongings.values()), default=0),
            max((each.fullest for each in histories), default=0),
            sum(each.dropped for each in histories),
        )

    def forget(self, evicted: Mapping[tuple[str, ...], Sequence[int]]) -> None:
        """These keys are gone, and their ids may come back as others."""
        for name, history in self._histories.items():
            gone = evicted.get(self._scopes[name], ())
            if len(gone):
                history.forget(np.array(gone, dtype=np.int64))

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            "histories": {name: each.snapshot() for name, each in self._histories.items()},
            "belongings": [
                [member, group, each.snapshot()]
                for (member, group), each in self._belongings.items()
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what is still asked for of what :meth:`snapshot` gave."""
        for name, history in self._histories.items():
            if name in state["histories"]:
                history.restore(state["histories"][name])
        for member, group, entry in state["belongings"]:
            if (member, group) in self._belongings:
                self._belongings[member, group].restore(entry)


class Moving:
    """The bounds of one level that move: where it breaches and where it lets go.

    Compared as floats: what a bound is made of are medians and quantiles, and nobody's contract.
    """

    def __init__(self, rule: Rule, level: Level, view: FigureView, references: References) -> None:
        """``level`` has a bound that moves; the rule has one window."""
        bound = level.relative
        if bound is None:
            msg = f"{rule.id}: no bound moves"
            raise ValueError(msg)
        self._view = view
        self._above = level.direction == "above"
        self._inclusive = level.inclusive
        self._gap = float(level.gap or 0)
        self._bound = bound
        self._clear: Relative | Threshold = bound if level.clear is None else level.clear
        self._clears_at = level.clear is not None or not level.inclusive
        """The clear value itself lets go; not where it breaches."""
        evidence = level.evidence or rule.evidence
        self._least = evidence.min_of * view.scale_of if isinstance(evidence, Raw) else 1
        self._histories: dict[Past, History] = {}
        self._peers: dict[PeerQuantile, Peers] = {}
        self._belongings: list[Belonging] = []
        self._regrouped = False
        clear = self._clear.calls if isinstance(self._clear, Relative) else ()
        for call in {*bound.calls, *clear}:
            if isinstance(call, Past):
                self._histories[call] = references.history(rule, view, call)
            else:
                inside = call.dimension in rule.by
                belonging = None if inside else references.belonging(rule.by[-1], call.dimension)
                self._belongings += [] if belonging is None else [belonging]
                self._peers[call] = Peers(view, rule.by, call.dimension, belonging)
        self._versions = [each.version for each in self._belongings]

    def step(self) -> None:
        """Go to the next tick, to which the references have gone."""
        for peers in self._peers.values():
            peers.step()
        versions = [each.version for each in self._belongings]
        self._regrouped, self._versions = versions != self._versions, versions

    @property
    def moved(self) -> bool:
        """At the last tick bounds moved of scopes whose figures are as they were.

        Another hour began, or somebody belongs elsewhere.
        """
        return self._regrouped or any(each.moved for each in self._histories.values())

    @property
    def by_peers(self) -> bool:
        """Another scope's figure moves the bound."""
        return bool(self._peers)

    def bound(self, ids: Int64) -> Float64:
        """Where it breaches, gap and all; NaN where nobody can say. Shape of ``ids``."""
        found = self._sum(self._bound, ids)
        return found + self._gap if self._above else found - self._gap

    def breached(self, value: Float64, bound: Float64) -> Bool:
        """The values that lie on the bad side of their bounds."""
        with np.errstate(invalid="ignore"):
            beyond: Bool = value > bound if self._above else value < bound
            return beyond | (value == bound) if self._inclusive else beyond

    def cleared(self, ids: Int64, value: Float64, bound: Float64) -> Bool:
        """The values on the good side of `clear`, or of which nobody can say where that is."""
        clear = (
            self._sum(self._clear, ids)
            if isinstance(self._clear, Relative)
            else np.full(len(ids), float(self._clear))
        )
        good: Bool = value < clear if self._above else value > clear
        silent = np.isnan(clear) | np.isnan(bound)
        return (good | (value == clear) if self._clears_at else good) | silent

    def forget(self, ids: Iterable[int]) -> None:
        """These ids may come back as other scopes."""
        gone = np.array(sorted(ids), dtype=np.int64)
        for peers in self._peers.values():
            peers.forget(gone)

    def _sum(self, bound: Relative, ids: Int64) -> Float64:
        found = np.zeros(len(ids))
        for factor, call in bound.terms:
            if isinstance(call, Past):
                found += float(factor) * self._histories[call].at(call, ids)
            else:
                found += float(factor) * self._peers[call].at(call, ids, self._least)
        return found

    def values(self, hits: Int64, of: Int64) -> Float64:
        """The figures as people read them; without meaning where ``of`` is 0."""
        return value_of(self._view, hits, np.where(of == 0, 1, of))
