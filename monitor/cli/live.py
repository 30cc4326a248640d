"""The terminal's live table: numbers, teams, alerts as they fire.

Owns what a supervisor sees of ``monitor run`` in a terminal. It reads the published snapshot and
the last decisions, and nothing else; on a pipe it prints a line now and then instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from monitor.decisions import Alert, Command, Decision, Figures, Listing, Notice, Order, Refusal
from monitor.logs import mask_customer
from monitor.snapshot import IndicatorFigures, Snapshot

_BAR = "▏▎▍▌▋▊▉█"
_ROWS = 8
_WIDE, _TALL = 110, 34
"""Columns and lines of a terminal that has room for everything."""
_ENDED = {
    "suspended": "ended, number suspended:",
    "recovered": "ended, good again:",
    "cleared": "ended, cleared:",
}
_WHY = {"admitted": "for", "ttl_over": "time is over,", "cleared": "cleared,", "ordered": ""}
"""How a command's reason reads before the name of its rule."""
_STATE_COLOURS = {
    "active": "green",
    "wanted": "yellow",
    "suspending": "magenta",
    "suspended": "red",
    "resuming": "cyan",
    "probation": "cyan",
    "held": "magenta",
    "retired": "bright_black",
    "lost": "bold red",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One indicator as a column, with the level where its colour changes."""

    indicator: str
    title: str
    warn: float
    crit: float
    lower_is_better: bool = True
    per: float = 1.0
    unit: str = ""
    """What the denominator is shown in."""

    def cell(self, value: float, of: float, *, wide: bool = True) -> Text:
        """The value with its bar, coloured by how bad it is; a dash where there is nothing.

        The bar gives way where the terminal is not ``wide``.
        """
        if math.isnan(value):
            return Text("–", style="dim")
        bad = (value - self.warn) if self.lower_is_better else (self.warn - value)
        worse = (value - self.crit) if self.lower_is_better else (self.crit - value)
        colour = "red" if worse > 0 else "yellow" if bad > 0 else "green"
        # Digits and bar follow the level: half a per cent is a lot of complaints.
        shown = f"{value:6.2%}" if self.crit < 0.05 else f"{value:6.1%}"
        scale = 1.0 if self.crit >= 0.05 else 1 / (4 * self.crit)
        below = f" {_compact(of / self.per)}{self.unit}"
        bar = f" {_bar(value * scale)}" if wide else ""
        return Text.assemble((shown, colour), (bar, colour), (below, "dim"))


def _compact(count: float) -> str:
    """``1,048`` → ``1.0k``: as much of a count as a glance takes in."""
    if count < 1_000:
        return f"{count:.0f}"
    return f"{count / 1_000:.1f}k" if count < 100_000 else f"{count / 1_000:.0f}k"


def _bar(value: float, width: int = 6) -> str:
    eighths = round(min(max(value, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BAR[rest - 1] if rest else "")).ljust(width)


COLUMNS = (
    Column("hangup_rate", "hang-up 挂断", 0.25, 0.30),
    Column("complaint_rate", "complaints 投诉", 0.005, 0.01),
    Column("answer_rate", "answered 接通", 0.30, 0.20, lower_is_better=False),
    Column("effective_talk_ratio", "effective talk 有效", 0.60, 0.40, False, 3600, " h"),
)
SHORT_WINDOW, LONG_WINDOW = "30m", "24h"


def render(
    snapshot: Snapshot | None,
    decisions: Sequence[Decision],
    *,
    zone: tzinfo | None = None,
    url: str = "",
    size: tuple[int, int] = (140, 44),
) -> RenderableType:
    """The whole picture; ``decisions`` newest last, ``size`` in columns and lines.

    What happens stands above what merely is: on a small terminal the teams give way first.
    """
    if snapshot is None:
        return Text("starting: reading what is there already …", style="dim")
    width, height = size
    columns = len(COLUMNS) if width >= _WIDE else 2
    rows = min(_ROWS, max(2, (height - 16) // 3))
    feed = Panel(
        _feed(decisions, zone, rows), title="as it happens", title_align="left", border_style="dim"
    )
    parts: list[RenderableType] = [
        _head(snapshot, zone),
        _numbers(snapshot, zone, rows, columns),
        feed,
    ]
    if height >= _TALL:
        parts.append(_teams(snapshot, rows, columns))
    if url:
        parts.append(Text(url, style="dim underline"))
    return Group(*parts)


def line(snapshot: Snapshot | None) -> str:
    """One line for a pipe: where the daemon stands."""
    if snapshot is None or snapshot.at_ms is None:
        return "starting"
    stats = snapshot.stats
    return (
        f"{_clock(snapshot.at_ms, UTC)} events={sum(stats.events.values())} "
        f"lag={sum(p.lag for p in snapshot.partitions)} alerts={len(snapshot.alerts)} "
        f"suspended={snapshot.numbers.get('suspended', 0)} ticks={stats.ticks}"
    )


def sentence(decision: Decision, zone: tzinfo | None = None) -> Text:
    """A decision as one sentence; times in ``zone``, by default the reader's."""
    match decision:
        case Alert():
            colour = {"crit": "red", "warn": "yellow"}[decision.level]
            mark = "●" if decision.state == "firing" else "○"
            scope = ", ".join(
                mask_customer(value) if name == "customer" else value
                for name, value in decision.scope
            )
            style = colour if decision.state == "firing" else "dim"
            how = (
                decision.level
                if decision.state == "firing"
                else _ENDED.get(decision.reason, f"ended, {decision.reason}:")
            )
            return Text.assemble(
                (f"{mark} {how} ", style),
                f"{decision.rule} ",
                (scope, "bold"),
                _share(decision.figures),
            )
        case Notice():
            return Text.assemble(
                ("● " if decision.why != "repeat" else "○ ", "yellow"),
                f"{sum(decision.counts.values())} alerts ({decision.why}) ",
                (decision.person or decision.route, "bold"),
            )
        case Command():
            until = "" if decision.until_ms is None else f" until {_clock(decision.until_ms, zone)}"
            style = "bold red" if decision.action == "suspend" else "bold green"
            return Text.assemble(
                ("■ " if decision.action == "suspend" else "▶ ", style),
                (f"{decision.action} {decision.number}", style),
                until,
                (f" {_WHY.get(decision.reason, decision.reason)}", "dim"),
                (f" {decision.rule}" if decision.rule else " by hand", "dim"),
                _share(decision.figures),
            )
        case Order():
            return Text.assemble(
                ("▶ ", "bold yellow"),
                (f"{decision.action} {mask_customer(decision.customer)}", "bold yellow"),
                (f" {decision.rule}", "dim"),
            )
        case Listing():
            return Text.assemble(
                ("▶ ", "yellow"),
                (f"do-not-call {decision.action} {mask_customer(decision.customer)}", "yellow"),
                (f" {decision.reason}", "dim"),
            )
        case Refusal():
            whose = decision.number or (f"pool {decision.pool}" if decision.pool else "many")
            return Text.assemble(("▲ not suspended ", "bold yellow"), f"{whose}: {decision.detail}")


def _share(figures: Figures | None) -> str:
    """`` 46.4% (32/69)``, a mean `` 4.2 (of 69)``, a count `` 8``; nothing for a single event."""
    if figures is None or figures.value is None or math.isnan(figures.value) or not figures.window:
        return ""
    match figures.kind:
        case "ratio":
            return f" {figures.value:.1%} ({figures.hits:g}/{figures.of:g})"
        case "mean":
            return f" {figures.value:.4g} (of {figures.of:g})"
        case "count":
            return f" {figures.value:g}"


def _head(snapshot: Snapshot, zone: tzinfo | None) -> Text:
    stats = snapshot.stats
    lag = sum(partition.lag for partition in snapshot.partitions)
    delay_s = None if snapshot.at_ms is None else (snapshot.wall_ms - snapshot.at_ms) / 1000
    head = Text.assemble(
        ("call-centre monitor ", "bold"),
        "–" if snapshot.at_ms is None else _clock(snapshot.at_ms, zone),
        f"   {sum(stats.events.values()):,} events",
        f"   lag {lag:,}",
        "" if delay_s is None else f"   {delay_s:,.0f} s behind the clock",
        f"   {len(snapshot.alerts)} alerts firing",
    )
    if snapshot.frozen:
        head.append("   FROZEN: no suspensions", style="bold white on red")
    for reason in snapshot.unready[:1]:
        head.append(f"   not ready: {reason.reason}", style="yellow")
    return head


def _find(snapshot: Snapshot, indicator: str, by: str) -> IndicatorFigures | None:
    """The figures of one dimension, in the shortest of the windows shown."""
    found = [f for f in snapshot.figures if f.indicator == indicator and f.by == (by,)]
    for window in (SHORT_WINDOW, "1h", LONG_WINDOW):
        for figures in found:
            if figures.window == window:
                return figures
    return found[0] if found else None


def _cells(snapshot: Snapshot, by: str, *, wide: bool) -> dict[str, list[Text]]:
    """By key, a cell for each column."""
    cells: dict[str, list[Text]] = {}
    columns = _present(snapshot, by)
    for index, column in enumerate(columns):
        figures = _find(snapshot, column.indicator, by)
        if figures is None:
            continue
        for name, value, of in zip(
            figures.names, figures.values.tolist(), figures.of.tolist(), strict=True
        ):
            row = cells.setdefault(name, [Text("–", style="dim") for _ in columns])
            row[index] = column.cell(value, of, wide=wide)
    return cells


def _table(title: str, first: str, columns: Iterable[Column], extra: Iterable[str] = ()) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column(first, no_wrap=True)
    for name in extra:
        table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column.title, no_wrap=True)
    return table


