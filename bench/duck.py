"""The same windows by DuckDB, as an offline batch over the same file, on one thread.

Owns the SQL. It computes the figures of every scope over both windows at every pane in which the
scope had calls; no rules, no duplicates, no order, no lateness.
"""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from bench.job import SCOPES

_COLUMNS = {
    "id": "VARCHAR",
    "type": "VARCHAR",
    "time": "TIMESTAMP",
    **dict.fromkeys(SCOPES, "VARCHAR"),
    "outcome": "VARCHAR",
    "hangup_by": "VARCHAR",
    "talk_s": "DOUBLE",
    "need_captured": "BOOLEAN",
}
_MEASURES = {
    "calls": "count(*)",
    "answered": "count(*) filter (answered)",
    "hung_up": "count(*) filter (answered and hangup_by = 'customer' and talk_s < 30)",
    "effective": "count(*) filter (effective)",
    "talk": "coalesce(sum(talk), 0)",
    "effective_talk": "coalesce(sum(talk) filter (effective), 0)",
}
_WINDOWS = ((30_000, 60), (900_000, 96))
"""Length of a pane in ms, and panes in the window."""


_LAST = """
    select key, effective_talk, talk from "team 30000" qualify pane = max(pane) over ()
"""

Figures = dict[str, tuple[int, int]]
"""By team, over the last half hour: thousandths of seconds of effective talk, and of all talk."""


def run_duckdb(file: Path) -> tuple[float, Figures]:
    """CPU seconds from the file to the figures of every window, and the last figures of teams."""
    database = duckdb.connect(config={"threads": 1})
    started = time.process_time()
    database.execute(_load(file))
    for scope in SCOPES:
        for pane_ms, panes in _WINDOWS:
            database.execute(_window(scope, pane_ms, panes))
    cpu_s = time.process_time() - started
    rows = database.execute(_LAST).fetchall()
    database.close()
    return cpu_s, {team: (int(effective), int(talk)) for team, effective, talk in rows}


def team_windows(file: Path) -> dict[str, dict[str, list[int]]]:
    """All six figures of the teams: by length and end of the window in ms, ``L/E``, by team."""
    database = duckdb.connect(config={"threads": 1})
    database.execute(_load(file))
    found: dict[str, dict[str, list[int]]] = {}
    columns = ", ".join(_MEASURES)
    for pane_ms, panes in _WINDOWS:
        database.execute(_window("team", pane_ms, panes))
        query = f'select pane, key, {columns} from "team {pane_ms}"'
        for pane, team, *sums in database.execute(query).fetchall():
            window = f"{panes * pane_ms}/{(pane + 1) * pane_ms}"
            found.setdefault(window, {})[team] = [int(each) for each in sums]
    database.close()
    return found


def _load(file: Path) -> str:
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items())
    return f"""
        create table calls as
        select epoch_ms(time) as time, {", ".join(f'"{scope}"' for scope in SCOPES)},
            outcome = 'answered' as answered, hangup_by, talk_s,
            coalesce(answered and talk_s >= 120 and need_captured, false) as effective,
            cast(round_even(talk_s * 1000, 0) as bigint) as talk
        from read_json('{file}', format = 'newline_delimited', columns = {{{columns}}})
        where type = 'call.ended'
    """


def _window(scope: str, pane_ms: int, panes: int) -> str:
    measures = ", ".join(f"{sql} as {name}" for name, sql in _MEASURES.items())
    sums = ", ".join(f"sum({name}) over window_ as {name}" for name in _MEASURES)
    return f"""
        create table "{scope} {pane_ms}" as
        with panes as (
            select "{scope}" as key, time // {pane_ms} as pane, {measures}
            from calls group by all
        )
        select key, pane, {sums} from panes
        window window_ as (
            partition by key order by pane range between {panes - 1} preceding and current row
        )
    """
