"""``monitor schema``: JSON Schemas, for editors and other programs."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from monitor.cli.declare import single
from monitor.cli.stream import say
from monitor.schemas import schema as schema_of

Kind = Literal["events", "config", "indicators", "rules", "tests", "scorecard", "scorecard-cases"]


def schema(kind: Annotated[Kind, typer.Argument(help="Which file's schema.")]) -> None:
    """Print a JSON Schema (draft-07)."""
    say(json.dumps(schema_of(kind), ensure_ascii=False, indent=2))


app = single("schema", schema, "schema rules")
