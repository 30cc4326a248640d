"""What holds for a pool as a whole: a wave, a breach of the campaign, too many that wait.

Owns when suspensions in a pool stop for all its numbers at once, and that people hear of it once:
it is one incident, not one refusal a number. Each is looked at afresh at every step at which
somebody wants a number out, from what all rules want together, *before* any of it is granted; so it
does not matter which of them comes first. The guards of single suspensions are ``guards``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from monitor.decisions import Around, derive_id, iso
from monitor.numbers.guards import PoolStanding, Verdict
from monitor.units import format_duration

Kind = Literal["campaign", "brake", "approval"]

BRAKE_POOL_MIN: Final = 5
"""Of a smaller pool a share of numbers says nothing; ``max_fraction`` and ``min_left`` guard it."""
NAMED_MAX: Final = 20
"""Numbers that a page names."""
ID_LENGTH: Final = 8
"""Of what is typed to approve: so many hex digits."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Why suspensions in a pool stand still."""

    kind: Kind
    pool: str
    id: str
    since_ms: int
    detail: str
    told: bool = False
    """People have heard of it."""
    until_ms: int | None = None
    """Of an approval: until then it may be given, and once given, until then it holds."""
    approved_by: str = ""
    route: str = ""
    """Where people have heard of it."""

    @property
    def page(self) -> str:
        """Id of the refusal that tells of it."""
        return derive_id("incident", self.kind, self.pool, self.since_ms)


