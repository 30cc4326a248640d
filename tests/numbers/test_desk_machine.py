"""The desk under everything at once: rules, telephony, people, time, restarts, skipped ticks.

Three desks get the same calls: one is stepped at every tick, one only where it asked to be, one is
thrown away and restored again and again. They must decide the same, and what they decide must
hold the invariants, checked here from the commands alone.
"""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from monitor.decisions import Ack, Cleared, Command, Found, ManualAction, Want
from monitor.numbers.desk import NumberDesk
from monitor.numbers.guards import limit
from monitor.numbers.ledger import DeskStep
from monitor.numbers.lifecycle import IN_SERVICE, State
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from tests.numbers.made import DAY_MS, MINUTE_MS, START_MS, TICK_MS, clear, numbers, order, want
from tests.whole import whole

pytestmark = pytest.mark.untraced

A, B = numbers(21), numbers(4, "m")
POOLS = PoolsSettings.model_validate(
    {
        "a": {"numbers": A, "max_fraction": "10%", "min_left": 3},
        "b": {"numbers": [*B, A[0]], "max_fraction": "60%", "min_left": 3},
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
KNOWN = [*A[:6], *B, "stranger"]
NUMBER = st.sampled_from(KNOWN)
WANT = st.builds(
    lambda number, kind, level, shadow: want(
        number,
        rule=f"rule-{kind}",
        episode=f"{kind}-{number}",
        level=level,
        ttl_ms=None if kind == "flag" else MINUTE_MS,
        ttl_max_ms=4 * MINUTE_MS,
        shadow=shadow,
    ),
    NUMBER,
    st.sampled_from(["hangup", "flag", "complaint"]),
    st.sampled_from(["warn", "crit"]),
    st.sampled_from([False, False, False, True]),
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

    # -- what may happen --------------------------------------------------------------------

    @rule(wants=st.lists(WANT, max_size=12))
    def breach(self, wants: list[Want]) -> None:
        """Another set of wants stands from now on; a held number is not judged."""
        self.wants = wants
        self._step()

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
        action=st.sampled_from(["suspend", "resume", "freeze", "unfreeze"]),
        number=NUMBER,
        ttl=st.sampled_from([None, MINUTE_MS]),
    )
    def person(self, action: str, number: str, ttl: int | None) -> None:
        self.orders += 1
        self._step(manual=[order(action, number, id=str(self.orders), ttl_ms=ttl)])

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
        self.wants = []
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
        for pool in ("a", "b"):
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
        self.wants = []
        self._step(cleared=[clear(number, "rule-flag") for number in KNOWN])
        stuck = [n for n in KNOWN if self.every.state(n) not in IN_SERVICE]
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
    ) -> None:
        self.now += TICK_MS
        frozen = self.every.frozen and not manual
        wants = self._standing(everyone=everyone)
        mixed = list(reversed(wants))
        told = (cleared or [], acks or [], manual or [], found or [])
        made = self.every.step(self.now, wants, *told)
        for other in (self.skipping, self.restarted):
            assert content([other.step(self.now, mixed, *told)]) == content([made])
        self._look(made, frozen=frozen)

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
            made.append(self.every.step(self.now, wants, [], [], []))
            assert self.restarted.step(self.now, wants, [], [], []) == made[-1]
            if asks or not every or self.now == until:
                asked.append(self.skipping.step(self.now, wants, [], [], []))
            self._look(made[-1], frozen=self.every.frozen)
        assert content(made) == content(asked)

    def _look(self, step: DeskStep, *, frozen: bool) -> None:
        real = [command for command in step.commands if not command.shadow]
        self.commands += step.commands
        self.unanswered += real
        for command in real:
            assert command.number != A[5], "the never list"
            if command.reason in {"admitted", "prolonged"}:
                assert not frozen
            if command.reason == "admitted":
                self.by_rule.add(command.number)
            elif command.reason in {"prolonged", "shortened", "commanded_again"}:
                pass  # it was out already, by whoever's order
            else:
                self.by_rule.discard(command.number)
        self.by_rule = {n for n in self.by_rule if self.every.state(n) not in IN_SERVICE}
        for command in real:
            if command.reason == "admitted":
                self._left(command.number)

    def _left(self, number: str) -> None:
        """A rule's suspension leaves each of its pools the numbers it must keep."""
        for pool in POOLS.pools.values():
            if number in pool.numbers:
                active = [n for n in pool.numbers if self.every.state(n) in IN_SERVICE]
                assert len(active) >= (pool.min_left or 0)


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
