"""``scorecards:`` of the configuration: where results are kept for interfaces."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ScorecardSettings(BaseModel):
    """Kept results of `monitor scorecard run --keep`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    folder: Path = Path("var/scorecards")
    """Where they lie, a folder a card, a file a period."""
    kept_max: int = Field(120, ge=1, le=1_000)
    """Periods kept of a card; the oldest goes when another comes."""
