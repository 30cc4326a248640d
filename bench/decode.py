"""Decode alone, one core: events a second for call.ended records of about 350 bytes.

Run: ``python bench/decode.py``. The best of the rounds is shown, in CPU seconds of this process, so
that a busy machine does not change the figure much.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import json
import time
from collections.abc import Callable, Sequence

import numpy as np

from monitor.events.decode import Decoder
from monitor.events.settings import EventSettings
from monitor.source.base import Fetched, Partition

ROWS = 10_000
ROUNDS = 15
FIELDS = [
    "call_id",
    "direction",
    "outcome",
    "ring_s",
    "talk_s",
    "wrap_s",
    "hangup_by",
    "need_captured",
    "intent_confirmed",
]


def record(number: int, *, integer_time: bool = False, spaced: bool = False) -> bytes:
    """A call that ended; every field that the telemarketing pack looks at."""
    minute, second = divmod(number % 3_600, 60)
    event = {
        "id": f"c-{number:09d}",
        "type": "call.ended",
        "time": 1_795_309_200_000 + number
        if integer_time
        else f"2026-11-22T09:{minute:02d}:{second:02d}.{number % 1_000:03d}+08:00",
        "number": f"+8621500{number % 2_000:05d}",
        "number_type": "95",
        "customer": f"+86139{number:08d}",
        "agent": f"agent-{number % 300}",
        "campaign": "campaign-7",
        "call_id": f"k{number}",
        "direction": "outbound",
        "outcome": "answered",
        "ring_s": 12,
        "talk_s": number % 400 + 0.5,
        "wrap_s": 8,
        "hangup_by": "customer",
        "need_captured": number % 3 == 0,
        "intent_confirmed": False,
    }
    return json.dumps(event, separators=None if spaced else (",", ":")).encode()


def best_s(work: Callable[[], object]) -> float:
    """CPU seconds of the quickest round."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append(time.process_time() - start)
    return min(rounds)


def main() -> None:
    """Print one line a case."""
    decoder = Decoder(frozenset(FIELDS), frozenset({"call.ended"}), EventSettings())
    plain = [record(number) for number in range(ROWS)]
    torn = plain[0][:-1]
    cases: dict[str, Sequence[bytes]] = {
        "plain": plain,
        "integer times": [record(number, integer_time=True) for number in range(ROWS)],
        "spaces after colons": [record(number, spaced=True) for number in range(ROWS)],
        "one torn record in 10 000": [*plain[:5_000], torn, *plain[5_001:]],
        "one wrong type in 10 000": [
            *plain[:5_000],
            plain[0].replace(b'"agent-0"', b"7"),
            *plain[5_001:],
        ],
        "one torn record in 100": [torn if n % 100 == 50 else plain[n] for n in range(ROWS)],
        "every other torn": [torn if n % 2 else plain[n] for n in range(ROWS)],
        "all to the strict decoder": [one.replace(b'"c-', b'"\\u0063-') for one in plain],
    }
    print(f"{len(plain[0])} bytes a record, batches of {ROWS}, {len(FIELDS)} fields in use")
    for name, values in cases.items():
        fetched = Fetched(
            Partition("calls", 0),
            np.arange(ROWS),
            np.full(ROWS, -1),
            append_time=False,
            values=values,
            next_position=ROWS,
        )
        seconds = best_s(lambda fetched=fetched: decoder.decode(fetched))  # type: ignore[misc]
        print(f"{name:28} {ROWS / seconds / 1_000:6.0f} k events/s  {seconds * 1_000:6.1f} ms")


if __name__ == "__main__":
    main()
