"""Decisions as receivers get them: the same JSON as in reports, customers masked.

Owns the masking and the digest. Every channel but telephony's sends what is made here.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from monitor.decisions import (
    Alert,
    Command,
    Decision,
    Level,
    Listing,
    Notice,
    NoticeWhy,
    Order,
    Scope,
    derive_id,
    iso,
    scope_text,
)
from monitor.logs import mask_customer

DigestWhy = Literal["late", "too_many"] | NoticeWhy
"""Why notifications are told as one."""

CUSTOMER = "customer"
_SHOWN_IN_DIGEST = 100
_BAD = frozenset({"alert firing", "alert refused", "alert failed"})
_TOLD_APART = 4
"""Characters of a customer that is nothing else where it stands within a word."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Notifications that are not sent one by one."""

    id: str
    why: DigestWhy
    """``late``: they come too late; ``too_many``: more of them waited than
    ``delivery.waiting_max``; the others are why routing made a notice (docs/alerting.md)."""
    counts: Mapping[tuple[str, str, str], int]
    """How many by what, rule and level; not empty."""
    from_ms: int
    to_ms: int
    newest: tuple[Decision, ...]
    """The last of them, in full."""
    level: Level | None = None
    """The worst of them, of what fires where anything does; None: none of them is an alert."""
    route: str = ""
    """The route that led here; empty where several did, or none."""
    person: str = ""
    """Whom it is for; empty: a receiver that is nobody's."""
    language: str = ""
    """What the person reads; empty: as the receiver says."""

    @classmethod
    def told(cls, notice: Notice) -> Digest:
        """What a notice says."""
        return cls(
            id=notice.id,
            why=notice.why,
            counts=dict(_headings(notice)),
            from_ms=notice.from_ms,
            to_ms=notice.to_ms,
            newest=notice.shown,
            level=notice.level,
            route=notice.route,
            person=notice.person,
            language=notice.language,
        )

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
        languages: set[str] = set()
        for decision in decisions:
            languages.add(decision.language if isinstance(decision, Notice) else "")
            if isinstance(decision, Notice):
                counts.update(dict(_headings(decision)))
                newest.extend(decision.shown)
                from_ms, to_ms = min(from_ms, decision.from_ms), max(to_ms, decision.to_ms)
                continue
            counts[_heading(decision)] += 1
            newest.append(decision)
            from_ms, to_ms = min(from_ms, decision.at_ms), max(to_ms, decision.at_ms)
        language = languages.pop() if len(languages) == 1 else ""
        return cls(
            name, why, counts, from_ms, to_ms, tuple(newest), _worst(counts), language=language
        )

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
            **({"level": self.level} if self.level else {}),
            **({"route": self.route} if self.route else {}),
            **({"person": self.person} if self.person else {}),
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
    return replace(alert, scope=_masked(alert.scope), message=without(alert.message, customers))


def for_people(decision: Decision) -> dict[str, Any]:
    """``to_json`` of a decision, customers masked."""
    if isinstance(decision, Order):
        return replace(decision, scope=_masked(decision.scope)).to_json()
    if isinstance(decision, Listing):
        return replace(decision, customer=mask_customer(decision.customer)).to_json()
    if isinstance(decision, Notice):
        return replace(decision, newest=tuple(map(masked, decision.newest))).to_json()
    return (masked(decision) if isinstance(decision, Alert) else decision).to_json()


def scope_for_people(alert: Alert) -> str:
    """``number=+86…,customer=+8613…78``."""
    return scope_text(masked(alert).scope)


def text_for_people(alert: Alert, language: str) -> str:
    """The alert's message in ``language``, else in the first there is, else nothing."""
    texts = masked(alert).message
    return texts.get(language) or next(iter(texts.values()), "")


def _masked(scope: Scope) -> Scope:
    return tuple(
        (name, mask_customer(value) if name == CUSTOMER else value) for name, value in scope
    )


def _worst(counts: Mapping[tuple[str, str, str], int]) -> Level | None:
    firing = {level for what, _, level in counts if what in _BAD}
    levels = firing or {level for what, _, level in counts if what == "alert resolved"}
    return "crit" if "crit" in levels else "warn" if levels else None


def _headings(notice: Notice) -> Iterator[tuple[tuple[str, str, str], int]]:
    for heading, count in notice.counts.items():
        state, level, rule = heading.split(" ", 2)
        yield (f"alert {state}", rule, level), count


def without(texts: Mapping[str, str], customers: Iterable[str]) -> dict[str, str]:
    """Texts by language with these customers masked, wherever they stand in them."""
    cleaned = dict(texts)
    for customer in customers:
        found = re.escape(customer)
        if len(customer) < _TOLD_APART:  # else customer 7 would take the figures away
            found = rf"(?<![0-9A-Za-z]){found}(?![0-9A-Za-z])"
        masked = mask_customer(customer)
        cleaned = {
            tag: re.sub(found, lambda _found, masked=masked: masked, text)  # type: ignore[misc]
            for tag, text in cleaned.items()
        }
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
        case Notice():
            return f"notice {decision.why}", "", decision.level
        case _:
            return f"refusal {decision.guard}", decision.rule, ""
