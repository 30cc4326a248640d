"""What a report says in sentences, in English and Chinese.

Owns the wording of figures; tables and pages are ``text`` and ``page``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from monitor.backtest.report import HOUR_MS, Report


class Two(NamedTuple):
    """The same in both languages."""

    en: str
    zh: str


def span_words(ms: int | None) -> Two:
    """A time that something took: ``40 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    if ms is None:
        return Two("–", "–")
    if ms < 120_000:
        return Two(f"{ms / 1000:.0f} s", f"{ms / 1000:.0f} 秒")
    if ms < 2 * HOUR_MS:
        return Two(f"{ms / 60_000:.0f} min", f"{ms / 60_000:.0f} 分钟")
    if ms < 48 * HOUR_MS:
        return Two(f"{ms / HOUR_MS:.1f} h", f"{ms / HOUR_MS:.1f} 小时")
    return Two(f"{ms / HOUR_MS / 24:.1f} days", f"{ms / HOUR_MS / 24:.1f} 天")


def hours(value: float) -> str:
    """``0.4``, ``14.2``, ``1,204``."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def count(value: float) -> str:
    """``0.4``, ``19``, ``1,204``."""
    return f"{value:,.1f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 alert``, ``2 alerts``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def title_of(title: Mapping[str, str], rule: str) -> Two:
    """A rule's title, or its id where it has none."""
    return Two(title.get("en") or rule, title.get("zh") or title.get("en") or rule)


def moment(ms: int, zone: tzinfo | None, *, seconds: bool = False) -> str:
    """``2026-11-22 09:00``, where the reader sits."""
    told = datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(zone)
    return told.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def no_people() -> Two:
    """Why there is no table by person."""
    return Two(
        "Not by person: this configuration has no delivery.routing, which says who is told what.",
        "没有按人统计:此配置没有 delivery.routing,无法得知谁会收到通知。",
    )


def nobody_acknowledges() -> Two:
    """What the table by person assumes."""
    return Two(
        "Nobody acknowledges here, so repeats and escalations run to their end.",
        "此处无人确认告警，因此重复提醒和升级会一直进行到结束。",
    )


def headline(report: Report) -> list[Two]:
    """What a manager wants to know first, a sentence each."""
    told = [_of_alerts(report), _of_numbers(report), _of_pages(report)]
    if report.cases:
        told.append(_of_cases(report))
    if report.shadow_alerts:
        shadow = report.shadow_alerts
        told.append(
            Two(
                f"Rules in shadow would have raised {plural(shadow, 'more alert')}, of which"
                " nobody heard.",
                f"影子规则另有 {shadow:,} 次告警，未通知任何人。",
            )
        )
    return told


def _of_alerts(report: Report) -> Two:
    days = report.span_days
    fired = [line for line in report.active if line.alerts]
    quiet = len(report.active) - len(fired)
    a_day, a_day_zh = (
        (f", {count(report.alerts / days)} a day", f",平均每天 {count(report.alerts / days)} 次")
        if days >= 2
        else ("", "")
    )
    silent = f"; {plural(quiet, 'rule')} stayed quiet" if quiet else ""
    silent_zh = f";{quiet} 条规则没有触发" if quiet else ""
    return Two(
        f"{plural(report.alerts, 'alert')} from {plural(len(fired), 'rule')} in"
        f" {span_words(report.to_ms - report.from_ms).en}{a_day}{silent}.",
        f"{span_words(report.to_ms - report.from_ms).zh}内 {len(fired)} 条规则共触发"
        f" {report.alerts:,} 次告警{a_day_zh}{silent_zh}。",
    )


def _of_numbers(report: Report) -> Two:
    refused = sum(report.refusals.values())
    kept = f"; guards kept {refused:,} more in service" if refused else ""
    kept_zh = f";保护规则另外拦下 {refused:,} 次停用" if refused else ""
    if not report.suspensions:
        return Two(f"No number went out of service{kept}.", f"没有号码被停用{kept_zh}。")
    share = report.out_share
    of = "" if share is None else f" ({share:.2%} of dialling capacity)"
    of_zh = "" if share is None else f"（占外呼能力的 {share:.2%}）"
    numbers = len(report.numbers)
    return Two(
        f"{plural(numbers, 'number')} went out of service"
        f" {plural(report.suspensions, 'time')}: {hours(report.out_h)} number-hours lost{of},"
        f" at most {report.out_at_once:,} at once{kept}.",
        f"{numbers:,} 个号码共停用 {report.suspensions:,} 次：损失 {hours(report.out_h)}"
        f" 号码小时{of_zh}，同时最多停用 {report.out_at_once:,} 个{kept_zh}。",
    )


def _of_pages(report: Report) -> Two:
    days = report.span_days
    if not report.pages:
        return Two("Nobody would have been paged.", "不会通知任何人。")
    if days < 2:
        return Two(
            f"People get {plural(report.pages, 'message')}.", f"共发出 {report.pages:,} 条通知。"
        )
    busiest = max(report.days, key=lambda day: day.pages)
    return Two(
        f"People get {count(report.pages / days)} messages a day; the busiest day,"
        f" {busiest.day}, had {busiest.pages:,}.",
        f"平均每天发出 {count(report.pages / days)} 条通知；最多的一天是 {busiest.day},"
        f"共 {busiest.pages:,} 条。",
    )


def _of_cases(report: Report) -> Two:
    found, of = len(report.found), len(report.cases)
    within = span_words(report.median_after_ms)
    half = f", half of them within {within.en}" if found else ""
    half_zh = f",其中一半在 {within.zh}内发现" if found else ""
    lone = sum(line.unexplained or 0 for line in report.active)
    return Two(
        f"{found} of {plural(of, 'known case')} {'was' if found == 1 else 'were'} found{half};"
        f" {plural(lone, 'alert')} {'is' if lone == 1 else 'are'} about none of them.",
        f"{of} 个已知问题发现了 {found} 个{half_zh};{lone} 次告警与已知问题无关。",
    )
