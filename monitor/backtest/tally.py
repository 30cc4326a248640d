"""Decisions of a run, gathered into what people ask of it.

Owns the counting while decisions come: episodes, numbers out of service, refusals, pages. Nothing
is kept of a decision but what a report shows, and no list grows without bound.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from monitor.decisions import Alert, Command, Decision, Level, Listing, Order, Refusal, Scope
from monitor.delivery.people import masked
from monitor.delivery.routes import Router

KEPT_MAX = 200_000
"""Episodes, and times out of service, that are kept one by one; what comes after them is counted
as ``Tally.beyond`` alone."""
QUARTER_MS = 900_000
"""Grain of pages over time: days begin at multiples of it in every zone there is."""
DEFAULT_ROUTE = "(default)"
"""Of alerts whose rule names no route, or one that is not configured."""
COMMANDS_ROUTE = "(commands)"
"""What people hear of numbers that went out of service or came back."""


@dataclass(slots=True)
class Episode:
    """One alert from its first word to its last."""

    rule: str
    scope: Scope
    """With customers masked."""
    shadow: bool
    from_ms: int
    """The tick that people first heard of it."""
    level: Level
    """The severest it reached."""
    crit_ms: int | None
    """The tick at which it first was critical."""
    route: str
    pages: int = 0
    to_ms: int | None = None
    """None: it still fires."""
    ended: str = ""
    """Why it ended, as the alert says it."""


@dataclass(slots=True)
class Outage:
    """One number, out of service once; or of a shadow rule, when it would have been."""

    number: str
    rule: str
    """Empty: by hand, or by what telephony did."""
    shadow: bool
    from_ms: int
    planned_ms: int | None
    """When it was to end by itself; None: until told."""
    to_ms: int | None = None
    """None: it still lasts."""
    ended: str = ""


@dataclass(slots=True)
class Tally:
    """What the decisions of one run come to; :meth:`tell` is given them in order."""

    router: Router
    """Of the site, without telephony: people alone are paged."""
    since_ms: int | None = None
    """What is over before this is not counted; None: all of it."""
    until_ms: int | None = None
    """What comes from here on is not counted."""
    episodes: list[Episode] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (rule, guard)."""
    orders: Counter[str] = field(default_factory=Counter)
    """Orders to other systems, by rule."""
    listings: Counter[str] = field(default_factory=Counter)
    """Changes of the do-not-call list, by action."""
    pages: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Notifications by (route, quarter of an hour since 1970)."""
    received: Counter[tuple[str, int]] = field(default_factory=Counter)
    """The same by (receiver, quarter): an alert that goes to two of them counts at both."""
    rule_pages: Counter[str] = field(default_factory=Counter)
    beyond: int = 0
    decisions: int = 0
    _firing: dict[str, Episode] = field(default_factory=dict)
    _out: dict[str, Outage] = field(default_factory=dict)

    def tell(self, decision: Decision) -> None:
        """Count one decision."""
        if self.until_ms is not None and decision.at_ms >= self.until_ms:
            return
        counted = self.since_ms is None or decision.at_ms >= self.since_ms
        self.decisions += counted
        match decision:
            case Alert():
                self._alert(decision, counted=counted)
            case Command():
                self._command(decision, counted=counted)
            case Refusal() if counted:
                self.refusals[decision.rule, decision.guard] += 1
                self._page(self._route_of(decision.route or "operations"), decision)
            case Order() if counted and not decision.shadow:
                self.orders[decision.rule] += 1
            case Listing() if counted:
                self.listings[decision.action] += 1
            case _:
                pass

    def finish(self) -> None:
        """No more will come: what was over before the range is let go."""
        since_ms = self.since_ms
        if since_ms is None:
            return
        self.episodes = [e for e in self.episodes if e.to_ms is None or e.to_ms > since_ms]
        self.outages = [o for o in self.outages if o.to_ms is None or o.to_ms > since_ms]

    def _alert(self, alert: Alert, *, counted: bool) -> None:
        episode = self._firing.get(alert.episode)
        if episode is None:
            if alert.state == "resolved":
                return
            episode = Episode(
                rule=alert.rule,
                scope=masked(alert).scope,
                shadow=alert.shadow,
                from_ms=alert.at_ms,
                level=alert.level,
                crit_ms=alert.at_ms if alert.level == "crit" else None,
                route=self._route_of(alert.route),
            )
            self._firing[alert.episode] = episode
            if len(self.episodes) < KEPT_MAX:
                self.episodes.append(episode)
            else:
                self.beyond += 1
        if alert.level == "crit" and episode.crit_ms is None:
            episode.level, episode.crit_ms = "crit", alert.at_ms
        if alert.state == "resolved":
            episode.to_ms, episode.ended = alert.at_ms, alert.reason
            del self._firing[alert.episode]
        if counted and not alert.shadow:
            episode.pages += 1
            self._page(episode.route, alert)

    def _command(self, command: Command, *, counted: bool) -> None:
        if command.action == "suspend":
            self._suspended(command)
        else:
            outage = self._out.pop(command.number, None)
            if outage is not None:
                outage.to_ms, outage.ended = command.at_ms, command.reason
        if counted and not command.shadow:
            self._page(COMMANDS_ROUTE, command)

    def _suspended(self, command: Command) -> None:
        known = self._out.get(command.number)
        if known is not None and not command.shadow:
            known.planned_ms = command.until_ms  # it rests on, under other terms
            return
        outage = Outage(
            command.number, command.rule, command.shadow, command.at_ms, command.until_ms
        )
        if not command.shadow:
            self._out[command.number] = outage
        else:  # nobody will say when it would have been over
            outage.to_ms, outage.ended = command.until_ms, "ttl_over"
        if len(self.outages) < KEPT_MAX:
            self.outages.append(outage)
        else:
            self.beyond += 1

    def _page(self, route: str, decision: Decision) -> None:
        quarter = decision.at_ms // QUARTER_MS
        self.pages[route, quarter] += 1
        self.rule_pages[decision.rule] += 1
        for receiver in dict.fromkeys(self.router.receivers(decision)):
            self.received[receiver, quarter] += 1

    def _route_of(self, name: str) -> str:
        return name if name in self.router.routes else DEFAULT_ROUTE
