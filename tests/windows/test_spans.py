"""Pieces of time cut where panes and periods end; figures over them are ``tests/indicators``."""

from __future__ import annotations

from monitor.windows.arrays import column
from monitor.windows.calendar import CalendarWindow
from monitor.windows.spans import Pieces
from monitor.windows.spec import SlidingWindow

TICK = 5_000


def test_pieces_are_cut_at_panes() -> None:
    #   panes of 10 s:  0 ........ 10 ........ 20 ........ 30
    #   piece                  7 ............ 20
    window = SlidingWindow("w", 60_000, 10_000, TICK)
    pieces = Pieces(
        column([1, 2, 3]),
        column([7_000, 10_000, 0]),
        column([20_000, 25_000, 4]),
        column([1, -1, 1]),
    )
    panes, keys, lengths = pieces.cut(window, 5)
    found = sorted(zip(keys.tolist(), panes.tolist(), lengths.tolist(), strict=True))
    assert found == [
        (1, 0, 3_000),
        (1, 10_000, 10_000),
        (2, 10_000, -10_000),
        (2, 20_000, -5_000),
    ]
    panes, keys, lengths = pieces.cut(window, 25_000)
    assert len(panes) == len(keys) == len(lengths) == 0


def test_pieces_are_cut_at_midnights() -> None:
    window = CalendarWindow("day", "Asia/Kathmandu", TICK)
    midnight = window.pane_end(0)
    pieces = Pieces(column([1]), column([midnight - 1]), column([midnight + 2]), column([1]))
    panes, _, lengths = pieces.cut(window, 0)
    assert lengths.tolist() == [1, 2]
    assert panes.tolist() == [window.pane_of(0), midnight]
