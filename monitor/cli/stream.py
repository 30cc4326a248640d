"""Standard output that takes no more: its reader has left, or the disk is full.

Owns telling the two apart and what follows; imports next to nothing.
"""

from __future__ import annotations

import errno
import os
from typing import IO

from monitor.errors import UsageError


def silence(stream: IO[str]) -> None:
    """Its reader is gone for good: what is written from now on goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def is_full(error: OSError) -> bool:
    """Whether ``error`` is of a stream rather than of a file by name, for lack of room."""
    return error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def unwritten(error: OSError) -> UsageError:
    """The error for people."""
    return UsageError(f"standard output cannot be written: {error.strerror}")
