"""The thread that writes checkpoints, stepped as the lanes are.

Owns when a checkpoint is written: at any moment after its picture was taken, or never, when the
process dies first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class SteppedJob:
    """A job that is done when it is stepped, or waited for."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._done = False
        self._value: Any = None
        self._error: Exception | None = None

    def done(self) -> bool:
        """Whether it is over."""
        return self._done

    def result(self) -> Any:
        """What it gave; whoever waits for it sees it done."""
        self.step()
        if self._error is not None:
            raise self._error
        return self._value

    def step(self) -> None:
        """Do it, if it is not done. A death in the midst of it is the whole process's."""
        if self._done:
            return
        try:
            self._value = self._work()
        except Exception as error:  # noqa: BLE001 - as a future does
            self._error = error
        self._done = True


class SteppedBeside:
    """One life's thread for checkpoints."""

    def __init__(self) -> None:
        self._job: SteppedJob | None = None

    @property
    def busy(self) -> bool:
        """A job is not done yet."""
        return self._job is not None and not self._job.done()

    def start(self, job: Callable[[], Any]) -> SteppedJob:
        """Have a job to be done."""
        assert not self.busy, "one at a time"
        self._job = SteppedJob(job)
        return self._job

    def step(self) -> None:
        """The thread comes to run."""
        if self._job is not None:
            self._job.step()

    def close(self) -> None:
        """Never called: lives end by death."""
