"""A trend so small that it stands in a line of text, or beside one.

Owns three ways to draw the same few values: blocks of text, SVG, PNG. A value that is missing is a
gap, never a zero.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "·"
_WIDTH, _HEIGHT, _MARGIN = 240, 48, 4
_INK = (192, 57, 43)

Values = Sequence[float | None]


def blocks(values: Values) -> str:
    """``▁▂▅█``, from nothing to the largest; empty where there are fewer than two values."""
    if sum(value is not None for value in values) < 2:
        return ""
    top = _top(values)
    last = len(_BLOCKS) - 1
    return "".join(
        _GAP if value is None else _BLOCKS[round(max(0.0, value) / top * last)] for value in values
    )


def svg(values: Values) -> str:
    """A picture for pages and mail; empty where there are fewer than two values."""
    if sum(value is not None for value in values) < 2:
        return ""
    lines = "".join(
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in run)}"/>'
        for run in _runs(values)
    )
    ink = "#{:02x}{:02x}{:02x}".format(*_INK)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" fill="none" stroke="{ink}" stroke-width="2">'
        f"{lines}</svg>"
    )


def png(values: Values) -> bytes:
    """The same as a PNG of two colours, some hundred bytes; empty where there is nothing to see."""
    if sum(value is not None for value in values) < 2:
        return b""
    rows = [bytearray(_WIDTH) for _ in range(_HEIGHT)]
    for run in _runs(values):
        for (x0, y0), (x1, y1) in zip(run, run[1:] or run, strict=False):
            steps = max(1, round(max(abs(x1 - x0), abs(y1 - y0))))
            for step in range(steps + 1):
                x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
                _dot(rows, round(x), round(y))
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            # 8 bits a pixel, each an index into a palette of paper and ink.
            _chunk(b"IHDR", struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", b"\xff\xff\xff" + bytes(_INK)),
            _chunk(b"IDAT", zlib.compress(raw, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _top(values: Values) -> float:
    return max((value for value in values if value is not None), default=0.0) or 1.0


def _runs(values: Values) -> list[list[tuple[float, float]]]:
    """Points of the values that follow one another without a gap."""
    top, apart = _top(values), (_WIDTH - 2 * _MARGIN) / max(1, len(values) - 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
            continue
        height = max(0.0, value) / top * (_HEIGHT - 2 * _MARGIN)
        runs[-1].append((_MARGIN + place * apart, _HEIGHT - _MARGIN - height))
    return [run for run in runs if run]


def _dot(rows: list[bytearray], x: int, y: int) -> None:
    for row in (y, y + 1):
        for column in (x, x + 1):
            if 0 <= row < _HEIGHT and 0 <= column < _WIDTH:
                rows[row][column] = 1


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
