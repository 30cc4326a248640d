"""How ``monitor sample`` shows who was drawn: JSON Lines, CSV, or a table."""

from __future__ import annotations

import csv
import json
import re
import sys
from typing import Any, Literal

from monitor.cli.output import console, plain_table, stamp_of
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import iso
from monitor.events.sampling import Chosen
from monitor.logs import mask_customer

_NAMED = 3
"""Records of a customer that a line for people names."""

Record = dict[str, Any]


def document(chosen: Chosen, records: list[Record], *, in_full: bool) -> Record:
    """A customer who was drawn, with the agent's records; masked unless ``in_full``."""
    return {
        "week": chosen.week,
        "agent": chosen.agent,
        "customer": chosen.customer if in_full else mask_customer(chosen.customer),
        "new_at": iso(chosen.new_ms),
        "event": chosen.event,
        "new_customers": chosen.of,
        "score": chosen.score,
        "records": records,
    }


def show(documents: list[Record], output: Literal["json", "csv", "table"]) -> None:
    """Print them in that form."""
    if output == "json":
        for each in documents:
            say(json.dumps(each, ensure_ascii=False))
    elif output == "csv":
        _csv(documents)
    else:
        _table(documents)


def _csv(documents: list[Record]) -> None:
    heads = ["week", "agent", "customer", "new_at", "event", "new_customers", "score"]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*heads, "records"])
    for each in documents:
        records = " ".join(record["id"] for record in each["records"])
        writer.writerow([*(_harmless(each[head]) for head in heads), _harmless(records)])


def _table(documents: list[Record]) -> None:
    now_ms = SystemClock().now_ms()
    table = plain_table("week", "agent", "customer", "new", "records")
    for each in documents:
        ids = [record["id"] for record in each["records"]]
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        table.add_row(
            each["week"],
            each["agent"],
            each["customer"],
            stamp_of(each["new_at"], now_ms=now_ms),
            ", ".join(ids[:_NAMED]) + more,
        )
    console().print(table)


def _harmless(value: object) -> object:
    """No formula for a spreadsheet: what came in an event is not ours. A number is none."""
    if not isinstance(value, str) or re.fullmatch(r"\+[0-9…]+", value):
        return value
    return f"'{value}" if value[:1] in set("=+-@\t\r") else value
