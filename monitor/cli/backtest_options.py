"""What ``monitor backtest`` and ``monitor diff`` are told alike, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from monitor.backtest.run import Bench, Range
from monitor.cli.declare import duration
from monitor.cli.recorded import check_order, to_ms
from monitor.errors import UsageError

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
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write the report with charts, one file, too."),
]
LanguageOption = Annotated[
    Literal["en", "zh"],
    typer.Option("--language", help="Which language that file opens in; it has both."),
]


def range_of(since: datetime | None, until: datetime | None) -> Range:
    """The time in which decisions count.

    Raises:
        UsageError: it is none.
    """
    check_order(since, until)
    return Range(None if since is None else to_ms(since), None if until is None else to_ms(until))


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
