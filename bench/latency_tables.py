"""What ``bench.latency`` has measured, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TICK_MS, OUT_OF_ORDER_MS, ALLOWED_MS = 5_000, 1_000, 250
STAGES = (
    "due → fetched",
    "decoded",
    "engine begins",
    "rows in order",
    "judged",
    "stored",
    "claimed",
    "appended",
    "committed",
)
"""Each from the end of the one before it; see ``bench.stages``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies at one rate."""

    events_per_s: int
    latencies_ms: list[float]
    """From the deciding event's batch going out to the broker's stamp on the command."""
    committed_ms: list[float]
    """The same until the daemon had heard that the transaction is committed."""
    beyond_ms: list[float]
    """To the stamp from the first moment at which the tick could be judged: its end plus
    ``out_of_order``."""
    stages_ms: dict[str, list[float]]
    """What *beyond* and the commit consist of."""
    held_ms: dict[str, list[float]]
    """What the engine's thread did beside judging."""
    behind_ms: float
    """How late the producer itself was, at worst."""


def latencies_of(found: list[Measured]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of latencies."""
    head = ["ms", "commands", "p50", "p99", "max", "p99 may be", "committed p99"]
    head += ["beyond p50", "p99", "producer late"]
    rows = [
        [
            f"{each.events_per_s:,}/s",
            str(len(each.latencies_ms)),
            *(f"{_at(each.latencies_ms, share):,.0f}" for share in (0.5, 0.99, 1.0)),
            f"{OUT_OF_ORDER_MS + TICK_MS + ALLOWED_MS:,}",
            f"{_at(each.committed_ms, 0.99):,.0f}",
            *(f"{_at(each.beyond_ms, share):,.0f}" for share in (0.5, 0.99)),
            f"{each.behind_ms:.0f}",
        ]
        for each in found
    ]
    return head, rows


def stages_of(found: list[Measured]) -> list[str]:
    """Lines of Markdown: how long each stage took, at each rate."""
    head = ["stage, ms: p50 / p99", *(f"{each.events_per_s:,}/s" for each in found)]
    rows = [[name, *(_both(each.stages_ms[name]) for each in found)] for name in STAGES]
    rows += [
        [f"*{name}*", *(_both(each.held_ms.get(name, [0.0])) for each in found)]
        for name in sorted({name for each in found for name in each.held_ms})
    ]
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], "|---" + "|---:" * len(found) + "|", *lines[1:]]


def _both(values: list[float]) -> str:
    return f"{_at(values, 0.5):,.0f} / {_at(values, 0.99):,.0f}"


def _at(values: list[float], share: float) -> float:
    """A quantile: the value of which so large a share is not above."""
    return float(np.quantile(values, share, method="higher"))
