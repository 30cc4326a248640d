"""Flink SQL through PyFlink: HOP windows over a file, a local mini cluster, parallelism 1.

Each operator has a thread of its own, so it uses both cores. The window function shares slices of
one step between the windows that overlap (FLIP-145), which is what Flink's documentation
recommends.
Run: ``python -m bench.peers.flink FILE`` with ``apache-flink`` and Java 11 or 17.
"""

from __future__ import annotations

import csv
import importlib.metadata
import tempfile
from itertools import product
from pathlib import Path

from pyflink.table import EnvironmentSettings, StatementSet, TableEnvironment

from bench.cpu import cpu_s
from bench.peers.task import MEASURES, OUT_OF_ORDER_MS, SCOPES, SPANS, Answer, told

_SETTINGS = {
    "parallelism.default": "1",
    "table.local-time-zone": "UTC",
    "pipeline.object-reuse": "true",
}
_SOURCE = """
    create table calls (
        `time` string,
        {scopes},
        outcome string, hangup_by string, talk_s double, need_captured boolean,
        at_ as to_timestamp(substring(`time`, 1, 23), 'yyyy-MM-dd''T''HH:mm:ss.SSS'),
        watermark for at_ as at_ - interval '{late_s}' second
    ) with ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')
"""
_SINK = """
    create table by_{scope}_{step_s} (ends timestamp(3), name string, {measures})
    with ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv')
"""
_EFFECTIVE = "outcome = 'answered' and talk_s >= 120 and need_captured"
_SQL = {
    "calls": "count(*)",
    "answered": "count(*) filter (where outcome = 'answered')",
    "hung_up": "count(*) filter"
    " (where outcome = 'answered' and hangup_by = 'customer' and talk_s < 30)",
    "effective": f"count(*) filter (where {_EFFECTIVE})",
    "talk": "coalesce(sum(cast(round(talk_s * 1000) as bigint)), 0)",
    "effective_talk": "coalesce(sum(cast(round(talk_s * 1000) as bigint))"
    f" filter (where {_EFFECTIVE}), 0)",
}
_QUERY = """
    insert into by_{scope}_{step_s}
    select window_end, `{scope}`, {measures}
    from hop(table calls, descriptor(at_),
        interval '{step_s}' second(3), interval '{window_min}' minute(4))
    group by window_start, window_end, `{scope}`
"""


def run(path: str) -> Answer:
    """All windows of all scopes, by one job."""
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for name, value in _SETTINGS.items():
        tables.get_config().set(name, value)
    scopes = ", ".join(f"`{scope}` string" for scope in SCOPES)
    tables.execute_sql(_SOURCE.format(scopes=scopes, late_s=OUT_OF_ORDER_MS // 1_000, path=path))
    columns = ", ".join(f"{name} bigint" for name in MEASURES)
    figures = ", ".join(f"{_SQL[name]} as {name}" for name in MEASURES)
    with tempfile.TemporaryDirectory(prefix="flink-") as folder:
        together: StatementSet = tables.create_statement_set()
        for scope, (window_ms, step_ms) in product(SCOPES, SPANS):
            span = {"scope": scope, "step_s": step_ms // 1_000}
            sink = span | {"measures": columns, "path": f"{folder}/{scope}/{window_ms}"}
            tables.execute_sql(_SINK.format(**sink))
            query = span | {"measures": figures, "window_min": window_ms // 60_000}
            together.add_insert_sql(_QUERY.format(**query))
        together.execute().wait()
        answer = _read(Path(folder))
    answer.machine_cpu_s = _machine_cpu_s()
    return answer


def _machine_cpu_s() -> float:
    """What Flink's virtual machine has used, our child as yet, its compilers and all."""
    own = Path("/proc/self/task")
    children = [pid for each in own.iterdir() for pid in (each / "children").read_text().split()]
    return sum(map(cpu_s, children))


def _read(folder: Path) -> Answer:
    answer = Answer()
    for scope, (window_ms, _) in product(SCOPES, SPANS):
        for part in (folder / scope / str(window_ms)).rglob("*"):
            if not part.is_file():
                continue
            with part.open(newline="", encoding="utf-8") as rows:
                for ends, name, *sums in csv.reader(rows):
                    answer.take(scope, name, window_ms, _ms(ends), map(int, sums))
    return answer


def _ms(text: str) -> int:
    """``2026-11-22 01:00:30``, UTC."""
    from datetime import UTC, datetime  # noqa: PLC0415 - beside its only use

    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


if __name__ == "__main__":
    told(run, importlib.metadata.version("apache-flink"))
