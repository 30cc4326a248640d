"""A report on a terminal.

Owns the tables; sentences are ``words``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.backtest.report import NUMBERS_SHOWN, DayLine, Report
from monitor.backtest.words import (
    count,
    headline,
    hours,
    moment,
    no_people,
    nobody_acknowledges,
    span_words,
)

_BAR = 24
_CASES_SHOWN = 30
_DAYS_SHOWN = 62


def show(report: Report, out: Console, zone: tzinfo | None) -> None:
    """Print all of it: the sentences, then the tables that have rows."""
    out.print(
        f"{moment(report.from_ms, zone)} to {moment(report.to_ms, zone)} ({report.zone}),"
        f" {report.read.rules}",
        style="dim",
    )
    for sentence in headline(report):
        out.print(sentence.en, style="bold")
    for part in _parts(report, zone):
        out.print()
        out.print(part)


def _parts(report: Report, zone: tzinfo | None) -> Iterator[RenderableType]:
    quiet = [line.rule for line in report.rules if not line.did_something]
    if len(quiet) < len(report.rules):
        yield _rules(report)
    if quiet:
        yield Text(f"Stayed quiet: {', '.join(quiet)}", style="dim")
    if len(report.days) > 1:
        yield _days(report)
    if report.routes:
        yield _routes(report)
        yield _people(report)
    if report.numbers:
        yield _numbers(report)
    if report.cases:
        yield _cases(report, zone)


def table_of(title: str, *columns: str, left: int = 1) -> Table:
    """A table whose first ``left`` columns are words and whose others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        if index < left:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)
    return table


def _rules(report: Report) -> Table:
    cases = bool(report.cases)
    heads = ["rule", "alerts", "crit", "scopes", "on h", "pages", "out", "out h", "refused"]
    table = table_of("Rules", *heads, *(["found", "no case"] if cases else []))
    table.columns[0].min_width = 16
    for line in report.rules:
        if not line.did_something:
            continue
        cells = [
            f"{line.rule} (shadow)" if line.shadow else line.rule,
            *map(_plain, (line.alerts, line.critical, line.scopes)),
            _hours(line.firing_h),
            *map(_plain, (line.pages, line.suspensions)),
            _hours(line.out_h),
            _plain(line.refused),
        ]
        if cases:
            cells += [_plain(line.found), _plain(line.unexplained or 0)]
        table.add_row(*cells, style="dim" if line.shadow else "")
    return table


def _days(report: Report) -> Table:
    table = table_of("Days", "day", "", "alerts", "crit", "pages", "out", "out h", left=2)
    most = max(1, *(day.warn + day.crit for day in report.days))
    for day in report.days[-_DAYS_SHOWN:]:
        table.add_row(
            day.day if day.whole else f"{day.day} (part)",
            _bar(day, most),
            *map(_plain, (day.warn + day.crit, day.crit, day.pages, day.suspensions)),
            _hours(day.out_h),
        )
    return table


def _bar(day: DayLine, most: int) -> Text:
    crit = round(day.crit * _BAR / most)
    whole = max(round((day.warn + day.crit) * _BAR / most), 1 if day.warn + day.crit else 0)
    return Text.assemble(("█" * crit, "red"), ("█" * (whole - crit), "yellow"))


def _routes(report: Report) -> RenderableType:
    shown: list[RenderableType] = []
    for what, lines in (("Pages by route", report.routes), ("By receiver", report.receivers)):
        table = table_of(what, "name", "pages", "a day", "busiest day", "of it", "most in 15 min")
        for line in lines:
            table.add_row(
                line.name,
                f"{line.pages:,}",
                count(round(line.a_day, 1)),
                line.busiest_day,
                f"{line.busiest_pages:,}",
                f"{line.quarter_most:,}",
            )
        shown.append(table)
    return Group(*shown)


def _people(report: Report) -> RenderableType:
    if report.people is None:
        return Text(no_people().en, style="dim")
    table = table_of(
        "By person", "name", "in all", "a day", "busiest day", "of it", "in 15 min",
        "again", "escalated", "digests",
    )  # fmt: skip
    table.columns[0].min_width = 6
    for line in report.people:
        table.add_row(
            line.name,
            f"{line.pages:,}",
            count(round(line.a_day, 1)),
            line.busiest_day or "·",
            *map(_plain, (line.busiest_pages, line.quarter_most, line.repeats)),
            *map(_plain, (line.escalations, line.digests)),
        )
    table.caption, table.caption_justify = nobody_acknowledges().en, "left"
    return table


def _numbers(report: Report) -> Table:
    table = table_of("Numbers out of service", "number", "rules", "times", "out h", left=2)
    for line in report.numbers[:NUMBERS_SHOWN]:
        table.add_row(line.number, ", ".join(line.rules), f"{line.times}", hours(line.out_h))
    more = len(report.numbers) - NUMBERS_SHOWN
    if more > 0:
        table.caption = f"and {more:,} more (--json has all)"
    return table


def _cases(report: Report, zone: tzinfo | None) -> Table:
    table = table_of(
        "Known cases", "scope", "outcome", "rule", "from", "found after", "out after", left=3
    )
    for case in report.cases[:_CASES_SHOWN]:
        style = {"found": "green", "standing": "yellow", "missed": "red"}[case.outcome]
        table.add_row(
            ", ".join(f"{name} {value}" for name, value in case.scope),
            Text(case.outcome, style=style),
            case.rule or "–",
            moment(case.from_ms, zone),
            span_words(case.after_ms).en,
            span_words(case.suspended_after_ms).en,
        )
    more = len(report.cases) - _CASES_SHOWN
    if more > 0:
        table.caption = f"and {more:,} more (--json has all)"
    return table


def _plain(value: int) -> str:
    return f"{value:,}" if value else "·"


def _hours(value: float) -> str:
    return hours(value) if value else "·"
