"""A connection to PostgreSQL that does not wait for ever.

Owns the one wait that neither server nor kernel ends: for an answer that is lost behind a proxy or
a firewall which keeps the connection open. The server's own timeouts end every statement, so a
silence that is longer than those means that nobody will answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar, TypeVar

import psycopg

from monitor.clock import SystemClock

_R = TypeVar("_R")
HURRY_S = 1.0
GONE_S = 0.2
"""In a hurry, for each wait after one that was in vain: a program that ends asks several times."""


class Silence(psycopg.OperationalError):
    """Nothing was heard for as long as any statement may take."""


class PatientConnection(psycopg.Connection[Any]):
    """Ends itself when the server has been silent for ``patience_s`` while it was to answer."""

    patience_s: ClassVar[float] = 60.0
    """Seconds; :func:`with_patience` makes a class with another."""
    hurry: ClassVar[Callable[[], bool]] = staticmethod(lambda: False)
    """Nobody can wait so long any more."""
    gone: ClassVar[bool] = False
    """The last wait in a hurry was in vain."""

    def wait(self, gen: Generator[Any, Any, _R], *arguments: Any, **options: Any) -> _R:
        """As psycopg's, which every statement, commit and rollback goes through.

        Raises:
            Silence: the server did not answer; the connection is closed.
        """
        try:
            return super().wait(self._heard(gen), *arguments, **options)
        except Silence:
            self.close()
            raise

    @classmethod
    def _connect_gen(cls, *arguments: Any, **options: Any) -> Generator[Any, Any, Any]:
        """As psycopg's, which connecting goes through: ``connect_timeout`` knows of no hurry."""
        return cls._heard(super()._connect_gen(*arguments, **options))

    @classmethod
    def _heard(cls, gen: Generator[Any, Any, _R]) -> Generator[Any, Any, _R]:
        """``gen``, which is told of nothing (a false value) several times a second."""
        now_s = SystemClock().monotonic_s
        since_s, patience_s = now_s(), cls.patience_s
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready:
                    since_s = now_s()
                elif cls.hurry():
                    patience_s = min(patience_s, GONE_S if cls.gone else HURRY_S)
                if now_s() - since_s > patience_s:
                    cls.gone = cls.hurry()
                    msg = f"nothing was heard for {patience_s:g} s"
                    raise Silence(msg)
                state = gen.send(ready)
        except StopIteration as done:
            cls.gone = False
            result: _R = done.value
            return result


def with_patience(
    seconds: float, hurry: Callable[[], bool] = lambda: False
) -> type[PatientConnection]:
    """The class of connections that wait so long, or ``HURRY_S`` once there is a hurry."""
    values = {"patience_s": seconds, "hurry": staticmethod(hurry)}
    return type("PatientConnection", (PatientConnection,), values)
