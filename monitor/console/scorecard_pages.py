"""Pages on scorecards: what is kept, a period of a card, and one person's pay with its workings.

Owns their routes and values, and the figures of bars; who may see whose pay is the interface's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from monitor.console.paint import Painter
from monitor.scorecards.money import grouped, rounded, shown
from monitor.scorecards.report import title_in
from monitor.web import scorecards_api
from monitor.web.application import Supervisor

PAGE: Final = 100
COLOURS: Final = 6
"""Of lines in bars; then they begin anew."""
Text = Annotated[str, Query(max_length=300)]

router = APIRouter(include_in_schema=False)


@router.get("/scorecards")
async def cards(caller: Supervisor, request: Request) -> Response:
    """Cards and periods whose results are kept."""
    found = await scorecards_api.listed(request)
    return Painter(request, caller).page("scorecards.html", "scorecards", kept=found)


@router.get("/scorecards/{card}/{period}")
async def sheet(
    card: scorecards_api.CardPath,
    period: scorecards_api.PeriodPath,
    caller: Supervisor,
    request: Request,
    q: Text = "",
    team: Text = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """What a card pays for a period, the highest first."""
    found = await scorecards_api.found(request, caller, card, period)
    kept = await scorecards_api.listed(request)
    painter = Painter(request, caller)
    found = _in_language(found, painter.words.language)
    return painter.page(
        "scorecard.html", "scorecards", **_sheet(found, q.strip(), team, page),
        periods=kept.get(card, []), q=q, team=team, money=_money(found["places"]),
    )  # fmt: skip


@router.get("/scorecards/{card}/{period}/{person}")
async def person_(
    card: scorecards_api.CardPath,
    period: scorecards_api.PeriodPath,
    person: scorecards_api.PersonPath,
    caller: Supervisor,
    request: Request,
) -> Response:
    """One person's figures and lines, and how each came about."""
    found = await scorecards_api.found(request, caller, card, period)
    painter = Painter(request, caller)
    found = _in_language(found, painter.words.language)
    mine = scorecards_api.of_person(found, person)
    return painter.page(
        "scorecard_person.html", "scorecards", sheet=found, statements=mine, person=person,
        name=next((each["name"] for each in mine if each["name"]), ""),
        total=sum((Fraction(each["total"]) for each in mine), Fraction()),
        pools=_pools_of(found["pools"], person), money=_money(found["places"]), figure=_figure,
        titled=partial(_titled, found, painter.words.language),
    )  # fmt: skip


def _titled(found: Mapping[str, Any], language: str, what: str, name: str) -> str:
    """The title of a line or figure; its name in words where it has none."""
    return title_in(found, what, name, language, name.replace("_", " "))


def _in_language(found: dict[str, Any], language: str) -> dict[str, Any]:
    """A sheet whose titles are in the viewer's language, where they were kept in it."""
    statements = [
        {
            **statement,
            "lines": [
                {**line, "title": title_in(found, "lines", line["id"], language, line["title"])}
                for line in statement["lines"]
            ],
        }
        for statement in found["statements"]
    ]
    title = title_in(found, "card", found["card"], language, found["title"])
    return {**found, "title": title, "statements": statements}


def _sheet(found: dict[str, Any], q: str, team: str, page: int) -> dict[str, Any]:
    """One page of statements with their bars, and what is said of all that may be seen."""
    every = found["statements"]
    totals = [Fraction(each["total"]) for each in every]
    most = max((abs(each) for each in totals), default=Fraction())
    people = len({each["person"] for each in every})
    chosen = [
        (total, each)
        for total, each in zip(totals, every, strict=True)
        if team in {"", each["team"]} and q.lower() in f"{each['person']} {each['name']}".lower()
    ]
    chosen.sort(key=lambda pair: (-pair[0], pair[1]["person"]))
    colours = _colours(every)
    first = (page - 1) * PAGE
    return {
        "sheet": found,
        "lines": [
            {"of": each, "total": total, "parts": _parts(each["lines"], most, colours)}
            for total, each in chosen[first : first + PAGE]
        ],
        "titles": _titles(every),
        "legend": [(title, colour) for title, colour in colours.values()],
        "teams": sorted({each["team"] for each in every} - {""}),
        "count": len(chosen),
        "page": page,
        "pages": max(1, -(-len(chosen) // PAGE)),
        "people": people,
        "total": Fraction(found["total"]),
        "mean": Fraction(found["total"]) / people if people else None,
    }


def _titles(statements: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Titles of lines by their ids."""
    return {line["id"]: line["title"] for each in statements for line in each["lines"]}


def _colours(statements: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    """Title and colour of each line that pays, in the order of the lines."""
    found: dict[str, tuple[str, int]] = {}
    for statement in statements:
        for line in statement["lines"]:
            if line["pays"] and line["id"] not in found:
                found[line["id"]] = (line["title"], len(found) % COLOURS)
    return found


def _parts(
    lines: Sequence[Mapping[str, Any]], most: Fraction, colours: Mapping[str, tuple[str, int]]
) -> list[dict[str, Any]]:
    """Pieces of a bar in percent of the longest; what is taken off has none."""
    found: list[dict[str, Any]] = []
    at = 0.0
    for line in lines:
        value = Fraction(line["value"] or 0)
        if not line["pays"] or value <= 0 or not most:
            continue
        width = float(value / most * 100)
        title, colour = colours[line["id"]]
        found.append({"x": at, "width": width, "colour": colour, "title": title, "value": value})
        at += width
    return found


def _pools_of(pools: Sequence[Mapping[str, Any]], person: str) -> list[dict[str, Any]]:
    """Pools that somebody has a part of, with that part alone."""
    return [
        {**pool, "share": share}
        for pool in pools
        for share in pool["shares"]
        if share["person"] == person
    ]


def _money(places: int) -> Any:
    """Amounts for people: ``1,234.50``."""

    def written(value: Fraction | str | None) -> str:
        if value is None:
            return "–"
        return grouped(shown(rounded(Fraction(value), places, "half_even"), places))

    return written


def _figure(value: str | None) -> str:
    """A figure for people, of at most six places."""
    if value is None:
        return "–"
    text = shown(Fraction(value))
    return text if text.endswith("…") else grouped(text)
