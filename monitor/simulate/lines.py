"""Columns to JSON lines.

Owns the form of the records: one object a line, keys in the order of the contract, absent fields
left out. Values are made here and never hold a character that JSON would have to escape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import polars as pl

Form = Literal["text", "raw", "time"]

CALL: Final[Mapping[str, Form]] = {
    "number": "text",
    "number_type": "text",
    "customer": "text",
    "customer_tag": "text",
    "agent": "text",
    "group": "text",
    "team": "text",
    "campaign": "text",
    "call_id": "text",
    "direction": "text",
}
ENDED: Final[Mapping[str, Form]] = {
    **CALL,
    "outcome": "text",
    "started_at": "time",
    "answered_at": "time",
    "ring_s": "raw",
    "wait_s": "raw",
    "talk_s": "raw",
    "wrap_s": "raw",
    "hangup_by": "text",
    "need_captured": "raw",
    "intent_confirmed": "raw",
    "sms_preheated": "raw",
    "sip_code": "raw",
    "cost": "raw",
}
SMS: Final[Mapping[str, Form]] = {
    "customer": "text",
    "customer_tag": "text",
    "campaign": "text",
    "message_id": "text",
    "segments": "raw",
    "template": "text",
    "cost": "raw",
}
FORMS: Final[Mapping[str, tuple[str, str, Mapping[str, Form]]]] = {
    # Type: topic, the column that is the record's key, fields.
    "call.started": ("calls", "number", CALL),
    "call.connected": ("calls", "number", CALL),
    "call.ended": ("calls", "number", ENDED),
    "call.rated": ("calls", "call_id", {"customer": "text", "call_id": "text", "score": "raw"}),
    "complaint.filed": (
        "calls",
        "call_id",
        {"customer": "text", "call_id": "text", "category": "text", "channel": "text"},
    ),
    "number.flagged": ("calls", "number", {"number": "text", "by": "text", "label": "text"}),
    "number.cleared": ("calls", "number", {"number": "text", "by": "text"}),
    "sms.sent": ("sms", "customer", SMS),
    "sms.delivered": ("sms", "customer", SMS),
    "sms.opened": ("sms", "customer", SMS),
    "sms.consented": ("sms", "customer", SMS),
    "sms.opted_out": ("sms", "customer", {**SMS, "keyword": "text"}),
    "agent.state": (
        "crm",
        "agent",
        {"agent": "text", "group": "text", "team": "text", "state": "text"},
    ),
    "followup.logged": (
        "crm",
        "agent",
        {
            "number": "text",
            "customer": "text",
            "agent": "text",
            "group": "text",
            "team": "text",
            "campaign": "text",
            "call_id": "text",
            "auto": "raw",
        },
    ),
}
TYPES: Final = tuple(FORMS)
TOPICS: Final = ("calls", "crm", "sms")

SCHEMA: Final = {
    "time": pl.Int64,
    "type": pl.UInt8,
    "key": pl.String,
    "id": pl.String,
    "line": pl.String,
}
"""A frame of records: ``type`` indexes ``TYPES``."""


def rfc3339(column: pl.Expr) -> pl.Expr:
    """Milliseconds since 1970 UTC as text in UTC."""
    return column.cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")


def write(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Records of one type from their columns (``id``, ``time`` and the type's fields).

    A null leaves its field out; a field without a column is left out of all. Gives the columns
    of ``SCHEMA``, in the rows' order.
    """
    _, key, fields = FORMS[kind]
    parts: list[pl.Expr] = [
        pl.lit('{"id":"'),
        pl.col("id"),
        pl.lit(f'","type":"{kind}","time":"'),
        rfc3339(pl.col("time")),
        pl.lit('"'),
    ]
    for name, form in fields.items():
        if name not in frame.columns:
            continue
        column = pl.col(name)
        quote = "" if form == "raw" else '"'
        value = [
            pl.lit(f',"{name}":{quote}'),
            rfc3339(column) if form == "time" else column.cast(pl.String),
            *([pl.lit(quote)] if quote else []),
        ]
        # The inner one is null as a whole where the value is, and the outer one skips it.
        parts += [pl.concat_str(value)] if frame[name].null_count() else value
    parts.append(pl.lit("}"))
    return frame.select(
        pl.col("time"),
        pl.lit(TYPES.index(kind), dtype=pl.UInt8).alias("type"),
        pl.col(key).alias("key"),
        pl.col("id"),
        pl.concat_str(parts, ignore_nulls=True).alias("line"),
    )