class Incidents:
    """The incidents of all pools, and the memory that waves are seen by."""

    def __init__(self, standing: Callable[[str], PoolStanding]) -> None:
        """``standing`` is a pool as it is configured now; what is out of it does not matter."""
        self._standing = standing
        self._open: dict[tuple[Kind, str], Incident] = {}
        self._admitted: dict[str, int] = {}
        """When rules last suspended a number; as far back as some pool looks."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._open)

    def begin(
        self,
        tick: int,
        wanted: AbstractSet[str],
        around: Around,
        pools_of: Callable[[str], Iterable[str]],
    ) -> None:
        """Look at every pool that somebody wants something of; ``wanted`` are numbers in service.

        Those that rules consider (``around.pending``) count for a wave too, and so does what they
        lately suspended.
        """
        if not wanted and not self._open:
            return
        waiting = _by_pool(wanted, pools_of)
        stirred = _by_pool(wanted | around.pending | self._admitted.keys(), pools_of)
        named = {pool for _, pool in self._open}
        for pool in sorted(waiting.keys() | named):
            standing = self._standing(pool)
            self._campaign(standing, tick, around.breaches)
            self._brake(standing, tick, stirred.get(pool, set()), wanted | around.pending)
            self._approval(standing, tick, len(waiting.get(pool, ())))
        longest = max((self._standing(pool).brake_window for pool in stirred), default=0)
        for number in [n for n, at in self._admitted.items() if at <= tick - longest]:
            del self._admitted[number]

    @property
    def standing(self) -> tuple[Incident, ...]:
        """Those that there are, for people."""
        return tuple(self._open[key] for key in sorted(self._open))

    def verdict(self, pools: Sequence[str]) -> Verdict | None:
        """The first incident that keeps a number of these pools in service."""
        for pool in pools:
            for kind in _ORDER:
                found = self._open.get((kind, pool))
                if found is not None and not found.approved_by:
                    return Verdict(kind, found.detail, pool, incident=True)
        return None

    def page_of(self, pools: Iterable[str], route: str) -> str:
        """The page that speaks of all numbers of one of ``pools``, told by ``route``; or empty."""
        for pool in pools:
            for kind in _OF_ALL:
                found = self._open.get((kind, pool))
                if found is not None and found.told and found.route == route:
                    return found.page
        return ""

    def is_open(self, page: str) -> bool:
        """Whether what a page told of goes on."""
        return any(each.page == page for each in self._open.values())

    def tell(self, verdict: Verdict, route: str) -> Incident | None:
        """The incident behind ``verdict``, the first time that it is in anybody's way."""
        key: tuple[Any, str] = (verdict.guard, verdict.pool)
        found = self._open[key]
        if found.told:
            return None
        self._open[key] = found = replace(found, told=True, route=route)
        return found

    def took(self, number: str, tick: int) -> None:
        """A rule suspended the number."""
        self._admitted[number] = tick

    def approve(self, name: str, who: str, tick: int) -> tuple[Incident | None, str]:
        """Let what waits go ahead; the incident, or None with what stands against it.

        Of two people one is first, and the other is told so.
        """
        asked = [each for each in self._open.values() if each.kind == "approval"]
        found = next((each for each in asked if each.id == name), None)
        if found is None or found.until_ms is None:
            return None, f"'{name}' is not asked for, or was and is over"
        if found.approved_by:
            return None, f"{found.approved_by} has approved it already"
        window = self._standing(found.pool).approval_for
        found = replace(found, approved_by=who, until_ms=tick + window)
        self._open["approval", found.pool] = found
        return found, ""

    def next_ms(self, after: int) -> int | None:
        """When time alone opens or closes one, for somebody who waits."""
        due = [each.until_ms for each in self._open.values() if each.until_ms is not None]
        braked = [pool for kind, pool in self._open if kind == "brake"]
        windows = {self._standing(pool).brake_window for pool in braked}
        due += [at + window for at in self._admitted.values() for window in windows]
        return min((at for at in due if at > after), default=None)

    # -- the three of them -------------------------------------------------------------------

    def _campaign(
        self, pool: PoolStanding, tick: int, breaches: Mapping[str, AbstractSet[str]]
    ) -> None:
        rules = [rule for rule in pool.inhibited_by if pool.name in breaches.get(rule, ())]
        detail = f"the campaign as a whole breaches {', '.join(rules)}: it is not single numbers"
        self._set("campaign", pool, tick, detail if rules else "")

    def _brake(
        self, pool: PoolStanding, tick: int, members: AbstractSet[str], now: AbstractSet[str]
    ) -> None:
        """``members`` are of the pool; ``now`` are those that breach or may, of all pools."""
        if pool.brake_above is None or pool.size < BRAKE_POOL_MIN:
            self._set("brake", pool, tick, "")
            return
        out = sorted(
            number
            for number in members
            if self._admitted.get(number, tick - pool.brake_window) > tick - pool.brake_window
        )
        count = len(set(out) | (members & now))
        most = max(1, pool.brake_above.numerator * pool.size // pool.brake_above.denominator)
        window = format_duration(pool.brake_window)
        detail = (
            f"a wave: {count} of {pool.size} numbers breach or were suspended within {window}, "
            f"more than {most}; no more are suspended"
        )
        if out:
            named = ", ".join(out[:NAMED_MAX]) + (", …" if len(out) > NAMED_MAX else "")
            since = iso(min(self._admitted[number] for number in out))
            undo = f"monitor numbers undo --pool {shlex.quote(pool.name)} --since {since}"
            detail += f". Suspended in it: {named}; to take that back: {undo}"
        self._set("brake", pool, tick, detail if count > most else "")

    def _approval(self, pool: PoolStanding, tick: int, waiting: int) -> None:
        key: tuple[Kind, str] = ("approval", pool.name)
        known = self._open.get(key)
        if known is not None and (known.until_ms or 0) <= tick:
            del self._open[key]
            known = None
        if known is not None and known.approved_by:
            return
        if pool.approval is None or waiting <= pool.approval:
            self._open.pop(key, None)
            return
        if known is not None:
            return
        name = derive_id(*key, tick)[:ID_LENGTH]
        until_ms = tick + pool.approval_for
        detail = (
            f"{waiting} numbers wait, more than {pool.approval}: a person decides until "
            f"{iso(until_ms)}: monitor numbers approve {name}"
        )
        self._open[key] = Incident("approval", pool.name, name, tick, detail, until_ms=until_ms)

    def _set(self, kind: Kind, pool: PoolStanding, tick: int, detail: str) -> None:
        """Open, renew or (without ``detail``) close one."""
        known = self._open.get((kind, pool.name))
        if not detail:
            self._open.pop((kind, pool.name), None)
        elif known is None:
            name = derive_id(kind, pool.name, tick)
            self._open[kind, pool.name] = Incident(kind, pool.name, name, tick, detail)
        else:
            self._open[kind, pool.name] = replace(known, detail=detail)

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "open": [asdict(self._open[key]) for key in sorted(self._open)],
            "admitted": dict(sorted(self._admitted.items())),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        opened = [Incident(**each) for each in state["open"]]
        self._open = {(each.kind, each.pool): each for each in opened}
        self._admitted = dict(state["admitted"])


_ORDER: Final[tuple[Kind, ...]] = ("campaign", "brake", "approval")
_OF_ALL: Final[tuple[Kind, ...]] = ("campaign", "brake")
"""It is not single numbers; where a person is asked to decide, what about has to be seen."""


def _by_pool(
    numbers: Iterable[str], pools_of: Callable[[str], Iterable[str]]
) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for number in numbers:
        for pool in pools_of(number):
            found.setdefault(pool, set()).add(number)
    return found
