"""Ending several things at once, in a time that is known.

Owns the waiting. Each thing may hold a broker's or a receiver's time-out; a program that is told to
end does not wait for all of them, one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog

from monitor.clock import SystemClock

log = structlog.get_logger(__name__)


def close_all(closings: Mapping[str, Callable[[], object]], *, within_s: float) -> list[str]:
    """Call them all, each in a thread of its own; the names of those that did not end in time.

    What one raises is logged. Threads that are left end with the process.
    """

    def run(name: str, close: Callable[[], object]) -> None:
        try:
            close()
        except Exception:
            log.exception("closing_failed", what=name)

    threads = {
        name: threading.Thread(target=run, args=(name, close), name=f"close-{name}", daemon=True)
        for name, close in closings.items()
    }
    for thread in threads.values():
        thread.start()
    now_s = SystemClock().monotonic_s
    end_s = now_s() + within_s
    for thread in threads.values():
        thread.join(max(0.0, end_s - now_s()))
    left = [name for name, thread in threads.items() if thread.is_alive()]
    if left:
        log.warning("not_closed_in_time", what=left, seconds=within_s)
    return left
