"""The same figures from the same records by another road: Python for the log, DuckDB for windows.

Shares no code with the product. The order of arrival, effective times, duplicates and owners are
taken record by record, as docs/semantics.md says them; the indicators' formulas stand here as SQL,
written from docs/indicators.md and not from the pack.

A window's figures change only when a row enters or leaves. Each row becomes two changes: +value at
the tick that first sees it, −value at the first tick whose window no longer holds its pane. Their
running sum by key is the figure at every tick.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl

TICK = 5_000
OUT_OF_ORDER = 1_000
LATENESS = 600_000
DAY = 86_400_000
DIMENSIONS = (
    "number", "number_type", "customer", "customer_tag", "agent", "group", "team", "campaign",
)  # fmt: skip
FEEDBACK_BY_CALL = ("call.rated", "complaint.filed", "followup.logged")
FEEDBACK_BY_NUMBER = ("number.flagged", "number.cleared", *FEEDBACK_BY_CALL)
FIELDS: dict[str, Any] = {
    "id": pl.String, "type": pl.String, "time": pl.Int64, "eff": pl.Int64, "tick": pl.Int64,
    **dict.fromkeys(DIMENSIONS, pl.String),
    "call_id": pl.String, "direction": pl.String, "outcome": pl.String, "hangup_by": pl.String,
    "talk_s": pl.Float64, "need_captured": pl.Boolean, "category": pl.String,
    "score": pl.Float64, "auto": pl.Boolean, "state": pl.String,
}  # fmt: skip

Record = tuple[str, int, int, bytes]
"""Topic, partition, offset, value; offsets ascend within a partition."""


def sightings(records: Iterable[Record]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Each accepted record with the key of the one order, and its effective time."""
    watermarks: dict[tuple[str, int], int] = {}
    for topic, partition, offset, value in records:
        event = json.loads(value)
        time = event["time"] = _ms(event["time"])
        before = watermarks.get((topic, partition), -(2**62))
        watermarks[topic, partition] = max(before, time - OUT_OF_ORDER)
        if time < before - LATENESS:
            continue
        event["eff"] = max(time, before)
        event["tick"] = event["eff"] // TICK * TICK + TICK
        yield (event["eff"], time, topic, partition, offset), event


def _ms(time: str | int) -> int:
    if isinstance(time, int):
        return time
    since = datetime.fromisoformat(time) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)


def accepted(records: Iterable[Record]) -> list[dict[str, Any]]:
    """All events in their order, each id once, with the dimensions that feedback inherits."""
    seen: set[str] = set()
    calls: dict[str, dict[str, Any]] = {}
    owners: dict[str, dict[str, Any]] = {}
    events: list[dict[str, Any]] = []
    for _, event in sorted(sightings(records), key=lambda pair: pair[0]):
        if event["id"] in seen:
            continue
        seen.add(event["id"])
        # A known call speaks for its feedback alone; only without it does the number's last owner.
        call = calls.get(event.get("call_id") or "") if event["type"] in FEEDBACK_BY_CALL else None
        if call is not None:
            _inherit(event, call)
        elif event["type"] in FEEDBACK_BY_NUMBER:
            _inherit(event, owners.get(event.get("number") or ""))
        if event["type"].startswith("call.") and event["type"] != "call.rated":
            if event.get("call_id"):
                calls[event["call_id"]] = event
            if event.get("number"):
                owners[event["number"]] = event
        events.append(event)
    return events


def _inherit(event: dict[str, Any], source: Mapping[str, Any] | None) -> None:
    if source is not None:
        for name in DIMENSIONS:
            if event.get(name) is None:
                event[name] = source.get(name)


