"""Simulations of the tests, each made once, and DuckDB over their records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from monitor.simulate.lines import TYPES
from monitor.simulate.simulation import Simulation, simulate

START_MS = 1_795_309_200_000  # 2026-11-22 09:00 in Shanghai
MINUTE_MS = 60_000

_COLUMNS = {
    "id": "VARCHAR",
    "type": "VARCHAR",
    "time": "TIMESTAMP",
    "number": "VARCHAR",
    "customer": "VARCHAR",
    "agent": "VARCHAR",
    "group": "VARCHAR",
    "team": "VARCHAR",
    "campaign": "VARCHAR",
    "call_id": "VARCHAR",
    "outcome": "VARCHAR",
    "started_at": "TIMESTAMP",
    "answered_at": "TIMESTAMP",
    "ring_s": "DOUBLE",
    "talk_s": "DOUBLE",
    "wrap_s": "DOUBLE",
    "hangup_by": "VARCHAR",
    "need_captured": "BOOLEAN",
    "sms_preheated": "BOOLEAN",
    "category": "VARCHAR",
    "score": "DOUBLE",
    "state": "VARCHAR",
    "by": "VARCHAR",
    "auto": "BOOLEAN",
}


_VIEWS = """
CREATE VIEW calls AS SELECT * FROM events WHERE type = 'call.ended';
CREATE VIEW answered AS
SELECT *, hangup_by = 'customer' AND talk_s < 30 AS short, epoch_ms(started_at) AS s
FROM calls WHERE outcome = 'answered';
"""


@dataclass(frozen=True)
class Run:
    """A finished simulation and all its records in order of arrival."""

    simulation: Simulation
    records: pl.DataFrame

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of ``query`` over ``events`` (each once, ``t`` in ms) and the views on it."""
        return self._tables.execute(query).fetchall()

    @cached_property
    def _tables(self) -> duckdb.DuckDBPyConnection:
        """The records as DuckDB's own JSON reader sees them."""
        originals = self.records.filter(~pl.col("copy"))
        tables = duckdb.connect()
        with TemporaryDirectory() as folder:
            path = str(write(originals, Path(folder) / "events.jsonl"))
            read = "read_json(?, format = 'newline_delimited', columns = ?)"
            query = f"CREATE TABLE events AS SELECT *, epoch_ms(time) AS t FROM {read}"
            tables.execute(query, [path, _COLUMNS])
        tables.execute(_VIEWS)
        return tables


@cache
def run(scenario: str, **changes: Any) -> Run:
    simulation = made(scenario, **changes)
    return Run(simulation, pl.concat(simulation.chunks()))


def made(scenario: str, **changes: Any) -> Simulation:
    small: dict[str, Any] = {"rate": 12.0, "duration_ms": 60 * MINUTE_MS, "numbers": 40}
    return simulate(scenario, start_ms=START_MS, **{**small, **changes})


def write(records: pl.DataFrame, path: Path) -> Path:
    path.write_text("".join(f"{line}\n" for line in records["line"]), encoding="utf-8")
    return path


def kinds(records: pl.DataFrame) -> set[str]:
    return {TYPES[code] for code in records["type"].unique()}
