"""Where nobody but the log would hear, though the settings name people.

Owns what `monitor check` says of it; what does not load at all is ``settings``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from monitor.delivery.routing.settings import RouteEntry
from monitor.delivery.settings import DeliverySettings, Fault, LogReceiver
from monitor.people.matchers import misses


class Unheard(NamedTuple):
    """One place."""

    severity: Literal["error", "warning"]
    fault: Fault


def unheard(settings: DeliverySettings) -> Iterator[Unheard]:
    """Decisions that people would miss; none where no routes to people are set."""
    if not settings.routing:
        return
    known = settings.known_receivers()

    def silent(names: Sequence[str]) -> bool:
        return all(isinstance(known[name], LogReceiver) for name in names)

    page = settings.routes.get(settings.refusals)
    taken = any(_takes_all(route, "refusal") for route in settings.routing)
    if not taken and silent(settings.default if page is None else page.receivers):
        hint = (
            "a last route without `match` and `hours`, or "
            f"`routes: {{{settings.refusals}: {{receivers: […]}}}}` with a receiver of people"
        )
        message = (
            "refusals, and the one page of a wave, that no route takes "
            f"go by the route {settings.refusals}"
            f"{'' if page else ', which is not set, so by `default`,'} to the log alone"
        )
        loc = ("routing",) if page is None else ("routes", settings.refusals)
        yield Unheard("error", Fault(loc, message, hint))
    if silent(settings.default) and not any(
        _takes_all(route, "alert") for route in settings.routing
    ):
        message = "alerts that no route takes go by `default`, to the log alone"
        hint = "a last route without `match` and `hours`, or `default`"
        yield Unheard("warning", Fault(("routing",), message, hint))


def _takes_all(route: RouteEntry, kind: str) -> bool:
    matches = set(route.match) <= {"kind"} and not misses(route.match, {"kind": kind})
    in_time = route.hours is None or route.otherwise == "hold"
    return bool(route.to) and matches and in_time
