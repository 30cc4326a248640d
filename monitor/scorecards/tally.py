"""Figures of people by period, summed up from rows of events as they come.

Owns the sums; who reads the log is ``monitor.tally``. Values of events are taken to the
ten-thousandth (half to even), which is exact for all money that an event may hold, and added up as
whole numbers. An event belongs to the period that its own time lies in, whenever it arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import polars as pl

from monitor.errors import UsageError
from monitor.indicators.formula import Counter, Formula
from monitor.indicators.frame import matching
from monitor.indicators.response_plan import Awaited, Response
from monitor.scorecards.answers import Answered
from monitor.scorecards.figures import Figure, Part, Sums
from monitor.scorecards.periods import Period
from monitor.scorecards.steps import Steps

UNITS = 10_000
"""In one."""
_HALVES = 2**24
"""Sums are made of high and low parts, neither of which can overflow in a load."""
STATES_MAX = 20_000_000
_WHOLE = {"count", "reached", "answers", "soon"}
"""How many of something; others are amounts."""
_AT_THE_END = {"seconds", "reached", "waits", "answers", "soon"}
"""Counted when all rows are known."""
STEPS_MAX = 5_000_000
"""Events held for all funnels together."""
VALUES_MAX = 5_000_000
"""Different values held for all ``distinct`` together."""

Key = tuple[int, str, str]
"""Index of a period, person, team or nothing."""


@dataclass(slots=True)
class _Count:
    """One counter's figures so far."""

    sums: dict[Key, int] = field(default_factory=dict)
    events: dict[Key, int] = field(default_factory=dict)
    values: list[dict[Key, set[str]]] = field(default_factory=list)
    """Of ``distinct``, for each of its sets."""
    states: list[pl.DataFrame] = field(default_factory=list)


