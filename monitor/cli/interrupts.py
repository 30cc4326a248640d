"""Ctrl-c while the program is still being loaded.

Owns the handler of that moment. Imports next to nothing itself, for it must be there first.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit status of a command that ctrl-c ended: 128 and the number of SIGINT, as shells have it."""


@contextmanager
def quick_end() -> Iterator[None]:
    """While modules are loaded, ctrl-c ends the process at once and without a word.

    Nothing has begun that would need tidying up, and libraries whose import is broken off answer
    with tracebacks, or take it for a missing part of theirs. Who ignores the signal (``nohup``, a
    job in the background) goes on ignoring it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
