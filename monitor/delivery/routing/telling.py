"""Messages: what they say of which alerts, to whom, and what is remembered of it.

Owns the making of messages. Ids follow from the group and the number of its message, so a step that
is taken again makes the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.decisions import Level, NoticeWhy, derive_id
from monitor.delivery.routing.budgets import Budgets
from monitor.delivery.routing.ledger import Ledger
from monitor.delivery.routing.plan import Plan, RoutePlan, Target
from monitor.delivery.routing.state import SHOWN_MAX, Group, Member, Message, State
from monitor.numbers.guards import FAILURES


class Teller:
    """Of one board; one thread uses it."""

    def __init__(self, plan: Plan, state: State, ledger: Ledger) -> None:
        self.plan = plan
        self.budgets = Budgets(state, ledger.send)
        self._state = state
        self._ledger = ledger

    def news(self, group: Group, route: RoutePlan, members: Sequence[Member], now_ms: int) -> None:
        """What began, changed or ended; of an end hears whoever heard of the alert."""
        fresh = [member for member in members if member.firing]
        over = [member for member in members if not member.firing]
        to = self.plan.targets(route.to, worst(fresh or over), now_ms)
        if fresh:
            self._tell(group, route, "alerts", members, to, now_ms)
            names = {target.person or target.receivers for target in to}
            to = [t for t in _heard(over) if (t.person or t.receivers) not in names]
        else:
            to = _heard(over) or to
        if over and (to or not fresh):
            self._tell(group, route, "alerts", over, to, now_ms)
        for member in over:
            self._state.drop(group, member)
        if fresh:
            group.repeats = 0
            group.repeat_ms = None if route.repeat is None else now_ms + route.repeat.every
        group.told_ms = now_ms

    def flapping(
        self, group: Group, route: RoutePlan, members: Sequence[Member], now_ms: int
    ) -> None:
        """They come and go: said once a level, and held from now on."""
        to = self.plan.targets(route.to, worst(members), now_ms)
        self._tell(group, route, "flapping", members, to, now_ms)
        for member in members:
            flap = self._state.flaps[member.key]
            for names in (flap.told, flap.crit) if member.level == "crit" else (flap.told,):
                if route.name not in names:
                    names.append(route.name)
            self._state.touch("flap", member.key)
            self._ledger.hold(group, member, "flapping")
        group.told_ms = now_ms

    def escalate(self, group: Group, route: RoutePlan, free: Sequence[Member], now_ms: int) -> None:
        """Tell the next ones of what nobody has acknowledged."""
        for index, step in enumerate(route.steps):
            late = [m for m in free if m.step == index and m.told_ms + step.after_ms <= now_ms]
            if not late:
                continue
            for member in late:
                member.step = index + 1
            to = self.plan.targets(step.to, worst(late), now_ms)
            self._tell(group, route, "escalation", late, to, now_ms)

    def repeat(self, group: Group, route: RoutePlan, free: Sequence[Member], now_ms: int) -> None:
        """Tell the same ones again."""
        if route.repeat is None or group.repeat_ms is None or group.repeat_ms > now_ms:
            return
        free = [member for member in free if not member.once]  # its alert is told again
        if not free:
            group.repeat_ms = now_ms + route.repeat.every
            return
        to = self.plan.targets(route.to, worst(free), now_ms)
        self._tell(group, route, "repeat", free, to, now_ms)
        group.repeats += 1
        pause_ms = route.repeat.every * route.repeat.factor ** min(group.repeats, 30)
        group.repeat_ms = now_ms + min(route.repeat.max, pause_ms)

    def _tell(
        self,
        group: Group,
        route: RoutePlan,
        why: NoticeWhy,
        members: Sequence[Member],
        to: Sequence[Target],
        now_ms: int,
    ) -> None:
        """One message to each of ``to``, no receiver twice."""
        addressed: set[str] = set()
        sent, digest, paged = "", "", False
        for target in to:
            fresh = tuple(name for name in target.receivers if name not in addressed)
            unpaged = self._state.not_paged(fresh, members)
            paged = paged or unpaged != fresh
            ways = self.plan.without_stateful(unpaged)
            addressed.update(ways)
            if not ways:
                continue
            message = self._message(group, route, why, members, target, ways)
            waits_for = self.budgets.offer(message, now_ms, self.plan)
            sent, digest = (sent or message.id, digest) if not waits_for else (sent, waits_for)
        for member in members:
            heard = [[target.person, *target.receivers] for target in to]
            member.heard += [each for each in heard if each not in member.heard]
            self._state.touch_member(member)
            if why not in {"alerts", "flapping"}:
                continue
            if not to:
                self._ledger.settle(group, member, "nobody")
            elif paged and not addressed:
                self._ledger.settle(group, member, "inhibited")
            else:
                name = sent or digest or member.alert
                self._ledger.told(group, member, name, digest=not sent and bool(digest))
            if member.firing:
                _note_told(member, now_ms)

    def _message(
        self,
        group: Group,
        route: RoutePlan,
        why: NoticeWhy,
        members: Sequence[Member],
        target: Target,
        receivers: tuple[str, ...],
    ) -> Message:
        group.sent += 1
        first, single = members[0], why == "alerts" and len(members) == 1
        # A bare alert is written in the receiver's language, so another one takes a notice.
        plain = single and not self.plan.translated(target.person, receivers)
        named = derive_id("notice", first.alert, target.person) if single else _notice_id(group)
        counts: dict[str, int] = {}
        for member in members:
            heading = f"{_state(member)} {member.level} {member.labels['rule']}"
            counts[heading] = counts.get(heading, 0) + 1
        ordered = sorted(members, key=lambda m: (m.firing, m.level == "crit", m.at_ms, m.episode))
        return Message(
            id=first.alert if plain else named,
            why=why,
            route=route.name,
            person=target.person,
            receivers=receivers,
            language=self.plan.language(target.person),
            level=worst(members),
            counts=counts,
            from_ms=min(member.at_ms for member in members),
            to_ms=max(member.at_ms for member in members),
            shown=tuple(member.alert for member in ordered[-SHOWN_MAX:]),
            plain=plain,
            key=first.key if group.alone else group.name,
        )


def _state(member: Member) -> str:
    if member.once:
        return "failed" if member.labels["guard"] in FAILURES else "refused"
    return "firing" if member.firing else "resolved"


def _notice_id(group: Group) -> str:
    return derive_id("notice", group.name, group.begun_ms, group.sent)


def worst(members: Sequence[Member]) -> Level:
    """The level of the worst of them."""
    return "crit" if any(member.level == "crit" for member in members) else "warn"


def _note_told(member: Member, now_ms: int) -> None:
    """People know of it at this level; when it gets worse, steps begin anew."""
    if not member.told or (member.told, member.level) == ("warn", "crit"):
        member.told_ms, member.step = now_ms, 0
    member.told, member.again, member.held = member.level, False, ""


def _heard(members: Sequence[Member]) -> list[Target]:
    """Everybody who was told of them, each once with all ways."""
    ways: dict[tuple[str, str], list[str]] = {}
    for member in members:
        for person, *receivers in member.heard:
            # Receivers that are nobody's are each told by themselves.
            for name in [""] if person else receivers:
                ways.setdefault((person, name), []).extend(receivers if person else [name])
    return [Target(person, tuple(dict.fromkeys(names))) for (person, _), names in ways.items()]
