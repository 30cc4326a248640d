"""Decisions as receivers get them: the same JSON as in reports, customers masked.

Owns the masking and the digest. Every channel but telephony's sends what is made here.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from monitor.decisions import (
    Alert,
    Command,
    Decision,
    Listing,
    Order,
    Scope,
    derive_id,
    iso,
    scope_text,
)
from monitor.logs import mask, mask_customer

CUSTOMER = "customer"
_SHOWN_IN_DIGEST = 100


@dataclass(frozen=True, slots=True)
class Digest:
    """Notifications that are not sent one by one."""

    id: str
    why: Literal["late", "too_many"]
    """They come too late, or more of them waited than ``delivery.waiting_max``."""
    counts: Mapping[tuple[str, str, str], int]
    """How many by what, rule and level; not empty."""
    from_ms: int
    to_ms: int
    newest: tuple[Decision, ...]
    """The last of them, in full."""

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> Digest:
        """Of late ones; the id follows from what is in it."""
        return cls.summed(derive_id("digest", *(d.id for d in decisions)), "late", decisions)

    @classmethod
    def summed(
        cls, name: str, why: Literal["late", "too_many"], decisions: Iterable[Decision]
    ) -> Digest:
        """Of at least one decision; however many there are, a few are held at a time."""
        counts: Counter[tuple[str, str, str]] = Counter()
        newest: deque[Decision] = deque(maxlen=_SHOWN_IN_DIGEST)
        from_ms, to_ms = 2**62, 0
        for decision in decisions:
            counts[_heading(decision)] += 1
            newest.append(decision)
            from_ms, to_ms = min(from_ms, decision.at_ms), max(to_ms, decision.at_ms)
        return cls(name, why, counts, from_ms, to_ms, tuple(newest))

    @property
    def count(self) -> int:
        """How many are in it."""
        return sum(self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """How many of what, and the newest of them in full, masked."""
        return {
            "kind": "digest",
            "id": self.id,
            "why": self.why,
            "from": iso(self.from_ms),
            "to": iso(self.to_ms),
            "count": self.count,
            "counts": [
                {"what": what, "rule": rule, "level": level, "count": count}
                for (what, rule, level), count in sorted(self.counts.items())
            ],
            "newest": [for_people(decision) for decision in self.newest],
        }


def masked(alert: Alert) -> Alert:
    """The alert with its customer masked, in the scope and in the texts."""
    customers = [value for name, value in alert.scope if name == CUSTOMER]
    if not customers:
        return alert
    return replace(alert, scope=_masked(alert.scope), message=_without(alert.message, customers))


def for_people(decision: Decision) -> dict[str, Any]:
    """``to_json`` of a decision, customers masked."""
    if isinstance(decision, Order):
        return replace(decision, scope=_masked(decision.scope)).to_json()
    if isinstance(decision, Listing):
        return replace(decision, customer=mask_customer(decision.customer)).to_json()
    return (masked(decision) if isinstance(decision, Alert) else decision).to_json()


def scope_for_people(alert: Alert) -> str:
    """``number=+86…,customer=+8613…78``."""
    return scope_text(masked(alert).scope)


def text_for_people(alert: Alert, language: str) -> str:
    """The alert's message in ``language``, else in the first there is, else nothing."""
    texts = masked(alert).message
    return texts.get(language) or next(iter(texts.values()), "")


def _masked(scope: Scope) -> Scope:
    return tuple((name, mask(value) if name == CUSTOMER else value) for name, value in scope)


def _without(texts: Mapping[str, str], customers: Sequence[str]) -> dict[str, str]:
    cleaned = dict(texts)
    for customer in customers:
        cleaned = {tag: text.replace(customer, mask(customer)) for tag, text in cleaned.items()}
    return cleaned


def _heading(decision: Decision) -> tuple[str, str, str]:
    match decision:
        case Alert():
            return f"alert {decision.state}", decision.rule, decision.level
        case Command():
            return f"command {decision.action}", decision.rule, ""
        case Order():
            return f"order {decision.action}", decision.rule, ""
        case Listing():
            return f"do-not-call {decision.action}", "", ""
        case _:
            return f"refusal {decision.guard}", decision.rule, ""
