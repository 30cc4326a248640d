"""What forbids a suspension: pure functions that name their reason or say nothing.

Owns the arithmetic. Each guard is computed *as if the suspension were done*: a guard that looks
at the pool as it stands lets one too many through, which in a small pool is all of it.
Everything out of service counts against a pool, whoever took it out: the guard protects the
business that is left, not the rules' good name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

from monitor.decisions import iso
from monitor.units import Rate

Guard = Literal[
    "never",
    "not_a_number",
    "frozen",
    "held",
    "undone",
    "agent",
    "table_full",
    "campaign",
    "brake",
    "approval",
    "max_fraction",
    "min_left",
    "pool_rate",
    "global_rate",
    "telephony_silent",
    "telephony_differs",
    "suspend_rejected",
    "resume_rejected",
]
"""Every reason that a ``Refusal`` may carry: a metric label, so it never grows by input."""
FAILURES: Final[frozenset[Guard]] = frozenset(
    {"telephony_silent", "telephony_differs", "suspend_rejected", "resume_rejected"}
)
"""Those that are no guards: telephony did not do as it was told."""


@dataclass(frozen=True, slots=True)
class PoolStanding:
    """A pool before the suspension that is asked about."""

    name: str
    size: int
    """Members, the asked-for number among them."""
    out: int
    """Members out of service."""
    max_fraction: Fraction
    min_left: int
    rate: Rate | None = None
    """So many suspensions of it by rules in any such period."""
    brake_above: Fraction | None = None
    """More of it than this at once is a wave."""
    brake_window: int = 3_600_000
    """Suspensions of so long belong to a wave, ms."""
    approval: int | None = None
    """With more than so many waiting a person decides."""
    approval_for: int = 1_800_000
    """So long it may be given, and so long it holds, ms."""
    inhibited_by: tuple[str, ...] = ()
    """Rules on whole campaigns; while one fires for this one, no number of it is suspended."""

    def tightened(self, max_fraction: Fraction | None, min_left: int | None) -> PoolStanding:
        """Under a rule's own guards too, of which only the tighter ones count."""
        fraction = min(self.max_fraction, max_fraction or self.max_fraction)
        least = max(self.min_left, min_left or 0)
        return replace(self, max_fraction=fraction, min_left=least)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a suspension may not be."""

    guard: Guard
    detail: str
    pool: str = ""
    incident: bool = False
    """It is about the pool as a whole, and told once for all of its numbers."""


def limit(max_fraction: Fraction, size: int) -> int:
    """How many of ``size`` numbers may be out at once: ``max(1, floor(max_fraction * size))``."""
    return max(1, max_fraction.numerator * size // max_fraction.denominator)


def max_fraction(pool: PoolStanding) -> Verdict | None:
    """Refuses when more than the pool's limit would be out."""
    most = limit(pool.max_fraction, pool.size)
    if pool.out + 1 <= most:
        return None
    detail = f"{pool.out} of {pool.size} are out of service; the limit is {most}"
    return Verdict("max_fraction", detail, pool.name)


def min_left(pool: PoolStanding) -> Verdict | None:
    """Refuses when fewer than ``min_left`` would stay in service."""
    left = pool.size - pool.out - 1
    if left >= pool.min_left:
        return None
    detail = f"{max(left, 0)} of {pool.size} would be left; at least {pool.min_left} must be"
    return Verdict("min_left", detail, pool.name)


def pool_rate(pool: PoolStanding, suspended_ms: Sequence[int], tick: int) -> Verdict | None:
    """As :func:`global_rate`, of one pool; ``suspended_ms`` are the suspensions of its members."""
    verdict = None if pool.rate is None else global_rate(pool.rate, suspended_ms, tick)
    return None if verdict is None else Verdict("pool_rate", verdict.detail, pool.name)


def global_rate(rate: Rate, suspended_ms: Sequence[int], tick: int) -> Verdict | None:
    """Refuses when the sliding period that ends at ``tick`` would hold more than the rate.

    ``suspended_ms`` are the ticks of earlier suspensions by rules, in event time. One exactly a
    period ago counts no more.
    """
    recent = sum(1 for at in suspended_ms if at > tick - rate.per_ms)
    if recent + 1 <= rate.count:
        return None
    return Verdict("global_rate", f"{recent} in the period; the rate is {rate}")


def never(*, listed: bool) -> Verdict | None:
    """Refuses a number on the never list."""
    return Verdict("never", "the number is on the never list") if listed else None


def frozen(*, by: str) -> Verdict | None:
    """Refuses everything while a person has frozen suspensions; ``by`` is empty when none has."""
    return Verdict("frozen", f"suspensions are frozen by {by}") if by else None


def undone(*, until_ms: int, tick: int) -> Verdict | None:
    """Refuses a number whose suspension a person has lately undone."""
    if until_ms <= tick:
        return None
    return Verdict("undone", f"a person has undone it; rules leave it alone until {iso(until_ms)}")


def pool_guards(standings: Sequence[PoolStanding]) -> Verdict | None:
    """The first refusal over all of a number's pools: it must satisfy each."""
    for pool in standings:
        verdict = max_fraction(pool) or min_left(pool)
        if verdict is not None:
            return verdict
    return None
