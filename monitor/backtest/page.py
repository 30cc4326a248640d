"""A report as one HTML file: charts, tables, both languages, light, dark and on paper.

Owns what the page shows and in which order; the frame is ``page.html.j2``, drawings are ``charts``.
The file needs nothing beside it and runs no script.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitor.backtest import charts
from monitor.backtest.charts import Bucket, Row, both
from monitor.backtest.labels import Verdict
from monitor.backtest.report import (
    EPISODES_SHOWN,
    HOUR_MS,
    NUMBERS_SHOWN,
    Report,
    local_day,
    steps,
)
from monitor.backtest.tally import QUARTER_MS, Episode
from monitor.backtest.words import (
    Two,
    count,
    headline,
    hours,
    moment,
    no_people,
    nobody_acknowledges,
    span_words,
    title_of,
)

Language = Literal["en", "zh"]
_CASES_SHOWN = 40
_BY_HOUR_MS = 49 * HOUR_MS
_BY_WEEK_DAYS = 70
_POINTS_MAX = 2_000
_STEPS_H = (1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 1344)
_WITHIN = tuple(minutes * 60_000 for minutes in (1, 5, 15, 30, 60, 240))
"""Bounds of the times to find a case that are counted together, in ms."""


@cache
def environment() -> Environment:
    """Templates beside this file; everything that is put in is escaped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"t": lambda en, zh: both(Two(en, zh)), "both": both}
    made.filters |= {"hours": hours, "count": count}
    return made


def page_of(report: Report, *, language: Language, zone: tzinfo | None, now_ms: int) -> str:
    """The whole file."""
    pages_a_day = report.pages / report.span_days
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            language=language,
            report=report,
            made=moment(now_ms, zone),
            between=(moment(report.from_ms, zone), moment(report.to_ms, zone)),
            long=span_words(report.to_ms - report.from_ms),
            headline=headline(report),
            no_people=no_people,
            nobody_acknowledges=nobody_acknowledges,
            tiles=_tiles(report, pages_a_day),
            charts=_charts(report, zone),
            numbers=report.numbers[:NUMBERS_SHOWN],
            cases=[_case(each, zone) for each in _cases(report)],
            episodes=[_episode(report, each, zone) for each in _worst(report)],
            title_of=title_of,
            most=max((line.alerts for line in report.rules), default=0),
            quiet=[line for line in report.rules if not line.did_something],
            loud=[line for line in report.rules if line.did_something],
        )
    )


def _tiles(report: Report, pages_a_day: float) -> list[tuple[Two, str, Two]]:
    """What stands large at the top: what, how much, of what."""
    days = report.span_days
    share = report.out_share
    found = [
        (
            Two("alerts", "告警"),
            f"{report.alerts:,}",
            _a_day(report, report.alerts / days, "次"),
        ),
        (
            Two("messages to people", "发给人的通知"),
            f"{report.pages:,}",
            _a_day(report, pages_a_day, "条"),
        ),
        (
            Two("number-hours lost", "停用号码小时"),
            hours(report.out_h),
            Two("of capacity: –", "占外呼能力:–")
            if share is None
            else Two(f"{share:.2%} of dialling capacity", f"占外呼能力 {share:.2%}"),
        ),
        (
            Two("times a number rested", "停用次数"),
            f"{report.suspensions:,}",
            Two(
                f"{len(report.numbers):,} numbers, {report.out_at_once:,} at once at most",
                f"{len(report.numbers):,} 个号码，同时最多 {report.out_at_once:,} 个",
            ),
        ),
    ]
    if report.cases:
        half = span_words(report.median_after_ms)
        found.append(
            (
                Two("known cases found", "发现的已知问题"),
                f"{len(report.found)}/{len(report.cases)}",
                Two(f"half within {half.en}", f"一半在 {half.zh}内"),
            )
        )
    return found


def _a_day(report: Report, value: float, unit: str) -> Two:
    if report.span_days == 1:
        long = span_words(report.to_ms - report.from_ms)
        return Two(f"in {long.en}", f"{long.zh}内")
    shown = count(round(value, 1))
    return Two(f"{shown} a day", f"每天 {shown} {unit}")


def _charts(report: Report, zone: tzinfo | None) -> dict[str, Markup]:
    buckets = _buckets(report, zone)
    drawn = {"alerts": buckets[0], "pages": buckets[1]}
    if report.pages and report.span_days >= 2:
        drawn["week"] = charts.week(
            report.pages_by_hour, Two("messages by weekday and hour", "按星期和小时的通知")
        )
    if report.suspensions:
        drawn["out"] = _out(report, zone)
    if report.cases:
        drawn["cases"] = _detection(report)
    return drawn


def _buckets(report: Report, zone: tzinfo | None) -> tuple[Markup, Markup]:
    """Alerts and pages over time: by hour, day or week, by how long the range is."""
    key, keys, label = _grain(report, zone)
    warn, crit, pages = Counter[Any](), Counter[Any](), Counter[Any]()
    for each in report.episodes:
        if not each.shadow and each.from_ms >= report.from_ms:
            (crit if each.level == "crit" else warn)[key(each.from_ms)] += 1
    if len(report.days) > 2:
        for day in report.days:
            pages[key(_noon(day.day, zone))] += day.pages
    else:
        for quarter, number in report.pages_by_quarter.items():
            pages[key(quarter * QUARTER_MS)] += number
    alerts = [
        Bucket(
            label(at),
            Two(
                f"{label(at)}: {crit[at]:,} critical, {warn[at]:,} warnings",
                f"{label(at)}：严重 {crit[at]:,}，警告 {warn[at]:,}",
            ),
            (crit[at], warn[at]),
        )
        for at in keys
    ]
    sent = [
        Bucket(
            label(at),
            Two(f"{label(at)}: {pages[at]:,}", f"{label(at)}:{pages[at]:,}"),
            (pages[at],),
        )
        for at in keys
    ]
    return (
        charts.bars(alerts, ("crit", "warn"), Two("alerts over time", "告警随时间变化")),
        charts.bars(sent, ("a",), Two("messages over time", "通知随时间变化"), height=170),
    )


