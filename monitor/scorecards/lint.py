"""What is not wrong in a card, and hardly meant: unused names, falling rates, pay that is null."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from monitor.errors import Problem
from monitor.scorecards.language import names_of, tables_of, unguarded
from monitor.scorecards.load import Card, Loc
from monitor.scorecards.model import Tiers


def lint(card: Card) -> Iterator[Problem]:
    """Warnings, in order of the file's parts."""
    spec, used = card.spec, _used(card)
    for loc, name in spec.placed():
        if loc[0] != "lines" and name not in used:
            what = f"{name} is used in no formula"
            yield card.file.problem(loc, what, "leave it out", card.name, at_key=True)
    tiers: list[tuple[Loc, Tiers]] = [(("tiers", name), each) for name, each in spec.tiers.items()]
    tiers += [
        (("profiles", index, "tiers", name), each)
        for index, profile in enumerate(spec.profiles)
        for name, each in profile.tiers.items()
    ]
    for loc, each in tiers:
        for place, (one, two) in enumerate(pairwise(each.steps)):
            if two.rate < one.rate:
                what = f"the rate falls from {one.rate} to {two.rate}: doing more may pay less"
                yield card.file.problem(
                    (*loc, "steps", place + 1, "rate"), what, "is that meant?", card.name
                )
    yield from _nulls(card)


def _nulls(card: Card) -> Iterator[Problem]:
    """Lines that pay nothing where a figure has no evidence."""
    may_be = {
        name
        for name, each in card.spec.figures.items()
        if each.otherwise is None
        and (
            each.given is not None
            or card.formulas[name].of is not None
            or card.formulas[name].hits.operation in {"min", "max"}
        )
    }
    for index, line in enumerate(card.lines):
        bare = set(line.spec.weighted or {}) if line.formula is None else unguarded(line.formula)
        null = sorted(bare & may_be)
        if line.spec.weighted and len(null) < len(bare):
            null = []  # what is there makes up for what is not
        if not null:
            continue
        may_be.add(line.spec.id)
        if line.spec.pays:
            what = f"null, and so nothing, for whom {' or '.join(null)} has no evidence"
            hint = f"coalesce({null[0]}, …), or otherwise: at the figure"
            yield card.file.problem(("lines", index, "formula"), what, hint, card.name)


def _used(card: Card) -> frozenset[str]:
    nodes = [card.floor, card.cap]
    weighted: set[str] = set()
    for line in card.lines:
        nodes += [line.formula, line.floor, line.cap, line.amount, line.weight]
        weighted |= {name.partition(".")[0] for name in line.spec.weighted or ()}
    found = [names_of(node) | tables_of(node) for node in nodes if node is not None]
    return frozenset(weighted).union(*found)
