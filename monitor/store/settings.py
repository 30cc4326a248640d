"""Where the store lives and how long history is kept: the ``store:`` part of ``config.yaml``.

Owns the settings model only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from monitor.units import DurationMs


class StoreSettings(BaseModel):
    """Durable state of one daemon; two daemons never share a store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Path("var/monitor.db")
    """SQLite file of decisions, outbox, journal and audit."""
    checkpoints: Path = Path("var/checkpoints")
    """Directory of the checkpoints: apart from decisions, so that a large one delays none."""
    retention: Annotated[DurationMs, Field(gt=0)] = 90 * 86_400_000
    """History older than this is deleted; what is unsent or still firing stays."""
    busy_timeout: Annotated[DurationMs, Field(gt=0)] = 5_000
    """How long a write waits for another process (the command line) before it fails."""
    max_requests: Annotated[int, Field(gt=0)] = 1_000
    """Manual actions that may wait for the daemon; further ones are refused."""
