"""Decisions of a run, gathered into what people ask of it.

Owns the counting while decisions come: episodes, numbers out of service, refusals, pages. Nothing
is kept of a decision but what a report shows, and no list grows without bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.backtest.heard import Heard
from monitor.decisions import Alert, Command, Decision, Level, Listing, Order, Refusal, Scope
from monitor.delivery.people import masked
from monitor.delivery.routes import Router
from monitor.delivery.routing.state import Message

KEPT_MAX = 200_000
"""Episodes, and times out of service, that are kept one by one; what comes after them is counted
as ``Tally.beyond`` alone."""
QUARTER_MS = 900_000
"""Grain of pages over time: days begin at multiples of it in every zone there is."""
DEFAULT_ROUTE = "(default)"
"""Of alerts whose rule names no route, or one that is not configured."""
COMMANDS_ROUTE = "(commands)"
"""What people hear of numbers that went out of service or came back."""
DIGEST_ROUTE = "(digest)"
"""What was over a person's cap, in one."""


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
    told: Counter[tuple[str, int]] = field(default_factory=Counter)
    """The same by (person, quarter), where there are people: what comes by two ways is one."""
    told_why: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same by (person, why): ``alerts``, ``repeat``, ``escalation``, ``flapping``, ``capped``,
    ``direct``: what routing has no part in."""
    rule_pages: Counter[str] = field(default_factory=Counter)
    heard: Heard | None = None
    """The routing of alerts to people; None: the receivers of rules' routes are told at once."""
    beyond: int = 0
    decisions: int = 0
    _firing: dict[str, Episode] = field(default_factory=dict)
    _out: dict[str, Outage] = field(default_factory=dict)
    _plain: set[tuple[str, str]] = field(default_factory=set)
    """Alerts that were told as they are, and to which receiver."""
    _last: tuple[str, str, str, int] = ("", "", "", 0)
    """The message that was told last, whoever it went to."""

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
            case Refusal():
                self._refusal(decision, counted=counted)
            case Order() if counted and not decision.shadow:
                self.orders[decision.rule] += 1
            case Listing() if counted:
                self.listings[decision.action] += 1
            case _:
                pass

    def route_by(self, team_of: Callable[[Alert], str]) -> None:
        """Alerts go to people as ``delivery.routing`` says, where it says something."""
        if self.router.people.on:
            self.heard = Heard(self.router.people, team_of, self._hear)

    def finish(self, end_ms: int | None = None) -> None:
        """No more will come: what was over before the range is let go.

        ``end_ms``: up to when it was judged, and so people are told.
        """
        if self.heard is not None and end_ms is not None:
            self.heard.until(end_ms + 1)
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
            if self.heard is None:
                self._page(episode.route, alert)
        if self.heard is not None and not alert.shadow:
            self.heard.take(alert)

    def _refusal(self, refusal: Refusal, *, counted: bool) -> None:
        if counted:
            self.refusals[refusal.rule, refusal.guard] += 1
        if self.heard is not None:
            self.heard.refuse(refusal)
        elif counted:
            self._page(self._route_of(refusal.route or "operations"), refusal)

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
        receivers = tuple(dict.fromkeys(self.router.receivers(decision)))
        for receiver in receivers:
            self.received[receiver, quarter] += 1
        for person in self.router.people.reached_by(receivers):
            self.told[person, quarter] += 1
            self.told_why[person, "direct"] += 1

    def _hear(self, message: Message, at_ms: int) -> None:
        """Routing tells somebody something."""
        until_ms = at_ms + 1 if self.until_ms is None else self.until_ms
        since_ms = at_ms if self.since_ms is None else self.since_ms
        if not since_ms <= at_ms < until_ms:
            return
        quarter = at_ms // QUARTER_MS
        # By several routes an alert as it is reaches a receiver once: the outbox knows its id.
        fresh = [name for name in message.receivers if (message.id, name) not in self._plain]
        if message.plain:
            self._plain.update((message.id, name) for name in fresh)
        for receiver in fresh:
            self.received[receiver, quarter] += 1
        if not fresh or not message.counts or self.router.people.is_silent(message.receivers):
            return  # a receiver that shows what fires, or a log
        told = (message.route, message.key, message.why, at_ms)
        if told != self._last:
            self._last = told
            self.pages[message.route or DIGEST_ROUTE, quarter] += 1
            for rule in {heading.split(" ", 2)[2] for heading in message.counts}:
                self.rule_pages[rule] += 1
        if message.person:
            self.told[message.person, quarter] += 1
            self.told_why[message.person, message.why] += 1

    def _route_of(self, name: str) -> str:
        return name if name in self.router.routes else DEFAULT_ROUTE
