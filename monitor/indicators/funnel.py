"""A funnel as what it is made of: one ratio for each step after the first.

Owns the expansion, no data. The ratio of a step has the id of the funnel and the name of the step:
entities that reached it by those that reached the step before. So rules, boards and replays see
ratios like all others. Who reached a step is worked out once for all of them
(``monitor.windows.funnel``).

Such a ratio lies between 0 % and 100 %, but it is none of events: an entity that went on is added
above the line long after it was below it. So it is not ``countable``, and evidence is ``raw``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from monitor.indicators.model import Indicator, Measure
from monitor.indicators.parts import Selection


class Reached(Measure):
    """How many different values of ``distinct`` came to one of the steps ``all``, in order."""

    within: int
    """From the first step to it, at most, ms."""
    step: int
    """From 0 on."""


def expanded(indicators: Iterable[Indicator]) -> tuple[Indicator, ...]:
    """``indicators`` with the ratios of their steps in the place of funnels."""
    return tuple(figure for indicator in indicators for figure in figures_of(indicator))


def figures_of(indicator: Indicator) -> tuple[Indicator, ...]:
    """The ratios of the steps of a funnel, in order; any other indicator itself."""
    return tuple(_ratios(indicator)) if indicator.kind == "funnel" else (indicator,)


def _ratios(funnel: Indicator) -> Iterator[Indicator]:
    steps = funnel.steps or {}
    selections = tuple(Selection(on=step.on, where=step.where) for step in steps.values())
    reached = [
        Reached(distinct=funnel.entity, all=selections, within=funnel.within or 0, step=number)
        for number in range(len(steps))
    ]
    better = funnel.better if "better" in funnel.model_fields_set else "higher"
    for number, ((before, _), (name, step)) in enumerate(pairwise(steps.items()), 1):
        yield funnel.model_copy(
            update={
                "id": f"{funnel.id}_{name}",
                "title": {
                    language: f"{title}: {name} ÷ {before}"
                    for language, title in funnel.title.items()
                },
                "kind": "ratio",
                "hits": reached[number],
                "of": reached[number - 1],
                "entity": None,
                "within": None,
                "steps": None,
                "better": better,
                "target": step.target,
            }
        )
