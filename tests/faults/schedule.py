"""The run of one seed: who moves next, from the first record until all is quiet again.

Owns the order of things. What can fail is ``world``'s, what must hold is ``verdict``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from monitor.engine import Input
from monitor.errors import MonitorError
from tests.faults.chance import Chance, Crash, Fault
from tests.faults.life import Life
from tests.faults.traffic import Sent
from tests.faults.world import Kind, World

QUIET_MS = 600_000
"""Virtual time after the last fault within which all must be delivered and answered."""
OFFENCES_MAX = 5
"""A daemon that ends by itself so often is not waited for."""
_STEPS_MS = (150, 1_000, 2_500, 4_000)


@dataclass
class Played:
    """How a run ended."""

    world: World
    stuck: list[str]
    """What was not over when it should have been."""
    deaths: int


class Schedule:
    """Plays one seed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance
        self._clock = world.clock
        self._life: Life | None = None
        self._busy = 0
        self._turning = False
        self._offences: list[str] = []
        self._deaths = 0
        self._clock.waited = self._while_waiting
        world.between = self._between
        world.elapse = self._elapse

    def play(self, end_ms: int) -> Played:
        """Until ``end_ms`` things fail; then they do not, and all must come to rest."""
        while self._world.sending or self._clock.true_ms() < end_ms:
            self._clock.advance(self._chance.pick("step", _STEPS_MS))
            self._world.go_on(None if self._life is None else self._life.store)
            self._move()
        self._world.heal()
        stuck = self._come_to_rest()
        self._world.bury()
        return Played(self._world, [*self._offences, *stuck], self._deaths)

    # --- the daemon's moves -----------------------------------------------------------------

    def _move(self) -> None:
        if self._life is None:
            if self._chance.strikes("stays down", 0.3):
                self._clock.advance(self._chance.pick("down for", [1_000, 8_000, 20_000]))
                return
            self._start()
            return
        if self._chance.strikes("reload", 0.015):
            self._life.parts.reload.set()
        try:
            self._chance.crash("between turns", 0.015)
            self._turn(self._life)
            self._write(self._life)
            self._deliver(self._life)
        except Crash as crash:
            self._dead(f"dies: {crash}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._offences.append(f"the daemon ended by itself: {type(error).__name__}: {error}")
            self._dead("ended by itself")

    def _start(self) -> None:
        self._world.checkpoints().decay()
        try:
            self._life = Life(self._world)
        except Crash as crash:
            self._dead(f"dies while starting: {crash}")
        except MonitorError as error:
            self._dead(f"does not start: {error}")
        else:
            self._chance.say("started")

    def _turn(self, life: Life) -> None:
        self._turning = True
        try:
            before = life.engine.judged
            life.turn()
        finally:
            self._turning = False
        if life.engine.judged != before:
            self._chance.say(f"judged to {life.engine.judged}")

    def _write(self, life: Life) -> None:
        if life.beside.busy and not self._chance.strikes("writer sleeps on", 0.25):
            life.beside.step()

    def _deliver(self, life: Life) -> None:
        lanes = life.lanes_due()
        self._chance.stream("lanes").shuffle(lanes)
        for lane in lanes:
            if not self._chance.strikes("lane sleeps on", 0.2):
                life.step_lane(lane)

    def _dead(self, why: str) -> None:
        self._chance.say(why)
        self._deaths += 1
        self._life = None
        self._world.bury()

    # --- what others do in the midst of a move ----------------------------------------------

    def _while_waiting(self) -> None:
        """The engine waits, for the store or the source: the world does not."""
        self._world.go_on(None)
        self._chance.crash("while waiting", 0.02)
        self._between()

    def _between(self) -> None:
        """After a transaction another thread may run."""
        life = self._life
        if life is None or self._busy or not self._chance.strikes("threads change", 0.1):
            return
        self._busy += 1
        try:
            if self._turning:
                self._write(life)
                self._deliver(life)
            else:
                self._turn(life)
        finally:
            self._busy -= 1

    def _elapse(self, ms: int) -> None:
        """A receiver takes its time; the engine goes on meanwhile."""
        for _ in range(4):
            self._clock.advance(ms // 4)
            self._world.go_on(None)
            if self._life is not None and not self._turning and not self._busy:
                self._busy += 1
                try:
                    self._turn(self._life)
                finally:
                    self._busy -= 1

    # --- the end ----------------------------------------------------------------------------

    def _come_to_rest(self) -> list[str]:
        until_ms = self._clock.true_ms() + QUIET_MS
        left: list[str] = []
        while self._clock.true_ms() < until_ms and len(self._offences) < OFFENCES_MAX:
            self._clock.advance(1_000)
            self._world.go_on(None)
            self._move()
            left = self._left()
            if not left:
                return []
        return [f"not over {QUIET_MS // 1000} s after the last fault: {what}" for what in left]

    def _left(self) -> list[str]:
        life = self._life
        if life is None:
            return ["it does not run"]
        engine = life.engine
        left = [
            f"records of {partition} to be read"
            for partition, standing in engine.source.standings().items()
            if standing.position < standing.end
        ]
        if engine.waiting_inputs and not self._world.exact:
            left.append("inputs wait for their tick")
        if len(engine.pending) and not self._world.exact:
            left.append("rows wait to be judged")
        if engine.judges.desk.awaited and not self._world.exact:
            left.append(f"answers awaited: {sorted(engine.judges.desk.awaited)}")
        if life.recorder.failing:
            left.append(f"the store: {life.recorder.failing}")
        if engine.watermarks.engine < self._world.rest_ms:
            left.append("event time has not come to the end")
        counts = life.store.outbox.counts()
        left += [f"{n} deliveries to {to}: {s}" for (to, s), n in counts.items() if s in _OPEN]
        return left


_OPEN = frozenset({"queued", "retry", "sending"})


def play(
    seed: int,
    directory: Path,
    sent: list[Sent],
    *,
    kind: Kind,
    inputs: list[Input],
    without: frozenset[Fault] = frozenset(),
) -> Played:
    """One seed, from an empty directory to rest."""
    world = World(Chance(seed, without=without), directory, sent, kind)
    world.prepare(inputs)
    return Schedule(world).play(sent[-1].at_ms + 15_000)
