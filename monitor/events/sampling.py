"""Random checks that anybody can draw again: which new customers a supervisor looks at.

Owns the choice; reading records and printing are ``monitor.cli.sample``'s.

**New** is a customer in the ISO week, in a named zone, of the first event that makes one so, by
(time, id); the agent of that event is whose customer it is.

**Score** is ``BLAKE2b-64(seed ␟ week ␟ agent ␟ customer) / 2⁶⁴``, the four as UTF-8 with U+001F
between them: evenly spread over [0, 1), the same in every run and whatever the order of the events.
Chosen are the customers of an agent's week whose score is below the share. If they are more than
``at_most`` those with the least scores stay, and if fewer than ``at_least`` the next ones join. So
a further customer changes nothing for the others, but for these two bounds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl

SEPARATOR = "\x1f"
"""Keys hold no control characters."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How many are drawn, and by what seed."""

    seed: str
    share: float
    """0 … 1."""
    at_least: int
    at_most: int
    """For an agent and week."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A customer that is to be looked at."""

    week: str
    """``2026-W47``."""
    agent: str
    customer: str
    score: float
    new_ms: int
    """When the customer came."""
    event: str
    """Id of the event that says so."""
    of: int
    """New customers of the agent in that week."""


def score(seed: str, week: str, agent: str, customer: str) -> float:
    """Where the customer lies in [0, 1)."""
    text = SEPARATOR.join((seed, week, agent, customer)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2**64


def week_of(time_ms: int, zone: ZoneInfo) -> str:
    """The ISO week of a time on the clocks of ``zone``: ``2026-W47``."""
    year, week, _ = datetime.fromtimestamp(time_ms / 1000, tz=UTC).astimezone(zone).isocalendar()
    return f"{year}-W{week:02}"


def first_of(events: pl.DataFrame) -> pl.DataFrame:
    """The first event of each customer, by (time, id); columns as given, rows by customer.

    Needs ``customer``, ``time`` and ``id``; rows without a customer are left out.
    """
    known = events.filter(pl.col("customer").is_not_null())
    return known.sort("customer", "time", "id").unique(
        "customer", keep="first", maintain_order=True
    )


def choose(first: pl.DataFrame, draw: Draw, zone: ZoneInfo) -> list[Chosen]:
    """Those to be looked at, by week, agent and score.

    ``first``: of :func:`first_of`, with ``agent``; customers without one are left out.
    """
    groups: dict[tuple[str, str], list[tuple[float, str, int, str]]] = {}
    rows = first.filter(pl.col("agent").is_not_null())
    for agent, customer, time_ms, event in rows.select("agent", "customer", "time", "id").rows():
        week = week_of(time_ms, zone)
        scored = score(draw.seed, week, agent, customer), customer, time_ms, event
        groups.setdefault((week, agent), []).append(scored)
    chosen: list[Chosen] = []
    for (week, agent), new in sorted(groups.items()):
        below = sum(each[0] < draw.share for each in new)
        wanted = max(draw.at_least, min(draw.at_most, below))
        chosen += [Chosen(week, agent, c, s, t, e, len(new)) for s, c, t, e in sorted(new)[:wanted]]
    return chosen
