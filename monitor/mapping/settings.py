"""What ``config.yaml`` says about mappings.

Owns the model of ``mappings:``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from monitor.mapping.model import MappingName, VariableName


class MappingSettings(BaseModel):
    """The part ``mappings:`` of ``config.yaml``: which records are not our events, and whose."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    topics: Annotated[dict[str, MappingName], Field(max_length=1_000)] = {}
    """Topic (of a file source: path), or pattern such as ``var/ingest/whatsapp*`` → mapping; the
    first that fits holds. Other topics carry events as they are."""
    files: Annotated[tuple[Path, ...], Field(max_length=100)] = ()
    """The site's own mapping files; of a name that ships with the product, this one holds."""
    settings: dict[MappingName, dict[VariableName, str]] = {}
    """Mapping → its settings, over those in its file."""
