"""What the call centre sends while everything fails: little, and full of turns.

Owns the records of a seed. With ``exact`` nothing in them depends on when they are read: the
broker's stamps say what is refused, and every partition goes on to the end.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from monitor.source.base import Partition

PARTITIONS = (Partition("calls", 0), Partition("calls", 1), Partition("crm", 0))
START_MS = 1_795_305_600_000
"""2026-11-22T00:00:00Z, an aligned tick."""
SPREAD_MS = 75_000
LAST_WORD_MS = START_MS + SPREAD_MS + 70_000
"""Of an exact seed: time of the last record of each partition."""
COUNT = 90
NUMBERS = 5


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as it comes in: when (true time), where, what."""

    at_ms: int
    partition: Partition
    value: bytes | None


def traffic(seed: int, *, exact: bool) -> list[Sent]:
    """Records in order of arrival: disorder, lateness, duplicates, garbage, silences."""
    rng = random.Random(f"traffic {seed}")
    silences = {
        partition: (begin, begin + rng.randrange(10_000, 40_000))
        for partition in PARTITIONS
        for begin in [START_MS + rng.randrange(SPREAD_MS)]
    }
    bad = rng.sample(range(NUMBERS), 2)
    sent: list[Sent] = []
    for index in range(COUNT):
        time = START_MS + rng.randrange(SPREAD_MS)
        partition, event = _event(rng, index, time, bad)
        begin, end = silences[partition]
        if not exact and begin <= time < end:
            continue
        delay = rng.choice([5, 300, 900, 2_500, 12_000]) if rng.random() < 0.4 else 0
        sent.append(Sent(time + delay, partition, _bytes(event)))
        if rng.random() < 0.08:  # a copy, mostly on the same partition
            other = partition if rng.random() < 0.7 else rng.choice(PARTITIONS)
            sent.append(Sent(time + delay + rng.randrange(15_000), other, _bytes(event)))
        if rng.random() < 0.03:
            sent.append(Sent(time, partition, rng.choice([None, b"{", b'{"id": 3}', b"\xff"])))
        if rng.random() < 0.02:  # a clock that runs ahead, and one that is far behind
            wrong = time + rng.choice([45_000, -3_600_000])
            sent.append(Sent(time, partition, _bytes(event | {"id": f"x{index}", "time": wrong})))
    sent.sort(key=lambda record: record.at_ms)
    if exact:
        times = range(START_MS + SPREAD_MS, LAST_WORD_MS + 1, 10_000)
        sent += [_heartbeat(time, partition) for time in times for partition in PARTITIONS]
        sent.sort(key=lambda record: record.at_ms)
    return sent


def _heartbeat(time: int, partition: Partition) -> Sent:
    name = f"last {partition.topic} {partition.number} {time}"
    return Sent(time, partition, _bytes({"id": name, "type": "heartbeat", "time": time}))


def _bytes(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


def _event(
    rng: random.Random, index: int, time: int, bad: list[int]
) -> tuple[Partition, dict[str, Any]]:
    number = rng.randrange(NUMBERS)
    common = {"id": f"e{index}", "time": time}
    kind = rng.random()
    if kind < 0.84:
        return PARTITIONS[number % 2], common | {
            "type": "call.ended",
            "call_id": f"c{index}",
            "direction": "outbound",
            "number": f"+86215000000{number}",
            "customer": f"k{rng.randrange(40)}",
            "agent": f"a{number % 4}",
            "team": f"t{number % 2}",
            "campaign": "spring",
            "outcome": "answered" if rng.random() < 0.9 else "no_answer",
            "hangup_by": "customer" if rng.random() < (0.8 if number in bad else 0.1) else "agent",
            "talk_s": rng.choice([5, 12.5, 29.999, 30]),
        }
    if kind < 0.92:
        # No dimensions of its own: they come from the call.
        return PARTITIONS[2], common | {
            "type": "complaint.filed",
            "call_id": f"c{rng.randrange(max(index, 1))}",
            "customer": f"k{rng.randrange(40)}",
            "category": "unsolicited",
        }
    name = rng.choice(["number.flagged", "number.cleared"])
    return PARTITIONS[2], common | {"type": name, "number": f"+86215000000{rng.randrange(NUMBERS)}"}
