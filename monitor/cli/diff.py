"""``monitor diff A B``: two rule sets on the same recorded events."""

from __future__ import annotations

import json
from datetime import tzinfo
from pathlib import Path
from typing import Annotated

import typer

from monitor import logs
from monitor.backtest.compare import Comparison, compare
from monitor.backtest.compared_page import compared_page
from monitor.backtest.compared_words import show
from monitor.backtest.run import Bench
from monitor.backtest.tee import Tee
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
from monitor.cli.output import lines, write
from monitor.cli.progress import Tell, reading
from monitor.cli.recorded import FilesOption, KafkaOption, recorded_source
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.errors import UsageError
from monitor.running.heap import settle
from monitor.site import Site, load_site

_Set = Annotated[
    Path,
    typer.Argument(
        help="Folder of a pack, or of several, or a configuration file of its own.", exists=True
    ),
]


def diff(
    a: _Set,
    b: _Set,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    since: SinceOption = None,
    until: UntilOption = None,
    warm_up: WarmUpOption = None,
    html: HtmlOption = None,
    language: LanguageOption = "en",
    zone: ZoneOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Two rule sets side by side on the same events: what fires only in one, earlier, longer.

    Both are judged in one reading. Status 0: they decide the same, 1: they do not.
    """
    logs.configure(level="warning")
    counted = range_of(since, until)
    place = zone_of(zone)
    sites = [_site(each, config) for each in (a, b)]
    settle()
    clock = SystemClock()
    source = recorded_source(sites[0], files, kafka=kafka, until=until)
    one, other = [
        Bench(site, side, clock, counted=counted)
        for site, side in zip(sites, Tee(source).sides, strict=True)
    ]
    try:
        with reading("comparing", one.source, clock) as tell:
            _run(one, other, warm_up, tell)
    finally:
        one.close()
        other.close()
    found = _compared(one, other, (a, b), place)
    if html is not None:
        write(html, compared_page(found, language=language, zone=place, now_ms=clock.now_ms()))
    if as_json:
        say(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        show(found, lines(), place)
    raise typer.Exit(0 if found.same else 1)


def _run(one: Bench, other: Bench, warm_up_ms: int | None, tell: Tell) -> None:
    """Step by step in turn, so that neither waits long for the other."""
    starts = [reads_from(each, warm_up_ms) for each in (one, other)]
    begin = min((each for each in starts if each is not None), default=None)
    one.start(begin)
    other.start(begin)
    going = [True, True]
    while any(going):
        going = [still and each.step() for still, each in zip(going, (one, other), strict=True)]
        tell(one.engine.judged, one.records)


def _compared(
    one: Bench, other: Bench, named: tuple[Path, Path], zone: tzinfo | None
) -> Comparison:
    spans = [each.span() for each in (one, other)]
    # Ticks of another length begin and end elsewhere.
    span = min(each[0] for each in spans), max(each[1] for each in spans)
    reports = [
        each.report(str(name), zone=zone, span=span)
        for each, name in zip((one, other), named, strict=True)
    ]
    return compare(*reports)


def _site(path: Path, config: Path | None) -> Site:
    """A rule set: packs over the configuration, or a configuration with its own.

    Raises:
        UsageError: the folder holds no pack.
        ConfigError: something in it is wrong.
    """
    if path.is_file():
        return load_site(path)
    packs = [path] if (path / "indicators.yaml").is_file() else []
    packs = packs or sorted(each.parent for each in path.glob("*/indicators.yaml"))
    if not packs:
        msg = f"{path}: no pack is in this folder: indicators.yaml is missing"
        raise UsageError(msg)
    return load_site(config_path(config), packs=packs)


app = single(
    "diff",
    diff,
    "diff rules/old rules/new --from 'day-*.jsonl'",
    "diff config.yaml new.yaml --kafka --since 2026-11-16 --html diff.html",
    "diff rules/old rules/new --from week.jsonl --json | jq .alerts.only_b",
)
