"""What ``monitor replay`` prints: decisions, lines of indicators, what was read.

Owns the looks, and when an indicator has a line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rich.cells import cell_len

from monitor.cli.live import sentence
from monitor.cli.output import lines, span, stamp, stamp_of
from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.engine import Engine
from monitor.logs import mask_customer
from monitor.replay import indicator_lines
from monitor.windows.watermark import NEVER

Tell = Callable[[Decision | dict[str, Any]], None]
"""Told of a decision, or of an indicator's line."""


class Figures:
    """The indicators of an engine, told along the way and at its end."""

    def __init__(
        self, engine: Engine, tell: Tell, *, every_ms: int | None, whole_customers: bool
    ) -> None:
        """``every_ms``: at ticks that are multiples of it; None: at none of them."""
        self._engine = engine
        self._tell = tell
        self._whole_customers = whole_customers
        self._told_at = NEVER
        self._seen = set[str]()
        if every_ms is not None:
            engine.on_tick = lambda tick: None if tick % every_ms else self._tell_all()

    def tell_last(self) -> None:
        """As of the last judged tick, unless they are told already."""
        if self._engine.judged != self._told_at:
            self._tell_all()

    def say_unseen(self) -> None:
        """Indicators without a line: nobody has to look for what is not there."""
        names = dict.fromkeys(view.indicator.id for view in self._engine.judges.indicators.views())
        without = [name for name in names if name not in self._seen]
        if without:
            lines(stderr=True).print(f"no data of: {', '.join(without)}")

    def _tell_all(self) -> None:
        self._told_at = self._engine.judged
        for line in indicator_lines(self._engine):
            self._seen.add(line["indicator"])
            self._tell(line if self._whole_customers else _masked(line))


def json_printer(what: Decision | dict[str, Any]) -> None:
    """A decision, or the line of an indicator, as JSON."""
    print(json.dumps(what if isinstance(what, dict) else what.to_json(), ensure_ascii=False))


def _masked(line: dict[str, Any]) -> dict[str, Any]:
    """An indicator's line without the telephone number of a customer, as decisions are."""
    scope = line["scope"]
    if "customer" not in scope:
        return line
    return line | {"scope": scope | {"customer": mask_customer(scope["customer"])}}


def table_printer() -> Tell:
    """What prints lines for people."""
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


def say_summary(engine: Engine, took_s: float) -> None:
    """What was read, on standard error."""
    stats = engine.stats
    accepted = sum(n for (_, outcome), n in stats.events.items() if outcome == "accepted")
    duplicates = sum(n for (_, outcome), n in stats.events.items() if outcome == "duplicate")
    text = f"{accepted:,} events, {duplicates:,} duplicates, {stats.late:,} late,"
    text += f" {stats.ticks:,} ticks in {span(took_s)}"
    if stats.rejects:
        text += "; refused: " + ", ".join(f"{n} {why}" for why, n in sorted(stats.rejects.items()))
    lines(stderr=True).print(text)
