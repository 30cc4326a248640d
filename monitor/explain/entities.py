"""Which rows an alert on a population or a response rests on.

Owns the way from rows to the entities that are counted, and to the questions that were answered or
wait. How both go on from row to row is the windows' own (``monitor.windows.roll``, ``waits``), so
what is explained is what was decided.

* a population: each entity by the last row that told of it, the hits against the others that are
  looked at; a plain number of them against those of the other scopes;
* a response: questions that waited too long, by their answer or, unanswered, by themselves,
  against the others.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from monitor.events.batch import COMPANY
from monitor.events.catalogue import FIELDS
from monitor.explain.question import Question, Sides
from monitor.indicators.formula import SCALE
from monitor.indicators.frame import matching
from monitor.indicators.population_plan import Population, population
from monitor.indicators.response_plan import Response, response_plan
from monitor.windows.arrays import Int64, column
from monitor.windows.roll import Float64, Roll, RollPlan, Told
from monitor.windows.waits import Said, Waits

ORDER: Final = ("tick", "time", "src", "offset")
"""How rows came to the engine."""
WAITED: Final = "waited_s"
"""How long a question waited; told beside its record."""
_MINE, _ELSEWHERE, _NOWHERE = 1, 0, -1


def of_population(question: Question, rows: pl.DataFrame) -> Sides:
    """Entities as of the alert's tick."""
    assert question.indicator is not None  # noqa: S101 - the caller looked
    plan = population(question.indicator)
    left = pl.lit(value=False) if plan.leaves is None else matching(plan.leaves)
    there = pl.col(plan.entity).is_not_null() & (matching(plan.tells) | left)
    rows = rows.with_columns(left.alias("left")).filter(there).sort(ORDER)
    values, texts = _values(rows, plan)
    keys = _keys(question, rows).astype(np.float64)
    keys[keys == _NOWHERE] = np.nan
    roll = Roll(
        _roll_plan(plan, question.tick_ms, rows.height),
        lambda held: plan.chosen(held, texts.__getitem__),
    )
    at_ms = question.alert.at_ms
    told = Told(
        rows[plan.entity].to_list(),
        rows["time"].to_numpy(),
        rows["left"].to_numpy(),
        np.vstack([*values, keys]),
    )
    ids, of_row = roll.apply(at_ms, told)
    looked_at, hits = roll.standing(ids, at_ms)
    here = roll.held(len(plan.values), ids) == _MINE
    known = _last_told(rows.drop("left"), of_row)
    figure, of = float(np.count_nonzero(hits & here)), float(np.count_nonzero(looked_at & here))
    bad, rest = ids[hits & here], ids[looked_at & here & ~hits]
    if question.indicator.figure == "count":
        elsewhere = roll.held(len(plan.values), ids) == _ELSEWHERE
        return Sides(
            _chosen(known, bad), _chosen(known, ids[hits & elsewhere]),
            nested=True, hits=figure, of=1.0,
        )  # fmt: skip
    if question.direction == "below":
        bad, rest = rest, bad
    return Sides(_chosen(known, bad), _chosen(known, rest), nested=True, hits=figure, of=of)


def _roll_plan(plan: Population, tick_ms: int, entities: int) -> RollPlan:
    return RollPlan(
        fields=len(plan.values) + 1,  # and whose the entity is
        state=-1 if plan.state is None else plan.values.index(plan.state),
        unchanged_ms=plan.unchanged_ms,
        max_age_ms=plan.max_age_ms,
        tick_ms=tick_ms,
        lateness_ms=0,
        entities_max=max(1, entities),
    )


