"""The columns that travel through the daemon, and what is refused on the way.

Owns names and types of the frames between decode and windows. No Python object per event: a
batch is a polars frame.

*Decoded frame*, one row per well-formed record of one partition, in offset order:
``id`` String · ``type`` String · ``time`` Int64 (ms) · ``offset`` Int64 (all events that a mapping
makes of one record have its offset, in the mapping's order) · the catalogue's fields in
use, typed as ``monitor.events.catalogue`` says, null where absent.

*Placed frame*: decoded plus ``src`` UInt32 (the partition's index), ``eff`` Int64 (effective time).

*Released frame*: placed rows of one or several ticks, each id once, enriched, in the order
(eff, time, topic, partition, offset), plus ``tick`` Int64: the first tick that sees the row,
``eff - eff % tick_ms + tick_ms``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from monitor.source.base import Partition

DIMENSIONS = (
    "number",
    "number_type",
    "customer",
    "customer_tag",
    "agent",
    "group",
    "team",
    "campaign",
)

COMPANY = "company"
"""A scope of one key, ``EVERYTHING``, to which every event belongs; no event carries it."""
EVERYTHING = "all"
SCOPES = (*DIMENSIONS, COMPANY)
"""What a figure may be by."""

PRIVATE_DIMENSIONS = frozenset({"customer"})
"""Whose values are personal data: never a label, masked for people, more than other keys."""

REJECT_REASONS = (
    "not_json",
    "not_utf8",
    "not_an_object",
    "too_large",
    "too_deep",
    "missing_field",
    "wrong_type",
    "not_finite",
    "over_long_string",
    "bad_time",
    "out_of_range",
    "not_allowed",
    "from_the_future",
    "too_late",
)
"""The fixed list of reasons: a metric label, so it never grows by input."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that goes to the dead letters, byte for byte."""

    partition: Partition
    offset: int
    reason: str
    """One of ``REJECT_REASONS``."""
    detail: str
    """For people: field and fault, without the customer's data."""
    value: bytes


@dataclass(slots=True)
class Decoded:
    """What one ``Fetched`` decoded to."""

    partition: Partition
    frame: pl.DataFrame
    timestamps: pl.Series
    """Broker timestamp of each row of ``frame``, Int64 ms, -1 where there is none."""
    append_time: bool
    rejects: list[Reject] = field(default_factory=list)
    tombstones: int = 0
    unmapped: int = 0
    """Records that their mapping says nothing about."""
