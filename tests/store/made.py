"""Decisions for the tests of the store and of deliveries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.decisions import (
    Alert,
    Command,
    Evidence,
    Figures,
    ListAction,
    Listing,
    ManualAction,
    NumberChange,
    Order,
    Refusal,
    Scope,
    derive_id,
)

NUMBER = "+862150000007"
FIGURES = Figures(value=0.8, hits=80.0, of=100.0, window="30m")
EVIDENCE = Evidence(method="sequential", score=41_200.5, needed=28_800.0)


def alert(at_ms: int = 60_000, **changes: Any) -> Alert:
    """A firing alert of a number; its ids follow from what it says."""
    scope: Scope = changes.pop("scope", (("number", NUMBER),))
    rule = changes.pop("rule", "number-hangup")
    since_ms = changes.pop("since_ms", at_ms)
    level, state = changes.pop("level", "crit"), changes.pop("state", "firing")
    episode = changes.pop("episode", derive_id(rule, str(scope), since_ms))
    made: dict[str, Any] = {
        "id": derive_id(episode, level, state, at_ms),
        "figures": FIGURES,
        "evidence": EVIDENCE,
        "reason": "breach" if state == "firing" else "recovered",
        "message": {"en": "hangs up 80 %", "zh": "挂断率 80%"},
        "route": "supervisors",
        **changes,
    }
    return Alert(
        at_ms=at_ms,
        episode=episode,
        rule=rule,
        scope=scope,
        level=level,
        state=state,
        since_ms=since_ms,
        **made,
    )


def command(at_ms: int = 60_000, **changes: Any) -> Command:
    """A suspension of a number."""
    number = changes.pop("number", NUMBER)
    action = changes.pop("action", "suspend")
    made: dict[str, Any] = {
        "id": derive_id(number, at_ms, action),
        "until_ms": at_ms + 1_800_000,
        "reason": "breach",
        "rule": "number-hangup",
        "episode": "e1",
        "figures": FIGURES,
        "evidence": EVIDENCE,
        **changes,
    }
    return Command(at_ms=at_ms, action=action, number=number, **made)


def refusal(at_ms: int = 60_000, **changes: Any) -> Refusal:
    """A suspension that its pool's guard refused."""
    made: dict[str, Any] = {
        "id": derive_id("refusal", at_ms),
        "number": NUMBER,
        "guard": "max_fraction",
        "detail": "2 of 10 would be out, 1 may",
        "pool": "campaign-7",
        "rule": "number-hangup",
        "episode": "e1",
        **changes,
    }
    return Refusal(at_ms=at_ms, **made)


def change(at_ms: int = 60_000, **changes: Any) -> NumberChange:
    """A row of a number's history."""
    made: dict[str, Any] = {
        "number": NUMBER,
        "before": "active",
        "after": "wanted",
        "reason": "breach",
        "by": "number-hangup",
        "episode": "e1",
        "command_id": "",
        "until_ms": None,
        "detail": "",
        **changes,
    }
    return NumberChange(at_ms=at_ms, id=derive_id(at_ms, str(made)), **made)


def manual(action_id: str = "m1", **changes: Any) -> ManualAction:
    """A person suspends a number for half an hour."""
    made: dict[str, Any] = {
        "action": "suspend",
        "number": NUMBER,
        "ttl_ms": 1_800_000,
        "who": "li",
        "why": "a test",
        **changes,
    }
    return ManualAction(id=action_id, **made)


def timeless(action: ManualAction | ListAction) -> ManualAction:
    """As it was asked for: without the end that the clock gave it when it was claimed."""
    assert isinstance(action, ManualAction)
    return replace(action, until_ms=None)


def order(at_ms: int = 60_000, **changes: Any) -> Order:
    """A customer to be taken back from an agent."""
    scope: Scope = changes.pop("scope", (("agent", "a-7"), ("customer", "+8613800000007")))
    made: dict[str, Any] = {
        "id": derive_id(str(scope), at_ms),
        "action": "customer.release",
        "scope": scope,
        "rule": "claim-without-contact",
        "episode": derive_id("claim-without-contact", at_ms),
        **changes,
    }
    return Order(at_ms=at_ms, **made)


CUSTOMER = "+8613912345678"


def listing(at_ms: int = 60_000, **changes: Any) -> Listing:
    """A customer comes onto the do-not-call list; the id follows from what it says."""
    customer, action = changes.pop("customer", CUSTOMER), changes.pop("action", "add")
    made: dict[str, Any] = {
        "id": derive_id("do_not_call", action, customer, at_ms),
        "since_ms": at_ms - 500,
        "until_ms": None,
        "reason": "opted_out",
        "source": "sms.opted_out",
        "by": "events",
        **changes,
    }
    return Listing(at_ms=at_ms, action=action, customer=customer, **made)


def list_action(ident: str = "a", *customers: str, **changes: Any) -> ListAction:
    """A person wants customers on the list."""
    made: dict[str, Any] = {
        "action": "add",
        "since_ms": 50_000,
        "until_ms": None,
        "reason": "person",
        "source": "cli",
        "who": "wang",
        "why": "asked",
        **changes,
    }
    return ListAction(id=ident, customers=customers or (CUSTOMER,), **made)
