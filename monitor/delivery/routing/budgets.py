"""No more than a person can read: so many messages in so long, and what is more in one.

Owns the count and the digests. The last message of a person's rate is kept for a digest, so that a
storm is summed up soon, and not only when the rate allows the next message. What is critical does
not wait for that: a few digests go beyond the rate for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from monitor.decisions import derive_id
from monitor.delivery.routing.plan import Plan
from monitor.delivery.routing.state import SHOWN_MAX, Budget, Message, State, Waiting
from monitor.units import Rate

GATHER_MS: Final = 60_000
"""How long a digest gathers, at least."""
_URGENT: Final = ("firing crit ", "refused crit ", "failed crit ")
URGENT_MAX: Final = 3
"""Digests beyond the rate, in the time of the rate, for what is critical."""


class Budgets:
    """Of all people; one thread uses it."""

    def __init__(self, state: State, send: Callable[[Message], None]) -> None:
        self.send = send
        self._state = state

    def offer(self, message: Message, now_ms: int, plan: Plan) -> str:
        """Send it, or put it into the person's next digest; the digest's id, empty where sent."""
        rate = plan.at_most(message.person) if message.person else None
        if rate is None:
            self.send(message)
            return ""
        budget = self._state.budgets.setdefault(message.person, Budget())
        self._state.touch("budget", message.person)
        budget.sent = _recent(budget.sent, rate, now_ms)
        if budget.waiting is None and len(budget.sent) < rate.count - 1:
            budget.sent.append(now_ms)
            self.send(message)
            return ""
        soon_ms = due_ms = now_ms + GATHER_MS
        if len(budget.sent) >= rate.count:
            due_ms = max(due_ms, budget.sent[-rate.count] + rate.per_ms)
        waiting = budget.waiting or Waiting(due_ms, "warn", [])
        budget.urgent = _recent(budget.urgent, rate, now_ms)
        if _urgent(message) and len(budget.urgent) < URGENT_MAX:
            waiting.due_ms = min(waiting.due_ms, soon_ms)
        budget.waiting = waiting
        _gather(waiting, message)
        return _digest_id(message.person, budget)

    def due(self) -> Iterator[int]:
        """When digests are."""
        for budget in self._state.budgets.values():
            if budget.waiting is not None:
                yield budget.waiting.due_ms

    def flush(self, now_ms: int, plan: Plan) -> None:
        """Send the digests that are due."""
        for person, budget in list(self._state.budgets.items()):
            waiting = budget.waiting
            if waiting is None or waiting.due_ms > now_ms:
                continue
            self.send(
                Message(
                    id=_digest_id(person, budget),
                    why="capped",
                    route="",
                    person=person,
                    receivers=tuple(waiting.receivers),
                    language=plan.language(person),
                    level=waiting.level,
                    counts=waiting.counts,
                    from_ms=waiting.from_ms,
                    to_ms=waiting.to_ms,
                    shown=tuple(waiting.shown),
                    plain=False,
                    key=derive_id("person", person),
                )
            )
            rate = plan.at_most(person)
            if rate is not None and len(_recent(budget.sent, rate, now_ms)) >= rate.count:
                budget.urgent.append(now_ms)
            budget.digests += 1
            budget.waiting = None
            budget.sent.append(now_ms)
            self._state.touch("budget", person)

    def tidy(self, now_ms: int, plan: Plan) -> None:
        """Forget what no rate counts any more; the number of digests stays: ids are made of it."""
        for person, budget in self._state.budgets.items():
            rate = plan.at_most(person)
            recent = [] if rate is None else _recent(budget.sent, rate, now_ms)
            if len(recent) != len(budget.sent):
                budget.sent = recent
                self._state.touch("budget", person)


def _recent(sent: list[int], rate: Rate, now_ms: int) -> list[int]:
    return [at_ms for at_ms in sent if at_ms + rate.per_ms > now_ms][-rate.count :]


def _urgent(message: Message) -> bool:
    """Something critical fires."""
    return any(heading.startswith(_URGENT) for heading in message.counts)


def _digest_id(person: str, budget: Budget) -> str:
    return derive_id("capped", person, budget.digests)


def _gather(waiting: Waiting, message: Message) -> None:
    waiting.receivers += [name for name in message.receivers if name not in waiting.receivers]
    if message.level == "crit":
        waiting.level = "crit"
    for heading, count in message.counts.items():
        waiting.counts[heading] = waiting.counts.get(heading, 0) + count
    waiting.from_ms = min(waiting.from_ms, message.from_ms)
    waiting.to_ms = max(waiting.to_ms, message.to_ms)
    new = [alert for alert in message.shown if alert not in waiting.shown]
    waiting.shown = [*waiting.shown, *new][-SHOWN_MAX:]
