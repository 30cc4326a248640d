"""Charts as inline SVG: bars over time, a stepped line, a week of hours, times as bars.

Owns geometry and marks; colours are CSS classes of the page, so that one drawing serves light, dark
and paper. All text stands in both languages, of which the page shows one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

from monitor.backtest.words import Two

WIDTH = 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 6, 12, 26
_ROW = 20
_HOURS = 24
_WEEKDAYS = (
    Two("Mon", "周一"), Two("Tue", "周二"), Two("Wed", "周三"), Two("Thu", "周四"),
    Two("Fri", "周五"), Two("Sat", "周六"), Two("Sun", "周日"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar: its place on the axis, what it says when pointed at, and its parts from below."""

    label: str
    says: Two
    parts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One bar of a list."""

    label: Two
    value: float
    shown: Two
    kind: str = "a"


def bars(buckets: Sequence[Bucket], kinds: Sequence[str], what: Two, height: int = 170) -> Markup:
    """Stacked bars over time; ``kinds``: the CSS class of each part, from below."""
    top = _nice(max((sum(each.parts) for each in buckets), default=0))
    plot = height - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(buckets))
    wide = max(1.0, min(step * 0.72, 46))
    drawn = [_grid(top, height)]
    for index, each in enumerate(buckets):
        x = _LEFT + step * index + (step - wide) / 2
        base = float(height - _BOTTOM)
        for kind, value in zip(kinds, each.parts, strict=True):
            tall = plot * value / top
            base -= tall
            if value:
                drawn.append(_rect(x, base, wide, tall, kind))
        drawn.append(_hover(_LEFT + step * index, _TOP, step, plot, each.says))
    drawn += _labels([each.label for each in buckets], step, height)
    return _svg(drawn, height, what)


def beside(buckets: Sequence[Bucket], kinds: Sequence[str], what: Two, height: int = 170) -> Markup:
    """As :func:`bars`, the parts of a bucket side by side instead of stacked."""
    top = _nice(max((max(each.parts) for each in buckets), default=0))
    plot = height - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(buckets))
    wide = max(1.0, min(step * 0.72, 46) / len(kinds))
    drawn = [_grid(top, height)]
    for index, each in enumerate(buckets):
        x = _LEFT + step * (index + 0.5) - wide * len(kinds) / 2
        for place, (kind, value) in enumerate(zip(kinds, each.parts, strict=True)):
            tall = plot * value / top
            if value:
                drawn.append(_rect(x + wide * place, height - _BOTTOM - tall, wide, tall, kind))
        drawn.append(_hover(_LEFT + step * index, _TOP, step, plot, each.says))
    drawn += _labels([each.label for each in buckets], step, height)
    return _svg(drawn, height, what)


def stepped(
    points: Sequence[tuple[float, int]], ticks: Sequence[tuple[float, str]], what: Two,
    height: int = 170,
) -> Markup:  # fmt: skip
    """A count that holds until the next point; ``x`` of points and ticks from 0 to 1."""
    top = _nice(max((count for _, count in points), default=0))
    plot, span = height - _TOP - _BOTTOM, WIDTH - _LEFT - _RIGHT
    floor_y = height - _BOTTOM
    path = [f"M{_LEFT} {floor_y}"]
    for x, count in points:
        path.append(f"H{_LEFT + span * x:.1f}V{floor_y - plot * count / top:.1f}")
    path.append(f"H{WIDTH - _RIGHT}V{floor_y}Z")
    drawn = [_grid(top, height), Markup('<path class="area" d="{}"/>').format("".join(path))]
    for x, label in ticks:
        drawn.append(_text(_LEFT + span * x, height - 8, label, "middle"))
    return _svg(drawn, height, what)


def week(table: Sequence[Sequence[int]], what: Two) -> Markup:
    """Weekdays by hours; the darker, the more. ``table``: shape (7, 24)."""
    most = max(1, *(max(row) for row in table))
    wide, tall = (WIDTH - _LEFT - _RIGHT) / _HOURS, 20
    drawn = []
    for day, row in enumerate(table):
        y = 4 + day * tall
        drawn.append(_both(_LEFT - 6, y + 14, _WEEKDAYS[day], "end"))
        for hour, count in enumerate(row):
            share = count / most
            title = Two(
                f"{_WEEKDAYS[day].en} {hour:02}:00: {count:,}",
                f"{_WEEKDAYS[day].zh} {hour:02}:00:{count:,}",
            )
            drawn.append(
                Markup(
                    '<g><title>{} / {}</title><rect class="cell" x="{}" y="{}" width="{}"'
                    ' height="{}" rx="2" style="--share:{}"/></g>'
                ).format(
                    title.en,
                    title.zh,
                    f"{_LEFT + hour * wide + 1:.1f}",
                    y,
                    f"{wide - 2:.1f}",
                    tall - 2,
                    f"{0.0 if not count else 0.12 + 0.88 * share:.3f}",
                )
            )
            if count == most and count:
                x = _LEFT + (hour + 0.5) * wide
                drawn.append(_text(x, y + 14, f"{count:,}", "middle", "on"))
    height = 4 + 7 * tall + 22
    drawn += [
        _text(_LEFT + (hour + 0.5) * wide, height - 6, f"{hour:02}", "middle")
        for hour in range(0, _HOURS, 3)
    ]
    return _svg(drawn, height, what)


def rows(items: Sequence[Row], what: Two, *, label_px: int = 130) -> Markup:
    """Horizontal bars, one below the other, with their values at their ends."""
    most = max((each.value for each in items), default=0) or 1.0
    span = WIDTH - label_px - 50
    drawn = []
    for index, each in enumerate(items):
        y = 4 + index * _ROW
        label = Two(_short(each.label.en), _short(each.label.zh))
        drawn.append(_both(label_px - 8, y + 14, label, "end", "label"))
        long = max(2.0, span * each.value / most) if each.value else 0.0
        drawn.append(_rect(label_px, y + 3, long, _ROW - 7, each.kind))
        drawn.append(_both(label_px + long + 6, y + 14, each.shown, "start", "value"))
    return _svg(drawn, 8 + len(items) * _ROW, what)


def _grid(top: float, height: int) -> Markup:
    drawn = []
    for part in range(3):
        y = height - _BOTTOM - (height - _TOP - _BOTTOM) * part / 2
        value = top * part / 2
        shown = f"{value:g}" if value < 1000 else f"{value:,.0f}"
        drawn.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
                _LEFT, WIDTH - _RIGHT, y=f"{y:.1f}"
            )
        )
        drawn.append(_text(_LEFT - 6, y + 4, shown, "end"))
    return Markup("").join(drawn)


def _labels(labels: Sequence[str], step: float, height: int) -> list[Markup]:
    every = max(1, ceil(44 / step))
    return [
        _text(_LEFT + step * (index + 0.5), height - 8, label, "middle")
        for index, label in enumerate(labels)
        if index % every == 0
    ]


def _nice(value: float) -> float:
    """The next 1, 2, 4, 5, 6 or 8 times a power of ten, at least 2: halves are whole, too."""
    if value <= 2:
        return 2.0
    scale = 10.0 ** floor(log10(value))
    return next(step * scale for step in (1, 2, 4, 5, 6, 8, 10) if step * scale >= value)


def _svg(drawn: Sequence[Markup], height: int, what: Two) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{} / {}">{}</svg>').format(
        WIDTH, height, what.en, what.zh, Markup("").join(drawn)
    )


def _rect(x: float, y: float, wide: float, tall: float, kind: str) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1.5"/>').format(
        kind, f"{x:.1f}", f"{y:.1f}", f"{wide:.1f}", f"{tall:.1f}"
    )


def _hover(x: float, y: float, wide: float, tall: float, says: Two) -> Markup:
    return Markup(
        '<g><title>{} / {}</title><rect class="hover" x="{}" y="{}" width="{}" height="{}"/></g>'
    ).format(says.en, says.zh, f"{x:.1f}", f"{y:.1f}", f"{wide:.1f}", f"{tall:.1f}")


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, f"{x:.1f}", f"{y:.1f}", anchor, text
    )


def _both(x: float, y: float, words: Two, anchor: str, kind: str = "") -> Markup:
    if words.en == words.zh:
        return _text(x, y, words.en, anchor, kind)
    return _text(x, y, words.en, anchor, f"en {kind}") + _text(x, y, words.zh, anchor, f"zh {kind}")


def _short(text: str, most: int = 20) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def both(words: Two) -> Markup:
    """A text in both languages, of which the page shows one."""
    if words.en == words.zh:
        return escape(words.en)
    return Markup('<span class="en">{}</span><span class="zh" lang="zh">{}</span>').format(
        words.en, words.zh
    )
