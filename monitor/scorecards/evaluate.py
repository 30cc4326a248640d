"""A card worked out for everybody in a period, line by line.

Owns the order of things: who has which profile, what names mean for each, formula, cap, floor,
rounding, pools, total. Lines are worked out one after the other for all people, for a pool needs
its members' lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from monitor.indicators.model import Language
from monitor.scorecards.figures import Figure, Standing, Sums
from monitor.scorecards.language import Node, Value
from monitor.scorecards.load import DEFAULT, Card, LineCard, tables
from monitor.scorecards.model import Profile, Rounding, Scorecard
from monitor.scorecards.money import rounded, shared, shown
from monitor.scorecards.people import Employment, People, months_between
from monitor.scorecards.periods import Period
from monitor.scorecards.report import LineValue, PoolResult, Sheet, Statement
from monitor.scorecards.working import Scope, worked, written


@dataclass(slots=True, eq=False)
class _Desk:
    """One statement in the making."""

    person: str
    team: str
    employment: Employment | None
    profile: str
    figures: dict[str, Figure]
    values: dict[str, Value]
    scope: Scope
    lines: list[LineValue] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def evaluate(
    card: Card, sums: Sums, people: People | None = None, *, language: Language = "en"
) -> Sheet:
    """What ``card`` pays for ``sums``.

    Everybody has a statement who has a figure, or is employed on some day of the period.
    """
    spec = card.spec
    desks = list(_desks(card, sums, people or People()))
    pools: list[PoolResult] = []
    for line in card.lines:
        title = _title(line.spec.title, line.spec.id, language)
        own = [desk for desk in desks if not line.spec.for_ or desk.profile in line.spec.for_]
        if line.spec.pool is None:
            for desk in own:
                desk.lines.append(_line(card, line, title, desk))
        else:
            pools += _pooled(card, line, title, own, sums)
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
    )


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


# --- people ---------------------------------------------------------------------------------------


def _desks(card: Card, sums: Sums, people: People) -> Iterator[_Desk]:
    parts = dict(sums.people)
    known = {person for person, _ in parts}
    for person in people.employed(sums.period):
        if person not in known:
            parts[person, ""] = Standing()
    for (person, team), standing in sorted(parts.items()):
        rows = people.during(person, sums.period)
        # The row that holds last in the period; without one, whatever events say.
        employment = rows[-1] if rows else None
        if card.spec.team_changes == "last":
            where = (employment.team if employment else "") or standing.team
        else:
            where = team or standing.team or (employment.team if employment else "")
        yield _desk(card, sums, person, where, standing, rows)


def _desk(
    card: Card,
    sums: Sums,
    person: str,
    team: str,
    standing: Standing,
    rows: tuple[Employment, ...],
) -> _Desk:
    spec, period = card.spec, sums.period
    employment = rows[-1] if rows else None
    role = (employment.role if employment else "") or standing.role
    stage = employment.stage if employment else ""
    joined = employment.joined if employment else None
    tenure = None if joined is None else Fraction(max(0, months_between(joined, period.last)))
    profile = _profile(spec, person=(person,), role=role, team=team, stage=stage, tenure=tenure)
    figures = _figures(card, sums, standing, team)
    parameters = {**spec.parameters, **(profile.parameters if profile else {})}
    days = period.days if not rows else sum(each.days_in(period) for each in rows)
    values: dict[str, Value] = {
        **_values(card, figures),
        **{name: Fraction(value) for name, value in parameters.items()},
        "person": person,
        "team": team,
        "role": role,
        "stage": stage,
        "profile": DEFAULT if profile is None else profile.id,
        "days": Fraction(period.days),
        "days_employed": Fraction(days),
        "tenure": tenure,
    }
    made = tables({**spec.tiers, **(profile.tiers if profile else {})})
    desk = _Desk(
        person,
        team,
        employment,
        DEFAULT if profile is None else profile.id,
        figures,
        values,
        Scope(values, made, spec.rounding.mode),
    )
    if len(standing.teams) > 1 and spec.team_changes == "last":
        several = ", ".join(standing.teams)
        desk.remarks.append(f"worked in {several}: all of it counts for {team}")
    return desk


def _profile(
    spec: Scorecard,
    *,
    person: tuple[str],
    role: str,
    team: str,
    stage: str,
    tenure: Fraction | None,
) -> Profile | None:
    """The first that fits."""
    for profile in spec.profiles:
        match = profile.match
        pairs = ((match.role, role), (match.team, team), (match.stage, stage))
        fits = all(not wanted or found in wanted for wanted, found in pairs)
        fits = fits and (not match.person or person[0] in match.person)
        if match.tenure_below is not None:
            fits = fits and tenure is not None and tenure < match.tenure_below
        if fits:
            return profile
    return None


def _figures(card: Card, sums: Sums, standing: Standing, team: str) -> dict[str, Figure]:
    """Every figure of the card that the person has; those without evidence are left out."""
    found: dict[str, Figure] = {}
    for name, spec in card.spec.figures.items():
        whose = {"team": sums.teams.get(team, {}), "company": sums.company}
        figure = whose.get(spec.given or "", standing.figures).get(name)
        if figure is None and name in card.formulas:
            made = card.formulas[name]
            if made.of is not None:
                figure = Figure(Fraction(), Fraction())
            elif made.hits.operation not in {"min", "max"}:
                figure = Figure(Fraction())
        if figure is not None:
            found[name] = figure
    return found


def _values(card: Card, figures: Mapping[str, Figure]) -> dict[str, Value]:
    """What the names of figures mean, ``otherwise`` laid over those without a value."""
    values: dict[str, Value] = {}
    for name, spec in card.spec.figures.items():
        figure = figures.get(name)
        value = None if figure is None else figure.value
        if value is None and spec.otherwise is not None:
            value = Fraction(spec.otherwise)
        values[name] = value
        if figure is not None and figure.of is not None:
            values[f"{name}.hits"], values[f"{name}.of"] = figure.hits, figure.of
    return values


# --- lines ----------------------------------------------------------------------------------------


def _line(card: Card, line: LineCard, title: str, desk: _Desk) -> LineValue:
    spec = line.spec
    if line.formula is not None:
        raw = _number(worked(line.formula, desk.scope))
        working = written(line.formula, desk.scope)
    else:
        raw, working = _weighted(spec.weighted or {}, desk)
    value, done = _bounded(raw, line.floor, line.cap, desk.scope)
    rounding = spec.round or (card.spec.rounding if spec.pays else None)
    if value is not None and rounding is not None:
        value, more = _rounded(value, rounding)
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


def _number(value: Value) -> Fraction | None:
    return value if isinstance(value, Fraction) else None


def _bounded(
    value: Fraction | None, floor: Node | None, cap: Node | None, scope: Scope
) -> tuple[Fraction | None, list[str]]:
    """``value`` within cap and floor, and what was done to it; the floor is stronger."""
    done: list[str] = []
    if value is None:
        return None, done
    highest = None if cap is None else _number(worked(cap, scope))
    if highest is not None and value > highest:
        value = highest
        done.append(f" → cap {shown(value)}")
    least = None if floor is None else _number(worked(floor, scope))
    if least is not None and value < least:
        value = least
        done.append(f" → floor {shown(value)}")
    return value, done


def _rounded(value: Fraction, rounding: Rounding) -> tuple[Fraction, list[str]]:
    made = rounded(value, rounding.places, rounding.mode)
    if made == value:
        return made, []
    return made, [f" → {shown(made, max(0, rounding.places))} ({rounding.mode})"]


def _weighted(weights: Mapping[str, Fraction], desk: _Desk) -> tuple[Fraction | None, str]:
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


# --- pools ----------------------------------------------------------------------------------------


def _pooled(
    card: Card, line: LineCard, title: str, desks: list[_Desk], sums: Sums
) -> Iterator[PoolResult]:
    pool = line.spec.pool
    assert pool is not None and line.weight is not None  # noqa: S101, PT018 - the caller looked
    groups: dict[str, list[_Desk]] = {}
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
    raw = _number(worked(line.amount, scope))
    working = written(line.amount, scope)
    if raw is None:
        return Fraction(), f"{working} = null", "no amount, for lack of evidence"
    amount, done = _rounded(raw, rounding)
    return amount, f"{working} = {shown(raw)}{''.join(done)}", ""


def _weight(node: Node, desk: _Desk, line: str) -> Fraction:
    weight = _number(worked(node, desk.scope))
    if weight is None or weight < 0:
        why = "no value" if weight is None else f"{shown(weight)}, below zero"
        desk.remarks.append(f"{line}: the weight in the pool is {why}: it counts as none")
        return Fraction()
    return weight


def _together(card: Card, sums: Sums, team: str, members: list[_Desk]) -> Scope:
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
    values = _values(card, figures)
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


# --- the whole ------------------------------------------------------------------------------------


def _statement(card: Card, desk: _Desk) -> Statement:
    paid = [each.value for each in desk.lines if each.pays and each.value is not None]
    summed = sum(paid, Fraction())
    total, done = _bounded(summed, card.floor, card.cap, desk.scope)
    assert total is not None  # noqa: S101 - it began as a number
    total, more = _rounded(total, card.spec.rounding) if done else (total, [])
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
