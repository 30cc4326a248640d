"""How the C library keeps memory that was given back: the process's own heap, not the system's.

Owns one setting of the process. Batches of a few megabytes come and go thousands of times a second
while a daemon catches up; by default glibc gives each back to the system and asks for it again,
and the system clears every page of it: a third of a microsecond an event.
"""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE_BYTES: Final = 2**25
"""From this size on memory comes from the system and goes back to it; glibc takes no more."""
KEPT_BYTES: Final = 2**28
"""So much that is free at the end of a heap is kept."""


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
