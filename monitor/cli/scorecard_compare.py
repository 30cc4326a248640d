"""Two cards side by side, and what may come: ``backtest``, ``parallel``, ``forecast``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from monitor.cli.options import ConfigOption, JsonOption
from monitor.cli.output import lines, write
from monitor.cli.scorecard_options import (
    CardArgument,
    CountOption,
    FilesOption,
    HtmlOption,
    KafkaOption,
    LanguageOption,
    NewArgument,
    OldArgument,
    PeopleOption,
    PeriodOption,
    SumsOption,
    Told,
)
from monitor.cli.scorecard_shown import show_backtest, show_forecast, show_parallel
from monitor.cli.scorecard_sums import periods_of, worked
from monitor.cli.stream import say
from monitor.errors import UsageError
from monitor.scorecards import changes
from monitor.scorecards.compare import backtest as compared
from monitor.scorecards.compare import parallel as in_parallel
from monitor.scorecards.forecast import forecast as foretold
from monitor.scorecards.load import Card
from monitor.scorecards.periods import Period
from monitor.scorecards.report import Sheet


def backtest(
    old: OldArgument,
    new: NewArgument,
    period: PeriodOption = None,
    periods: CountOption = 12,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    sums: SumsOption = None,
    people: PeopleOption = None,
    html_file: HtmlOption = None,
    language: LanguageOption = "en",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Old card against new on past periods: mean, largest and smallest difference.

    Per person and of everybody; periods with days of a promotion apart. Both cards are worked out
    on the same events, read once.
    """
    told = Told(config, files, kafka, sums, people, language)
    work = worked(told, [old, new], lambda made: periods_of(made[1], period, periods))
    _same_period(work.cards)
    one, two = work.sheets(0), work.sheets(1)
    found = compared(list(zip(one, two, strict=True)))
    places = max(one[0].places, two[0].places)
    if html_file is not None:
        from monitor.scorecards.page import backtest_page  # noqa: PLC0415

        write(html_file, backtest_page(found, places=places, language=language))
    warned = list(changes.warnings(work.cards[1], work.cards[0]))
    if as_json:
        say(json.dumps({**found.to_json(), "warnings": list(map(str, warned))}, ensure_ascii=False))
        return
    show_backtest(found, places)
    say_remarks(one)
    for problem in warned:
        lines().print(f"warning: {problem}", style="yellow")


def forecast(
    card: CardArgument,
    period: PeriodOption = None,
    periods: CountOption = 12,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    sums: SumsOption = None,
    people: PeopleOption = None,
    budget: Annotated[
        float | None, typer.Option("--budget", metavar="AMOUNT", help="Of a period.")
    ] = None,
    confidence: Annotated[
        float, typer.Option("--confidence", min=0.5, max=0.999, help="Of the interval.")
    ] = 0.9,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The total of the next ordinary period, from past ones, with an interval.

    The mean of past totals and Student's prediction interval; promotions are left out, trend and
    season are not in it (docs/scorecards.md).
    """
    told = Told(config, files, kafka, sums, people)
    work = worked(told, [card], lambda made: periods_of(made[0], period, periods))
    sheets = work.sheets()
    found = foretold(sheets, confidence=confidence, budget=budget)
    if as_json:
        say(json.dumps(found.to_json(), ensure_ascii=False))
        return
    show_forecast(found)
    say_remarks(sheets)


def parallel(
    old: OldArgument,
    new: NewArgument,
    period: PeriodOption = None,
    persons: Annotated[
        list[str] | None,
        typer.Option(
            "--person", metavar="PERSON", help="Who takes part, instead of the card's `parallel`."
        ),
    ] = None,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    sums: SumsOption = None,
    people: PeopleOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Both cards for a period; who takes part is paid the higher, everybody else by the old."""
    told = Told(config, files, kafka, sums, people)
    work = worked(told, [old, new], lambda made: periods_of(made[1], period))
    _same_period(work.cards)
    (one,), (two,) = work.sheets(0), work.sheets(1)
    chosen = persons or _chosen(work.cards[1], one.period)
    found = in_parallel(one, two, chosen)
    missing = sorted(set(chosen) - {each.gap.person for each in found.people})
    if as_json:
        say(json.dumps({**found.to_json(), "missing": missing}, ensure_ascii=False))
        return
    show_parallel(found, max(one.places, two.places))
    if missing:
        lines().print(f"note: nobody is called {', '.join(missing)}", style="yellow")
    say_remarks([one])


def _chosen(card: Card, period: Period) -> tuple[str, ...]:
    spec = card.spec.parallel
    if spec is None:
        raise UsageError("who takes part? write parallel: in the new card, or give --person")
    if period.first > spec.until:
        msg = f"the parallel run ended on {spec.until}, before {period.label}"
        raise UsageError(msg)
    return spec.people


def _same_period(cards: tuple[Card, ...]) -> None:
    """Two cards can be laid side by side.

    Raises:
        UsageError: they count in other days, or other money.
    """
    old, new = (each.spec for each in cards)
    for name in ("zone", "currency", "person"):
        if getattr(old, name) != getattr(new, name):
            msg = (
                f"{name} is {getattr(old, name)} in one card and {getattr(new, name)} in the other"
            )
            raise UsageError(msg)


def say_remarks(sheets: list[Sheet]) -> None:
    """What must be known of the figures, each once."""
    for text in dict.fromkeys(text for each in sheets for text in each.remarks):
        lines().print(f"note: {text}", style="yellow")
