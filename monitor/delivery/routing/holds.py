"""Why people are not to be told now, and until when.

Owns the causes and their order: silences, then inhibition, then flapping, then hours. What comes
and goes is counted here, by the ticks at which it began, so that a daemon that catches up counts
what happened and not how fast it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.decisions import Alert
from monitor.delivery.routing.plan import Plan, RoutePlan
from monitor.delivery.routing.sources import Sources
from monitor.delivery.routing.state import Cause, Flap, Member, State
from monitor.people.matchers import misses
from monitor.store.handled import Handling
from monitor.store.silenced import Silence


class Holds:
    """Of one board; one thread uses it."""

    def __init__(self, plan: Plan, state: State, sources: Sources) -> None:
        self.plan = plan
        self.sources = sources
        self.silences: Sequence[Silence] = ()
        self.handled: Mapping[str, Handling] = {}
        """By episode, of those that are due."""
        self._state = state

    def cause(
        self, member: Member, route: RoutePlan, now_ms: int
    ) -> tuple[Cause | None, int | None]:
        """Why not now, and until when; no time: until something happens."""
        for silence in self.silences:
            if silence.until_ms > now_ms and not misses(silence.matchers, member.labels):
                return "silenced", silence.until_ms
        if self.sources.mute(member.episode, member.labels):
            return "inhibited", None
        flap = self.flap(member.key, now_ms)
        if flap is not None and not _unsaid(flap, member, route):
            return "flapping", flap.calm_ms
        if route.holds and route.hours is not None and not route.hours.hold(now_ms):
            return "out_of_hours", route.hours.next_ms(now_ms)
        return None, None

    def known(self, member: Member) -> bool:
        """Whether somebody has acknowledged it, as bad as it is."""
        handling = self.handled.get(member.episode)
        if handling is not None and handling.covers(member.level):
            return True
        of_alert = self.handled.get(member.behind) if member.behind else None
        known_ms = None if of_alert is None else of_alert.acknowledged_ms
        return known_ms is not None and known_ms >= member.taken_ms

    def flap(self, key: str, now_ms: int) -> Flap | None:
        """What comes and goes under this key now; None: it does not."""
        flap = self._state.flaps.get(key)
        if flap is None or not flap.held:
            return None
        if now_ms < flap.calm_ms and self.plan.flapping is not None:
            return flap
        del self._state.flaps[key]
        self._state.touch("flap", key)
        return None

    def flaps_first(self, member: Member, route: RoutePlan, now_ms: int) -> bool:
        """Whether it flaps, and the route was not told so yet, or not that it is critical."""
        flap = self.flap(member.key, now_ms)
        return flap is not None and _unsaid(flap, member, route)

    def note_flap(self, key: str, alert: Alert, *, begins: bool, now_ms: int) -> None:
        """An episode began, or something happened to one."""
        setting = self.plan.flapping
        if setting is None:
            return
        flap = self._state.flaps.get(key)
        if flap is not None and flap.calm_ms <= now_ms:
            del self._state.flaps[key]
            self._state.touch("flap", key)
            flap = None
        if flap is None:
            if not begins:
                return
            flap = self._state.flaps[key] = Flap()
        if begins:
            since_ms = alert.at_ms - setting.within
            recent = [at_ms for at_ms in flap.begins if at_ms > since_ms]
            flap.begins = [*recent, alert.at_ms][-setting.count :]
        flap.held = flap.held or len(flap.begins) >= setting.count
        if begins or alert.state != "firing":
            flap.calm_ms = now_ms + setting.within
        self._state.touch("flap", key)

    def tidy(self, now_ms: int) -> None:
        """Forget what has been calm for long."""
        flaps = self._state.flaps
        for key in [k for k, flap in flaps.items() if flap.calm_ms <= now_ms]:
            del flaps[key]
            self._state.touch("flap", key)


def _unsaid(flap: Flap, member: Member, route: RoutePlan) -> bool:
    """Whether the route is still to be told that it flaps, as bad as it is."""
    if route.name not in flap.told:
        return True
    return member.firing and member.level == "crit" and route.name not in flap.crit
