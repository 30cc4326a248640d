"""Where the store lives and how long history is kept: the ``store:`` part of ``config.yaml``.

Owns the settings models only. With ``url`` the store is in PostgreSQL, and so are the checkpoints;
without it both are files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.secret import Secret
from monitor.units import DurationMs

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LeaseSettings(_Model):
    """Which of several daemons on one PostgreSQL is the active one; the others stand by."""

    name: _Name = "monitor"
    """The daemons with the same name stand by for each other; one store has one name."""
    duration: Annotated[DurationMs, Field(ge=1_000, le=600_000)] = 5_000
    """How long after its last sign of life the active daemon may be replaced."""
    renew: Annotated[DurationMs, Field(ge=100)] = 1_000
    """How often the active daemon gives a sign of life; at most a third of ``duration``."""
    poll: Annotated[DurationMs, Field(ge=50, le=60_000)] = 500
    """How often a stand-by looks whether it may take over."""

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        if self.renew * 3 > self.duration:
            msg = "renew is more than a third of duration: one lost sign of life would cost it"
            raise ValueError(msg)
        return self


class StoreSettings(_Model):
    """Durable state: files of one daemon, or a PostgreSQL that several share."""

    path: Path = Path("var/monitor.db")
    """SQLite file of decisions, outbox, journal and audit; without ``url``."""
    checkpoints: Path = Path("var/checkpoints")
    """Directory of the checkpoints: apart from decisions, so that a large one delays none;
    without ``url``."""
    url: Secret | None = None
    """PostgreSQL instead: ``postgresql://user:password@host:5432/database``, as a secret; needs the
    extra ``postgres``. Checkpoints are kept there too."""
    retention: Annotated[DurationMs, Field(gt=0)] = 90 * 86_400_000
    """History older than this is deleted; what is unsent or still firing stays."""
    busy_timeout: Annotated[DurationMs, Field(gt=0)] = 5_000
    """How long a write waits for another process (the command line) before it fails."""
    connect_timeout: Annotated[DurationMs, Field(ge=2_000, le=600_000)] = 5_000
    """How long PostgreSQL may take to let us in; whole seconds."""
    statement_timeout: Annotated[DurationMs, Field(gt=0)] = 30_000
    """How long one statement may take in PostgreSQL before it fails."""
    max_requests: Annotated[int, Field(gt=0)] = 1_000
    """Manual actions that may wait for the daemon; further ones are refused."""
    lease: LeaseSettings = LeaseSettings()
