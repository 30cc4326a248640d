"""``monitor replay``: recorded events through the same engine, nothing sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor import logs
from monitor.assembly import open_source
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, config_path
from monitor.clock import SystemClock
from monitor.decisions import Decision, iso
from monitor.engine import Engine
from monitor.errors import UsageError
from monitor.recorder import (
    journaled_end,
    journaled_floors,
    journaled_inputs,
    journaled_refusals,
)
from monitor.replay import Past, indicator_lines, replay_engine
from monitor.site import Site, load_site
from monitor.source.base import Source
from monitor.source.bounded import BoundedSource
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings, KafkaSettings
from monitor.store.store import Store
from monitor.units import parse_duration
from monitor.windows.watermark import NEVER


def replay(
    files: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="F.jsonl", help="Recorded events; repeat for several."),
    ] = None,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Read the configured topics instead.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option("--since", help="With --kafka: broker time to begin at.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", help="With --kafka: broker time to end before.")
    ] = None,
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            "--rules",
            help="Pack folder instead of the configured ones.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            help="Store of a live run: its journal is replayed too.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    indicators: Annotated[
        bool, typer.Option("--indicators", help="A line for each indicator, scope and window too.")
    ] = False,
    indicators_every: Annotated[
        str | None,
        typer.Option(
            "--indicators-every", metavar="DURATION", help="Those lines along the way, such as 1h."
        ),
    ] = None,
    output: Annotated[
        Literal["json", "table"] | None,
        typer.Option("--format", help="JSON Lines, or a table; by default a table on a terminal."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """What the rules decide on recorded events: the same engine, nothing is sent."""
    logs.configure(level="warning")
    site = load_site(config_path(config), packs=rules)
    if files and (since is not None or until is not None):
        raise UsageError("--since and --until are for --kafka: lines of a file have no broker time")
    source = _source(site, files, kafka=kafka, until=until)
    every_ms = None if indicators_every is None else _period(indicators_every)
    as_json = output == "json" or (output is None and not sys.stdout.isatty())
    printer = _json_printer if as_json else _table_printer()
    past = None if journal is None else _past(site, journal)
    engine = replay_engine(site, source, printer, past=past, on_tick=None)
    if every_ms is not None:
        engine.on_tick = _along(engine, every_ms, printer)
    source.start({}, None if since is None else _ms(since))
    try:
        _work(engine, source)
    finally:
        source.close()
    if indicators and engine.judged != NEVER:
        for line in indicator_lines(engine):
            printer(line)
    _summary(engine)


def _source(site: Site, files: list[str] | None, *, kafka: bool, until: datetime | None) -> Source:
    if kafka == bool(files):
        raise UsageError("give --from FILE (one or several), or --kafka")
    if files:
        return FileSource(FilesSettings(kind="files", paths=tuple(files)), SystemClock())
    if not isinstance(site.config.source, KafkaSettings):
        raise UsageError("--kafka: the configuration's source is not Kafka")
    inner = open_source(site.config, SystemClock())
    return BoundedSource(inner, None if until is None else _ms(until))


def _past(site: Site, path: Path) -> Past:
    tick_ms = site.config.time.tick
    settings = site.config.store.model_copy(update={"path": path})
    with Store.open(settings, SystemClock(), daemon=False) as store:
        entries = store.journal.read()
        judged_to = store.journal.judged_to_ms()
        floors = store.journal.floors()
    if judged_to is None:
        msg = f"{path} has judged nothing yet"
        raise UsageError(msg)
    return Past(
        inputs=tuple(journaled_inputs(entries, tick_ms=tick_ms)),
        floors=tuple(journaled_floors(floors)),
        refused=tuple(journaled_refusals(entries)),
        judged_to=journaled_end(judged_to, tick_ms=tick_ms),
    )


def _work(engine: Engine, source: Source) -> None:
    """Run to the end, with a bar on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        engine.run_to_end()
        return
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[at]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=None, at="")

        def tell(_read: int) -> None:
            standings = source.standings().values()
            at = "" if engine.judged == NEVER else iso(engine.judged)
            progress.update(
                task,
                total=sum(standing.end for standing in standings),
                completed=sum(standing.position for standing in standings),
                at=at,
            )

        engine.run_to_end(tell)


def _along(engine: Engine, every_ms: int, printer: Callable[[Any], None]) -> Callable[[int], None]:
    """After each judged tick: the figures, once in every stretch of ``every_ms``."""
    last = [NEVER]

    def tell(tick: int) -> None:
        stretch = tick // every_ms
        if last[0] not in (NEVER, stretch):
            for line in indicator_lines(engine):
                printer(line)
        last[0] = stretch

    return tell


def _json_printer(what: Decision | dict[str, Any]) -> None:
    print(json.dumps(what if isinstance(what, dict) else what.to_json(), ensure_ascii=False))


def _table_printer() -> Callable[[Decision | dict[str, Any]], None]:
    console = Console(highlight=False, soft_wrap=True)

    def tell(what: Decision | dict[str, Any]) -> None:
        if isinstance(what, dict):
            scope = ", ".join(what["scope"].values())
            value = what["value"]
            shown = "–" if value is None else f"{value:.4g}"
            console.print(
                f"{what['at']}  {what['indicator']:<24} {scope:<32} {what['window']:<6}"
                f" {shown:>10}  ({what['hits']:g}/{what['of']:g})",
                markup=False,
                emoji=False,
            )
        else:
            console.print(f"{iso(what.at_ms)} ", sentence(what))

    return tell


def _summary(engine: Engine) -> None:
    stats = engine.stats
    accepted = sum(n for (_, outcome), n in stats.events.items() if outcome == "accepted")
    duplicates = sum(n for (_, outcome), n in stats.events.items() if outcome == "duplicate")
    text = f"{accepted:,} events, {duplicates:,} duplicates, {stats.late:,} late,"
    text += f" {stats.ticks:,} ticks"
    if stats.rejects:
        text += "; refused: " + ", ".join(f"{n} {why}" for why, n in sorted(stats.rejects.items()))
    Console(stderr=True, highlight=False).print(text)


def _period(text: str) -> int:
    try:
        period_ms = parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not period_ms:
        raise UsageError("--indicators-every: 0s would never end")
    return period_ms


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
