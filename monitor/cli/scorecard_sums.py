"""Where a scorecard's figures come from, as commands are told: options, and the sums they give.

Owns the options that all of them share. Events come by replay, sums of people's own from a file;
of both, the file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor import logs, tally
from monitor.archive.source import archive_of
from monitor.cli.options import site_of
from monitor.cli.recorded import recorded_source
from monitor.clock import SystemClock
from monitor.errors import ConfigError, Problem, UsageError
from monitor.scorecards.evaluate import evaluate
from monitor.scorecards.figures import Sums, laid_over
from monitor.scorecards.files import load_sums
from monitor.scorecards.load import Card, load_card
from monitor.scorecards.people import People, load_people
from monitor.scorecards.periods import Period, before, bounds, last_periods, parse_period, period_of
from monitor.scorecards.report import Sheet
from monitor.site import Site
from monitor.source.base import Source

Language = Literal["en", "zh"]

CardArgument = Annotated[
    Path,
    typer.Argument(metavar="CARD", help="The card's file.", exists=True, dir_okay=False),
]
PeriodOption = Annotated[
    str | None,
    typer.Option(
        "--period",
        metavar="PERIOD",
        help="2026-11, 2026-W48, 2026-11-30 or 2026-11-16..2026-12-15; by default the last one of"
        " the card's kind that is over.",
    ),
]
FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="F.jsonl",
        help="Recorded events; repeat for several. A folder is an"
        " archive that the daemon has kept.",
    ),
]
KafkaOption = Annotated[
    bool,
    typer.Option("--kafka", help="Read the configured topics instead, for the time asked for."),
]
SumsOption = Annotated[
    Path | None,
    typer.Option(
        "--sums",
        metavar="FILE",
        help="CSV or JSON of figures told by hand; they go before those of events.",
        exists=True,
        dir_okay=False,
    ),
]
PeopleOption = Annotated[
    Path | None,
    typer.Option(
        "--people",
        metavar="CSV",
        help="Table of people: person, name, team, role, stage, joined, from, to.",
        exists=True,
        dir_okay=False,
    ),
]
LanguageOption = Annotated[
    Language, typer.Option("--language", help="Of titles, where the card has both.")
]
CountOption = Annotated[
    int,
    typer.Option("--periods", metavar="N", min=1, max=120, help="So many, up to --period."),
]


def file_option(flag: str, what: str) -> Any:
    """An option for a file that is written."""
    return typer.Option(flag, metavar="FILE", help=f"Write {what} here too.", dir_okay=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a command was told of where figures come from."""

    config: Path | None
    files: list[str] | None
    kafka: bool
    sums: Path | None
    people: Path | None
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class Work:
    """Cards on the same sums."""

    site: Site
    cards: tuple[Card, ...]
    people: People
    language: Language
    read: tally.Read | None
    """None: nothing was read from a log."""
    sums: tuple[tuple[Sums, ...], ...]
    """For each card, its periods in their order."""

    def sheets(self, card: int = 0) -> list[Sheet]:
        """What a card pays, period by period."""
        made = self.cards[card]
        return [
            evaluate(made, sums, self.people, language=self.language) for sums in self.sums[card]
        ]


def cards_of(config: Path | None, paths: Sequence[Path]) -> tuple[Site, tuple[Card, ...]]:
    """The site, and cards that may name its indicators; the faults of all cards together.

    Raises:
        ConfigError: with every problem found.
    """
    site = site_of(config)
    cards: list[Card] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            cards.append(load_card(path, site.indicators))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return site, tuple(cards)


def periods_of(card: Card, text: str | None, count: int = 1) -> list[Period]:
    """The periods asked for, the oldest first.

    Raises:
        UsageError: the text names none.
    """
    spec = card.spec
    if text is not None:
        newest = parse_period(text, spec.zone, month_begins=spec.month_begins)
    else:
        now = datetime.fromtimestamp(SystemClock().now_ms() / 1000, tz=UTC)
        today = now.astimezone(ZoneInfo(spec.zone)).date()
        current = period_of(today, spec.period, spec.zone, month_begins=spec.month_begins)
        newest = before(current, month_begins=spec.month_begins)
    return last_periods(newest, count, month_begins=spec.month_begins)


def work_of(
    told: Told,
    site: Site,
    cards: Sequence[Card],
    periods: Sequence[Period],
    *,
    whose: str | None = None,
) -> Work:
    """Read what there is to read, once for all cards.

    Raises:
        UsageError: nothing says where figures come from.
        ConfigError: a table is wrong.
        SourceError: the log cannot be read.
    """
    if not told.files and not told.kafka and told.sums is None:
        raise UsageError("give --from FILE (one or several), --kafka, or --sums FILE")
    people = People() if told.people is None else load_people(told.people)
    found: list[list[Sums]] = [[Sums(period) for period in periods] for _ in cards]
    read = None
    if told.files or told.kafka:
        end_ms = bounds(periods)[1] + site.config.time.lateness
        until = datetime.fromtimestamp(end_ms / 1000, tz=UTC) + timedelta(minutes=1)
        is_file = not told.kafka and archive_of(told.files) is None
        source = recorded_source(
            site, told.files, kafka=told.kafka, until=None if is_file else until
        )
        with _bar() as work:
            read = tally.read(site, source, cards, periods, whose=whose, work=work)
        found = [list(each) for each in read.sums]
    if told.sums is not None:
        for place, card in enumerate(cards):
            by_hand = load_sums(told.sums, card, periods)
            pairs = zip(found[place], by_hand, strict=True)
            found[place] = [laid_over(below, above) for below, above in pairs]
    return Work(
        site, tuple(cards), people, told.language, read, tuple(tuple(each) for each in found)
    )


@contextmanager
def _bar() -> Iterator[Any]:
    """How an engine is run to its end: with a bar on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("reading"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def work(engine: Any, source: Source) -> None:
            def tell(_read: int) -> None:
                standings = source.standings().values()
                progress.update(
                    task,
                    total=sum(standing.end for standing in standings),
                    completed=sum(standing.position for standing in standings),
                )

            engine.run_to_end(tell)

        yield work


def worked(
    told: Told,
    paths: list[Path],
    periods: Callable[[tuple[Card, ...]], list[Period]],
    *,
    whose: str | None = None,
) -> Work:
    """Cards and figures of one command, whose periods are asked of its cards.

    Raises:
        UsageError: nothing says where figures come from, or they are too many.
        ConfigError: a card or a table is wrong.
        SourceError: the log cannot be read.
    """
    logs.configure(level="error")
    site, cards = cards_of(told.config, paths)
    return work_of(told, site, cards, periods(cards), whose=whose)
