"""Who is to be told now: alerts and refusals in, messages out, on a clock that is handed in.

Owns the order of things for one alert: taken by routes, in groups, held by a named cause or told,
told again, escalated, told to be over. It does no input or output and draws no chance: the same
state, alerts and times give the same messages with the same ids, so what a crash undid is done
again, once. Who and when is ``plan``'s, in which group ``members``'s, why not ``holds``'s, what is
said ``telling``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from monitor.decisions import Alert, Refusal
from monitor.delivery.routes import order_key
from monitor.delivery.routing.holds import Holds
from monitor.delivery.routing.ledger import Ledger
from monitor.delivery.routing.members import Members
from monitor.delivery.routing.plan import Plan, RoutePlan
from monitor.delivery.routing.refusals import Refused
from monitor.delivery.routing.sources import Sources
from monitor.delivery.routing.state import (
    Cause,
    Effects,
    Group,
    Member,
    Page,
    State,
)
from monitor.delivery.routing.telling import Teller
from monitor.people.matchers import labels_of
from monitor.store.handled import Handling
from monitor.store.silenced import Silence

TIDY_MS: Final = 60_000
"""How often what has been calm for long is forgotten."""


class Board:
    """The routing of one configuration; one thread uses it."""

    def __init__(self, plan: Plan, state: State, sources: Sources | None = None) -> None:
        self.plan = plan
        self._state = state
        self._ledger = Ledger(state)
        self._holds = Holds(plan, state, sources or Sources(plan.inhibit))
        self._members = Members(plan, state, self._ledger)
        self._teller = Teller(plan, state, self._ledger)
        self._tidy_ms = 0

    def take(self, alert: Alert, team: str, now_ms: int) -> None:
        """A transition was decided; it is told, or held, by :meth:`flush`."""
        labels = labels_of(alert, team=team, pack=self.plan.packs.get(alert.rule, ""))
        firing, key, state = alert.state == "firing", order_key(alert), self._state
        if self._holds.sources.follow(alert.episode, labels, firing=firing):
            self._look_again("inhibited", now_ms)
        if not firing:
            self._over_with(alert.episode, now_ms)
        groups = {name: state.groups[name] for name in state.of_episode.get(alert.episode, ())}
        begins = firing and not groups
        self._holds.note_flap(key, alert, begins=begins, now_ms=now_ms)
        taking: set[str] = set()
        if firing or not groups:
            for route in self.plan.taking(labels, now_ms):
                group = self._members.group(route, labels, now_ms)
                groups.setdefault(group.name, group)
                taking.add(group.name)
        for name, group in groups.items():
            member = self._members.join(group, alert, labels, key, now_ms)
            if firing and name in taking:
                member.back()
            elif firing:
                member.moved = True

    def refuse(self, refusal: Refusal, alert: Alert | None, team: str, now_ms: int) -> None:
        """A suspension was refused, or telephony did otherwise; ``alert``: that it was for."""
        made = Refused.of(refusal, alert, team, self.plan)
        ways: list[str] = []
        for route in self.plan.taking(made.labels, now_ms):
            group = self._members.group(route, made.labels, now_ms)
            if refusal.id in group.members:
                continue
            member = made.member(group.name, now_ms)
            self._state.add(group, member)
            self._members.tell_stateful(group, route, member, now_ms)
            self._members.due(group, route, now_ms, rises=False)
            to = self.plan.targets(route.to, member.level, now_ms)
            ways += [way for target in to for way in target.receivers]
        if made.stands_for_alerts:
            self._state.note_page(refusal.id, Page(now_ms, list(dict.fromkeys(ways))))

    def due_episodes(self, now_ms: int) -> list[str]:
        """Those that :meth:`flush` wants to know of how they stand with people."""
        return [
            episode
            for group in self._state.groups.values()
            if group.due_ms is not None and group.due_ms <= now_ms
            for member in group.members.values()
            for episode in (member.episode, member.behind)
            if episode
        ]

    def next_due_ms(self) -> int | None:
        """When there is something to do, if nothing happens before."""
        groups = (group.due_ms for group in self._state.groups.values())
        digests = self._teller.budgets.due()
        return min([*(at_ms for at_ms in groups if at_ms is not None), *digests], default=None)

    def held_by(self, cause: Cause) -> bool:
        """Whether something is held for this cause."""
        return any(
            member.held == cause
            for group in self._state.groups.values()
            for member in group.members.values()
        )

    def see(self, silences: Sequence[Silence], now_ms: int) -> None:
        """The silences that hold now."""
        if {s.id for s in self._holds.silences} - {s.id for s in silences}:
            self._look_again("silenced", now_ms)
        self._holds.silences = silences

    def flush(self, now_ms: int, handled: Mapping[str, Handling]) -> None:
        """Tell, hold, tell again, escalate: all that is due; ``handled`` by episode."""
        self._holds.handled = handled
        due = [(g.due_ms, g.name) for g in self._state.groups.values() if g.due_ms is not None]
        for due_ms, name in sorted(due, key=lambda each: each[0]):  # else as they came
            if due_ms > now_ms:
                break
            self._flush(self._state.groups[name], now_ms)
        self._teller.budgets.flush(now_ms, self.plan)
        if now_ms - self._tidy_ms >= TIDY_MS:
            self._tidy_ms = now_ms
            self._holds.tidy(now_ms)
            self._teller.budgets.tidy(now_ms, self.plan)

    def drain(self) -> Effects:
        """What it led to since the last time, to be kept in one transaction."""
        return self._ledger.drain()

    def adopt(self, plan: Plan, sources: Sources, now_ms: int, *, changed: bool = True) -> None:
        """What is on a route that is gone takes those that there are.

        With ``changed``, what waits for something else is looked at, too: it may wait no more.
        """
        self.plan = self._holds.plan = self._members.plan = self._teller.plan = plan
        self._holds.sources = sources
        for group in list(self._state.groups.values()):
            held = any(member.held for member in group.members.values())
            if changed and (group.due_ms is None or held):
                group.due_ms = now_ms
                self._state.touch("group", group.name)
            if plan.route(group.route, group.of_rule) is not None:
                continue
            for member in list(group.members.values()):
                self._state.drop(group, member)
                if member.firing:
                    self._members.move(member, now_ms, member.heard)
                else:
                    self._ledger.settle(group, member, "moved")
            self._state.touch("group", group.name)
            self._state.groups.pop(group.name, None)

    def _over_with(self, episode: str, now_ms: int) -> None:
        """Refusals of what is over are no matter any more."""
        for name, refusal in self._state.beside.get(episode, ()):
            group = self._state.groups[name]
            member = group.members[refusal]
            member.firing, group.due_ms = False, now_ms
            self._state.touch_member(member)
            self._state.touch("group", name)

    def _look_again(self, cause: Cause, now_ms: int) -> None:
        """What was held for this cause may be told now."""
        for group in self._state.groups.values():
            if any(member.held == cause for member in group.members.values()):
                group.due_ms = now_ms
                self._state.touch("group", group.name)

    # --- a group that is due ----------------------------------------------------------------------

    def _flush(self, group: Group, now_ms: int) -> None:
        route = self._members.route(group)
        due: list[int] = []
        news: list[Member] = []
        flaps: list[Member] = []
        free: list[Member] = []
        """Firing, told, not acknowledged, not held."""
        for member in list(group.members.values()):
            cause, until_ms = self._holds.cause(member, route, now_ms)
            if until_ms is not None:
                due.append(until_ms)
            if self._stays(group, route, member, cause):
                continue
            if member.firing and self._holds.flaps_first(member, route, now_ms):
                flaps.append(member)
                due.append(self._state.flaps[member.key].calm_ms)
            elif not member.firing or member.told != member.level or member.again:
                news.append(member)
            else:
                self._ledger.settle(group, member, "unchanged")
                self._ledger.free(member)
                free.append(member)
        if flaps:
            self._teller.flapping(group, route, flaps, now_ms)
        if news:
            self._teller.news(group, route, news, now_ms)
        due += self._again(group, route, free, now_ms)
        self._let_go(group, route)
        group.due_ms = min(due, default=None)
        self._state.touch("group", group.name)
        if not group.members:
            del self._state.groups[group.name]

    def _again(
        self, group: Group, route: RoutePlan, free: Sequence[Member], now_ms: int
    ) -> list[int]:
        """What was told is told on, or handed over; when it is looked at again."""
        if free and route.hours is not None and not route.hours.hold(now_ms):
            if self._hand_over(free, now_ms):
                return [route.hours.next_ms(now_ms)]
        else:
            self._teller.escalate(group, route, free, now_ms)
            self._teller.repeat(group, route, free, now_ms)
        return _later(group, route)

    def _stays(self, group: Group, route: RoutePlan, member: Member, cause: Cause | None) -> bool:
        """Whether people are not told of a member now; it is said why."""
        if not member.firing and not member.once:
            return self._ends_unsaid(group, route, member, cause)
        if not member.firing:
            self._ledger.settle(group, member, cause or member.held or "over_before_told")
            self._state.drop(group, member)
            return True
        if member.moved:
            self._ledger.settle(group, member, "moved")
            if member.once or not member.told:
                self._state.drop(group, member)
            return True
        if cause is not None:
            self._ledger.hold(group, member, cause)
            return True
        if self._holds.known(member):
            self._ledger.hold(group, member, "acknowledged")
            self._ledger.settle(group, member, "acknowledged")
            member.again = False
            if member.once:
                self._state.drop(group, member)
            return True
        return False

    def _ends_unsaid(
        self, group: Group, route: RoutePlan, member: Member, cause: Cause | None
    ) -> bool:
        """Whether people are not told of an end, now or ever."""
        if cause in {"flapping", "out_of_hours"} and member.told:
            self._ledger.hold(group, member, cause)
            return True
        left: Cause | None = cause
        if not member.told and not member.heard:
            left = cause or member.held or "over_before_told"
        elif cause is None and not route.ends:
            left = "ends_not_told"
        if left is None:
            return False
        self._ledger.settle(group, member, left)
        self._state.drop(group, member)
        return True

    def _let_go(self, group: Group, route: RoutePlan) -> None:
        """A refusal has no end: with everybody told, it is over for people."""
        for member in list(group.members.values()):
            if member.once and member.told and member.step >= len(route.steps):
                self._state.drop(group, member)

    def _hand_over(self, free: Sequence[Member], now_ms: int) -> bool:
        """The hours are over, and nobody has acknowledged: it takes the routes of now.

        Where those tell nobody it stays for the hours to come; whether something does.
        """
        stays = False
        for member in free:
            if not self.plan.anybody(member.labels, member.level, now_ms):
                stays = True
                continue
            self._members.move(member, now_ms)
            member.moved = True
            self._state.touch_member(member)
        return stays


def _later(group: Group, route: RoutePlan) -> list[int]:
    """When what was told is looked at again."""
    waiting = [m for m in group.members.values() if m.told and not m.held and not m.moved]
    times = [
        member.told_ms + route.steps[member.step].after_ms
        for member in waiting
        if member.step < len(route.steps)
    ]
    if group.repeat_ms is not None and waiting:
        times.append(group.repeat_ms)
    return times
