"""Who belongs where: agent → group → team, for producers that send the agent alone.

Owns the table from ``config.yaml``; it fills what a record left open and overrides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import polars as pl


class Organisation:
    """Completes ``group`` and ``team``.

    Args:
        places: Group and team of each agent, null where there is none.
    """

    def __init__(self, places: Mapping[str, tuple[str | None, str | None]]) -> None:
        self.places = dict(places)
        self._group = _table((agent, group) for agent, (group, _) in places.items())
        self._team = _table((agent, team) for agent, (_, team) in places.items())
        teams: dict[str, set[str]] = {}
        for group, team in places.values():
            if group is not None and team is not None:
                teams.setdefault(group, set()).add(team)
        self._team_of_group = _table(
            (group, next(iter(found))) for group, found in teams.items() if len(found) == 1
        )

    @classmethod
    def of(cls, teams: Mapping[str, Mapping[str, Sequence[str]]]) -> Self:
        """From the nested table of ``config.yaml``: team → group → agents."""
        return cls(
            {
                agent: (group, team)
                for team, groups in teams.items()
                for group, agents in groups.items()
                for agent in agents
            }
        )

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with null ``group`` and ``team`` filled where the table knows them.

        A team comes from the row's group, given or filled, and else from its agent.
        """
        if not self.places:
            return frame
        agent, group, team = pl.col("agent"), pl.col("group"), pl.col("team")
        return frame.with_columns(group.fill_null(_look_up(agent, self._group))).with_columns(
            team.fill_null(_look_up(group, self._team_of_group)).fill_null(
                _look_up(agent, self._team)
            )
        )


_Table = tuple[pl.Series, pl.Series]


def _table(pairs: Iterable[tuple[str, str | None]]) -> _Table:
    rows = list(pairs)
    return (
        pl.Series([name for name, _ in rows], dtype=pl.String),
        pl.Series([found for _, found in rows], dtype=pl.String),
    )


def _look_up(column: pl.Expr, table: _Table) -> pl.Expr:
    return column.replace_strict(*table, default=None, return_dtype=pl.String)
