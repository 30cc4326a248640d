"""Decisions as receivers get them: the same JSON as in reports, customers masked.

Owns the masking and the digest. Every channel but telephony's sends what is made here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.decisions import Alert, Command, Decision, derive_id, iso, scope_text
from monitor.logs import mask

CUSTOMER = "customer"
_SHOWN_IN_DIGEST = 100


@dataclass(frozen=True, slots=True)
class Digest:
    """Notifications that come too late to be sent one by one."""

    id: str
    decisions: tuple[Decision, ...]

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> Digest:
        """A digest whose id follows from what is in it."""
        return cls(derive_id("digest", *(d.id for d in decisions)), tuple(decisions))

    def to_json(self) -> dict[str, Any]:
        """How many of what, and the newest of them in full, masked."""
        counts = Counter(_heading(decision) for decision in self.decisions)
        ticks = [decision.at_ms for decision in self.decisions]
        return {
            "kind": "digest",
            "id": self.id,
            "from": iso(min(ticks)),
            "to": iso(max(ticks)),
            "count": len(self.decisions),
            "counts": [
                {"what": what, "rule": rule, "level": level, "count": count}
                for (what, rule, level), count in sorted(counts.items())
            ],
            "newest": [for_people(decision) for decision in self.decisions[-_SHOWN_IN_DIGEST:]],
        }


def masked(alert: Alert) -> Alert:
    """The alert with its customer masked, in the scope and in the texts."""
    customers = [value for name, value in alert.scope if name == CUSTOMER]
    if not customers:
        return alert
    scope = tuple((n, mask(v) if n == CUSTOMER else v) for n, v in alert.scope)
    return replace(alert, scope=scope, message=_without(alert.message, customers))


def for_people(decision: Decision) -> dict[str, Any]:
    """``to_json`` of a decision, customers masked."""
    return (masked(decision) if isinstance(decision, Alert) else decision).to_json()


def scope_for_people(alert: Alert) -> str:
    """``number=+86…,customer=+8613…78``."""
    return scope_text(masked(alert).scope)


def text_for_people(alert: Alert, language: str) -> str:
    """The alert's message in ``language``, else in the first there is, else nothing."""
    texts = masked(alert).message
    return texts.get(language) or next(iter(texts.values()), "")


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
        case _:
            return f"refusal {decision.guard}", decision.rule, ""
