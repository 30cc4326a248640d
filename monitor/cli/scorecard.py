"""``monitor scorecard …``: performance pay, worked out, explained, compared and foretold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor import logs
from monitor.cli.declare import group, member
from monitor.cli.options import ConfigOption, JsonOption
from monitor.cli.output import counted, lines, write
from monitor.cli.scorecard_shown import (
    show_backtest,
    show_forecast,
    show_parallel,
    show_sheet,
    show_statement,
)
from monitor.cli.scorecard_sums import (
    CardArgument,
    CountOption,
    FilesOption,
    KafkaOption,
    LanguageOption,
    PeopleOption,
    PeriodOption,
    SumsOption,
    Told,
    Work,
    cards_of,
    periods_of,
    work_of,
)
from monitor.cli.stream import say
from monitor.errors import ConfigError, Problem, UsageError
from monitor.scorecards import cases, changes
from monitor.scorecards.compare import backtest as compared
from monitor.scorecards.compare import parallel as in_parallel
from monitor.scorecards.forecast import forecast as foretold
from monitor.scorecards.kept import Shelf
from monitor.scorecards.load import Card, lint, load_card
from monitor.scorecards.periods import Period
from monitor.scorecards.report import Sheet, statement_json
from monitor.tally import shown_records

app = group("Performance pay: run, check, explain, backtest, forecast, parallel.")

NewArgument = Annotated[
    Path, typer.Argument(metavar="NEW", help="The new card's file.", exists=True, dir_okay=False)
]
OldArgument = Annotated[
    Path,
    typer.Argument(
        metavar="OLD", help="The file of the card that holds.", exists=True, dir_okay=False
    ),
]


def _file_option(flag: str, what: str) -> Any:
    return typer.Option(flag, metavar="FILE", help=f"Write {what} here too.", dir_okay=False)


@member(
    app,
    "run",
    "scorecard run card.yaml --period 2026-11 --from 'day-*.jsonl' --people people.csv",
    "scorecard run card.yaml --kafka --xlsx pay.xlsx --html pay.html --keep",
    "scorecard run card.yaml --period 2026-11 --sums sums.csv --json",
)
def run(
    card: CardArgument,
    period: PeriodOption = None,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    sums: SumsOption = None,
    people: PeopleOption = None,
    csv_file: Annotated[Path | None, _file_option("--csv", "a CSV table")] = None,
    xlsx_file: Annotated[
        Path | None, _file_option("--xlsx", "an Excel workbook with its formulas")
    ] = None,
    html_file: Annotated[
        Path | None, _file_option("--html", "a page that needs nothing else")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the result for the console and the API.")
    ] = False,
    language: LanguageOption = "en",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a card pays for a period: a table, CSV, Excel, HTML, JSON."""
    told = Told(config, files, kafka, sums, people, language)
    work = _work(told, [card], lambda made: periods_of(made[0], period))
    made, (sheet,) = work.cards[0], work.sheets()
    if csv_file is not None:
        from monitor.scorecards.tables import to_csv  # noqa: PLC0415 - where it is asked for

        write(csv_file, to_csv(made, [sheet]))
    if html_file is not None:
        from monitor.scorecards.page import sheet_page  # noqa: PLC0415

        write(html_file, sheet_page(made, sheet, language=language))
    if xlsx_file is not None:
        from monitor.scorecards.excel import to_excel  # noqa: PLC0415

        _write_bytes(xlsx_file, to_excel(made, sheet))
    if keep:
        Shelf(work.site.config.scorecards).keep(sheet)
    if as_json:
        say(json.dumps(sheet.to_json(), ensure_ascii=False))
    else:
        show_sheet(made, sheet)


