"""A comparison as one HTML file; the frame and the drawings are those of a report."""

from __future__ import annotations

from datetime import tzinfo

from markupsafe import Markup

from monitor.backtest import charts
from monitor.backtest.charts import Bucket
from monitor.backtest.compare import Change, Comparison, Matched
from monitor.backtest.compared_words import moved, said, sentences
from monitor.backtest.page import Language, environment
from monitor.backtest.report import Report
from monitor.backtest.words import Two, count, hours, moment, span_words, title_of

PAIRS_SHOWN = 300
_COLUMNS: tuple[Change, ...] = ("only_a", "only_b", "earlier", "later", "longer", "shorter")


def compared_page(
    found: Comparison, *, language: Language, zone: tzinfo | None, now_ms: int
) -> str:
    """The whole file."""
    a, b = found.a, found.b
    titles = {line.rule: title_of(line.title, line.rule) for line in (*a.rules, *b.rules)}
    counts = [
        {line.rule: line.alerts for line in each.rules} for each in (a, b)
    ]  # fmt: skip
    return (
        environment()
        .get_template("compared.html.j2")
        .render(
            language=language,
            found=found,
            made=moment(now_ms, zone),
            between=(moment(a.from_ms, zone), moment(a.to_ms, zone)),
            long=span_words(a.to_ms - a.from_ms),
            sentences=sentences(found),
            tiles=_tiles(a, b),
            days=None if len(a.days) < 2 else _days(a, b),
            rules=[
                {
                    "title": titles.get(rule, Two(rule, rule)),
                    "rule": rule,
                    "a": counts[0].get(rule, 0),
                    "b": counts[1].get(rule, 0),
                    "counts": [found.alerts.count(each, rule) for each in _COLUMNS],
                }
                for rule in found.rules
            ],
            columns=[said(each) for each in _COLUMNS],
            alerts=_rows(found.alerts, zone),
            outages=_rows(found.outages, zone),
        )
    )


def _tiles(a: Report, b: Report) -> list[tuple[Two, str, str]]:
    """What, then how much in A and in B."""
    return [
        (Two("alerts", "告警"), f"{a.alerts:,}", f"{b.alerts:,}"),
        (
            Two("messages a day", "每天通知"),
            count(round(a.pages / a.span_days, 1)),
            count(round(b.pages / b.span_days, 1)),
        ),
        (Two("times a number rested", "停用次数"), f"{a.suspensions:,}", f"{b.suspensions:,}"),
        (Two("number-hours lost", "停用号码小时"), hours(a.out_h), hours(b.out_h)),
    ]


def _days(a: Report, b: Report) -> Markup:
    """Alerts by day, A beside B."""
    buckets = [
        Bucket(
            one.day[5:],
            Two(
                f"{one.day}: A {one.warn + one.crit:,}, B {other.warn + other.crit:,}",
                f"{one.day}：A {one.warn + one.crit:,}，B {other.warn + other.crit:,}",
            ),
            (one.warn + one.crit, other.warn + other.crit),
        )
        for one, other in zip(a.days, b.days, strict=True)
    ]
    return charts.beside(buckets, ("a", "b"), Two("alerts by day", "每天告警"))


def _rows(matched: Matched, zone: tzinfo | None) -> list[dict[str, object]]:
    return [
        {
            "at": moment(pair.first_ms, zone),
            "what": pair.what,
            "about": pair.about,
            "moved": moved(pair),
            "kind": "good" if pair.a is None else "crit" if pair.b is None else "warn",
        }
        for pair in matched.differing[:PAIRS_SHOWN]
    ]
