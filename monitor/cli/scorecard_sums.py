"""Where a scorecard's figures come from: the sums that a command's options mean.

Events come by replay, sums of people's own from a file; of both, the file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor import logs, tally
from monitor.archive.source import archive_of
from monitor.cli.options import site_of
from monitor.cli.recorded import recorded_source
from monitor.cli.scorecard_options import Language, Told
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
