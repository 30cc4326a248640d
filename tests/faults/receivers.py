"""Who hears of decisions: receivers that fail, and what they have heard.

Owns the receivers' side and the raw count of what arrived there. ``Heard`` survives the daemon.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from monitor.delivery.channels.base import Channel
from monitor.delivery.people import Digest
from monitor.errors import DeliveryError
from monitor.store.outbox import Delivery
from tests.faults.chance import Chance


class Auditor:
    """Looks into the store's file by itself, when something arrives at a receiver."""

    def __init__(self, path: Path) -> None:
        self.offences: list[str] = []
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def arrived(self, decision_id: str, receiver: str) -> None:
        """It must be in the store, and marked as being sent, before it may arrive anywhere."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._path)
        state = self._connection.execute(
            "SELECT outbox.state FROM decisions JOIN outbox ON outbox.decision = decisions.id"
            " WHERE decisions.id = ? AND outbox.receiver = ?",
            (decision_id, receiver),
        ).fetchone()
        if state is None:
            self.offences.append(f"{receiver} got {decision_id} before it was stored")
        elif state[0] != "sending":
            self.offences.append(f"{receiver} got {decision_id} while it stood as {state[0]}")

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Heard:
    """All that one receiver was ever given, in order of arrival, repeats included."""

    arrivals: list[tuple[str, str]] = field(default_factory=list)
    """(decision id, what stood in it)."""
    digests: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Decision ids by the digest's id."""


class ShakyChannel(Channel):
    """A receiver behind a bad network."""

    def __init__(
        self,
        name: str,
        heard: Heard,
        *,
        chance: Chance,
        auditor: Auditor,
        elapse: Callable[[int], None],
    ) -> None:
        """``elapse`` lets the milliseconds pass that an answer takes."""
        self._name = name
        self._heard = heard
        self._chance = chance
        self._auditor = auditor
        self._elapse = elapse

    def send(self, delivery: Delivery) -> None:
        """Take one decision, or not, or take it and seem not to have."""
        self._before()
        decision = delivery.decision
        self._auditor.arrived(decision.id, self._name)
        self._heard.arrivals.append((decision.id, str(decision.to_json())))
        self._after()

    def _before(self) -> None:
        chance, name = self._chance, self._name
        chance.crash(f"before {name} has it", 0.01)
        if chance.strikes(f"{name} refuses", 0.1):
            raise DeliveryError("no connection", retry=True, reason="connection")
        if chance.strikes(f"{name} breaks", 0.01):
            raise RuntimeError("a fault of ours in the channel")

    def _after(self) -> None:
        chance, name = self._chance, self._name
        chance.crash(f"after {name} has it", 0.02)
        if chance.strikes(f"{name} answers late", 0.05):
            self._elapse(chance.pick("how late", [400, 4_000, 20_000]))
        if chance.strikes(f"answer of {name} lost", 0.06):
            raise DeliveryError("no answer in time", retry=True, reason="timeout")


class DigestChannel(ShakyChannel):
    """One that takes late notifications together."""

    takes_digests: ClassVar[bool] = True

    def send_digest(self, digest: Digest) -> None:
        """Take several, or none, or all and seem not to have."""
        self._before()
        ids = tuple(decision.id for decision in digest.newest)
        for decision in digest.newest:
            self._auditor.arrived(decision.id, self._name)
            self._heard.arrivals.append((decision.id, str(decision.to_json())))
        self._heard.digests.setdefault(digest.id, ids)
        if self._heard.digests[digest.id] != ids:
            self._auditor.offences.append(f"digest {digest.id} was two things")
        self._after()