def table(events: Sequence[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    """A database with the events as ``ev``."""
    database = duckdb.connect()
    frame = pl.DataFrame([{name: event.get(name) for name in FIELDS} for event in events], FIELDS)
    _store(database, "ev", frame)
    return database


def _store(database: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """Make ``frame`` a table; by way of a file, which needs no further library."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        frame.write_parquet(file.name)
        database.execute(
            f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM read_parquet('{file.name}')"
        )


def _frame(database: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        database.execute(f"COPY ({query}) TO '{file.name}' (FORMAT parquet)")
        return pl.read_parquet(file.name)


@dataclass(frozen=True, slots=True)
class Formula:
    """One indicator as SQL over ``ev``: which rows count, and what each is worth."""

    rows: str
    """Condition for a row to matter at all."""
    hits: str
    """Fixed-point worth of a row for the numerator: an integer, 0 where it does not count."""
    of: str


CALL = "type = 'call.ended'"
FORMULAS = {
    "hangup_rate": Formula(
        f"{CALL} AND outcome = 'answered'",
        "CASE WHEN hangup_by = 'customer' AND talk_s < 30 THEN 1 ELSE 0 END",
        "1",
    ),
    "answer_rate": Formula(
        f"{CALL} AND direction = 'outbound'",
        "CASE WHEN outcome = 'answered' THEN 1 ELSE 0 END",
        "1",
    ),
    "complaint_rate": Formula(
        f"{CALL} OR type = 'complaint.filed'",
        "CASE WHEN type = 'complaint.filed' AND category IN ('unsolicited', 'content')"
        " THEN 1 ELSE 0 END",
        f"CASE WHEN {CALL} THEN 1 ELSE 0 END",
    ),
    "csat": Formula(
        "type = 'call.rated' AND score IS NOT NULL", "CAST(round(score * 1000) AS BIGINT)", "1"
    ),
    "auto_log_rate": Formula(
        f"{CALL} OR type = 'followup.logged'",
        "CASE WHEN type = 'followup.logged' AND auto THEN 1 ELSE 0 END",
        f"CASE WHEN {CALL} THEN 1 ELSE 0 END",
    ),
    "redial_frequency": Formula(f"{CALL} AND direction = 'outbound'", "1", "0"),
    "effective_talk": Formula(
        f"{CALL} AND talk_s >= 120 AND need_captured", "CAST(round(talk_s * 1000) AS BIGINT)", "0"
    ),
}


@dataclass(frozen=True, slots=True)
class Window:
    """A window as SQL: where its pane begins, and the first tick that no longer holds it."""

    pane_start: str
    leaves: str


def sliding(length_ms: int, pane_ms: int) -> Window:
    start = f"(time - time % {pane_ms})"
    # lo(T) is the first pane boundary not before T − W, so a pane is gone once T − W is past it.
    return Window(start, f"(({start} + {length_ms}) // {TICK} * {TICK} + {TICK})")


def shanghai_day() -> Window:
    """Local days at UTC+8, all year round."""
    start = f"((time + 28800000) // {DAY} * {DAY} - 28800000)"
    # The period of T is the one that holds T − 1 ms, so it is gone at the first tick past midnight.
    return Window(start, f"(({start} + {DAY}) // {TICK} * {TICK} + {TICK})")


WINDOWS = {
    "30m": sliding(1_800_000, 30_000),
    "1h": sliding(3_600_000, 60_000),
    "4h": sliding(14_400_000, 120_000),
    "8h": sliding(28_800_000, 300_000),
    "24h": sliding(86_400_000, 900_000),
    "day@Asia/Shanghai": shanghai_day(),
}


def figures(
    database: duckdb.DuckDBPyConnection, formula: str, by: Sequence[str], window: str
) -> pl.DataFrame:
    """``key``, ``tick``, ``hits``, ``of``: the window's figures at each tick that changed them."""
    rule, span = FORMULAS[formula], WINDOWS[window]
    key = " || chr(31) || ".join(f'"{name}"' for name in by)
    present = " AND ".join(f'"{name}" IS NOT NULL' for name in by)
    query = f"""
        WITH rows AS (
            SELECT {key} AS key, tick AS enters, {span.leaves} AS leaves,
                   {rule.hits} AS hits, {rule.of} AS of
            FROM ev WHERE ({rule.rows}) AND {present}
        ), changes AS (
            SELECT key, enters AS tick, hits, of FROM rows WHERE leaves > enters
            UNION ALL
            SELECT key, leaves, -hits, -of FROM rows WHERE leaves > enters
        ), sums AS (
            SELECT key, tick, sum(hits) AS hits, sum(of) AS of FROM changes GROUP BY ALL
        )
        SELECT key, tick,
               CAST(sum(hits) OVER w AS BIGINT) AS hits, CAST(sum(of) OVER w AS BIGINT) AS of
        FROM sums WINDOW w AS (PARTITION BY key ORDER BY tick) ORDER BY key, tick
    """
    return _frame(database, query)


def distinct(
    database: duckdb.DuckDBPyConnection, rows: str, value: str, by: str, window: str
) -> pl.DataFrame:
    """``key``, ``tick``, ``n``: different values in the window at each tick that changed it."""
    span = WINDOWS[window]
    spans = database.execute(f"""
        SELECT "{by}" AS key, "{value}" AS value, tick AS enters, {span.leaves} AS leaves
        FROM ev WHERE ({rows}) AND "{by}" IS NOT NULL AND "{value}" IS NOT NULL
        ORDER BY key, value, enters
    """).fetchall()
    changes: dict[tuple[str, int], int] = {}
    current: tuple[str, str, int, int] | None = None
    for key, item, enters, leaves in [*spans, (None, None, 0, 1)]:
        if leaves <= enters:
            continue
        if current is not None and (key, item) == current[:2] and enters <= current[3]:
            current = (key, item, current[2], max(current[3], leaves))
            continue
        if current is not None:
            changes[current[0], current[2]] = changes.get((current[0], current[2]), 0) + 1
            changes[current[0], current[3]] = changes.get((current[0], current[3]), 0) - 1
        current = (key, item, enters, leaves)
    totals: dict[str, int] = {}
    out = []
    for (key, tick), change in sorted(changes.items()):
        totals[key] = totals.get(key, 0) + change
        out.append((key, tick, totals[key]))
    return pl.DataFrame(
        out, schema={"key": pl.String, "tick": pl.Int64, "n": pl.Int64}, orient="row"
    )


def signed_in(
    database: duckdb.DuckDBPyConnection,
    by: str,
    length_ms: int,
    pane_ms: int,
    ticks: pl.DataFrame,
    max_age_ms: int = 43_200_000,
) -> pl.DataFrame:
    """``key``, ``tick``, ``of``: ms not offline within the window, at the given (key, tick) pairs.

    A state lasts until the agent's next one in time; an event older than the agent's state when it
    is seen is ignored; what is not seen yet at a tick does not end anything before it.
    """
    rows = database.execute(
        f'SELECT agent, "{by}" AS key, state, time, tick FROM ev'
        " WHERE type = 'agent.state' AND agent IS NOT NULL ORDER BY eff, time"
    ).fetchall()
    spans: list[tuple[str, int, int, int, int]] = []
    latest: dict[str, tuple[str, str, int, int]] = {}
    for agent, key, state, time, tick in rows:
        known = latest.get(agent)
        if known is not None and time < known[2]:
            continue
        if known is not None and known[1] != "offline":
            spans.append((known[0], known[2], min(time, known[2] + max_age_ms), known[3], tick))
        latest[agent] = (key, state, time, tick)
    spans += [
        (key, time, time + max_age_ms, tick, 2**62)
        for key, state, time, tick in latest.values()
        if state != "offline"
    ]
    # A span is seen from its first event's tick on; its end is known only from the next one's.
    frame = pl.DataFrame(
        [span for span in spans if span[0] is not None],
        schema={
            "key": pl.String,
            "a": pl.Int64,
            "b": pl.Int64,
            "seen": pl.Int64,
            "ended": pl.Int64,
        },
        orient="row",
    )
    _store(database, "spans", frame)
    _store(database, "asked", ticks.select("key", "tick").unique())
    query = f"""
        WITH moments AS (
            SELECT key, tick, ((tick - {length_ms} + {pane_ms} - 1) // {pane_ms}) * {pane_ms} AS lo
            FROM asked
        )
        SELECT moments.key, moments.tick, CAST(sum(greatest(0,
            least(CASE WHEN spans.ended <= moments.tick THEN spans.b
                       ELSE least(spans.a + {max_age_ms}, moments.tick) END, moments.tick)
            - greatest(spans.a, moments.lo))) AS BIGINT) AS of
        FROM moments JOIN spans ON spans.key = moments.key AND spans.seen <= moments.tick
        GROUP BY ALL ORDER BY ALL
    """
    return _frame(database, query)
