"""``monitor backtest``: what a rule set would have done on recorded events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor import logs
from monitor.backtest.labels import load_cases
from monitor.backtest.page import page_of
from monitor.backtest.run import Bench
from monitor.backtest.text import show
from monitor.cli.backtest_options import (
    HtmlOption,
    LanguageOption,
    SinceOption,
    UntilOption,
    WarmUpOption,
    ZoneOption,
    range_of,
    reads_from,
    zone_of,
)
from monitor.cli.declare import single
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
)
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.running.heap import settle
from monitor.site import Site, load_site

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
    counted = range_of(since, until)
    place = zone_of(zone)
    cases = () if labels is None else load_cases(labels, place)
    site = load_site(config_path(config), packs=rules)
    settle()
    clock = SystemClock()
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
