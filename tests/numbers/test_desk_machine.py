"""The desk under everything at once: rules, telephony, people, time, restarts, skipped ticks.

Three desks get the same calls: one is stepped at every tick, one only where it asked to be, one is
thrown away and restored again and again. They must decide the same, and what they decide must
hold the invariants, checked here from the commands alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from monitor.decisions import Ack, Around, Cleared, Command, Found, ManualAction, Want
from monitor.numbers.desk import NumberDesk
from monitor.numbers.guards import limit
from monitor.numbers.ledger import DeskStep
from monitor.numbers.lifecycle import IN_SERVICE, KEPT, State
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from tests.numbers.made import DAY_MS, MINUTE_MS, START_MS, TICK_MS, clear, numbers, order, want
from tests.whole import whole

pytestmark = pytest.mark.untraced

A, B, C = numbers(21), numbers(4, "m"), numbers(6, "p")
POOLS = PoolsSettings.model_validate(
    {
        "a": {"numbers": A, "max_fraction": "10%", "min_left": 3, "standby": ["s0", "s1"]},
        "b": {"numbers": [*B, A[0]], "max_fraction": "60%", "min_left": 3},
        "c": {
            "numbers": C,
            "max_fraction": "100%",
            "rate": "2/1m",
            "brake_above": "50%",
            "brake_window": "3m",
            "approval": 2,
            "approval_for": "1m",
            "inhibited_by": ["campaign-hangup"],
        },
    }
)
SETTINGS = NumbersSettings.model_validate(
    {
        "rate": "3/2m",
        "never": [A[5]],
        "ack_timeout": "20s",
        "retry_pause": "10s",
        "retry_pause_max": "40s",
        "heal_after": "10m",
    }
)
K, WINDOW_MS = 3, 3 * MINUTE_MS
"""Half of the six of pool c: more are a wave."""
KNOWN = [*A[:6], *B, *C, "s0", "s1", "stranger"]
NUMBER = st.sampled_from(KNOWN)
WANT = st.builds(
    lambda number, kind, level, shadow, agent: want(
        number,
        rule=f"rule-{kind}",
        episode=f"{kind}-{number}",
        level=level,
        ttl_ms=None if kind == "flag" else MINUTE_MS,
        ttl_max_ms=4 * MINUTE_MS,
        shadow=shadow,
        blamed=agent,
        spared=agent and f"{agent} is bad on 3 other numbers",
        probation_calls=0 if kind == "flag" else 5,
        probation_ms=2 * MINUTE_MS,
    ),
    NUMBER,
    st.sampled_from(["hangup", "flag", "complaint"]),
    st.sampled_from(["warn", "crit"]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from(["", "", "", "", "agent-7"]),
)


def desk() -> NumberDesk:
    return NumberDesk(POOLS, SETTINGS, tick_ms=TICK_MS)


def content(steps: list[DeskStep]) -> list[object]:
    """What was decided, without the ticks at which nothing was."""
    return [
        item
        for step in steps
        for item in [*step.changes, *step.commands, *step.refusals, *step.closed]
    ]


class Desk(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.every, self.skipping, self.restarted = desk(), desk(), desk()
        self.now = START_MS
        self.wants: list[Want] = []
        self.commands: list[Command] = []
        self.unanswered: list[Command] = []
        self.by_rule: set[str] = set()
        self.orders = 0
        self.around = Around()
        self.asked: list[str] = []
        self.approved_until = 0
        self.admitted: list[tuple[int, str]] = []
        """When which numbers of pool c were suspended by rules."""

    # -- what may happen --------------------------------------------------------------------

    @rule(wants=st.lists(WANT, max_size=12))
    def breach(self, wants: list[Want]) -> None:
        """Another set of wants stands from now on; a held number is not judged."""
        self.wants = wants
        self._step()

    @rule(wants=st.lists(st.sampled_from(C), max_size=6, unique=True), bad=st.booleans())
    def wave(self, wants: list[str], *, bad: bool) -> None:
        """Pool c alone, with its campaign as a whole at times."""
        breaches = {"campaign-hangup": {"c"}} if bad else {}
        self.around = Around(breaches=breaches)
        self.wants = [want(number, rule="rule-hangup", ttl_ms=MINUTE_MS) for number in wants]
        self._step()

    @rule(pending=st.sets(st.sampled_from(C), max_size=4))
    def may_breach(self, pending: set[str]) -> None:
        self.around = replace(self.around, pending=frozenset(pending))
        self._step()

    @precondition(lambda self: self.asked)
    @rule(last=st.booleans(), twice=st.booleans())
    def approved(self, *, last: bool, twice: bool) -> None:
        self.orders += 1
        name = self.asked[-1] if last else "another"
        orders = [order("approve", id=f"{self.orders}-{n}", ref=name) for n in range(1 + twice)]
        self._step(manual=orders)

    @rule(held_too=st.lists(WANT, min_size=1, max_size=4))
    def judged_although_held(self, held_too: list[Want]) -> None:
        self.wants = [*self.wants, *held_too]
        self._step(everyone=True)

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data(), good=st.booleans())
    def answered(self, data: st.DataObject, *, good: bool) -> None:
        command = data.draw(st.sampled_from(self.unanswered))
        self.unanswered.remove(command)
        self._step(acks=[Ack(command.id, "applied" if good else "rejected", "", self.now)])

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data())
    def silent(self, data: st.DataObject) -> None:
        command = data.draw(st.sampled_from(self.unanswered))
        self._step(acks=[Ack(command.id, "silent", "", self.now)] * 2)

    @precondition(lambda self: self.unanswered)
    @rule()
    def all_answered_twice(self) -> None:
        acks = [Ack(command.id, "applied", "", self.now) for command in self.unanswered]
        self.unanswered.clear()
        self._step(acks=[*acks, *acks, Ack("never-heard-of", "rejected", "", self.now)])

    @rule(numbers=st.lists(NUMBER, max_size=4))
    def cleared(self, numbers: list[str]) -> None:
        self._step(cleared=[clear(number, "rule-flag") for number in numbers])

    @rule(
        action=st.sampled_from(
            ["suspend", "resume", "freeze", "unfreeze", "hold", "retire", "release", "release"]
        ),
        number=NUMBER,
        ttl=st.sampled_from([None, MINUTE_MS]),
    )
    def person(self, action: str, number: str, ttl: int | None) -> None:
        self.orders += 1
        self._step(manual=[order(action, number, id=str(self.orders), ttl_ms=ttl)])

    @rule(ago=st.integers(0, 100), pool=st.sampled_from(["", "a", "b"]))
    def undone(self, ago: int, pool: str) -> None:
        self.orders += 1
        since = self.now - ago * TICK_MS
        self._step(manual=[order("undo", id=str(self.orders), since_ms=since, pool=pool)])

    @precondition(lambda self: self.every.on_trial)
    @rule(data=st.data(), calls=st.integers(0, 9))
    def calls_since(self, data: st.DataObject, calls: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.every.on_trial)))
        self._step(calls={number: calls})

    @rule(
        number=NUMBER.filter(lambda number: number != A[5]),
        what=st.sampled_from(["missing", "extra"]),
        until=st.sampled_from([None, MINUTE_MS]),
        late=st.booleans(),
    )
    def telephony_differs(
        self, number: str, what: Literal["missing", "extra"], until: int | None, *, late: bool
    ) -> None:
        changes = self.every.changes(number) - late
        until_ms = None if until is None else self.now + until
        self._step(found=[Found(number, what, changes, until_ms, "seen", self.now)])

    @rule(ticks=st.integers(1, 100))
    def quiet(self, ticks: int) -> None:
        self._pass(self.now + ticks * TICK_MS)

    @rule(days=st.integers(1, 9))
    def days_pass(self, days: int) -> None:
        self.wants, self.around = [], Around()
        self._pass(self.now + days * DAY_MS, every=False)

    @rule()
    def restart(self) -> None:
        state = self.restarted.snapshot()
        self.restarted = desk()
        self.restarted.restore(state)
        assert whole(self.restarted.snapshot()) == whole(state)
        assert self.restarted.held == self.every.held

    # -- what must hold ---------------------------------------------------------------------

    @invariant()
    def no_pool_loses_more_to_rules_than_its_limit(self) -> None:
        for pool in ("a", "b", "c"):
            settings = POOLS.pools[pool]
            assert settings.max_fraction is not None
            most = limit(settings.max_fraction, len(settings.numbers))
            assert len(self.by_rule & set(settings.numbers)) <= most

    @invariant()
    def one_command_a_number_is_in_flight_and_held_is_what_is_out(self) -> None:
        awaited = self.every.snapshot()["ledger"]["records"].content()
        in_flight = {record["number"] for record in awaited if record["command"]}
        assert len(in_flight) == len(self.every.awaited)
        assert in_flight <= self.every.held
        assert self.every.held == {n for n in KNOWN if self.every.state(n) not in IN_SERVICE}
        assert sum(self.every.counts().values()) >= len(self.every.book)

    @invariant()
    def every_desk_knows_the_same(self) -> None:
        assert whole(self.every.snapshot()) == whole(self.restarted.snapshot())
        assert self.every.next_event_tick(self.now) == self.restarted.next_event_tick(self.now)

    @invariant()
    def command_ids_are_unique(self) -> None:
        assert len({command.id for command in self.commands}) == len(self.commands)

    @invariant()
    def the_global_rate_holds_over_any_period(self) -> None:
        issued = [c.at_ms for c in self.commands if c.reason == "admitted" and not c.shadow]
        count, per_ms = SETTINGS.rate
        assert all(
            later - first >= per_ms for first, later in zip(issued, issued[count:], strict=False)
        )

    def teardown(self) -> None:
        """Whatever was going on: with the causes gone, every number comes back."""
        if not hasattr(self, "every"):
            return
        self.wants, self.around = [], Around()
        self._step(cleared=[clear(number, "rule-flag") for number in KNOWN])
        stuck = [n for n in KNOWN if self.every.state(n) not in IN_SERVICE]
        kept = [n for n in stuck if self.every.state(n) in KEPT]
        self._step(manual=[order("release", n, id=f"let-{n}") for n in kept])
        self._step(manual=[order("resume", n, id=f"end-{n}") for n in stuck])
        self._step(acks=[Ack(command.id, "applied", "", 0) for command in self.unanswered])
        self._pass(self.now + 60 * MINUTE_MS)
        assert {self.every.state(number) for number in KNOWN} == {State.ACTIVE}
        assert self.every.next_event_tick(self.now) is None

    # -- how it is driven -------------------------------------------------------------------

    def _standing(self, *, everyone: bool = False) -> list[Want]:
        held = self.every.held
        return [wish for wish in self.wants if everyone or wish.number not in held]

    def _step(
        self,
        *,
        cleared: list[Cleared] | None = None,
        acks: list[Ack] | None = None,
        manual: list[ManualAction] | None = None,
        found: list[Found] | None = None,
        everyone: bool = False,
        calls: dict[str, int] | None = None,
    ) -> None:
        self.now += TICK_MS
        frozen = self.every.frozen and not manual
        wants = self._standing(everyone=everyone)
        mixed = list(reversed(wants))
        around = replace(self.around, calls=calls or {})
        waiting = self._waiting(wants)
        rest = (cleared or [], acks or [], manual or [], around, found or [])
        made = self.every.step(self.now, wants, *rest)
        for other in (self.skipping, self.restarted):
            assert content([other.step(self.now, mixed, *rest)]) == content([made])
        self._look(made, frozen=frozen, waiting=waiting)

    def _waiting(self, wants: list[Want]) -> int:
        """How many of pool c rules want out that are in service."""
        asked = {each.number for each in wants if not each.shadow and not each.blamed}
        members = {number for number in asked if "c" in self.every.book.pools_of(number)}
        return len(members - self.every.held)

    def _pass(self, until: int, *, every: bool = True) -> None:
        """Let time pass to ``until``; ``skipping`` sees only the ticks it asks for."""
        made: list[DeskStep] = []
        asked: list[DeskStep] = []
        while self.now < until:
            due = self.every.next_event_tick(self.now)
            skip = until if due is None else min(due, until)
            self.now = self.now + TICK_MS if every else skip
            wants = self._standing()
            asks = self.skipping.next_event_tick(self.now - TICK_MS) == self.now
            rest: tuple[list[Any], list[Any], list[Any], Around] = ([], [], [], self.around)
            waiting = self._waiting(wants)
            made.append(self.every.step(self.now, wants, *rest))
            assert self.restarted.step(self.now, wants, *rest) == made[-1]
            if asks or not every or self.now == until:
                asked.append(self.skipping.step(self.now, wants, *rest))
            self._look(made[-1], frozen=self.every.frozen, waiting=waiting)
        assert content(made) == content(asked)

    def _look(self, step: DeskStep, *, frozen: bool, waiting: int) -> None:
        self._look_at_pool_c(step, waiting)
        real = [command for command in step.commands if not command.shadow]
        self.commands += step.commands
        self.unanswered += real
        for command in real:
            assert command.action == "resume" or command.number != A[5], "the never list"
            if command.reason in {"admitted", "prolonged"}:
                assert not frozen
            if command.reason == "admitted":
                self.by_rule.add(command.number)
            elif command.action == "resume" or command.reason.startswith("manual_"):
                self.by_rule.discard(command.number)
        self.by_rule = {n for n in self.by_rule if self.every.state(n) not in IN_SERVICE}
        for command in real:
            if command.reason == "admitted":
                self._left(command.number)

    def _look_at_pool_c(self, step: DeskStep, waiting: int) -> None:
        """What holds for the pool as a whole."""
        for refusal in step.refusals:
            if refusal.guard == "approval":
                self.asked.append(refusal.detail.rpartition(" ")[2])
        if any(change.reason == "approve" for change in step.changes):
            self.approved_until = self.now + MINUTE_MS
        for command in step.commands:
            if command.number not in C or command.shadow or command.reason != "admitted":
                continue
            assert "c" not in self.around.breaches.get("campaign-hangup", ())
            assert waiting <= 2 or self.now < self.approved_until
            self.admitted.append((self.now, command.number))
        lately = [(at, number) for at, number in self.admitted if at > self.now - WINDOW_MS]
        assert len({number for _, number in lately}) <= K
        assert len([at for at, _ in lately if at > self.now - MINUTE_MS]) <= 2

    def _left(self, number: str) -> None:
        """A rule's suspension leaves each of its pools the numbers it must keep."""
        book = self.every.book
        for name in book.pools_of(number):
            members = [n for n in book if name in book.pools_of(n)]
            active = [n for n in members if self.every.state(n) in IN_SERVICE]
            least = POOLS.pools[name].min_left if name in POOLS.pools else 0
            assert len(active) >= (least or 0)


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
