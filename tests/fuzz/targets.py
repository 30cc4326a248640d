"""What can be fuzzed, by name."""

from __future__ import annotations

from typing import Any

from tests.fuzz import documents, records
from tests.fuzz.campaign import Target

TARGETS: dict[str, Target[Any]] = {
    "records": Target("records", records.make, records.check, records.CHUNK),
    "yaml": Target("yaml", documents.make, documents.check, documents.CHUNK),
}