class Tally:
    """Sums that grow with each load of rows."""

    def __init__(
        self,
        formulas: Mapping[str, Formula],
        periods: Sequence[Period],
        *,
        person: str = "agent",
        split: bool = False,
    ) -> None:
        """``split``: by person and team. ``periods`` follow each other or have gaps."""
        self._formulas = dict(formulas)
        self._periods = sorted(periods, key=lambda each: each.start_ms)
        self._person = person
        self._split = split
        counters = dict.fromkeys(each for made in formulas.values() for each in made.counters)
        self._counts = {each: _Count(values=[{} for _ in each.sets]) for each in counters}
        chains = dict.fromkeys(each.chain for each in counters if each.operation == "reached")
        self._funnels = {chain: Steps(chain) for chain in chains}
        plans = (each.response for each in counters if isinstance(each, Awaited))
        self._answered = {plan: Answered(plan) for plan in plans if plan is not None}
        self._latest: dict[tuple[int, str], dict[str, tuple[int, int]]] = {}
        """Time and place in the log of the last event of each (period, person) in each team."""
        self._held = self._kept = self._loads = 0
        self.last_ms: int | None = None
        """Time of the last row."""

    @property
    def reads_back_ms(self) -> int:
        """How far before the first period rows still matter: a state lasts."""
        return max((each.max_age_ms for each in self._counts), default=0)

    @property
    def types(self) -> frozenset[str]:
        """Event types that any figure looks at."""
        return frozenset[str]().union(*(each.types for each in self._counts))

    @property
    def fields(self) -> frozenset[str]:
        """Fields that any figure reads."""
        return frozenset[str]().union(*(each.fields for each in self._counts))

    def add(self, rows: pl.DataFrame) -> None:
        """Take in rows: ``type``, ``time``, the dimensions, and the fields of the figures.

        Raises:
            UsageError: more different values, or states, than memory is given for.
        """
        if rows.is_empty():
            return
        newest: int = rows["time"].max()  # type: ignore[assignment]  # it is a number
        self.last_ms = newest if self.last_ms is None else max(newest, self.last_ms)
        self._loads += 1
        rows = rows.filter(pl.col("type").is_in(sorted(self.types))).with_columns(
            person_=pl.col(self._person),
            team_=pl.col("team").fill_null("") if self._split else pl.lit(""),
            place_=pl.int_range(pl.len()),
        )
        for answered in self._answered.values():
            answered.add(rows)
        rows = rows.filter(pl.col("person_").is_not_null())
        for counter, count in self._counts.items():
            if counter.operation == "seconds":
                self._state(counter, count, rows)
        dated = rows.with_columns(period_=self._period(rows["time"]))
        dated = dated.filter(pl.col("period_") >= 0)
        self._teams(dated)
        for counter, count in self._counts.items():
            if counter.operation == "distinct":
                self._distinct(counter, count, dated)
            elif counter.operation not in _AT_THE_END:
                self._sum(counter, count, dated)
        for funnel in self._funnels.values():
            funnel.add(dated)
        if sum(funnel.held for funnel in self._funnels.values()) > STEPS_MAX:
            msg = f"more than {STEPS_MAX:,} events of funnels: ask for fewer periods at once"
            raise UsageError(msg)

    def sums(self) -> list[Sums]:
        """The figures of each period, in their order."""
        found = [Sums(period) for period in self._periods]
        for counter, count in self._counts.items():
            if counter.operation == "seconds":
                self._spent(counter, count)
        for chain, funnel in self._funnels.items():
            for step, (reached, events) in enumerate(funnel.reached()):
                level = self._counts.get(replace(chain, step=step))
                if level is not None:
                    level.sums, level.events = reached, events
        for plan, answered in self._answered.items():
            self._count_answers(plan, answered.answers())
        for name, made in self._formulas.items():
            for key, figure in self._figures(made):
                index, person, team = key
                found[index].standing(person, team).figures[name] = figure
        for (index, person), teams in self._latest.items():
            order = [team for team, _ in sorted(teams.items(), key=lambda each: each[1])]
            self._place(found[index], person, order)
        return found

    def _place(self, sums: Sums, person: str, teams: list[str]) -> None:
        named = [team for team in teams if team]
        parts: list[Part] = [(person, team) for team in teams] if self._split else [(person, "")]
        for part in parts:
            if part in sums.people:
                standing = sums.people[part]
                standing.teams = tuple(named)
                standing.team = part[1] or (named[-1] if named else "")

    # --- rows in ----------------------------------------------------------------------------------

    def _period(self, times: pl.Series) -> pl.Series:
        """Index of the period of each time, -1 for none."""
        frame = pl.DataFrame({"time": times})
        found = pl.lit(-1, dtype=pl.Int32)
        for index, period in enumerate(self._periods):
            inside = pl.col("time").is_between(period.start_ms, period.end_ms - 1)
            found = pl.when(inside).then(pl.lit(index, dtype=pl.Int32)).otherwise(found)
        return frame.select(found.alias("period_"))["period_"]

    def _teams(self, rows: pl.DataFrame) -> None:
        last = (
            rows.with_columns(pl.col("team").fill_null(""))
            .sort("time", maintain_order=True)
            .group_by("period_", "person_", "team", maintain_order=True)
            .agg(pl.col("time", "place_").last())
        )
        for index, person, team, time, place in last.iter_rows():
            teams = self._latest.setdefault((index, person), {})
            when = (time, self._loads * 2**32 + place)
            teams[team] = max(when, teams.get(team, when))

    def _sum(self, counter: Counter, count: _Count, rows: pl.DataFrame) -> None:
        taken = rows.filter(matching(counter.sets[0]))
        value = pl.lit(1, dtype=pl.Int64)
        if counter.field is not None:
            taken = taken.filter(pl.any_horizontal(pl.col(counter.added).is_not_null()))
            value = pl.sum_horizontal([_units(name) for name in counter.added])
        if counter.operation in {"min", "max"}:
            self._extreme(counter, count, taken.with_columns(value_=value))
            return
        grouped = taken.with_columns(value_=value).group_by("period_", "person_", "team_")
        high, low = pl.col("value_") // _HALVES, pl.col("value_") % _HALVES
        for *key, above, below, events in grouped.agg(
            high.sum().alias("high"), low.sum().alias("low"), pl.len()
        ).iter_rows():
            at = (key[0], key[1], key[2])
            count.sums[at] = count.sums.get(at, 0) + above * _HALVES + below
            count.events[at] = count.events.get(at, 0) + events

    def _extreme(self, counter: Counter, count: _Count, rows: pl.DataFrame) -> None:
        best = min if counter.operation == "min" else max
        grouped = rows.group_by("period_", "person_", "team_")
        found = getattr(pl.col("value_"), counter.operation)()
        for *key, value, events in grouped.agg(found, pl.len()).iter_rows():
            at = (key[0], key[1], key[2])
            count.sums[at] = best(value, count.sums.get(at, value))
            count.events[at] = count.events.get(at, 0) + events

    def _distinct(self, counter: Counter, count: _Count, rows: pl.DataFrame) -> None:
        for each, values in zip(counter.sets, count.values, strict=True):
            taken = rows.filter(matching(each), pl.col(counter.field or "").is_not_null())
            texts = pl.col(counter.field or "").cast(pl.String)
            grouped = taken.group_by("period_", "person_", "team_").agg(texts.unique(), pl.len())
            for *key, found, events in grouped.iter_rows():
                at = (key[0], key[1], key[2])
                seen = values.setdefault(at, set())
                before = len(seen)
                seen.update(found)
                self._held += len(seen) - before
                count.events[at] = count.events.get(at, 0) + events
        if self._held > VALUES_MAX:
            msg = f"more than {VALUES_MAX:,} different values: ask for fewer periods at once"
            raise UsageError(msg)

    def _state(self, counter: Counter, count: _Count, rows: pl.DataFrame) -> None:
        types = sorted(counter.types)
        taken = rows.filter(pl.col("type").is_in(types)).select(
            "person_", "team_", "time", spent_=matching(counter.sets[0])
        )
        self._kept += taken.height
        if self._kept > STATES_MAX:
            msg = f"more than {STATES_MAX:,} states of people: ask for fewer periods at once"
            raise UsageError(msg)
        if taken.height:
            count.states.append(taken)

    # --- figures out ------------------------------------------------------------------------------

    def _spent(self, counter: Counter, count: _Count) -> None:
        """Milliseconds in the states, each until the next one, for at most its age.

        The last one lasts until the log ends.
        """
        count.sums, count.events = {}, {}
        if not count.states or self.last_ms is None:
            return
        ordered = pl.concat(count.states).sort("person_", "time", maintain_order=True)
        ended = ordered.with_columns(
            end_=pl.min_horizontal(
                pl.col("time").shift(-1).over("person_").fill_null(self.last_ms),
                pl.col("time") + counter.max_age_ms,
            )
        ).filter("spent_")
        for index, period in enumerate(self._periods):
            inside = ended.with_columns(
                pl.max_horizontal("time", pl.lit(period.start_ms)).alias("from_"),
                pl.min_horizontal("end_", pl.lit(period.end_ms)).alias("to_"),
            ).filter(pl.col("to_") > pl.col("from_"))
            grouped = inside.group_by("person_", "team_").agg(
                (pl.col("to_") - pl.col("from_")).sum().alias("ms"), pl.len()
            )
            for person, team, spent_ms, events in grouped.iter_rows():
                key = (index, person, team)
                count.sums[key] = spent_ms * (UNITS // 1000)
                count.events[key] = events

    def _count_answers(self, plan: Response, answers: pl.DataFrame) -> None:
        """How long they took, how many there were, or how many were soon enough."""
        dated = answers.with_columns(period_=self._period(answers["time"]))
        within = plan.within_ms
        soon = pl.lit(0) if within is None else (pl.col("ms_") <= within).sum()
        grouped = dated.filter(pl.col("period_") >= 0).group_by("period_", "person_", "team_")
        told = grouped.agg(
            waits=pl.col("ms_").sum() * (UNITS // 1000), soon=soon, answers=pl.len()
        ).to_dicts()
        for operation in ("waits", "soon", "answers"):
            count = self._counts.get(plan.counter(operation))
            if count is not None:
                keys = [(each["period_"], each["person_"], each["team_"]) for each in told]
                count.sums = dict(zip(keys, (each[operation] for each in told), strict=True))
                count.events = dict(zip(keys, (each["answers"] for each in told), strict=True))

    def _figures(self, made: Formula) -> Iterator[tuple[Key, Figure]]:
        if made.of is None:
            for key, value in self._worth(made.hits):
                yield key, Figure(value, None, self._counts[made.hits].events.get(key, 0))
            return
        hits, of = dict(self._worth(made.hits)), dict(self._worth(made.of))
        for key in sorted({*hits, *of}):
            # What is below the line holds the hits too, in most ratios; nobody is counted twice.
            events = self._counts[made.of].events.get(key, 0)
            if not made.countable:
                events = max(events, self._counts[made.hits].events.get(key, 0))
            yield key, Figure(hits.get(key, Fraction()), of.get(key, Fraction()), events)

    def _worth(self, counter: Counter) -> Iterable[tuple[Key, Fraction]]:
        count = self._counts[counter]
        if counter.operation == "distinct":
            keys = set(count.values[0]).union(*count.values[1:])
            for key in keys:
                sets = [values.get(key, set()) for values in count.values]
                yield key, Fraction(len(set.intersection(*sets)))
            return
        scale = 1 if counter.operation in _WHOLE else UNITS
        for key, value in count.sums.items():
            yield key, Fraction(value, scale)


def _units(name: str) -> pl.Expr:
    scaled = pl.col(name).cast(pl.Float64).fill_null(0.0) * UNITS
    return scaled.round(mode="half_to_even").cast(pl.Int64)


def records(counter: Counter, rows: pl.DataFrame) -> pl.DataFrame:
    """Those of ``rows`` that a counter looks at: the records behind its figure."""
    taken = rows.filter(pl.any_horizontal([matching(each) for each in counter.sets]))
    if counter.field is None:
        return taken
    return taken.filter(pl.any_horizontal(pl.col(counter.added).is_not_null()))
