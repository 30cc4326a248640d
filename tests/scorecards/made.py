"""Cards and sums of tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from monitor.indicators.model import Indicator
from monitor.scorecards.figures import Figure, Sums
from monitor.scorecards.load import Card, loads_card
from monitor.scorecards.periods import Period, parse_period

ZONE = "Asia/Shanghai"
BASE: dict[str, Any] = {
    "version": 1,
    "scorecard": "made",
    "valid_from": "2026-01-01",
    "currency": "CNY",
    "zone": ZONE,
    "rounding": {"places": 2, "mode": "half_up"},
    "figures": {"deals": {"value": {"count": "deal.won"}}},
    "parameters": {"each": 10},
    "lines": [{"id": "pay", "formula": "deals * each", "pays": True}],
}


def text(**over: Any) -> str:
    return yaml.safe_dump({**BASE, **over}, sort_keys=False, allow_unicode=True)


def card(indicators: tuple[Indicator, ...] = (), /, **over: Any) -> Card:
    return loads_card(text(**over), Path("card.yaml"), indicators)


def period(label: str = "2026-10") -> Period:
    return parse_period(label, ZONE)


def sums(label: str = "2026-10", /, **people: Any) -> Sums:
    """``amy=("red", {"deals": 3, "csat": (9, 2)})``."""
    made = Sums(period(label))
    for person, (team, figures) in people.items():
        standing = made.standing(person)
        standing.team = team
        for name, value in figures.items():
            hits, of = value if isinstance(value, tuple) else (value, None)
            standing.figures[name] = Figure(
                Fraction(str(hits)), None if of is None else Fraction(str(of)), 1
            )
    return made
