"""What every peer computes, and how it tells what it found.

Owns the scopes, the six measures and the form of the answer. Standard library only: peers run where
nothing of ours is installed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

SCOPES = ("number", "agent", "group", "team", "campaign")
CHECKED = "team"
"""The scope whose figures are compared with DuckDB's."""
SPANS = ((1_800_000, 30_000), (86_400_000, 900_000))
"""Length and step of each window in ms: half an hour by 30 s, a day by a quarter of an hour."""
OUT_OF_ORDER_MS = 1_000
MEASURES = ("calls", "answered", "hung_up", "effective", "talk", "effective_talk")
"""Counts; the last two are milliseconds, so that no order of adding changes them."""

Sums = list[int]
"""Of each measure, in the order of ``MEASURES``."""
Windows = dict[str, dict[str, Sums]]
"""By length and end of the window in ms, ``1800000/1795309230000``, then by key."""


def measures(event: dict[str, Any]) -> Sums:
    """What one event adds."""
    answered = event["outcome"] == "answered"
    if not answered:
        return [1, 0, 0, 0, 0, 0]
    talk_s = event["talk_s"]
    short = event["hangup_by"] == "customer" and talk_s < 30
    effective = talk_s >= 120 and event["need_captured"]
    talk = round(talk_s * 1_000)
    return [1, 1, int(short), int(effective), talk, talk if effective else 0]


def added(sums: Sums, more: Sums) -> Sums:
    """Both together."""
    return [one + other for one, other in zip(sums, more, strict=True)]


class Answer:
    """The figures of the checked scope, as the windows close."""

    def __init__(self) -> None:
        self.windows: Windows = {}
        self.results = 0
        """Figures of all scopes together: one a window and key."""
        self.seconds: float | None = None
        """From the first event to the last, where the peer waits for more afterwards."""
        self.machine_cpu_s = 0.0
        """CPU seconds of a virtual machine that is no child of the peer's process for good."""

    def take(self, scope: str, key: str, length_ms: int, end_ms: int, sums: Iterable[int]) -> None:
        """One closed window of one key."""
        self.results += 1
        if scope == CHECKED:
            window = f"{length_ms}/{end_ms}"
            self.windows.setdefault(window, {})[key] = [int(each) for each in sums]


def told(run: Callable[[str], Answer], version: str) -> None:
    """Run over the file (or topic) that is the first argument; the answer as JSON on stdout."""
    answer = run(sys.argv[1])
    found = {
        "version": version,
        "results": answer.results,
        "windows": answer.windows,
        "machine_cpu_s": answer.machine_cpu_s,
    }
    if answer.seconds is not None:
        found["seconds"] = answer.seconds
    print(json.dumps(found))
