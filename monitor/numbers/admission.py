"""Whether a rule may suspend a number now: the guards, fed with how things stand.

Owns the freeze, the never list and the memory of the rates. The arithmetic is ``guards``, what
holds for pools as a whole ``incidents``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from monitor.decisions import Around, Want
from monitor.numbers import guards
from monitor.numbers.guards import Verdict
from monitor.numbers.incidents import Incidents
from monitor.numbers.pools import PoolBook
from monitor.numbers.settings import NumbersSettings
from monitor.units import Rate

_NOTHING: Final = Around()


class Admission:
    """Judges one suspension after the other within a step."""

    def __init__(
        self, book: PoolBook, settings: NumbersSettings, normalise: Callable[[str], str]
    ) -> None:
        self.frozen_by = ""
        """Who froze suspensions by rules; empty when nobody has."""
        self._book = book
        self._normalise = normalise
        self.incidents = Incidents(lambda pool: book.standing(pool, 0))
        self._recent: list[int] = []
        self._recent_of: dict[str, list[int]] = {}
        """By pool with a rate of its own."""
        self._out: Counter[str] | None = None
        self.reconfigure(settings)

    def reconfigure(self, settings: NumbersSettings) -> None:
        """Take new settings; the freeze and the memory of the rate stay."""
        self._rate = settings.rate
        self._never = frozenset(map(self._normalise, settings.never))

    def begin(
        self,
        tick: int = 0,
        wanted: AbstractSet[str] = frozenset(),
        around: Around = _NOTHING,
    ) -> None:
        """A new step: how the pools stand is counted afresh when first asked for.

        ``wanted`` are the numbers in service that rules want out at ``tick``.
        """
        self._out = None
        self.incidents.begin(tick, wanted, around, self._book.pools_of)

    def never(self, number: str) -> Verdict | None:
        """The one guard that holds for people too."""
        return guards.never(listed=number in self._never)

    def pools_of(self, number: str) -> tuple[str, ...]:
        """The number's pools."""
        return self._book.pools_of(number)

    def retire(self, number: str, held: Container[str]) -> str | None:
        """Give the number up; who takes its place. ``held`` are those out of service."""
        if self._out is not None:
            self._out.subtract(self._book.pools_of(number))  # who takes its place is not out
        return self._book.retire(number, lambda who: who not in held)

    def reinstate(self, number: str) -> None:
        """The number is in its pools again."""
        self._book.reinstate(number)
        self._out = None

    def knows(self, number: str) -> bool:
        """Whether the number is listed or was seen in traffic."""
        return number in self._book

    def verdict(
        self,
        number: str,
        tick: int,
        held: Iterable[str],
        *,
        want: Want | None = None,
        joins: bool = True,
    ) -> Verdict | None:
        """Why a rule may not suspend ``number`` at ``tick``; ``held`` are those out of service.

        ``joins``: a number that nobody knew enters its pool by being asked about.
        """
        if self._out is None:
            self._out = Counter(pool for other in held for pool in self._book.pools_of(other))
        return (
            self.never(number)
            or guards.frozen(by=self.frozen_by)
            or (self._table_full(number, tick) if joins else None)
            or self._pools(number, tick, self._out, want)
            or guards.global_rate(self._rate, self._recent, tick)
        )

    def _pools(
        self, number: str, tick: int, out: Mapping[str, int], want: Want | None
    ) -> Verdict | None:
        """What the number's pools say: what holds for a pool as a whole comes first."""
        pools = self._book.pools_of(number)
        stand = [self._book.standing(pool, out.get(pool, 0)) for pool in pools]
        if want is not None:
            stand = [pool.tightened(want.max_fraction, want.min_left) for pool in stand]
        rates = (guards.pool_rate(pool, self._recent_of.get(pool.name, ()), tick) for pool in stand)
        return (
            self.incidents.verdict(pools)
            or guards.pool_guards(stand)
            or next((verdict for verdict in rates if verdict is not None), None)
        )

    def took(self, number: str, tick: int) -> None:
        """A rule's suspension of ``number`` was issued."""
        self.moved(number)
        period = tick - self._rate.per_ms
        self._recent = [*(at for at in self._recent if at > period), tick]
        self.incidents.took(number, tick)
        for pool in self._book.pools_of(number):
            rate = self._book.standing(pool, 0).rate
            if rate is not None:
                before = self._recent_of.get(pool, ())
                kept = [at for at in before if at > tick - rate.per_ms]
                self._recent_of[pool] = [*kept, tick]

    def moved(self, number: str) -> None:
        """``number`` went out of service, by whoever's order."""
        if self._out is not None:
            self._out.update(self._book.pools_of(number))

    def next_ms(self, after: int) -> int | None:
        """When time alone lets somebody through who waits; None: it does not."""
        due = [_free_ms(self._rate, self._recent)]
        for pool, recent in self._recent_of.items():
            rate = self._book.standing(pool, 0).rate
            due.append(None if rate is None else _free_ms(rate, recent))
        due.append(self.incidents.next_ms(after))
        return min((at for at in due if at is not None and at > after), default=None)

    def snapshot(self) -> dict[str, Any]:
        """The freeze and the memory of the rate."""
        return {
            "frozen_by": self.frozen_by,
            "recent": list(self._recent),
            "recent_of": {pool: list(self._recent_of[pool]) for pool in sorted(self._recent_of)},
            "incidents": self.incidents.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self.frozen_by = state["frozen_by"]
        self._recent = list(state["recent"])
        self._out = None
        if "incidents" in state:  # older programs had none
            self._recent_of = {pool: list(ticks) for pool, ticks in state["recent_of"].items()}
            self.incidents.restore(state["incidents"])

    def _table_full(self, number: str, tick: int) -> Verdict | None:
        # A number flagged from outside before it was ever seen in traffic joins here.
        if number in self._book or self._book.join(number, None, tick):
            return None
        return Verdict("table_full", "more numbers than numbers.numbers_max")


def _free_ms(rate: Rate, recent: Sequence[int]) -> int | None:
    """When the rate lets the next suspension through; None: it does, or never will."""
    if len(recent) < rate.count or rate.count == 0:
        return None
    return recent[-rate.count] + rate.per_ms
