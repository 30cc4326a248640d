"""Standard output that takes no more: its reader has left, or the disk is full.

Owns telling the two apart and what follows; imports next to nothing.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import IO

from monitor.errors import UsageError


def say(text: str) -> None:
    """Print a line; without a reader the command still goes on to its end, and to its status."""
    try:
        print(text)
    except BrokenPipeError:
        silence(sys.stdout)


def silence(stream: IO[str]) -> None:
    """Its reader is gone for good: what is written from now on goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def flush(stream: IO[str]) -> None:
    """Now, while there is somebody to tell; at the interpreter's end there is not.

    Raises:
        UsageError: it cannot be written where it was sent.
    """
    try:
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except OSError as error:
        silence(stream)
        raise unwritten(error) from error


def is_full(error: OSError) -> bool:
    """Whether ``error`` is of a stream rather than of a file by name, for lack of room."""
    return error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def unwritten(error: OSError) -> UsageError:
    """The error for people."""
    return UsageError(f"standard output cannot be written: {error.strerror}")
