"""A card worked out for everybody in a period, line by line.

Owns the order of things: formula, cap, floor, rounding, pools, total. Lines are worked out one
after the other for all people, for a pool needs its members' lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from monitor.indicators.model import Language
from monitor.scorecards.bounds import bounded, number_of, rounded_by
from monitor.scorecards.desk import Desk, desks_of
from monitor.scorecards.figures import Sums
from monitor.scorecards.load import Card, LineCard
from monitor.scorecards.model import Scorecard
from monitor.scorecards.money import shown
from monitor.scorecards.people import People
from monitor.scorecards.periods import Period
from monitor.scorecards.pools import pooled
from monitor.scorecards.report import LineValue, PoolResult, Sheet, Statement, Titles
from monitor.scorecards.working import worked, written


def evaluate(
    card: Card, sums: Sums, people: People | None = None, *, language: Language = "en"
) -> Sheet:
    """What ``card`` pays for ``sums``.

    Everybody has a statement who has a figure, or is employed on some day of the period.
    """
    spec = card.spec
    desks = list(desks_of(card, sums, people or People()))
    pools: list[PoolResult] = []
    for line in card.lines:
        title = _title(line.spec.title, line.spec.id, language)
        own = [desk for desk in desks if not line.spec.for_ or desk.profile in line.spec.for_]
        if line.spec.pool is None:
            for desk in own:
                desk.lines.append(_line(card, line, title, desk))
        else:
            pools += pooled(card, line, title, own, sums)
        for desk in desks:
            if desk not in own:
                desk.values[line.spec.id] = Fraction()  # it has no such line: nothing of it
    return Sheet(
        card=card.name,
        title=_title(spec.title, card.name, language),
        hash=card.hash,
        currency=spec.currency,
        places=_places(spec),
        period=sums.period,
        promotions=promotions_in(spec, sums.period),
        statements=tuple(_statement(card, desk) for desk in desks),
        pools=tuple(pools),
        remarks=tuple(sums.remarks),
        titles=_titles(card),
    )


def _titles(card: Card) -> Titles:
    spec = card.spec
    named = {
        "card": {card.name: spec.title},
        "lines": {line.id: line.title for line in spec.lines},
        "figures": {name: figure.title for name, figure in spec.figures.items()},
    }
    return {
        what: {
            name: {str(language): text for language, text in texts.items()}
            for name, texts in titles.items()
            if texts
        }
        for what, titles in named.items()
    }


def promotions_in(spec: Scorecard, period: Period) -> tuple[str, ...]:
    """Names of the promotions that a period has days of."""
    return tuple(each.name for each in spec.promotions if period.meets(each.first, each.last))


def _places(spec: Scorecard) -> int:
    """Enough to show every amount that is paid, whole."""
    lines = [line for line in spec.lines if line.pays]
    own = [line.round or (line.pool.round if line.pool else None) for line in lines]
    return max(0, spec.rounding.places, *(each.places for each in own if each is not None))


def _title(titles: Mapping[Language, str], otherwise: str, language: Language) -> str:
    return titles.get(language) or titles.get("en") or otherwise


def _line(card: Card, line: LineCard, title: str, desk: Desk) -> LineValue:
    spec = line.spec
    if line.formula is not None:
        raw = number_of(worked(line.formula, desk.scope))
        working = written(line.formula, desk.scope)
    else:
        raw, working = _weighted(spec.weighted or {}, desk)
    value, done = bounded(raw, line.floor, line.cap, desk.scope)
    rounding = spec.round or (card.spec.rounding if spec.pays else None)
    if value is not None and rounding is not None:
        value, more = rounded_by(value, rounding)
        done += more
    desk.values[spec.id] = value
    remark = ""
    if value is None and spec.pays:
        remark = "no value, for lack of evidence: counts as nothing"
    exact = "null" if raw is None else shown(raw)
    return LineValue(
        id=spec.id,
        title=title,
        value=value,
        pays=spec.pays,
        working=f"{working} = {exact}{''.join(done)}",
        places=None if rounding is None else rounding.places,
        remark=remark,
    )


def _weighted(weights: Mapping[str, Fraction], desk: Desk) -> tuple[Fraction | None, str]:
    """The mean of what has a value, by weights that are scaled up for what has none."""
    there = {
        name: value
        for name in weights
        if isinstance(value := desk.scope.values.get(name), Fraction)
    }
    total = sum((weights[name] for name in there), Fraction())
    parts = [f"{name} {shown(value)} × {shown(weights[name])}" for name, value in there.items()]
    missing = [name for name in weights if name not in there]
    working = f"({' + '.join(parts) or '0'}) ÷ {shown(total)}"
    if missing:
        working += f" [left out, without a value: {', '.join(missing)}]"
    if not total:
        return None, working
    summed = sum((weights[name] * value for name, value in there.items()), Fraction())
    return summed / total, working


def _statement(card: Card, desk: Desk) -> Statement:
    paid = [each.value for each in desk.lines if each.pays and each.value is not None]
    summed = sum(paid, Fraction())
    total, done = bounded(summed, card.floor, card.cap, desk.scope)
    assert total is not None  # noqa: S101 - it began as a number
    total, more = rounded_by(total, card.spec.rounding) if done else (total, [])
    if done:
        desk.remarks.append(f"total {shown(summed)}{''.join([*done, *more])}")
    return Statement(
        person=desk.person,
        name=desk.employment.name if desk.employment else "",
        team=desk.team,
        role=str(desk.values["role"]),
        profile=desk.profile,
        figures=desk.figures,
        lines=tuple(desk.lines),
        total=total,
        remarks=tuple(desk.remarks),
        values=desk.values,
    )
