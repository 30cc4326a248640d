"""``monitor replay``: recorded events through the same engine, nothing sent."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from monitor import logs
from monitor.cli.declare import single, some_duration
from monitor.cli.options import ConfigOption, config_path
from monitor.cli.progress import run_with_bar
from monitor.cli.recorded import (
    FilesOption,
    JournalOption,
    KafkaOption,
    RulesOption,
    SinceOption,
    UntilOption,
    check_span,
    journaled,
    recorded_source,
    to_ms,
)
from monitor.cli.replay_shown import Figures, json_printer, say_summary, table_printer
from monitor.clock import SystemClock
from monitor.engine import AT_ONCE
from monitor.errors import UsageError
from monitor.events.ahead import ReadAhead
from monitor.replay import replay_engine
from monitor.running.heap import settle
from monitor.site import Site, load_site
from monitor.units import format_duration

IndicatorsOption = Annotated[
    bool, typer.Option("--indicators", help="A line for each indicator, scope and window too.")
]
EveryOption = Annotated[
    int | None,
    typer.Option(
        "--indicators-every",
        metavar="DURATION",
        parser=some_duration,
        help="Those lines along the way, such as 1h: at multiples of it in UTC, from the first"
        " event on. A multiple of the tick.",
    ),
]
CustomersOption = Annotated[
    bool,
    typer.Option("--customers", help="With --indicators: customers' telephone numbers in full."),
]
FormatOption = Annotated[
    Literal["json", "table"] | None,
    typer.Option(
        "--format", help="JSON Lines, or lines for people; by default those on a terminal."
    ),
]


def replay(
    files: FilesOption = None,
    kafka: KafkaOption = False,
    since: SinceOption = None,
    until: UntilOption = None,
    rules: RulesOption = None,
    journal: JournalOption = None,
    indicators: IndicatorsOption = False,
    indicators_every: EveryOption = None,
    customers: CustomersOption = False,
    output: FormatOption = None,
    config: ConfigOption = None,
) -> None:
    """What the rules decide on recorded events: the same engine, nothing is sent.

    Decisions go to standard output in the order of their times, what was read to standard error.
    """
    logs.configure(level="warning")
    check_span(files, since, until)
    site = load_site(config_path(config), packs=rules)
    _whole_ticks(site, indicators_every)
    settle()
    clock = SystemClock()
    source = ReadAhead(recorded_source(site, files, kafka=kafka, until=until), clock)
    as_json = output == "json" or (output is None and not sys.stdout.isatty())
    tell = json_printer if as_json else table_printer()
    past = None if journal is None else journaled(site, journal, files)
    told = indicators or indicators_every is not None
    engine = replay_engine(
        site,
        source,
        tell,
        past=past,
        report_every_ms=indicators_every,
        at_once=AT_ONCE,
        decisions_only=not told,
    )
    figures = Figures(engine, tell, every_ms=indicators_every, whole_customers=customers)
    source.decoder = lambda: engine.judges.decoder
    started_s = clock.monotonic_s()
    source.start({}, None if since is None else to_ms(since))
    try:
        run_with_bar(engine, source)
    finally:
        source.close()
    if indicators:
        figures.tell_last()
    say_summary(engine, clock.monotonic_s() - started_s)
    if told:
        figures.say_unseen()


def _whole_ticks(site: Site, every_ms: int | None) -> None:
    tick_ms = site.config.time.tick
    if every_ms is not None and every_ms % tick_ms:
        near_ms = max(1, round(every_ms / tick_ms)) * tick_ms
        msg = (
            f"--indicators-every {format_duration(every_ms)} is not a multiple of the tick,"
            f" {format_duration(tick_ms)}: {format_duration(near_ms)} is"
        )
        raise UsageError(msg)


app = single(
    "replay",
    replay,
    "replay --from events.jsonl",
    "replay --from 'day-*.jsonl' --indicators-every 1h --format json",
    "replay --from events.jsonl --rules rules/telemarketing",
    "replay --kafka --since 2026-11-21T09:00 --until 2026-11-21T18:00",
)
