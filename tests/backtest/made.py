"""Decisions written by hand, and what a report makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from monitor.backtest.build import build
from monitor.backtest.labels import Case
from monitor.backtest.report import Read, Report
from monitor.backtest.tally import Tally
from monitor.decisions import Alert, Command, Evidence, Figures, Level, Refusal
from monitor.delivery.routes import Router
from monitor.delivery.settings import DeliverySettings, Route
from monitor.site import load_site
from monitor.units import parse_duration

START_MS = 1_795_305_600_000
"""2026-11-22T00:00:00Z, a Sunday."""
DAY_MS = 86_400_000
ROUTES = DeliverySettings(
    routes={"people": Route(receivers=["log"]), "night": Route(receivers=["log"])}
)


def at(text: str) -> int:
    """``90m`` after the start; days as ``1d``."""
    return START_MS + sum(parse_duration(part) for part in text.split())


def alert(
    when: str,
    episode: str,
    *,
    rule: str = "hangup",
    scope: tuple[tuple[str, str], ...] = (("number", "+861"),),
    level: Level = "warn",
    over: str = "",
    route: str = "people",
    shadow: bool = False,
) -> Alert:
    return Alert(
        at_ms=at(when),
        id=f"{episode} {when}",
        episode=episode,
        rule=rule,
        scope=scope,
        level=level,
        state="resolved" if over else "firing",
        since_ms=at(when),
        figures=Figures(0.5, 5, 10, "30m"),
        evidence=Evidence("raw", 10, 5),
        reason=over or "breach",
        route=route,
        shadow=shadow,
    )


def suspend(when: str, number: str, until: str, *, shadow: bool = False) -> Command:
    return Command(
        at_ms=at(when), id=f"{number} {when}", action="suspend", number=number,
        until_ms=at(until), reason="admitted", rule="hangup", episode="e", figures=None,
        evidence=None, shadow=shadow,
    )  # fmt: skip


def resume(when: str, number: str, why: str = "ttl_over") -> Command:
    return Command(
        at_ms=at(when), id=f"{number} {when} r", action="resume", number=number, until_ms=None,
        reason=why, rule="hangup", episode="e", figures=None, evidence=None,
    )  # fmt: skip


def refusal(when: str, number: str) -> Refusal:
    return Refusal(at(when), f"r {when}", number, "min_left", "", "spring", "hangup", "e", "night")


def tallied(
    decisions: Sequence[Any], *, since: str | None = None, until: str | None = None
) -> Tally:
    tally = Tally(
        Router(ROUTES, telephony=False),
        since_ms=None if since is None else at(since),
        until_ms=None if until is None else at(until),
    )
    for decision in decisions:
        tally.tell(decision)
    tally.finish()
    return tally


def reported(
    decisions: Sequence[Any],
    *,
    since: str = "0s",
    until: str = "2d",
    cases: Sequence[Case] = (),
    numbers: int = 10,
) -> Report:
    """What is reported of them; the range is counted in UTC."""
    tally = tallied(decisions, since=since, until=until)
    read = Read(events=1_000, numbers=numbers, seconds=1.0, rules="made")
    span = at(since), at(until)
    rules = load_site(None).rules[:2]
    return build(tally, read, rules, span=span, zone=UTC, cases=cases)
