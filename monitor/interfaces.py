"""The HTTP interfaces of a daemon: which parts there are, and what they look at.

Owns the list of parts. Nothing of the web framework is imported where the interface is off.
"""

# ruff: noqa: PLC0415 - half a second, where it is on alone

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from monitor.clock import Clock
from monitor.config import Config
from monitor.decisions import Decision
from monitor.events.settings import EventSettings
from monitor.scorecards.settings import ScorecardSettings
from monitor.snapshot import Board

if TYPE_CHECKING:
    from monitor.web.application import Part
    from monitor.web.office import Office
    from monitor.web.room import Explain, Room
    from monitor.web.server import WebServer
    from monitor.web.shadow_api import Judged


def open_web(
    config: Config,
    board: Board,
    clock: Clock,
    counts: Counter[str],
    explain: Explain | None = None,
    feed: Callable[[], Sequence[Decision]] = tuple,
    judged: Judged | None = None,
    packs: Callable[[], Mapping[str, str]] = dict,
) -> WebServer | None:
    """The server of all parts, not started; None where it is off.

    ``explain`` reads the records behind an alert; ``feed`` is what was decided lately; ``judged``
    says which rules and indicators there are; ``packs`` the name of its pack by rule.

    Raises:
        UsageError: the address cannot be listened on, or a token or the certificate cannot serve.
        SecretError: a secret is not where the configuration says.
    """
    if not config.web.enabled:
        return None
    from monitor.web.office import Office
    from monitor.web.room import Room
    from monitor.web.server import WebServer

    office = Office(board, config.store, config.events.phones.region, clock)
    room = Room(
        board,
        trends_bytes=config.web.trends,
        trends_kept=config.store.checkpoints / "trends.log",
        stalled_after_ms=config.exporter.stalled_after,
        explain=explain,
        feed=feed,
        packs=packs,
    )

    def over() -> None:
        room.watching.stop()
        office.close()

    return WebServer(
        config.web,
        parts_of(office, config.events, config.scorecards, room, judged),
        clock,
        counts,
        at_the_start=room.watching.start,
        at_the_end=over,
        office=office,
    )


def described() -> dict[str, Any]:
    """All parts as OpenAPI; the same as at ``/api/v1/openapi.json``."""
    from monitor.web.application import VERSION, application

    return application(parts_of(None, None, None), version=VERSION).openapi()


def parts_of(
    office: Office | None,
    events: EventSettings | None,
    scorecards: ScorecardSettings | None,
    room: Room | None = None,
    judged: Judged | None = None,
) -> list[Part]:
    """Every part; None: only to be described."""
    from monitor.console import faults, pages, scorecard_pages, shadow_pages
    from monitor.scorecards.kept import Shelf
    from monitor.web import (
        alerts_api,
        audit_api,
        board_api,
        daemon_api,
        dnc_api,
        live_api,
        numbers_api,
        people_api,
        requested,
        scorecards_api,
        shadow_api,
    )
    from monitor.web.application import API, Part

    return [
        Part(numbers_api.router, f"{API}/numbers", {"office": office}),
        Part(dnc_api.router, f"{API}/do-not-call", {"events": events}),
        Part(requested.router, f"{API}/requests"),
        Part(audit_api.router, f"{API}/audit"),
        Part(
            scorecards_api.router,
            f"{API}/scorecards",
            {"scorecards": None if scorecards is None else Shelf(scorecards)},
        ),
        Part(board_api.router, API, {"room": room}),
        Part(alerts_api.router, f"{API}/alerts"),
        Part(people_api.alerts, f"{API}/alerts"),
        Part(people_api.silences, f"{API}/silences"),
        Part(daemon_api.router, API),
        Part(shadow_api.router, f"{API}/shadow", {"shadows": shadow_api.Shadows(judged)}),
        Part(live_api.router, API),
        Part(pages.router, pages.CONSOLE, {"faults": {pages.CONSOLE: faults.fault_page}}),
        Part(shadow_pages.router, pages.CONSOLE),
        Part(scorecard_pages.router, pages.CONSOLE),
    ]