def _present(snapshot: Snapshot, by: str) -> list[Column]:
    """The columns that a dimension has figures for."""
    return [c for c in COLUMNS if _find(snapshot, c.indicator, by) is not None]


def _numbers(snapshot: Snapshot, zone: tzinfo | None, rows: int, most: int) -> Table:
    """Numbers out of service first, then the worst by hang-ups that have some volume."""
    columns = _present(snapshot, "number")[:most]
    table = _table("Numbers 号码", "number", columns, ("state",))
    wide = most == len(COLUMNS)
    cells = _cells(snapshot, "number", wide=wide)
    standing = {entry.number: entry for entry in snapshot.standing}
    figures = _find(snapshot, "hangup_rate", "number")
    worst: list[str] = []
    if figures is not None:
        rated = sorted(
            (
                (-value, name)
                for name, value, of in zip(
                    figures.names, figures.values.tolist(), figures.of.tolist(), strict=True
                )
                if of >= 10
            ),
        )
        worst = [name for _, name in rated]
    shown = [*standing, *(name for name in worst if name not in standing)][:rows]
    blank = [Text("–", style="dim") for _ in columns]
    for name in shown:
        entry = standing.get(name)
        state = "active" if entry is None else entry.state
        label = Text(state, style=_STATE_COLOURS.get(state, "white"))
        if entry is not None:
            until = "cleared" if entry.until_ms is None else _clock(entry.until_ms, zone)
            why = f" {entry.rule or 'by hand'}" if wide or not entry.rule else ""
            ends = f"{',' if why else ''} until {until}" if entry.rule else ""
            label.append(f"{why}{ends}", style="dim")
        table.add_row(name, label, *cells.get(name, blank)[:most])
    return table


def _teams(snapshot: Snapshot, rows: int, most: int) -> Table:
    table = _table("Teams 团队", "team", _present(snapshot, "team")[:most])
    for name, row in sorted(_cells(snapshot, "team", wide=most == len(COLUMNS)).items())[:rows]:
        table.add_row(name, *row[:most])
    return table


def _feed(decisions: Sequence[Decision], zone: tzinfo | None, rows: int) -> RenderableType:
    if not decisions:
        return Text("nothing yet", style="dim")
    told = [
        Text.assemble((f"{_clock(decision.at_ms, zone)} ", "dim"), sentence(decision, zone))
        for decision in decisions[-rows:]
    ]
    return Group(*reversed(told))


def _clock(ms: int, zone: tzinfo | None) -> str:
    """The time of day where the reader sits, or in ``zone``."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(zone).strftime("%H:%M:%S")
