"""What ``config.yaml`` says about the archive of events."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from monitor.units import DurationMs, Size


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
