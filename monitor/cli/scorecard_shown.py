"""How scorecards look on a terminal: tables with bars, and one person's workings.

Owns the looks alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from monitor.cli.output import console, counted, lines, plain_table, stamp_of
from monitor.clock import SystemClock
from monitor.scorecards.compare import Backtest, Gap, ParallelRun, Spread
from monitor.scorecards.forecast import Forecast
from monitor.scorecards.load import Card
from monitor.scorecards.money import grouped
from monitor.scorecards.page import money
from monitor.scorecards.report import Sheet, Statement, text_of

_BAR = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(value: Fraction, most: Fraction, width: int = _BAR) -> str:
    """``value`` as a bar; ``most`` fills all of it."""
    if most <= 0 or value <= 0:
        return ""
    eighths = int(value / most * width * 8)
    rest = _EIGHTHS[eighths % 8].strip()
    return "█" * (eighths // 8) + rest


def show_sheet(card: Card, sheet: Sheet) -> None:
    """One period: who is paid what, the most first."""
    out = lines()
    apart = f", promotion: {', '.join(sheet.promotions)}" if sheet.promotions else ""
    out.print(
        f"{sheet.title}, {sheet.period.label}"
        f" ({sheet.period.first} to {sheet.period.last}, {sheet.period.zone}{apart})",
        style="bold",
    )
    paying = [line for line in card.spec.lines if line.pays]
    table = _table("person", "team", "profile", *(line.id for line in paying), "total", "")
    for column in table.columns[3:-1]:
        column.justify = "right"
    most = max((each.total for each in sheet.statements), default=Fraction())
    for each in sorted(sheet.statements, key=lambda each: (-each.total, each.person, each.team)):
        cells = [_amount(each, line.id, sheet.places) for line in paying]
        total = money(each.total, sheet.places)
        table.add_row(
            each.who, each.team or "–", each.profile, *cells, Text(total, style="bold"),
            Text(bar(each.total, most), style="cyan"),
        )  # fmt: skip
    console().print(table)
    people = len({each.person for each in sheet.statements})
    total = money(sheet.total, sheet.places)
    out.print(f"{counted(people, 'person') if people == 1 else f'{people:,} people'},"
              f" total {total} {sheet.currency}", style="bold")  # fmt: skip
    for pool in sheet.pools:
        of = f" of {pool.of}" if pool.of else ""
        out.print(f"pool {pool.line}{of}: {money(pool.amount, sheet.places)} = {pool.working}")
        if pool.remark:
            out.print(f"  {pool.remark}", style="yellow")
    show_remarks(sheet)


def show_remarks(sheet: Sheet) -> None:
    """What the reader must know, of the sheet and of each statement."""
    out = lines()
    for text in sheet.remarks:
        out.print(f"note: {text}", style="yellow")
    for each in sheet.statements:
        told = [*each.remarks, *(f"{line.id}: {line.remark}" for line in each.lines if line.remark)]
        for text in told:
            out.print(f"note: {each.who}: {text}", style="yellow")


def _table(*headings: str) -> Table:
    table = plain_table(*headings)
    table.columns[-1].no_wrap = True
    return table


def _amount(statement: Statement, line: str, places: int) -> str:
    found = statement.line(line)
    if found is None:
        return ""
    return "–" if found.value is None else money(found.value, places)


def show_statement(
    card: Card,
    sheet: Sheet,
    statement: Statement,
    records: Mapping[str, tuple[int, Sequence[Mapping[str, Any]]]],
) -> None:
    """One person, every figure down to its records."""
    out = lines()
    of = f", {statement.team}" if statement.team else ""
    out.print(f"{statement.who}{of}: {sheet.title}, {sheet.period.label}", style="bold")
    role = f", role {statement.role}" if statement.role else ""
    out.print(f"profile {statement.profile}{role}")
    table = plain_table("line", "amount", "working")
    table.columns[1].justify = "right"
    for line in statement.lines:
        value = "null" if line.value is None else grouped(text_of(line.value, line.places) or "")
        style = "bold" if line.pays else ""
        table.add_row(Text(line.id, style=style), Text(value, style=style), line.working)
    total = money(statement.total, sheet.places)
    table.add_row(
        Text("total", style="bold"), Text(f"{total} {sheet.currency}", style="bold"),
        "the lines that pay, together",
    )  # fmt: skip
    console().print(table)
    for text in [*statement.remarks, *(each.remark for each in statement.lines if each.remark)]:
        out.print(f"note: {text}", style="yellow")
    now_ms, zone = SystemClock().now_ms(), ZoneInfo(card.spec.zone)
    for name, figure in statement.figures.items():
        parts = "" if figure.of is None else f" = {text_of(figure.hits)} / {text_of(figure.of)}"
        value = text_of(figure.value) or "null"
        found, shown = records.get(name, (0, []))
        if figure.by_hand:
            where = f"by hand, {figure.by_hand}"
        elif name in card.given:
            where = "given"
        else:
            where = counted(found if records else figure.events, "record")
        out.print(f"{name} {value}{parts}: {where}", style="bold")
        for each in shown:
            out.print(f"  {_record(each, zone, now_ms)}")
        if found > len(shown):
            out.print(f"  and {found - len(shown):,} more: --records", style="dim")


def _record(record: Mapping[str, Any], zone: ZoneInfo, now_ms: int) -> str:
    where = f"{record['topic']}/{record['partition']}@{record['offset']}"
    hidden = {"time", "type", "topic", "partition", "offset"}
    more = " ".join(f"{name}={value}" for name, value in record.items() if name not in hidden)
    return f"{stamp_of(record['time'], zone, now_ms=now_ms)}  {record['type']}  {more}  {where}"


def show_backtest(found: Backtest, places: int) -> None:
    """Old against new."""
    out = lines()
    first, last = found.totals[0].period, found.totals[-1].period
    out.print(f"{found.old} → {found.new}, {first} to {last}, {found.currency}", style="bold")
    table = plain_table("", "mean", "largest", "smallest", "more", "less", "old", "new")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, spread in (
        ("a person, ordinary periods", found.ordinary),
        ("a person, promotions", found.promotion),
        ("everybody, ordinary periods", found.ordinary_totals),
        ("everybody, promotions", found.promotion_totals),
    ):
        if spread is not None:
            table.add_row(name, *_spread(spread, places))
    console().print(table)
    most = max((max(gap.old, gap.new) for gap in found.totals), default=Fraction())
    table = _table("period", "old", "new", "difference", "")
    for column in table.columns[1:4]:
        column.justify = "right"
    for gap in found.totals:
        label = f"{gap.period} ({', '.join(gap.promotions)})" if gap.promotions else gap.period
        table.add_row(
            label, money(gap.old, places), money(gap.new, places), signed(gap.difference, places),
            Text(bar(gap.new, most), style="cyan"),
        )  # fmt: skip
    console().print(table)
    table = plain_table("person", "mean", "largest", "smallest")
    for column in table.columns[1:]:
        column.justify = "right"
    for each in found.people:
        table.add_row(
            each.label, signed(each.mean, places), signed(each.largest.difference, places),
            signed(each.smallest.difference, places),
        )  # fmt: skip
    console().print(table)


def _spread(spread: Spread, places: int) -> list[str]:
    return [
        signed(spread.mean, places),
        _named(spread.largest, places),
        _named(spread.smallest, places),
        f"{spread.gain:,}",
        f"{spread.lose:,}",
        money(spread.old, places),
        money(spread.new, places),
    ]


def _named(gap: Gap, places: int) -> str:
    who = f"{gap.person} {gap.period}".strip()
    return f"{signed(gap.difference, places)} ({who})"


def signed(value: Fraction, places: int) -> str:
    """A difference for people."""
    text = money(value, places)
    return text if text.startswith("-") else f"+{text}"


def show_parallel(run: ParallelRun, places: int) -> None:
    """Who gets what while two cards hold."""
    table = plain_table("person", "team", "old", "new", "paid", "")
    for column in table.columns[2:5]:
        column.justify = "right"
    for each in run.people:
        gap = each.gap
        note = ""
        if each.takes_part:
            note = "the new card" if gap.new > gap.old else "the old card"
        table.add_row(
            gap.person, gap.team or "–", money(gap.old, places), money(gap.new, places),
            Text(money(each.paid, places), style="bold"), note,
        )  # fmt: skip
    console().print(table)
    lines().print(
        f"{run.period}: {money(run.total, places)} {run.currency} paid,"
        f" {money(run.extra, places)} of it for the parallel run",
        style="bold",
    )


def show_forecast(found: Forecast) -> None:
    """The next period's total."""
    out = lines()
    if found.mean is not None:
        out.print(f"{found.card}: about {found.mean:,.2f} {found.currency} a period", style="bold")
    if found.low is not None and found.high is not None:
        out.print(
            f"{found.confidence:.0%} interval: {found.low:,.2f} to {found.high:,.2f},"
            f" from {len(found.used)} periods"
        )
    if found.over_budget is not None and found.budget is not None:
        out.print(f"above the budget of {found.budget:,.2f}: {found.over_budget:.1%}")
    most = Fraction(max((total for _, total in found.used), default=0))
    table = _table("period", "total", "")
    table.columns[1].justify = "right"
    for label, total in found.used:
        table.add_row(label, f"{total:,.2f}", Text(bar(Fraction(total), most), style="cyan"))
    for label, why in found.left_out:
        table.add_row(label, "–", f"left out: {why}")
    console().print(table)
    for text in found.remarks:
        out.print(f"note: {text}", style="yellow")
