"""Refusals as routing takes them: what they are about, how bad, and with what they are over.

Owns what of a refusal makes it one more thing to be told. It has no end of its own: it is told, and
told on to others while nobody acknowledges; it is over with its alert, or when all were told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from monitor.decisions import Alert, Level, Refusal
from monitor.delivery.routes import order_key
from monitor.delivery.routing.plan import Plan
from monitor.delivery.routing.state import Member
from monitor.numbers.guards import FAILURES
from monitor.people.matchers import labels_of_refusal


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal."""

    refusal: Refusal
    labels: dict[str, str]
    behind: str
    """The episode with which it is over; empty: with none, as what telephony did stays done."""

    @classmethod
    def of(cls, refusal: Refusal, alert: Alert | None, team: str, plan: Plan) -> Refused:
        """``alert``: the latest of its episode."""
        alert = None if refusal.guard in FAILURES else alert
        pack = plan.packs.get(refusal.rule, "")
        labels = labels_of_refusal(refusal, alert, team=team, pack=pack, route=plan.pages)
        return cls(refusal, labels, "" if alert is None else refusal.episode)

    @property
    def stands_for_alerts(self) -> bool:
        """It is of a pool, whose alerts may be kept from whoever is told of it."""
        return not self.refusal.number

    def member(self, group: str, now_ms: int) -> Member:
        """As one of a group."""
        refusal = self.refusal
        return Member(
            group=group,
            episode=refusal.id,
            labels=self.labels,
            level=cast("Level", self.labels["level"]),
            firing=True,
            alert=refusal.id,
            at_ms=refusal.at_ms,
            key=order_key(refusal),
            pending=[refusal.id],
            once=True,
            behind=self.behind,
            taken_ms=now_ms,
        )
