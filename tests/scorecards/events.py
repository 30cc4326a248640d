"""A made-up sales floor: calls, deals, ratings and issues of a few people over some months."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PEOPLE = {"amy": "red", "bob": "red", "cai": "blue", "dan": "blue", "eve": "blue"}
SPEED = {"amy": 1.6, "bob": 0.8, "cai": 1.2, "dan": 0.5, "eve": 1.0}
MARCH = datetime(2026, 3, 1, tzinfo=UTC) - timedelta(hours=8)
"""Its first instant in Shanghai."""


def event(number: int, kind: str, at: datetime, person: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "type": kind,
        "time": at.isoformat(),
        "agent": person,
        "team": PEOPLE.get(person, "red"),
        "customer": f"c{number % 97}",
        **more,
    }


def floor(first: datetime, days: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Events in order of time; the busier a person, the more deals."""
    draw = random.Random(seed)
    number = 0
    for day in range(days):
        moments = sorted(
            (draw.randrange(8 * 3600), person)
            for person, speed in SPEED.items()
            for _ in range(round(6 * speed * draw.uniform(0.7, 1.3)))
        )
        for second, person in moments:
            at = first + timedelta(days=day, hours=1, seconds=second)
            for kind, more in contact(draw):
                number += 1
                at += timedelta(milliseconds=1)
                yield event(number, kind, at, person, **more)


def contact(draw: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """A call, and what comes of it."""
    answered = draw.random() < 0.7
    talk: dict[str, Any] = {"outcome": "no_answer"}
    if answered:
        hangup_by = draw.choice(["agent", "customer"])
        talk = {"outcome": "answered", "talk_s": draw.randrange(5, 600), "hangup_by": hangup_by}
    yield "call.ended", {"direction": "outbound", **talk}
    if answered and draw.random() < 0.35:
        yield "deal.won", {"amount": round(draw.uniform(100, 4000), 2)}
    if answered and draw.random() < 0.2:
        yield "call.rated", {"score": draw.randint(2, 5)}
    for kind, chance in (("issue.opened", 0.2), ("issue.resolved", 0.17)):
        if draw.random() < chance:
            yield kind, {}


def write(path: Path, events: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in events), encoding="utf-8")
    return path