def _grain(
    report: Report, zone: tzinfo | None
) -> tuple[Callable[[int], Any], Sequence[Any], Callable[[Any], str]]:
    """How to put a moment into its bucket, all buckets in order, and how they are called."""
    if report.to_ms - report.from_ms <= _BY_HOUR_MS:
        first, last = report.from_ms // HOUR_MS, (report.to_ms - 1) // HOUR_MS
        return (
            lambda ms: ms // HOUR_MS,
            range(first, last + 1),
            lambda hour: moment(hour * HOUR_MS, zone)[-5:],
        )
    days = [date.fromisoformat(day.day) for day in report.days]
    if len(days) <= _BY_WEEK_DAYS:
        return lambda ms: local_day(ms, zone), days, lambda day: f"{day:%m-%d}"
    mondays = list(dict.fromkeys(day - timedelta(days=day.weekday()) for day in days))

    def monday(ms: int) -> date:
        day = local_day(ms, zone)
        return day - timedelta(days=day.weekday())

    return monday, mondays, lambda day: f"{day:%m-%d}"


def _noon(day: str, zone: tzinfo | None) -> int:
    at = datetime.fromisoformat(day).replace(hour=12)
    return round((at.replace(tzinfo=zone) if zone else at.astimezone()).timestamp() * 1000)


def _out(report: Report, zone: tzinfo | None) -> Markup:
    long = report.to_ms - report.from_ms
    found = steps(report.outages, report.from_ms, report.to_ms)
    every = len(found) // _POINTS_MAX + 1
    # Of several points in one place the highest is what matters.
    points = [
        ((found[at][0] - report.from_ms) / long, max(n for _, n in found[at : at + every]))
        for at in range(0, len(found), every)
    ]
    ticks = [((at - report.from_ms) / long, label) for at, label in _marks(report, zone)]
    return charts.stepped(points, ticks, Two("numbers out of service", "停用中的号码数"))


def _marks(report: Report, zone: tzinfo | None) -> list[tuple[int, str]]:
    """Round local times within the range, at most eight, and how they are written."""
    long = report.to_ms - report.from_ms
    step_h = next((each for each in _STEPS_H if long / HOUR_MS / each <= 8), 24 * 366)
    first = local_day(report.from_ms, zone).isoformat()
    begin = _noon(first, zone) - 12 * HOUR_MS
    cut = slice(-5, None) if step_h < 24 else slice(5, 10)
    marks = range(begin, report.to_ms, step_h * HOUR_MS)
    return [(at, moment(at, zone)[cut]) for at in marks if at >= report.from_ms]


def _detection(report: Report) -> Markup:
    """How many cases were found within which time; those that were not stand at the end."""
    counts = [0] * (len(_WITHIN) + 3)
    for each in report.cases:
        if each.after_ms is None:
            counts[-1] += 1
        elif each.outcome == "standing":
            counts[-2] += 1
        else:
            counts[bisect_left(_WITHIN, each.after_ms)] += 1
    said = [span_words(limit) for limit in _WITHIN]
    names = [
        *(Two(f"within {each.en}", f"{each.zh}内") for each in said),
        Two(f"after {said[-1].en}", f"{said[-1].zh}后"),
        Two("already firing", "此前已触发"),
        Two("missed", "未发现"),
    ]
    kinds = ["good"] * len(_WITHIN) + ["good", "warn", "crit"]
    items = [
        Row(name, number, Two(f"{number:,}", f"{number:,}"), kind)
        for name, number, kind in zip(names, counts, kinds, strict=True)
        if number or kind != "warn"
    ]
    return charts.rows(items, Two("time to find each case", "发现各问题所用时间"), label_px=120)


def _cases(report: Report) -> list[Verdict]:
    """Those that a page has room for: first what was missed, then what took longest."""
    return sorted(
        report.cases,
        key=lambda each: (each.outcome != "missed", -(each.after_ms or 0), each.from_ms),
    )[:_CASES_SHOWN]


def _case(case: Verdict, zone: tzinfo | None) -> dict[str, Any]:
    words = {
        "found": Two("found", "已发现"),
        "standing": Two("already firing", "此前已触发"),
        "missed": Two("missed", "未发现"),
    }
    return {
        "scope": ", ".join(f"{name} {value}" for name, value in case.scope),
        "from": moment(case.from_ms, zone),
        "outcome": case.outcome,
        "said": words[case.outcome],
        "rule": case.rule,
        "after": span_words(case.after_ms),
        "out": span_words(case.suspended_after_ms),
        "note": case.note,
    }


def _worst(report: Report) -> list[Episode]:
    """The longest of each level, in order of time; as many as a page bears."""
    told = sorted(
        (each for each in report.episodes if not each.shadow),
        key=lambda each: (each.level != "crit", each.from_ms - (each.to_ms or report.to_ms)),
    )
    return sorted(told[:EPISODES_SHOWN], key=lambda each: each.from_ms)


def _episode(report: Report, each: Episode, zone: tzinfo | None) -> dict[str, Any]:
    end = report.to_ms if each.to_ms is None else each.to_ms
    return {
        "at": moment(each.from_ms, zone),
        "rule": each.rule,
        "scope": ", ".join(value for _, value in each.scope),
        "level": each.level,
        "long": span_words(end - each.from_ms),
        "on": each.to_ms is None,
        "pages": each.pages,
    }
