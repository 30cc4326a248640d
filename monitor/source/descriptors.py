"""File descriptors: how many files may be open at once, and what it means when there are none left.

Owns opening. A process without a free descriptor cannot tell whether a file is there, so that is
never taken for "it is not".
"""

from __future__ import annotations

import errno
import gzip
import io
import resource
from pathlib import Path

from monitor.errors import SourceUnavailable

OPEN_MAX = 256
_SPENT = frozenset({errno.EMFILE, errno.ENFILE})

OpenFile = io.FileIO | gzip.GzipFile


def open_max() -> int:
    """How many files a source keeps open: a quarter of what the process may, and not too many."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_MAX if soft == resource.RLIM_INFINITY else max(1, min(OPEN_MAX, soft // 4))


def opened(path: Path) -> OpenFile:
    """Open a file for reading, compressed when its name ends with ``.gz``.

    Raises:
        OSError: it is not there, or not to be read.
        SourceUnavailable: there is no descriptor left; try again.
    """
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb", buffering=0)
    except OSError as fault:
        raise spent(fault, path) from fault


def spent(fault: OSError, path: Path) -> Exception:
    """The fault itself, or what it means when descriptors are used up."""
    if fault.errno not in _SPENT:
        return fault
    return SourceUnavailable(f"{path} cannot be opened: too many files are open (ulimit -n)")
