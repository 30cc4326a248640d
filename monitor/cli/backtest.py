"""``monitor backtest``: what a rule set would have done on recorded events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from monitor import logs
from monitor.backtest.labels import load_cases
from monitor.backtest.page import page_of
from monitor.backtest.run import Bench, Range
from monitor.backtest.text import show
from monitor.cli.declare import duration, single
from monitor.cli.options import ConfigOption, JsonOption, config_path
from monitor.cli.output import lines, span, write
from monitor.cli.progress import reading
from monitor.cli.recorded import (
    FilesOption,
    JournalOption,
    KafkaOption,
    RulesOption,
    journaled,
    recorded_source,
    to_ms,
)
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.errors import UsageError
from monitor.running.heap import keep_freed
from monitor.site import Site, load_site

SinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Count decisions from here on, as 2026-11-22T09:00; local unless it names a zone.",
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option("--until", metavar="TIME", help="Count decisions before this."),
]
WarmUpOption = Annotated[
    int | None,
    typer.Option(
        "--warm-up",
        metavar="DURATION",
        parser=duration,
        help="With --kafka and --since: read so much before it, to fill windows; by default as long"
        " as the longest one.",
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--zone", metavar="ZONE", help="Zone of days, such as Asia/Shanghai; else local."),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="Known cases (YAML, CSV, or the truth of `monitor simulate`): which are found, how"
        " soon.",
        exists=True,
        dir_okay=False,
    ),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write the report with charts, one file, too."),
]
LanguageOption = Annotated[
    Literal["en", "zh"],
    typer.Option("--language", help="Which language that file opens in; it has both."),
]


def backtest(
    files: FilesOption = None,
    kafka: KafkaOption = False,
    since: SinceOption = None,
    until: UntilOption = None,
    warm_up: WarmUpOption = None,
    rules: RulesOption = None,
    labels: LabelsOption = None,
    journal: JournalOption = None,
    html: HtmlOption = None,
    language: LanguageOption = "en",
    zone: ZoneOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a rule set would have done on recorded events: alerts, numbers out of service, pages.

    The engine of the daemon judges them, in one piece; nothing is sent or stored. Telephony is
    taken to do at once what it is told, unless the journal says what it did.
    """
    logs.configure(level="warning")
    check_range(since, until)
    place = zone_of(zone)
    cases = () if labels is None else load_cases(labels, place)
    site = load_site(config_path(config), packs=rules)
    keep_freed()
    clock = SystemClock()
    counted = Range(
        None if since is None else to_ms(since), None if until is None else to_ms(until)
    )
    bench = Bench(
        site,
        recorded_source(site, files, kafka=kafka, until=until),
        clock,
        counted=counted,
        past=None if journal is None else journaled(site, journal, files),
    )
    try:
        with reading("back-testing", bench.source, clock) as tell:
            bench.start(reads_from(bench, warm_up))
            while bench.step():
                tell(bench.engine.judged, bench.records)
    finally:
        bench.close()
    report = bench.report(named(site, rules), cases=cases, zone=place)
    if html is not None:
        write(html, page_of(report, language=language, zone=place, now_ms=clock.now_ms()))
    if as_json:
        say(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        show(report, lines(), place)
    read = report.read
    rate = read.events / max(read.seconds, 1e-3)
    refused = sum(read.refused.values())
    lines(stderr=True).print(
        f"{read.events:,} events, {read.duplicates:,} duplicates, {read.late:,} late,"
        f" {refused:,} refused in {span(read.seconds)}: {rate:,.0f} events/s"
    )


def check_range(since: datetime | None, until: datetime | None) -> None:
    """Whether ``--since`` and ``--until`` go together.

    Raises:
        UsageError: they do not.
    """
    if since is not None and until is not None and to_ms(until) <= to_ms(since):
        raise UsageError("--until is not after --since: nothing lies between them")


def zone_of(name: str | None) -> tzinfo | None:
    """The zone of that name; None: local.

    Raises:
        UsageError: there is none.
    """
    if name is None:
        return None
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"--zone {name}: there is no such zone; write one such as Asia/Shanghai"
        raise UsageError(msg) from error


def reads_from(bench: Bench, warm_up_ms: int | None) -> int | None:
    """The broker time to begin reading at, so that windows are full when counting begins."""
    since_ms = bench.counted.since_ms
    if since_ms is None:
        return None
    if warm_up_ms is None:
        warm_up_ms = bench.engine.judges.indicators.horizon_ms + bench.site.config.time.lateness
    return max(0, since_ms - warm_up_ms)


def named(site: Site, rules: list[Path] | None) -> str:
    """What a report calls the rule set."""
    if rules:
        return ", ".join(map(str, rules))
    return ", ".join(site.config.packs)


app = single(
    "backtest",
    backtest,
    "backtest --from 'day-*.jsonl' --html report.html",
    "backtest --kafka --since 2026-11-16 --until 2026-11-23 --rules rules/mine",
    "backtest --from events.jsonl --labels events.truth.json --json | jq .total",
)
