"""How a long-running process keeps its memory: what was given back, and what stays.

Owns two settings of the process. Batches of a few megabytes come and go thousands of times a second
while a daemon catches up; by default glibc gives each back to the system and asks for it again,
and the system clears every page of it: a third of a microsecond an event. And the interpreter looks
for cycles among all objects there are, those of its modules and of the rules again and again, while
every thread waits: a third of a second each time.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE_BYTES: Final = 2**25
"""From this size on memory comes from the system and goes back to it; glibc takes no more."""
KEPT_BYTES: Final = 2**28
"""So much that is free at the end of a heap is kept."""

YOUNG: Final = 10_000
"""So many new objects are there before cycles are looked for among them; the interpreter's own 700
is a batch of events."""


def settle() -> None:
    """As :func:`keep_freed`, and look for no cycles among the objects that are there by now.

    Call it when what stays is loaded: modules, rules, compiled code. Cycles made later are found.
    """
    keep_freed()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)


def keep_freed() -> bool:
    """Keep freed memory for the next allocation; call it once, early.

    Returns:
        Whether it is so: false where the C library is another one, which decides for itself.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    large: bool = mallopt(_MMAP_THRESHOLD, LARGE_BYTES) == 1
    kept: bool = mallopt(_TRIM_THRESHOLD, KEPT_BYTES) == 1
    return large and kept
