"""Random traffic with everything in it that could make two runs differ."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from monitor.source.base import Partition

PARTITIONS = (Partition("calls", 0), Partition("calls", 1), Partition("crm", 0))
START_MS = 1_795_305_600_000
"""2026-11-22T00:00:00Z; Kathmandu's midnight falls at 18:15Z, so streams may start beside it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as it comes in: when (wall clock), where, what."""

    at_ms: int
    partition: Partition
    value: bytes | None


def stream(seed: int, count: int = 1_000, spread_ms: int = 270_000) -> list[Sent]:
    """Records in order of arrival: disorder, lateness, duplicates, garbage, silences."""
    rng = random.Random(seed)
    start = START_MS + rng.choice([0, 18 * 3_600_000 + 10 * 60_000])
    silences = [
        (partition, begin, begin + rng.randrange(10_000, 90_000))
        for partition in PARTITIONS
        for begin in rng.sample(range(start, start + spread_ms), 2)
    ]
    sent: list[Sent] = []
    for index in range(count):
        time = start + rng.randrange(spread_ms)
        partition, event = _event(rng, index, time)
        if any(p == partition and a <= time < b for p, a, b in silences) and index % 7:
            continue
        delay = rng.choice([0, 0, 5, 300, 900, 2_500, 20_000]) if rng.random() < 0.6 else 0
        arrives = time + delay
        sent.append(Sent(arrives, partition, json.dumps(event).encode()))
        if rng.random() < 0.08:  # a copy, mostly on the same partition
            other = partition if rng.random() < 0.7 else rng.choice(PARTITIONS)
            sent.append(Sent(arrives + rng.randrange(30_000), other, json.dumps(event).encode()))
        if rng.random() < 0.02:
            sent.append(Sent(arrives, partition, rng.choice([None, b"{", b'{"id": 3}', b"\xff"])))
        if rng.random() < 0.01:  # a clock that runs ahead, and one that is far behind
            event = event | {"id": f"x{index}", "time": time + rng.choice([45_000, -3_600_000])}
            sent.append(Sent(arrives, partition, json.dumps(event).encode()))
    return sorted(sent, key=lambda record: record.at_ms)


def _event(rng: random.Random, index: int, time: int) -> tuple[Partition, dict[str, Any]]:
    number = rng.randrange(6)
    common = {"id": f"e{index}", "time": time}
    kind = rng.random()
    if kind < 0.8:
        bad = number == 2 or (number == 4 and time % 200_000 < 100_000)
        return PARTITIONS[number % 2], common | {
            "type": "call.ended",
            "call_id": f"c{index}",
            "direction": "outbound",
            "number": f"+86215000000{number}",
            "customer": f"k{rng.randrange(40)}",
            "agent": f"a{number % 4}",
            "team": f"t{number % 2}",
            "campaign": "spring",
            "outcome": "answered" if rng.random() < 0.8 else "no_answer",
            "hangup_by": "customer" if rng.random() < (0.85 if bad else 0.12) else "agent",
            "talk_s": rng.choice([5, 12.5, 29.999, 30, 200]),
        }
    if kind < 0.88:
        state = rng.choice(["ready", "talking", "break", "offline"])
        return PARTITIONS[2], common | {
            "type": "agent.state",
            "agent": f"a{rng.randrange(4)}",
            "state": state,
        }
    if kind < 0.96:
        # No dimensions of its own: they come from the call.
        return PARTITIONS[2], common | {
            "type": "complaint.filed",
            "call_id": f"c{rng.randrange(max(index, 1))}",
            "customer": f"k{rng.randrange(40)}",
            "category": "unsolicited",
        }
    name = rng.choice(["number.flagged", "number.cleared", "number.cleared"])
    return PARTITIONS[2], common | {"type": name, "number": f"+86215000000{rng.randrange(6)}"}
