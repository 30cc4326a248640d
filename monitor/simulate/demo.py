"""The traffic of ``make run``: some hours of history at once, then live for as long as wanted.

Owns the demonstration's size and its file. What happens in it is ``scenarios.demo_plan``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from monitor.clock import Clock
from monitor.simulate.pacing import deliver
from monitor.simulate.scenarios import DEMO_HISTORY_MS
from monitor.simulate.simulation import Simulation, simulate
from monitor.simulate.sinks import RotatingSink

RATE: Final = 8.0
NUMBERS: Final = 60
SEED: Final = 7
DURATION_MS: Final = 7 * 86_400_000
BYTES_MAX: Final = 128 * 2**20
KEEP: Final = 2


def demo_simulation(now_ms: int) -> Simulation:
    """The demonstration that goes live at ``now_ms``."""
    return simulate(
        "demo",
        start_ms=now_ms - DEMO_HISTORY_MS,
        seed=SEED,
        rate=RATE,
        duration_ms=DURATION_MS,
        numbers=NUMBERS,
    )


def live_demo(
    path: Path,
    clock: Clock,
    stop: threading.Event,
    *,
    blocked: Callable[[], Collection[str]] = tuple,
    bytes_max: int = BYTES_MAX,
) -> None:
    """Write the history to ``path`` at once and go on in real time until ``stop`` is set.

    The truth stands beside it from the start, without counts. The file is renamed to ``.1`` when
    it is full; the disk never holds more than ``KEEP + 1`` of them. ``blocked`` tells which
    numbers telephony has taken out of service: the demonstration does not call with them.
    """
    simulation = demo_simulation(clock.now_ms())
    simulation.truth.write(path.with_suffix(".truth.json"))
    sink = RotatingSink(path, bytes_max=bytes_max, keep=KEEP)
    deliver(simulation, sink, clock=clock, stop=stop, blocked=blocked)
