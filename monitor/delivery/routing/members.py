"""Which alerts are in which group, and when a group is looked at for them.

Owns how an alert joins the group of a route, and how it moves to other routes. Who and when is
``plan``'s, what is done about a group that is due ``board``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.decisions import Alert
from monitor.delivery.routing.ledger import Ledger
from monitor.delivery.routing.plan import Plan, RoutePlan
from monitor.delivery.routing.state import PENDING_MAX, Group, Member, Message, State


class Members:
    """The groups of one configuration; one thread uses it."""

    def __init__(self, plan: Plan, state: State, ledger: Ledger) -> None:
        self.plan = plan
        self._state = state
        self._ledger = ledger

    def group(self, route: RoutePlan, labels: Mapping[str, str], now_ms: int) -> Group:
        """Of a route, the group for an alert of these labels; made where there is none."""
        name = route.group_of(labels)
        group = self._state.groups.get(name)
        if group is None:
            alone = not route.group_by
            number = self._state.next_number()
            group = Group(name, route.name, labels.get("route", ""), alone, number, now_ms)
            self._state.groups[name] = group
        self._state.touch("group", name)
        return group

    def join(
        self, group: Group, alert: Alert, labels: dict[str, str], key: str, now_ms: int
    ) -> Member:
        """A transition of a member, old or new; the group is due when its route says."""
        member = group.members.get(alert.episode)
        rises = False
        if member is None:
            member = Member(
                group.name, alert.episode, labels, alert.level, False, alert.id, alert.at_ms, key
            )
            if alert.state != "firing":  # it began before anybody kept this
                member.told = alert.level
            self._state.add(group, member)
        else:
            rises = (member.told, member.level, alert.level) == ("warn", "warn", "crit")
        member.labels, member.level = labels, alert.level
        member.firing = alert.state == "firing"
        member.alert, member.at_ms = alert.id, alert.at_ms
        member.again = member.again or alert.reason == "repeat"
        member.pending = [*member.pending[1 - PENDING_MAX :], alert.id]
        self._state.touch_member(member)
        self._state.touch("group", group.name)
        route = self.route(group)
        self.tell_stateful(group, route, member, now_ms)
        self.due(group, route, now_ms, rises=rises)
        return member

    def due(self, group: Group, route: RoutePlan, now_ms: int, *, rises: bool) -> None:
        """There is news in a group; what ``rises`` to critical does not wait for the interval."""
        at_ms = now_ms + route.wait_ms
        if group.told_ms is not None and not rises and not group.alone:
            at_ms = max(at_ms, group.told_ms + route.interval_ms)
        group.due_ms = at_ms if group.due_ms is None else min(group.due_ms, at_ms)

    def tell_stateful(self, group: Group, route: RoutePlan, member: Member, now_ms: int) -> None:
        """Who shows what fires is told of each transition as it is."""
        names = self.plan.stateful(route.to, member.level, now_ms)
        names = self._state.not_paged(names, [member])
        if names:
            self._ledger.send(Message.plainly(member, route.name, names))
            self._ledger.note(group, member.episode, [member.alert], "told", notice=member.alert)

    def move(self, member: Member, now_ms: int, heard: Sequence[list[str]] = ()) -> None:
        """It takes the routes that there are now, as news to them; ``heard``: who hears its end."""
        for route in self.plan.taking(member.labels, now_ms):
            group = self.group(route, member.labels, now_ms)
            group.due_ms = now_ms
            there = group.members.get(member.episode)
            if there is None:
                moved = Member(
                    group.name,
                    member.episode,
                    member.labels,
                    member.level,
                    member.firing,
                    member.alert,
                    member.at_ms,
                    member.key,
                    list(member.pending),
                    heard=[list(each) for each in heard],
                    once=member.once,
                    behind=member.behind,
                    taken_ms=member.taken_ms,
                )
                self._state.add(group, moved)
                heard = ()  # once
            elif there is not member and there.moved:
                there.back()
                there.level, there.alert, there.at_ms = member.level, member.alert, member.at_ms
                there.pending = list(member.pending)
                self._state.touch_member(there)

    def route(self, group: Group) -> RoutePlan:
        """The route that a group is on."""
        route = self.plan.route(group.route, group.of_rule)
        assert route is not None  # noqa: S101 - the board's ``adopt`` has seen to it
        return route
