"""Figures and times as people read them.

Owns digits, units and zones; which word stands beside them is ``words``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NOTHING: Final = "–"
SPARK_W, SPARK_H = 64, 20
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def value(figure: float | None, kind: str, near: float | None = None) -> str:
    """A figure by its kind; ``near``: a bound whose size says how many digits matter."""
    if figure is None or not math.isfinite(figure):
        return NOTHING
    if kind == "ratio":
        small = near is not None and 0 < abs(near) < 0.05
        return f"{figure:.2%}" if small else f"{figure:.1%}"
    if kind == "count":
        return compact(figure) if abs(figure) >= 100_000 else f"{figure:,.0f}"
    if abs(figure) >= 1_000:
        return f"{figure:,.0f}"
    return f"{figure:.4g}" if abs(figure) >= 100 else f"{figure:.3g}"


def bound(figure: float | None, kind: str) -> str:
    """A target or a threshold, as it was written."""
    if figure is None:
        return ""
    if kind == "ratio":
        return f"{round(figure * 100, 4):g}%"
    return f"{figure:g}"


def compact(count: float | None) -> str:
    """``1,048`` → ``1.0k``: as much of a count as a glance takes in."""
    if count is None or not math.isfinite(count):
        return NOTHING
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return (
                f"{count / size:.1f}{unit}"
                if abs(count) < 100 * size
                else f"{count / size:.0f}{unit}"
            )
    return f"{count:.0f}" if count == round(count) else f"{count:.1f}"


def size(count: float | None) -> str:
    """Bytes."""
    if count is None:
        return NOTHING
    for step, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count:.0f} B"


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name; UTC where there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ZoneInfo("UTC")


def moment(stamp: str | int | None) -> datetime | None:
    """A time of the interface: RFC 3339, or milliseconds since 1970."""
    if stamp is None:
        return None
    if isinstance(stamp, int):
        return datetime.fromtimestamp(stamp / 1000, tz=UTC)
    return datetime.fromisoformat(stamp)


def clock(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """The time of day; with its date where that is another day."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    if local.year == today.year:
        return local.strftime("%m-%d %H:%M")
    return local.strftime("%Y-%m-%d %H:%M")


def span(seconds: float | None) -> tuple[str, int]:
    """A duration as a unit of the catalogue and how many: ``("m", 4)``."""
    if seconds is None:
        return "s", 0
    left = abs(int(seconds))
    if left < _MINUTE:
        return "s", left
    if left < _HOUR:
        return "m", left // _MINUTE
    if left < 2 * _DAY:
        return "h", left // _HOUR
    return "d", left // _DAY


def spark(values: Sequence[float | None], width: int = SPARK_W, height: int = SPARK_H) -> str:
    """A path for a picture of ``width`` × ``height``; empty where fewer than two are known."""
    known = [each for each in values if each is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    room = (high - low) or 1.0
    step = (width - 2) / max(1, len(values) - 1)
    parts: list[str] = []
    drawing = False
    for place, each in enumerate(values):
        if each is None:
            drawing = False
            continue
        at = height / 2 if high == low else height - 2 - (each - low) / room * (height - 4)
        parts.append(f"{'L' if drawing else 'M'}{1 + place * step:.1f} {at:.1f}")
        drawing = True
    return "".join(parts)


def spark_end(values: Sequence[float | None], height: int = SPARK_H) -> float | None:
    """How high the last point of :func:`spark` is."""
    known = [each for each in values if each is not None]
    if len(known) < 2 or values[-1] is None:
        return None
    low, high = min(known), max(known)
    return (
        height / 2 if high == low else height - 2 - (known[-1] - low) / (high - low) * (height - 4)
    )
