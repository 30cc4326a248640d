"""``monitor scorecard …``: performance pay, worked out, explained, compared and foretold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.declare import group, member
from monitor.cli.options import ConfigOption, JsonOption
from monitor.cli.output import counted, lines, write
from monitor.cli.scorecard_compare import backtest, forecast, parallel
from monitor.cli.scorecard_options import (
    CardArgument,
    FilesOption,
    HtmlOption,
    KafkaOption,
    LanguageOption,
    PeopleOption,
    PeriodOption,
    SumsOption,
    Told,
    file_option,
)
from monitor.cli.scorecard_shown import show_sheet, show_statement
from monitor.cli.scorecard_sums import Work, cards_of, periods_of, worked
from monitor.cli.stream import say
from monitor.errors import ConfigError, Problem, UsageError
from monitor.scorecards import cases, changes
from monitor.scorecards.kept import Shelf
from monitor.scorecards.lint import lint
from monitor.scorecards.load import Card, load_card
from monitor.scorecards.report import statement_json
from monitor.tally import shown_records

app = group("Performance pay: run, check, explain, backtest, forecast, parallel.")


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
    csv_file: Annotated[Path | None, file_option("--csv", "a CSV table")] = None,
    xlsx_file: Annotated[
        Path | None, file_option("--xlsx", "an Excel workbook with its formulas")
    ] = None,
    html_file: HtmlOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the result for the console and the API.")
    ] = False,
    language: LanguageOption = "en",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a card pays for a period: a table, CSV, Excel, HTML, JSON."""
    told = Told(config, files, kafka, sums, people, language)
    work = worked(told, [card], lambda made: periods_of(made[0], period))
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
    work = worked(told, [card], lambda made: periods_of(made[0], period), whose=person)
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


member(
    app,
    "backtest",
    "scorecard backtest old.yaml new.yaml --periods 12 --from 'archive/*.jsonl' --html diff.html",
)(backtest)
member(
    app,
    "forecast",
    "scorecard forecast card.yaml --periods 12 --from 'archive/*.jsonl' --budget 250000",
)(forecast)
member(
    app,
    "parallel",
    "scorecard parallel old.yaml new.yaml --period 2026-11 --from 'day-*.jsonl'",
    "scorecard parallel old.yaml new.yaml --kafka --person agent-0007 --person agent-0009",
)(parallel)
