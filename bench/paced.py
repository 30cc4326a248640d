"""Events by the clock, and numbers that go bad among them at known moments.

Owns the record batches of each slot of time, made beforehand, and their sending; what comes of them
is ``bench.latency``'s.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass

import numpy as np
import polars as pl

from bench.job import Job, event_lines
from bench.wire import WireProducer, record_batch

PARTITIONS = 4
SLOT_MS = 10
"""Events are produced so often."""
CALLS = 20
"""Of each number that goes bad; the last decides."""
LEAD_S, TAIL_S = 10.0, 8.0
"""Of each run without a deciding event."""
PREFIX = "+86216"
"""Of the numbers that go bad."""


@dataclass(frozen=True, slots=True)
class Sent:
    """When batches went out."""

    at_ms: list[float]
    """Wall time of each slot."""
    behind_ms: float
    """By how much the latest was late."""


def slots_of(
    rate: int, seconds: float, numbers: int, start_ms: int
) -> tuple[list[dict[int, bytes]], dict[str, int]]:
    """Batches by partition for each slot; and by number the slot of its deciding event."""
    failing, decides = _failures(rate, seconds, numbers, start_ms)
    job = Job("latency", round(rate * seconds), rate, start_ms=start_ms, disorder_ms=0)
    texts = event_lines(job)
    stamps = texts.str.slice(texts[0].index('"time":"') + 8, 24).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.3fZ", time_unit="ms"
    )
    places = ((stamps.cast(pl.Int64) - start_ms) // SLOT_MS).to_numpy()
    count = round(seconds * 1_000 / SLOT_MS) + 1
    ends = np.searchsorted(places, np.arange(count), side="right").tolist()
    slots, first = [], 0
    for place, end in enumerate(ends):
        values = [text.encode() for text in texts[first:end].to_list()] + failing.get(place, [])
        parts = (values[part::PARTITIONS] for part in range(PARTITIONS))
        slots.append(
            {part: record_batch(each, start_ms) for part, each in enumerate(parts) if each}
        )
        first = end
    return slots, decides


def _failures(
    rate: int, seconds: float, numbers: int, start_ms: int
) -> tuple[dict[int, list[bytes]], dict[str, int]]:
    """The calls of the numbers that go bad, by slot; and by number the slot of the last."""
    random = np.random.default_rng(rate)
    failing: dict[int, list[bytes]] = {}
    decides: dict[str, int] = {}
    for number in range(numbers):
        name = f"{PREFIX}{number:07}"
        at_ms = random.uniform(LEAD_S, seconds - TAIL_S) * 1_000
        times = np.sort(random.uniform(at_ms - 4_000, at_ms, CALLS)).astype(int)
        for call, offset_ms in enumerate(times.tolist()):
            decides[name] = offset_ms // SLOT_MS
            event = _failing(name, call, start_ms + offset_ms)
            failing.setdefault(decides[name], []).append(event)
    return failing, decides


def _failing(number: str, call: int, time_ms: int) -> bytes:
    event = {
        "id": f"f-{number}-{call}",
        "type": "call.ended",
        "time": time_ms,
        "number": number,
        "agent": "agent-0001",
        "team": "team-0",
        "campaign": "campaign-0",
        "outcome": "no_answer",
        "sip_code": 603,
    }
    return json.dumps(event).encode()


def produce(bootstrap: str, topic: str, slots: list[dict[int, bytes]], start_ms: int) -> Sent:
    """Send each slot when it is over."""
    pause = threading.Event()
    at_ms: list[float] = []
    behind = 0.0
    assert time.time() * 1_000 < start_ms, "making the batches took longer than thought"
    # Not earlier: a link that nobody speaks on is given up.
    pause.wait(max(0.0, start_ms / 1_000 - time.time()))
    producer = WireProducer(bootstrap, topic)
    for number, slot in enumerate(slots):
        due_ms = start_ms + (number + 1) * SLOT_MS
        pause.wait(max(0.0, due_ms / 1_000 - time.time()))
        at_ms.append(time.time() * 1_000)
        behind = max(behind, at_ms[-1] - due_ms)
        if slot:
            producer.send(slot)
    producer.close()
    return Sent(at_ms, behind)
