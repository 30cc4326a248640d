"""One alert explained: what its hits have in common, the records behind, how far the log has them.

Owns the columns that are compared and the plain values that people and programs get. Customers are
masked unless the caller asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from monitor.decisions import Alert, iso
from monitor.explain.chance import NAMED_AT, Common, Comparison, compare
from monitor.explain.gather import Gathered
from monitor.explain.question import Question, Sides
from monitor.explain.sides import divide
from monitor.logs import mask_customer
from monitor.source.base import Partition

DIMENSIONS = (
    "agent",
    "customer",
    "hour",
    "number",
    "number_type",
    "sms_preheated",
    "campaign",
    "customer_tag",
)
"""What is compared, where the scope leaves it open."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What can be said of an alert."""

    alert: Alert
    lo_ms: int
    sides: Sides
    comparison: Comparison
    records: tuple[dict[str, Any], ...]
    """The bad rows, the newest first, as plain values."""
    complete: bool | None
    """The log still says what the alert said; None: rows alone cannot tell."""
    silent: bool
    """It is about what did not come: the records are what was heard before."""
    begins_ms: int | None
    """Time of the earliest record in the log, where that is after the window's begin."""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "alert": self.alert.id,
            "episode": self.alert.episode,
            "rule": self.alert.rule,
            "at": iso(self.alert.at_ms),
            "from": iso(self.lo_ms),
            "hits": self.sides.hits,
            "of": self.sides.of,
            "complete": self.complete,
            "log_begins": None if self.begins_ms is None else iso(self.begins_ms),
            "bad": self.sides.bad.height,
            "rest": self.sides.rest.height,
            "values": self.comparison.values,
            "named_at": NAMED_AT,
            "common": [_common(each) for each in self.comparison.common],
            "records": list(self.records),
        }


def explain(
    question: Question,
    gathered: Gathered,
    *,
    records: int,
    whole_customers: bool = False,
    zone: tzinfo | None = None,
) -> Explanation:
    """What can be said of the alert.

    Args:
        question: what was asked.
        gathered: what the log has.
        records: how many to show, at most.
        whole_customers: they are not masked.
        zone: in which hours are told; None: the reader's. That of the window goes before it.
    """
    zone = ZoneInfo(question.zone) if question.zone else zone
    sides = divide(question, gathered.rows)
    fixed = {name for name, _ in question.scope}
    names = [name for name in DIMENSIONS if name not in fixed]
    comparison = compare(
        _columns(sides.bad, names, zone), _columns(sides.rest, names, zone), names,
        nested=sides.nested,
    )  # fmt: skip
    if not whole_customers:
        comparison = Comparison(tuple(map(_masked, comparison.common)), comparison.values)
    begins = gathered.earliest_ms
    return Explanation(
        alert=question.alert,
        lo_ms=question.lo_ms,
        sides=sides,
        comparison=comparison,
        records=tuple(
            plain_records(
                sides.bad.tail(records).reverse(),
                gathered.partitions,
                whole_customers=whole_customers,
            )
        ),
        complete=_complete(question, sides),
        silent=question.rule.absent is not None,
        begins_ms=begins if begins is not None and begins >= question.since_ms else None,
    )


def _complete(question: Question, sides: Sides) -> bool | None:
    figures = question.alert.figures
    pairs = [(sides.hits, figures.hits), (sides.of, figures.of)]
    known = [abs(found - told) < 0.0005 for found, told in pairs if found is not None]
    return all(known) if known else None


def _columns(rows: pl.DataFrame, names: list[str], zone: tzinfo | None) -> pl.DataFrame:
    """Each dimension as text; null where the rows do not have it."""
    columns = []
    for name in names:
        if name == "hour":
            hours = [_hour(time, zone) for time in rows["time"].to_list()]
            columns.append(pl.Series(name, hours, dtype=pl.String))
        elif name in rows.columns:
            columns.append(rows[name].cast(pl.String))
        else:
            columns.append(pl.Series(name, [None] * rows.height, dtype=pl.String))
    return pl.DataFrame(columns)


def _hour(time_ms: int, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).astimezone(zone).strftime("%H:00")


def plain_records(
    rows: pl.DataFrame, partitions: Sequence[Partition], *, whole_customers: bool
) -> Iterator[dict[str, Any]]:
    """Rows as people and programs get them; ``partitions``: where they come from, by ``src``."""
    for row in rows.iter_rows(named=True):
        partition = partitions[row.pop("src")]
        found = {name: value for name, value in row.items() if value is not None}
        offset, time = found.pop("offset"), found.pop("time")
        found.pop("tick", None)
        if "customer" in found and not whole_customers:
            found["customer"] = mask_customer(found["customer"])
        place = {"topic": partition.topic, "partition": partition.number, "offset": offset}
        yield {"time": iso(time), **found, **place}


def _masked(common: Common) -> Common:
    if common.dimension != "customer":
        return common
    return replace(common, value=mask_customer(common.value))


def _common(common: Common) -> dict[str, Any]:
    lift = common.lift
    return {
        "dimension": common.dimension,
        "value": common.value,
        "bad_with": common.bad_with,
        "bad": common.bad,
        "base_with": common.base_with,
        "base": common.base,
        "share": round(common.share, 6),
        "base_share": round(common.base_share, 6),
        "lift": round(lift, 4) if isfinite(lift) else None,
        "p": float(f"{common.p:.4g}"),
        "chance": float(f"{common.chance:.4g}"),
        "named": common.named,
    }
