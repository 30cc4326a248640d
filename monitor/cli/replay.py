"""``monitor replay``: recorded events through the same engine, nothing sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer
from rich.cells import cell_len

from monitor import logs
from monitor.cli.declare import single, some_duration
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, config_path
from monitor.cli.output import lines, span, stamp, stamp_of
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
from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.engine import AT_ONCE, Engine
from monitor.errors import UsageError
from monitor.events.ahead import ReadAhead
from monitor.logs import mask_customer
from monitor.replay import indicator_lines, replay_engine
from monitor.running.heap import keep_freed
from monitor.site import Site, load_site
from monitor.units import format_duration
from monitor.windows.watermark import NEVER


def replay(
    files: FilesOption = None,
    kafka: KafkaOption = False,
    since: SinceOption = None,
    until: UntilOption = None,
    rules: RulesOption = None,
    journal: JournalOption = None,
    indicators: Annotated[
        bool, typer.Option("--indicators", help="A line for each indicator, scope and window too.")
    ] = False,
    indicators_every: Annotated[
        int | None,
        typer.Option(
            "--indicators-every",
            metavar="DURATION",
            parser=some_duration,
            help="Those lines along the way, such as 1h: at multiples of it in UTC, from the first"
            " event on. A multiple of the tick.",
        ),
    ] = None,
    customers: Annotated[
        bool,
        typer.Option(
            "--customers", help="With --indicators: customers' telephone numbers in full."
        ),
    ] = False,
    output: Annotated[
        Literal["json", "table"] | None,
        typer.Option(
            "--format", help="JSON Lines, or lines for people; by default those on a terminal."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """What the rules decide on recorded events: the same engine, nothing is sent.

    Decisions go to standard output in the order of their times, what was read to standard error.
    """
    logs.configure(level="warning")
    check_span(files, since, until)
    site = load_site(config_path(config), packs=rules)
    _whole_ticks(site, indicators_every)
    keep_freed()
    clock = SystemClock()
    source = ReadAhead(recorded_source(site, files, kafka=kafka, until=until), clock)
    as_json = output == "json" or (output is None and not sys.stdout.isatty())
    printer = _json_printer if as_json else _table_printer()
    past = None if journal is None else journaled(site, journal, files)
    engine = replay_engine(
        site, source, printer, past=past, report_every_ms=indicators_every, at_once=AT_ONCE
    )
    reported = [NEVER]
    seen = set[str]()

    def report() -> None:
        reported[0] = engine.judged
        for line in indicator_lines(engine):
            seen.add(line["indicator"])
            printer(line if customers else _masked(line))

    if indicators_every is not None:
        every_ms = indicators_every
        engine.on_tick = lambda tick: None if tick % every_ms else report()
    source.decoder = lambda: engine.judges.decoder
    started_s = clock.monotonic_s()
    source.start({}, None if since is None else to_ms(since))
    try:
        run_with_bar(engine, source)
    finally:
        source.close()
    if indicators and engine.judged != reported[0]:
        report()
    _summary(engine, clock.monotonic_s() - started_s)
    if indicators or indicators_every is not None:
        _say_unseen(engine, seen)


def _json_printer(what: Decision | dict[str, Any]) -> None:
    print(json.dumps(what if isinstance(what, dict) else what.to_json(), ensure_ascii=False))


def _masked(line: dict[str, Any]) -> dict[str, Any]:
    """An indicator's line without the telephone number of a customer, as decisions are."""
    scope = line["scope"]
    if "customer" not in scope:
        return line
    return line | {"scope": scope | {"customer": mask_customer(scope["customer"])}}


def _table_printer() -> Callable[[Decision | dict[str, Any]], None]:
    out, now_ms = lines(stream=True), SystemClock().now_ms()

    def tell(what: Decision | dict[str, Any]) -> None:
        if isinstance(what, dict):
            value = what["value"]
            shown = "–" if value is None else f"{value:.4g}"
            scope = "(all others)" if "bucket" in what else ", ".join(what["scope"].values())
            out.print(
                f"{stamp_of(what['at'], now_ms=now_ms)}  {_padded(what['indicator'], 22)}"
                f" {_padded(scope, 16)} {what['window']:<4}"
                f" {shown:>8}  ({what['hits']:g}/{what['of']:g})"
            )
        else:
            out.print(f"{stamp(what.at_ms, now_ms=now_ms)} ", sentence(what))

    return tell


def _padded(text: str, columns: int) -> str:
    """``text`` and blanks up to so many columns of a terminal; Chinese takes two a character."""
    return text + " " * max(0, columns - cell_len(text))


def _say_unseen(engine: Engine, seen: set[str]) -> None:
    """Indicators without a line: nobody has to look for what is not there."""
    names = dict.fromkeys(view.indicator.id for view in engine.judges.indicators.views())
    without = [name for name in names if name not in seen]
    if without:
        lines(stderr=True).print(f"no data of: {', '.join(without)}")


def _summary(engine: Engine, took_s: float) -> None:
    stats = engine.stats
    accepted = sum(n for (_, outcome), n in stats.events.items() if outcome == "accepted")
    duplicates = sum(n for (_, outcome), n in stats.events.items() if outcome == "duplicate")
    text = f"{accepted:,} events, {duplicates:,} duplicates, {stats.late:,} late,"
    text += f" {stats.ticks:,} ticks in {span(took_s)}"
    if stats.rejects:
        text += "; refused: " + ", ".join(f"{n} {why}" for why, n in sorted(stats.rejects.items()))
    lines(stderr=True).print(text)


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
