"""How much the windows may hold, and how long late rows can come.

Owns the settings only; each table says in its own docstring what happens at its limit.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class WindowLimits(BaseModel):
    """Bounds on what indicators keep in memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys_max: int = Field(default=200_000, ge=1)
    """Living keys per scope; rows of any further key go to one bucket."""
    pairs_max: int = Field(default=1_000_000, ge=1)
    """(key, value) pairs per ``distinct`` measure and scope."""
    entities_max: int = Field(default=100_000, ge=1)
    """Entities whose state is kept, per ``seconds_in`` measure and scope, ``population``
    or ``response``."""
    listed: Mapping[str, frozenset[str]] = {}
    """By dimension, names that the configuration lists: they always find room for a key."""
    lateness_ms: int = Field(default=600_000, ge=0)
    """How long after its end a calendar period still takes late rows."""
