"""Why a number is out of service: a small set of causes, each with its own end.

Owns the arithmetic of several causes at once. A number stays out until the last of them has ended,
so that neither a short order can end a long one nor the end of one the others. What is said to
telephony about it is ``ledger``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from monitor.decisions import Cleared

Release = Literal["time", "cleared", "person"]
"""What ends a cause beside its time: nothing, the event that clears it, or a person alone."""

CAUSES_MAX: Final = 16
"""Causes remembered of one number; beyond it the one that ends first goes."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a number to be out of service."""

    rule: str
    """Empty: a person."""
    scope: str
    """The rule's scope as text; empty: a person's, or not known any more."""
    episode: str
    route: str
    until_ms: int | None
    """None: not by time."""
    release: Release

    def ended_by(self, cleared: Cleared) -> bool:
        """Whether this is what has been cleared: the rule's own, and of the same scope."""
        same_scope = self.scope in ("", cleared.scope)
        return self.release == "cleared" and self.rule == cleared.rule and same_scope

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def later(one: int | None, other: int | None) -> bool:
    """Whether the first end comes after the second; None is never."""
    return other is not None and (one is None or one > other)


def leading(causes: Sequence[Cause]) -> Cause:
    """The cause that ends last, of equals the first; there must be one."""
    lead = causes[0]
    for cause in causes[1:]:
        if later(cause.until_ms, lead.until_ms):
            lead = cause
    return lead


def standing(causes: Sequence[Cause], tick: int) -> list[Cause]:
    """Those whose time is not over at ``tick``."""
    return [cause for cause in causes if later(cause.until_ms, tick)]


def joined(causes: Sequence[Cause], cause: Cause) -> list[Cause]:
    """``causes`` with one more; the same rule's for the same scope is replaced by it.

    Of two with nothing but their time to end them that belong together, the later end stands. When
    there are too many, one that would not be missed goes: the one that ends first. If none ends
    by time, the newest two become one that only a person ends, which is the safe side.
    """
    same = [each for each in causes if (each.rule, each.scope) == (cause.rule, cause.scope)]
    if cause.rule and any(later(each.until_ms, cause.until_ms) for each in same):
        return list(causes)
    kept = [each for each in causes if each not in same] + [cause]
    if len(kept) <= CAUSES_MAX:
        return kept
    timed = [each for each in kept if each.until_ms is not None]
    if timed:
        first = min(timed, key=lambda each: each.until_ms or 0)
        return [each for each in kept if each is not first]
    return [*kept[:-2], Cause("", "", cause.episode, cause.route, None, "person")]
