"""What reading handlers look at, beside the office: tables, trends, live events.

Owns nothing but their being together.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import Request

from monitor.decisions import Alert, Decision
from monitor.snapshot import Board
from monitor.web.live import Hub, Watching
from monitor.web.office import office_of
from monitor.web.tables import Desk, Tables
from monitor.web.trend_log import TrendLog
from monitor.web.trends import Trends

Explain = Callable[[Alert, int, bool], list[dict[str, Any]]]
"""The records behind an alert: how many of them, and whether customers are whole. It raises
``UsageError`` or ``SourceError`` where there is no answer."""


class Room:
    """One for all readers of a daemon."""

    def __init__(
        self,
        board: Board,
        *,
        trends_bytes: int,
        trends_kept: Path | None = None,
        stalled_after_ms: int,
        explain: Explain | None = None,
        feed: Callable[[], Sequence[Decision]] = tuple,
        packs: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """``trends_kept``: the file in which samples of figures outlive a restart.

        ``packs``: the name of its pack by rule, as of the last reload.
        """
        self.packs = packs
        self.desk = Desk()
        log = None if trends_kept is None else TrendLog(trends_kept)
        self.trends = Trends(trends_bytes, log)
        self.hub = Hub(uuid.uuid4().hex[:8])
        self.watching = Watching(board, self.trends, self.hub, self.desk, feed)
        self.explain = explain
        self.explaining = asyncio.Lock()
        """Held while somebody's records are read."""
        self.streams: Counter[str] = Counter()
        """Open ones, by caller; the server's loop counts them."""
        self.stalled_after_ms = stalled_after_ms


def room_of(request: Request) -> Room:
    """The room of the application that a request came to."""
    found: Room = request.app.state.room
    return found


def tables_of(request: Request) -> Tables:
    """The newest snapshot as tables.

    Raises:
        ProblemError: there is none: the daemon starts, or stands by.
    """
    return room_of(request).desk.of(office_of(request).picture())
