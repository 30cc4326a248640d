"""Figures made to measure: what the rule engine sees of the indicators, set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from monitor.decisions import Scope
from monitor.keys import KeyTable
from monitor.rules.model import Rule
from monitor.rules.ports import Int64

TICK = 5_000
T0 = 1_800_000_000_000
EMPTY = np.empty(0, dtype=np.int64)


class FakeIndicator(BaseModel):
    id: str = "hangup_rate"
    kind: str = "ratio"
    hits: str = "h"
    of: str = "o"


@dataclass
class FakeView:
    """One window whose figures a test sets; ``fresh`` is what it says it is."""

    by: tuple[str, ...] = ("number",)
    window: str = "30m"
    kind: Literal["ratio", "mean", "count"] = "ratio"
    countable: bool = True
    scale_hits: int = 1
    scale_of: int = 1
    covered_from: int = 0
    keys: KeyTable = field(default_factory=lambda: KeyTable(10_000))
    indicator: FakeIndicator = field(default_factory=FakeIndicator)

    def __post_init__(self) -> None:
        self._figures: dict[int, tuple[int, int]] = {}
        self._fresh: dict[int, tuple[int, int]] = {}
        self._touched: set[int] = set()

    def set(
        self,
        figures: Mapping[str, tuple[int, int]],
        fresh: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        """The next step: new figures of some keys, and this tick's own rows."""
        self._touched = set()
        for name, pair in figures.items():
            key = int(self.keys.intern([name])[0])
            if self._figures.get(key) != pair:
                self._figures[key] = pair
                self._touched.add(key)
        self._fresh = {}
        for name, pair in (fresh or {}).items():
            key = int(self.keys.intern([name])[0])
            self._fresh[key] = pair
            self._touched.add(key)

    def touched(self) -> Int64:
        return np.array(sorted(self._touched), dtype=np.int64)

    def figures(self, ids: Int64) -> tuple[Int64, Int64]:
        none = (0, 1 if self.kind == "count" else 0)
        pairs = [self._figures.get(key, none) for key in ids.tolist()]
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def fresh(self) -> tuple[Int64, Int64, Int64]:
        ids = np.array(sorted(self._fresh), dtype=np.int64)
        table = np.array([self._fresh[key] for key in ids.tolist()], dtype=np.int64).reshape(-1, 2)
        return ids, table[:, 0], table[:, 1]

    def entered(self) -> tuple[Int64, Int64, Int64]:
        """Those to which nothing was added among them."""
        ids = sorted({*self._fresh, *self._figures})
        rows = [self._fresh.get(key, (0, 0)) for key in ids]
        table = np.array(rows, dtype=np.int64).reshape(-1, 2)
        return np.array(ids, dtype=np.int64), table[:, 0].copy(), table[:, 1].copy()

    def covered(self, tick: int) -> bool:
        return tick >= self.covered_from

    def covered_at(self) -> int:
        return -(-self.covered_from // TICK) * TICK

    def scope(self, key: int) -> Scope:
        return tuple(zip(self.by, self.keys.name(key).split("\x1f"), strict=True))


@dataclass
class FakeSource:
    """Views by window; a view is made on first use."""

    views: dict[str, FakeView] = field(default_factory=dict)
    by: tuple[str, ...] = ("number",)

    def view(self, indicator: str, by: tuple[str, ...], window: str) -> FakeView:
        shared = next(iter(self.views.values())).keys if self.views else KeyTable(10_000)
        if window not in self.views:
            made = FakeView(by=by, window=window, keys=shared)
            made.indicator.id = indicator
            self.views[window] = made
        return self.views[window]


def rule(**changes: Any) -> Rule:
    """A rule as YAML would give it; ``changes`` replace whole keys, None removes one."""
    plain: dict[str, Any] = {
        "id": "number-hangup",
        "indicator": "hangup_rate",
        "by": "number",
        "levels": {"crit": {"above": "30%", "clear": "25%"}},
        "window": "30m",
        "evidence": {"method": "raw", "min_of": 10},
        "no_data": "hold",
        "notify": {"route": "supervisors"},
    }
    plain.update(changes)
    return Rule.model_validate({key: value for key, value in plain.items() if value is not None})