def _values(rows: pl.DataFrame, plan: Population) -> tuple[list[Float64], list[str]]:
    """By field what each row tells, as numbers; and the texts that some of them stand for."""
    texts: dict[str, int] = {}
    found = []
    for name in plan.values:
        series = rows[name]
        if FIELDS[name].is_text:
            numbers = [
                None if text is None else texts.setdefault(text, len(texts))
                for text in series.to_list()
            ]
            series = pl.Series(name, numbers, dtype=pl.Float64)
        found.append(series.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    return found, list(texts)


def _last_told(rows: pl.DataFrame, of_row: Int64) -> pl.DataFrame:
    """Of each entity its last row, with what earlier ones told where that is silent."""
    told = rows.with_columns(pl.Series("entity id", of_row))
    place = ("type", *ORDER)
    others = [name for name in rows.columns if name not in place]
    return told.group_by("entity id").agg(
        *(pl.col(name).last() for name in place),
        *(pl.col(name).drop_nulls().last() for name in others),
    )


def _chosen(known: pl.DataFrame, ids: Int64) -> pl.DataFrame:
    """The rows of some entities, in the order of their times."""
    return known.filter(pl.col("entity id").is_in(ids)).drop("entity id").sort(ORDER[1:])


def of_response(question: Question, rows: pl.DataFrame) -> Sides:
    """Questions that were answered in the window, and those that wait at the alert's tick."""
    assert question.indicator is not None  # noqa: S101 - the caller looked
    plan = response_plan(question.indicator)
    asks, replies = matching(plan.asks), matching(plan.replies)
    rows = (
        rows.filter(pl.col(plan.per).is_not_null() & (asks | replies))
        .with_columns(asks.alias("asks"), replies.alias("replies"))
        .sort(ORDER)
    )
    waited = _waited(question, plan, rows)
    if plan.within_ms is None:
        is_bad, figure = question.beyond(pl.col(WAITED)), float(waited[WAITED].sum())
    else:
        # What waits has not been answered in time, however short its time is by now.
        slow = (pl.col(WAITED) > plan.within_ms / SCALE) | pl.col("asks")
        is_bad = slow if question.direction == "below" else ~slow
        figure = float(waited.filter(~slow).height)
    shown = waited.with_columns(is_bad.alias("is bad"))
    bad, rest = (
        shown.filter(side).drop("asks", "replies", "is bad")
        for side in (pl.col("is bad"), ~pl.col("is bad"))
    )
    return Sides(bad, rest, nested=True, hits=figure, of=float(waited.height))


def _waited(question: Question, plan: Response, rows: pl.DataFrame) -> pl.DataFrame:
    """Answers in the window, and open questions that are ripe, with how long they waited.

    ``asks`` of a row says that it is an open question.
    """
    at_ms, clock = question.alert.at_ms, plan.clock
    table = Waits(
        plan.waits_plan(
            scopes=1, tick_ms=question.tick_ms, lateness_ms=0, talks_max=max(1, rows.height)
        ),
        clock,
    )
    talks, times = rows[plan.per].to_list(), rows["time"].to_numpy()
    asks = rows["asks"].to_numpy() & plan.looked_at(times)
    keys = _keys(question, rows)[np.newaxis, :]
    changed, answers = table.apply(
        at_ms, Said(talks, times, asks, rows["replies"].to_numpy(), keys)
    )
    mine = (answers.keys[0] == _MINE) & (times[answers.rows] >= question.lo_ms)
    places, since = answers.rows[mine], answers.since[mine]
    took = clock.worked(times[places]) - clock.worked(since)
    open_ones = changed[table.ripe(changed, at_ms)]
    open_ones = open_ones[table.asker(0, open_ones) == _MINE]
    asked = table.asked(open_ones)
    looked = column([at_ms - at_ms % table.plan.step_ms])
    waits = clock.worked(looked) - clock.worked(asked)
    of_talk = {(talks[n], int(times[n])): n for n in np.flatnonzero(asks).tolist()}
    found = [
        of_talk[table.talk(talk), time]
        for talk, time in zip(open_ones.tolist(), asked.tolist(), strict=True)
    ]
    is_open = [False] * len(places) + [True] * len(found)
    both: pl.DataFrame = pl.concat([rows[places.tolist()], rows[found]]).with_columns(
        pl.Series(WAITED, np.concatenate([took, waits]) / SCALE, dtype=pl.Float64),
        pl.Series("asks", is_open, dtype=pl.Boolean),
    )
    return both.sort(ORDER[1:])


def _keys(question: Question, rows: pl.DataFrame) -> Int64:
    """Whether each row is the scope's, another's, or says nothing of it."""
    names = [name for name, _ in question.scope if name != COMPANY]
    nowhere = pl.any_horizontal([pl.col(name).is_null() for name in names] or [pl.lit(value=False)])
    key = pl.when(nowhere).then(_NOWHERE).when(question.in_scope()).then(_MINE)
    found = rows.select(key.otherwise(_ELSEWHERE).cast(pl.Int64).alias("key"))["key"]
    return found.to_numpy()
