"""Responses by person and period: what was answered, by whom, after how long.

Owns the way of rows through the table of open questions, which is that of
``monitor.windows.waits``: what is open, what answers it, and whose it is are the same as live. An
answer belongs to the period of its own time, and to who gave it; where nobody is named, to whom the
question was put. What was not answered is in no figure: the part that those who still wait have in
the live one is a matter of the moment it is looked at.
"""

from __future__ import annotations

import polars as pl

from monitor.errors import UsageError
from monitor.indicators.frame import matching
from monitor.indicators.response_plan import Response
from monitor.windows.waits import Said, Waits

TALKS_MAX = 5_000_000
_TICK_MS = 1_000
"""No outcome depends on it: only when something is ripe, which is not looked at, does."""

Person = tuple[str, str]
"""And team, or nothing."""


class Answered:
    """The conversations of one response."""

    def __init__(self, plan: Response) -> None:
        self.plan = plan
        self._clock = plan.clock
        waits = plan.waits_plan(scopes=1, tick_ms=_TICK_MS, lateness_ms=0, talks_max=TALKS_MAX)
        self._table = Waits(waits, self._clock)
        self._places: dict[Person, int] = {}
        self._found: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Rows in the order in which they were released, those without a person too.

        Needs ``time``, ``person_``, ``team_`` and the fields of the response.

        Raises:
            UsageError: there are more conversations than memory is given for.
        """
        taken = rows.select(
            "time", "person_", "team_",
            talk_=pl.col(self.plan.per).cast(pl.String),
            asks_=matching(self.plan.asks), replies_=matching(self.plan.replies),
        ).filter(pl.col("talk_").is_not_null(), pl.col("asks_") | pl.col("replies_"))  # fmt: skip
        if taken.is_empty():
            return
        times = taken["time"].to_numpy()
        pairs = zip(taken["person_"].to_list(), taken["team_"].to_list(), strict=True)
        keys = pl.Series(
            [-1 if who is None else self._place((who, team)) for who, team in pairs], dtype=pl.Int64
        ).to_numpy()
        said = Said(
            taken["talk_"].to_list(),
            times,
            taken["asks_"].to_numpy() & self.plan.looked_at(times),
            taken["replies_"].to_numpy(),
            keys.reshape(1, -1),
        )
        _, answers = self._table.apply(int(times.max()), said)
        if self._table.overflowed:
            msg = f"more than {TALKS_MAX:,} conversations: ask for fewer periods at once"
            raise UsageError(msg)
        at = times[answers.rows]
        waits = self._clock.worked(at) - self._clock.worked(answers.since)
        self._found.append(pl.DataFrame({"time": at, "key_": answers.keys[0], "ms_": waits}))

    def _place(self, person: Person) -> int:
        return self._places.setdefault(person, len(self._places))

    def answers(self) -> pl.DataFrame:
        """``time``, ``person_``, ``team_``, ``ms_`` waited; those that are nobody's left out."""
        people = list(self._places)
        who = pl.DataFrame(
            {
                "key_": range(len(people)),
                "person_": [person for person, _ in people],
                "team_": [team for _, team in people],
            },
            schema={"key_": pl.Int64, "person_": pl.String, "team_": pl.String},
        )
        schema = {"time": pl.Int64, "key_": pl.Int64, "ms_": pl.Int64}
        found = pl.concat(self._found) if self._found else pl.DataFrame(schema=schema)
        return found.cast(schema).join(who, on="key_", how="inner").drop("key_")  # type: ignore[arg-type]
