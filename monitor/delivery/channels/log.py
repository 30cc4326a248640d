"""Decisions as lines of the daemon's own log.

Owns the wording of these lines. They never fail, so this is the receiver of last resort.
"""

from __future__ import annotations

from typing import Any, ClassVar

import structlog

from monitor.decisions import Alert, Command, Figures, Listing, Order, Refusal, iso
from monitor.delivery.channels.base import Channel
from monitor.delivery.people import Digest, scope_for_people, text_for_people
from monitor.delivery.remarks import NoRemarks, Remarks
from monitor.logs import mask_customer
from monitor.store.outbox import Delivery

_EVENTS = {"late": "late_notifications", "too_many": "too_many_notifications", "alerts": "alerts"}


class LogChannel(Channel):
    """One line a decision; what a shadow rule decides at debug level."""

    takes_digests: ClassVar[bool] = True

    def __init__(self, *, language: str = "en", remarks: Remarks | None = None) -> None:
        self._language = language
        self._remarks = remarks or NoRemarks()
        self._log = structlog.get_logger(__name__)

    def send(self, delivery: Delivery) -> None:
        """Write the line."""
        match delivery.decision:
            case Alert() as alert:
                self._alert(alert)
            case Command() as command:
                self._command(command)
            case Order() as order:
                self._log.warning(
                    "order",
                    action=order.action,
                    customer=mask_customer(order.customer),
                    rule=order.rule,
                    at=iso(order.at_ms),
                    id=order.id,
                    shadow=order.shadow,
                )
            case Listing() as listing:
                self._log.info(
                    "do_not_call",
                    action=listing.action,
                    customer=mask_customer(listing.customer),
                    reason=listing.reason,
                    by=listing.by,
                    at=iso(listing.at_ms),
                    id=listing.id,
                )
            case Refusal() as refusal:
                self._log.warning(
                    "suspension_refused",
                    number=refusal.number,
                    guard=refusal.guard,
                    pool=refusal.pool,
                    rule=refusal.rule,
                    why=refusal.detail,
                    at=iso(refusal.at_ms),
                    id=refusal.id,
                )

    def send_digest(self, digest: Digest) -> None:
        """Write one line for them all."""
        summary = digest.to_json()
        counts = (
            f"{row['count']} × {row['what']} {row['rule']} {row['level']}".strip()
            for row in summary["counts"]
        )
        self._log.warning(
            _EVENTS.get(digest.why, f"alerts_{digest.why}"),
            **({"route": digest.route} if digest.route else {}),
            **({"person": digest.person} if digest.person else {}),
            count=summary["count"],
            what="; ".join(counts),
            since=summary["from"],
            until=summary["to"],
            id=digest.id,
        )

    def _alert(self, alert: Alert) -> None:
        line: dict[str, Any] = {
            "rule": alert.rule,
            "scope": scope_for_people(alert),
            "severity": alert.level,  # "level" is the log's own
            "reason": alert.reason,
            **_figures(alert.figures),
            "message": text_for_people(alert, self._language),
            "at": iso(alert.at_ms),
            "episode": alert.episode,
        }
        remark = self._remarks.about(alert)
        if remark is not None and remark.named:
            line["common"] = remark.text(self._language)
        event = f"alert_{alert.state}"
        if alert.shadow:
            self._log.debug(event, shadow=True, **line)
        elif alert.state == "firing" and alert.level == "crit":
            self._log.warning(event, **line)
        else:
            self._log.info(event, **line)

    def _command(self, command: Command) -> None:
        line: dict[str, Any] = {
            "number": command.number,
            "rule": command.rule,
            "reason": command.reason,
            "until": None if command.until_ms is None else iso(command.until_ms),
            **({} if command.figures is None else _figures(command.figures)),
            "at": iso(command.at_ms),
            "id": command.id,
        }
        if command.shadow:
            self._log.debug(f"number_{command.action}", shadow=True, **line)
        else:
            self._log.info(f"number_{command.action}", **line)


def _figures(figures: Figures) -> dict[str, Any]:
    value = None if figures.value is None else round(figures.value, 4)
    return {
        "value": value,
        "figures": f"{figures.hits:.10g}/{figures.of:.10g}",
        "window": figures.window,
    }
