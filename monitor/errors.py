"""Every exception the daemon raises, by what the caller must do about it.

Owns the types only; messages are made where the fault is found. *Poison* (a record, a file) is
never retried, *transient* is, *back-pressure* slows the producer down.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class MonitorError(Exception):
    """Root of all errors that the daemon raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a configuration file, with its place and its mend.

    ``line`` and ``column`` count from 1, as editors do; 0 where the file as a whole is meant.
    """

    path: Path
    line: int
    column: int
    message: str
    hint: str = ""
    owner: str = ""
    """Id of the rule, indicator or test that the fault stands in, when known."""

    def __str__(self) -> str:
        """``path:line:column: [owner] message (hint)``, the form editors make clickable."""
        owner = f"{self.owner}: " if self.owner else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}:{self.line}:{self.column}: {owner}{self.message}{hint}"


class ConfigError(MonitorError):
    """Raised when configuration, packs or tests are wrong; carries every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class UsageError(MonitorError):
    """Raised when a command is called with arguments that do not fit together."""


class ExpressionError(MonitorError):
    """Raised when a ``where`` expression is not in the language; offset counts from 0."""

    def __init__(self, message: str, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


class SecretError(MonitorError):
    """Raised when a secret is not where the configuration says."""


class SourceError(MonitorError):
    """Raised when a source cannot be read and waiting will not help."""


class SourceUnavailable(MonitorError):  # noqa: N818 - a state of the world, not a fault of ours
    """Raised when a source does not answer for now; the caller tries again."""


class StoreError(MonitorError):
    """Raised when the store cannot be read or written."""


class StoreAway(StoreError):  # noqa: N818 - a state of the world, not a fault of ours
    """Raised when a database on the network does not answer, or takes nothing, for now."""


class StoreRefused(StoreError):  # noqa: N818 - what the database did, not a fault of ours
    """Raised when the database lets us in by no means: login, name, rights. A person must act."""


class LeaseLost(StoreError):  # noqa: N818 - a state of the world, not a fault of ours
    """Raised when another daemon has become the active one; trying again will not help."""


class CheckpointError(MonitorError):
    """Raised when a checkpoint is damaged or of an unknown format."""


class DeliveryError(MonitorError):
    """Raised when a receiver refused a delivery; ``retry`` says whether trying again can help."""

    def __init__(
        self, message: str, *, retry: bool, reason: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.reason = reason
        """A bounded label: ``timeout``, ``connection``, ``status_4xx``, ``status_5xx``, …"""
        self.retry_after_s = retry_after_s
        """How long the receiver asked to be left alone, seconds; None when it did not."""


class BackPressure(MonitorError):  # noqa: N818 - a signal to slow down, not a fault
    """Raised when a bounded queue is full and the caller must wait."""
