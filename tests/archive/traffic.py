"""Random traffic in which customers stand wherever they can stand."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from monitor.events.catalogue import EVENT_TYPES, FIELDS, FieldType, Kind
from monitor.source.base import Partition
from tests.e2e.stream import PARTITIONS, START_MS, Sent

CUSTOMERS = (
    *(f"+86139{n:04}2345" for n in range(7710, 7722)),
    *(f"+1239555{n:04}" for n in range(140, 148)),  # Florida
    *(f"+1208555{n:04}" for n in range(150, 154)),  # Idaho, which lies in two zones
    *(f"+3361234{n:04}" for n in range(5600, 5606)),
    "+447700900123",
    "c-6140-zhang.san",
    "kunde 77",
)
"""As events carry them."""
_SPELLED = {
    "+8613977102345": ("139 7710 2345", "13977102345", "+86 139-7710-2345"),
    "+8613977112345": ("(139) 77112345", "0086 139 7711 2345"),
}
"""How some are written by some systems."""
_WEIGHTS = {"call.ended": 120, "sms.sent": 12, "message.sent": 12, "message.received": 12}
_WORDS = ("no", "wants a quote", "STOP", "busy", "spam")


def traffic(seed: int, count: int = 3_000, spread_ms: int = 6 * 3_600_000) -> list[Sent]:
    """Records in order of arrival; all ids are made of customers, as in many systems."""
    rng = random.Random(seed)
    names = list(EVENT_TYPES)
    weights = [_WEIGHTS.get(name, 4) for name in names]
    sent = []
    for index in range(count):
        at_ms = START_MS + index * spread_ms // count
        kind = rng.choices(names, weights)[0]
        event = {"id": f"e{index}", "type": kind, "time": at_ms - rng.randrange(900)}
        customer = rng.choice(CUSTOMERS)
        event |= dict(_fields(rng, kind, at_ms, customer))
        value = json.dumps(_dressed(rng, event, customer), ensure_ascii=rng.random() < 0.5).encode()
        sent += [Sent(at_ms, _place(rng, kind), value)] * (2 if rng.random() < 0.02 else 1)
        if rng.random() < 0.02:
            sent.append(Sent(at_ms, PARTITIONS[0], _broken(rng, customer)))
    return sent


def _place(rng: random.Random, kind: str) -> Partition:
    return PARTITIONS[rng.randrange(2)] if kind.startswith("call") else PARTITIONS[2]


def _fields(rng: random.Random, kind: str, at_ms: int, customer: str) -> Iterator[tuple[str, Any]]:
    if rng.random() > 0.05:
        yield "customer", rng.choice((customer, *_SPELLED.get(customer, ())))
    else:
        customer = CUSTOMERS[0]  # of one who is not named, only a number could be known
    yield "number", f"+86215000000{rng.randrange(4)}"
    yield "agent", f"a{rng.randrange(4)}"
    yield "campaign", f"campaign-{rng.randrange(2)}"
    call = f"call-{customer}-{rng.randrange(30)}"
    for name in EVENT_TYPES[kind].fields:
        if rng.random() < 0.9:
            yield name, call if name == "call_id" else _value(rng, FIELDS[name], at_ms, customer)


def _value(rng: random.Random, field: FieldType, at_ms: int, customer: str) -> Any:
    match field.kind:
        case Kind.TIME:
            return at_ms - rng.randrange(60_000)
        case Kind.BOOL:
            return rng.random() < 0.3
        case Kind.INT:
            return rng.randint(int(field.low), int(min(field.high, 900)))
        case Kind.STRING | Kind.ENUM:
            return _text(rng, field, customer)
    return round(rng.uniform(max(field.low, 0), min(field.high, 300)), 2)


def _text(rng: random.Random, field: FieldType, customer: str) -> str:
    if field.values:
        return rng.choice(field.values)
    if field.name in {"message_id", "conversation"}:
        return f"{customer}@{rng.randrange(5)}"
    if field.is_key:
        return rng.choice([*_WORDS, f"offer to {customer}", f"{customer}-2"])
    return rng.choice([*_WORDS, f"told {customer}", f"139 7710 2345 or {customer}: no"])


def _dressed(rng: random.Random, event: dict[str, Any], customer: str) -> dict[str, Any]:
    """With what nobody asked for, or as a CloudEvent."""
    look = rng.random()
    if look < 0.2:
        more = {"phone": customer, "crm": {"contact": [customer]}, f"k{customer}": 1}
        return {**event, **more}
    if look < 0.3:
        top = {name: event[name] for name in ("id", "type", "time")}
        inner = {name: value for name, value in event.items() if name not in top}
        return {"specversion": "1.0", **top, "data": {**inner, "id": customer}, "subject": customer}
    return event


def _broken(rng: random.Random, customer: str) -> bytes:
    """What is refused, with the customer in it."""
    good = {"id": f"x-{customer}", "type": "call.ended", "time": START_MS}
    return rng.choice(
        [
            f"call to {customer}".encode(),
            f'{{"id": "{customer}", "type": '.encode(),
            b"\xff" + customer.encode(),
            json.dumps([customer]).encode(),
            json.dumps({**good, "customer": {"phone": customer}}).encode(),
            json.dumps({**good, "customer": customer * 40}).encode(),
            json.dumps({**good, "customer": f"{customer}\x07"}).encode(),
            json.dumps({**good, "talk_s": customer}).encode(),
            json.dumps({**good, "outcome": customer}).encode(),
            json.dumps({**good, "started_at": customer}).encode(),
            json.dumps({**good, "time": customer}).encode(),
            json.dumps({**good, "type": f"call to {customer}"}).encode(),
            json.dumps({"id": customer, "time": START_MS}).encode(),
            json.dumps({**good, "specversion": 1, "data": customer}).encode(),
            json.dumps({**good, "specversion": "1.0", "data": customer}).encode(),
        ]
    )
