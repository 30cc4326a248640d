"""Money for several together, shared out to the last cent.

Owns who is in which pool, what names mean for all of them together, and the shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from monitor.scorecards.bounds import number_of, rounded_by
from monitor.scorecards.desk import Desk, values_of
from monitor.scorecards.figures import Figure, Sums
from monitor.scorecards.language import Node
from monitor.scorecards.load import Card, LineCard, tables
from monitor.scorecards.model import Rounding
from monitor.scorecards.money import shared, shown
from monitor.scorecards.report import LineValue, PoolResult
from monitor.scorecards.working import Scope, worked, written


def pooled(
    card: Card, line: LineCard, title: str, desks: list[Desk], sums: Sums
) -> Iterator[PoolResult]:
    """Share out one line's pools; the shares are put on the desks."""
    pool = line.spec.pool
    assert pool is not None and line.weight is not None  # noqa: S101, PT018 - the caller looked
    groups: dict[str, list[Desk]] = {}
    for desk in desks:
        groups.setdefault(desk.team if pool.by == "team" else "", []).append(desk)
    rounding = pool.round or card.spec.rounding
    for team, members in sorted(groups.items()):
        scope = _together(card, sums, team, members)
        amount, working, remark = _amount(line, scope, rounding)
        weights = [_weight(line.weight, desk, line.spec.id) for desk in members]
        if sum(weights) > 0:
            shares = shared(amount, weights, rounding.places)
        else:
            shares = [Fraction()] * len(members)
            if amount:
                remark = "nobody has a weight above zero: it is not paid out"
        for desk, weight, share in zip(members, weights, shares, strict=True):
            desk.values[line.spec.id] = share
            told = (
                f"pool{f' of {team}' if team else ''} {shown(amount)} ×"
                f" {shown(weight)} ÷ {shown(sum(weights, Fraction()))} → {shown(share)}"
            )
            desk.lines.append(
                LineValue(line.spec.id, title, share, line.spec.pays, told, rounding.places, remark)
            )
        yield PoolResult(
            line.spec.id,
            team,
            amount,
            working,
            tuple(
                (desk.person, weight, share)
                for desk, weight, share in zip(members, weights, shares, strict=True)
            ),
            remark,
        )


def _amount(line: LineCard, scope: Scope, rounding: Rounding) -> tuple[Fraction, str, str]:
    """Amount, its working, and what must be said of it."""
    assert line.amount is not None  # noqa: S101 - a pool has one
    raw = number_of(worked(line.amount, scope))
    working = written(line.amount, scope)
    if raw is None:
        return Fraction(), f"{working} = null", "no amount, for lack of evidence"
    amount, done = rounded_by(raw, rounding)
    return amount, f"{working} = {shown(raw)}{''.join(done)}", ""


def _weight(node: Node, desk: Desk, line: str) -> Fraction:
    weight = number_of(worked(node, desk.scope))
    if weight is None or weight < 0:
        why = "no value" if weight is None else f"{shown(weight)}, below zero"
        desk.remarks.append(f"{line}: the weight in the pool is {why}: it counts as none")
        return Fraction()
    return weight


def _together(card: Card, sums: Sums, team: str, members: list[Desk]) -> Scope:
    """What names mean for a pool: the card's own parameters, figures and lines of all members."""
    spec = card.spec
    figures: dict[str, Figure] = {}
    for name, each in spec.figures.items():
        if each.given in {"team", "company"}:
            given = sums.teams.get(team, {}) if each.given == "team" else sums.company
            if name in given:
                figures[name] = given[name]
            continue
        own = [desk.figures[name] for desk in members if name in desk.figures]
        if own:
            figures[name] = _joined(own, card.operation(name))
    values = values_of(card, figures)
    for line in card.lines:
        found = [desk.values.get(line.spec.id) for desk in members]
        there = [each for each in found if isinstance(each, Fraction)]
        values[line.spec.id] = sum(there, Fraction())
    values |= {name: Fraction(value) for name, value in spec.parameters.items()}
    values |= {"team": team, "members": Fraction(len(members)), "days": Fraction(sums.period.days)}
    return Scope(values, tables(spec.tiers), spec.rounding.mode)


def _joined(figures: list[Figure], operation: str) -> Figure:
    events = sum(each.events for each in figures)
    if operation in {"min", "max"}:
        best = (min if operation == "min" else max)(each.hits for each in figures)
        return Figure(best, None, events)
    ofs = [each.of for each in figures if each.of is not None]
    hits = sum((each.hits for each in figures), Fraction())
    return Figure(hits, sum(ofs, Fraction()) if ofs else None, events)
