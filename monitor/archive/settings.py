"""What ``config.yaml`` says about the archive of events."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.errors import SecretError
from monitor.secret import Secret
from monitor.units import DurationMs, Size

KEY_CHARS_MIN = 32
"""Of a key for customers: whoever guesses it can try all telephone numbers there are."""


class ArchiveSettings(BaseModel):
    """``archive:``: a copy of every record in Parquet, for back-tests (docs/backtest.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    path: Path | None = None
    """Folder of its own; null: no archive is kept."""
    every: DurationMs = Field(60_000, ge=1_000, le=3_600_000)
    """How often what was read is written; what is not yet is read again after a crash."""
    keep: DurationMs | None = Field(None, ge=86_400_000)
    """Hours older than this are deleted; null: none are for their age."""
    keep_bytes: Size | None = Field(None, ge=2**20)
    """With more than this, the oldest hours are deleted; null: however large it grows."""
    customers: Literal["plain", "hashed"] = "plain"
    """`plain`: records byte for byte. `hashed`: events with a token for each customer, and nothing
    that could tell who it is; an archive is one or the other from its beginning."""
    key: Secret | None = None
    """Of the tokens, 32 characters or more; whoever has it can find customers by trying numbers."""

    @model_validator(mode="after")
    def _hashed_with_a_key(self) -> Self:
        if self.customers == "hashed" and self.key is None:
            msg = "customers: hashed needs a key, such as key: {file: /etc/monitor/archive-key}"
            raise ValueError(msg)
        return self

    def secret(self) -> bytes:
        """The key in clear, read now.

        Raises:
            SecretError: it is not where the configuration says, or too short.
        """
        found = "" if self.key is None else self.key.reveal()
        if len(found) < KEY_CHARS_MIN:
            msg = f"archive.key has fewer than {KEY_CHARS_MIN} characters"
            raise SecretError(msg)
        return found.encode()
