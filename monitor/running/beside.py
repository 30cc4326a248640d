"""Work beside the engine's thread: one job at a time, and what came of it.

Owns the thread. What the job is, and what follows from it, is ``keep``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Job(Protocol):
    """A job that was started."""

    def done(self) -> bool:
        """Whether it is over."""
        ...

    def result(self) -> Any:
        """What it gave; waits until it is over.

        Raises:
            Exception: whatever the job raised.
        """
        ...


class Beside(Protocol):
    """Where jobs are done; the engine's thread uses it."""

    def start(self, job: Callable[[], T]) -> Job:
        """Do it, after the one before it."""
        ...

    def close(self) -> None:
        """Wait until nothing is done any more; twice is fine."""
        ...


class ThreadBeside:
    """Jobs in a thread of their own."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")

    def start(self, job: Callable[[], T]) -> Future[T]:
        """See :meth:`Beside.start`."""
        return self._executor.submit(job)

    def close(self) -> None:
        """See :meth:`Beside.close`."""
        self._executor.shutdown()
