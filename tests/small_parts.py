"""Tables cut small, so that a few rows make parts, and a few parts many files.

Owns the bounds; what they bound is as in the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from monitor import keys
from monitor.events import call_log
from monitor.store import draft, holdings
from monitor.windows import dedup, panes

BOUNDS = (
    (keys, "STRETCH", 4),
    (call_log, "CHUNK_ROWS", 8),
    (dedup, "CHUNK_IDS", 8),
    (panes, "BUFFERED", 3),
    (draft, "BYTES_MIN", 24),
    (holdings, "SPARE_BYTES", 400),
    (holdings, "FILES_MAX", 4),
    (holdings, "MOVED_BYTES", 400),
)


@contextmanager
def small_parts() -> Iterator[None]:
    """Within it parts are small."""
    with ExitStack() as patches:
        for module, name, value in BOUNDS:
            patches.enter_context(mock.patch.object(module, name, value))
        yield
