"""When a daemon did what between an event and its command, as ``bench.noting`` notes it.

Owns the names of the stages and the file of notes: a line of JSON each, a few for each tick.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = "stages.jsonl"
"""In the daemon's working directory."""
TICK_STAGES = ("fetched", "decoded", "begun", "released", "decided", "stored")
"""Of a tick: the broker's answer that makes it due was there; its records were columns; the engine
began with it; its rows were in order, without duplicates; all was judged; all was durable."""
COMMAND_STAGES = ("claimed", "sent")
"""Of a command: the outbox gave it to the sender, with a mark; its transaction was committed."""

Ticks = dict[tuple[str, int], float]
"""When, in ms, by stage and tick."""
Commands = dict[tuple[str, str], float]
"""When, in ms, by stage and id of the command."""

Held = dict[str, list[float]]
"""How long, in ms, by what."""


class Notes:
    """Writes when something was done; any thread may use it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def tick(self, stage: str, tick_ms: int, at_ms: float | None = None) -> None:
        """A stage of a tick, now or at ``at_ms``."""
        self._put({"stage": stage, "tick": tick_ms, "at": now_ms() if at_ms is None else at_ms})

    def commands(self, stage: str, ids: Iterable[str]) -> None:
        """A stage of commands, now."""
        at_ms = now_ms()
        for each in ids:
            self._put({"stage": stage, "id": each, "at": at_ms})

    def held(self, what: str, ms: float) -> None:
        """Something that the engine's thread does beside judging, and how long it took."""
        self._put({"held": what, "ms": ms})

    def close(self) -> None:
        """End them."""
        self._file.close()

    def _put(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")


def read(path: Path) -> tuple[Ticks, Commands, Held]:
    """What was noted; of several notes of one thing the last counts."""
    ticks: Ticks = {}
    commands: Commands = {}
    held: Held = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if "held" in line:
            held.setdefault(line["held"], []).append(line["ms"])
        elif "tick" in line:
            ticks[line["stage"], line["tick"]] = line["at"]
        else:
            commands[line["stage"], line["id"]] = line["at"]
    return ticks, commands, held


def now_ms() -> float:
    """Wall time."""
    return time.time() * 1_000