@member(
    app,
    "check",
    "scorecard check rules/scorecards",
    "scorecard check new.yaml --against old.yaml",
)
def check(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="CARD…", help="Cards, or folders with cards.", exists=True),
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="OLD", help="The card that holds now.", exists=True, dir_okay=False
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check cards and run their tests: errors with line and column, changes too early or too many.

    Tests are files that end in `.cases.yaml`. Status 0: all is well, though there may be warnings;
    1: a test failed; 2: a card is wrong.
    """
    cards, tests = _files(paths)
    site, made = cards_of(config, cards)
    old = None if against is None else load_card(against, site.indicators)
    warned = [problem for each in made for problem in (*lint(each), *changes.warnings(each, old))]
    outcomes = [outcome for path in tests for outcome in cases.run_cases(path, site.indicators)]
    failed = [each for each in outcomes if each.failures]
    differing = [] if old is None else [str(each) for each in changes.differences(old, made[0])]
    if as_json:
        document = {
            "cards": [each.name for each in made],
            "warnings": list(map(str, warned)),
            "differences": differing,
            "tests": [{"name": each.name, "failures": list(each.failures)} for each in outcomes],
        }
        say(json.dumps(document, ensure_ascii=False))
        raise typer.Exit(1 if failed else 0)
    out = lines()
    for text in differing:
        out.print(f"differs: {text}")
    for problem in warned:
        out.print(f"warning: {problem}", style="yellow")
    for each in failed:
        out.print(f"✗ {each.name}", style="red")
        for text in each.failures:
            out.print(f"    {text}")
    out.print(
        f"{counted(len(made), 'card')}, {counted(len(warned), 'warning')},"
        f" {len(outcomes) - len(failed)} tests passed, {len(failed)} failed"
    )
    raise typer.Exit(1 if failed else 0)


@member(
    app,
    "explain",
    "scorecard explain card.yaml agent-0007 --period 2026-11 --from 'day-*.jsonl'",
    "scorecard explain card.yaml agent-0007 --kafka --records 200 --json",
)
def explain(
    card: CardArgument,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="As events say it.")],
    period: PeriodOption = None,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    sums: SumsOption = None,
    people: PeopleOption = None,
    records: Annotated[
        int,
        typer.Option("--records", metavar="N", min=0, max=10_000, help="Of each figure, so many."),
    ] = 5,
    show_customers: Annotated[
        bool, typer.Option("--show-customers", help="Customers whole, not masked: personal data.")
    ] = False,
    language: LanguageOption = "en",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One person's pay: each line with its values, each figure down to its records in the log."""
    told = Told(config, files, kafka, sums, people, language)
    work = _work(told, [card], lambda made: periods_of(made[0], period), whose=person)
    made, (sheet,) = work.cards[0], work.sheets()
    mine = [each for each in sheet.statements if each.person == person]
    if not mine:
        known = ", ".join(each.person for each in sheet.statements[:5]) or "nobody"
        msg = f"{person} has no statement in {sheet.period.label}; there are {known} …"
        raise UsageError(msg)
    found = dict(_records(work, made, records, whole=show_customers))
    if as_json:
        document = {
            "period": sheet.period.label,
            "currency": sheet.currency,
            "statements": [statement_json(each) for each in mine],
            "records": {name: {"count": n, "shown": list(of)} for name, (n, of) in found.items()},
            "remarks": list(sheet.remarks),
        }
        say(json.dumps(document, ensure_ascii=False))
        return
    for each in mine:
        show_statement(made, sheet, each, found)
    for text in sheet.remarks:
        lines().print(f"note: {text}", style="yellow")


def _records(work: Work, card: Card, most: int, *, whole: bool) -> Iterator[tuple[str, Any]]:
    for name, made in card.formulas.items():
        if work.read is not None:
            yield name, shown_records(work.read, made, most=most, whole_customers=whole)


@member(
    app,
    "backtest",
    "scorecard backtest old.yaml new.yaml --periods 12 --from 'archive/*.jsonl' --html diff.html",
)
def backtest(
    old: OldArgument,
    new: NewArgument,
    period: PeriodOption = None,
    periods: CountOption = 12,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    sums: SumsOption = None,
    people: PeopleOption = None,
    html_file: Annotated[
        Path | None, _file_option("--html", "a page that needs nothing else")
    ] = None,
    language: LanguageOption = "en",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Old card against new on past periods: mean, largest and smallest difference.

    Per person and of everybody; periods with days of a promotion apart. Both cards are worked out
    on the same events, read once.
    """
    told = Told(config, files, kafka, sums, people, language)
    work = _work(told, [old, new], lambda made: periods_of(made[1], period, periods))
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
    _say_remarks(one)
    for problem in warned:
        lines().print(f"warning: {problem}", style="yellow")


@member(
    app,
    "forecast",
    "scorecard forecast card.yaml --periods 12 --from 'archive/*.jsonl' --budget 250000",
)
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
    work = _work(told, [card], lambda made: periods_of(made[0], period, periods))
    sheets = work.sheets()
    found = foretold(sheets, confidence=confidence, budget=budget)
    if as_json:
        say(json.dumps(found.to_json(), ensure_ascii=False))
        return
    show_forecast(found)
    _say_remarks(sheets)


@member(
    app,
    "parallel",
    "scorecard parallel old.yaml new.yaml --period 2026-11 --from 'day-*.jsonl'",
    "scorecard parallel old.yaml new.yaml --kafka --person agent-0007 --person agent-0009",
)
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
    work = _work(told, [old, new], lambda made: periods_of(made[1], period))
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
    _say_remarks([one])


def _chosen(card: Card, period: Period) -> tuple[str, ...]:
    spec = card.spec.parallel
    if spec is None:
        raise UsageError("who takes part? write parallel: in the new card, or give --person")
    if period.first > spec.until:
        msg = f"the parallel run ended on {spec.until}, before {period.label}"
        raise UsageError(msg)
    return spec.people


def _work(
    told: Told,
    paths: list[Path],
    periods: Callable[[tuple[Card, ...]], list[Period]],
    *,
    whose: str | None = None,
) -> Work:
    logs.configure(level="error")
    site, cards = cards_of(told.config, paths)
    return work_of(told, site, cards, periods(cards), whose=whose)


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


def _say_remarks(sheets: list[Sheet]) -> None:
    for text in dict.fromkeys(text for each in sheets for text in each.remarks):
        lines().print(f"note: {text}", style="yellow")


def _files(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Cards and files of tests; of a card that is named, those beside it."""
    cards: list[Path] = []
    tests: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        mine = [each for each in found if not each.name.endswith(cases.SUFFIX)]
        cards += mine
        if path.is_dir():
            tests += [each for each in found if each.name.endswith(cases.SUFFIX)]
        else:
            beside = path.with_name(f"{path.stem}{cases.SUFFIX}")
            tests += [beside] if beside.is_file() else []
    if not cards:
        raise ConfigError([Problem(paths[0], 0, 0, "there is no card", "a file *.yaml")])
    return cards, tests


def _write_bytes(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error
