"""Whether a rule may suspend a number now: the guards, fed with how things stand.

Owns the freeze, the never list and the memory of the global rate. The arithmetic is ``guards``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from monitor.numbers import guards
from monitor.numbers.guards import Verdict
from monitor.numbers.pools import PoolBook
from monitor.numbers.settings import NumbersSettings


class Admission:
    """Judges one suspension after the other within a step."""

    def __init__(
        self, book: PoolBook, settings: NumbersSettings, normalise: Callable[[str], str]
    ) -> None:
        self.frozen_by = ""
        """Who froze suspensions by rules; empty when nobody has."""
        self._book = book
        self._normalise = normalise
        self._recent: list[int] = []
        self._out: Counter[str] | None = None
        self.reconfigure(settings)

    def reconfigure(self, settings: NumbersSettings) -> None:
        """Take new settings; the freeze and the memory of the rate stay."""
        self._rate = settings.rate
        self._never = frozenset(map(self._normalise, settings.never))

    def begin(self) -> None:
        """A new step: how the pools stand is counted afresh when first asked for."""
        self._out = None

    def never(self, number: str) -> Verdict | None:
        """The one guard that holds for people too."""
        return guards.never(listed=number in self._never)

    def knows(self, number: str) -> bool:
        """Whether the number is listed or was seen in traffic."""
        return number in self._book

    def verdict(
        self, number: str, tick: int, held: Iterable[str], *, joins: bool = True
    ) -> Verdict | None:
        """Why a rule may not suspend ``number`` at ``tick``; ``held`` are those out of service.

        ``joins``: a number that nobody knew enters its pool by being asked about.
        """
        if self._out is None:
            self._out = Counter(pool for other in held for pool in self._book.pools_of(other))
        out = self._out
        return (
            self.never(number)
            or guards.frozen(by=self.frozen_by)
            or (self._table_full(number, tick) if joins else None)
            or guards.pool_guards(
                [self._book.standing(pool, out[pool]) for pool in self._book.pools_of(number)]
            )
            or guards.global_rate(self._rate, self._recent, tick)
        )

    def took(self, number: str, tick: int) -> None:
        """A rule's suspension of ``number`` was issued."""
        self.moved(number)
        period = tick - self._rate.per_ms
        self._recent = [*(at for at in self._recent if at > period), tick]

    def moved(self, number: str) -> None:
        """``number`` went out of service, by whoever's order."""
        if self._out is not None:
            self._out.update(self._book.pools_of(number))

    def rate_free_ms(self) -> int | None:
        """When the rate lets the next suspension through; None: it does, or never will."""
        recent, count = self._recent, self._rate.count
        if len(recent) < count or count == 0:
            return None
        return recent[-count] + self._rate.per_ms

    def snapshot(self) -> dict[str, Any]:
        """The freeze and the memory of the rate."""
        return {"frozen_by": self.frozen_by, "recent": list(self._recent)}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self.frozen_by = state["frozen_by"]
        self._recent = list(state["recent"])
        self._out = None

    def _table_full(self, number: str, tick: int) -> Verdict | None:
        # A number flagged from outside before it was ever seen in traffic joins here.
        if number in self._book or self._book.join(number, None, tick):
            return None
        return Verdict("table_full", "more numbers than numbers.numbers_max")
