"""Loops over arrays as machine code.

Owns every function that is compiled, and how: the modules here hold nothing else. numba compiles a
function when it is first called, which takes seconds, and keeps the result for the next process.
A compiled function takes arrays and numbers, holds no state, calls nothing but its like, and lets
go of the interpreter's lock while it runs.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

_HERE = Path(__file__).parent


def _sources() -> str:
    """What all that is compiled here hashes to."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _kept() -> Path:
    """Where compiled code is kept.

    numba looks at the file of a function alone to see whether it has changed, and not at those of
    the functions it calls; so each state of the sources has a folder of its own.
    """
    for base in (_HERE / "__pycache__", Path.home() / ".cache" / "callcentre-monitor"):
        folder = base / f"compiled-{_sources()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return Path(tempfile.gettempdir()) / f"callcentre-monitor-{os.getuid()}-{_sources()}"


def kept() -> str:
    """Where compiled code is kept: ``NUMBA_CACHE_DIR``, or a folder of ours."""
    return str(numba.config.CACHE_DIR)  # type: ignore[attr-defined]  # numba declares no types


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(_kept())  # type: ignore[attr-defined]


def compiled(function: F) -> F:
    """``function`` as machine code; ``function.py_func`` is what was written."""
    return _made(function, forceinline=False)


def inlined(function: F) -> F:
    """As :func:`compiled`, and written into each function that calls it.

    A call hands over an array as seven numbers, so one with ten arrays costs as much as the work.
    """
    return _made(function, forceinline=True)


def _made(function: F, *, forceinline: bool) -> F:
    made = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=forceinline)
    return cast("F", made(function))
