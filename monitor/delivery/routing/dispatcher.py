"""Alerts and refusals from the outbox to the people: step by step, each durable or undone.

Owns the reading, the order and the writing down; what is decided is ``board``'s. One thread calls
:meth:`Dispatcher.step`. After any failure of the store what is remembered is read anew: memory may
be ahead of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from monitor.clock import Clock
from monitor.decisions import Alert, Notice, Refusal
from monitor.delivery.routing.board import Board
from monitor.delivery.routing.plan import Plan
from monitor.delivery.routing.sources import Sources
from monitor.delivery.routing.state import Effects, Message, State
from monitor.errors import LeaseLost, StoreError
from monitor.people.matchers import labels_of
from monitor.store.outbox import PlannedDelivery
from monitor.store.routed import RECEIVER, Routed, Told
from monitor.store.store import Store

log = structlog.get_logger(__name__)

IDLE_MS: Final = 60_000
"""The longest sleep; new alerts wake the dispatcher."""
LOOK_MS: Final = 5_000
"""How often it is looked whether a silence was ended, while one holds something."""
TAKEN_MAX: Final = 1_000
"""Alerts and refusals of one step."""
_STORE_PAUSE_MS: Final = 1_000


class Dispatcher:
    """The routing of one daemon."""

    receiver = RECEIVER

    def __init__(
        self, store: Store, clock: Clock, plan: Callable[[], Plan], *, waiting_max: int
    ) -> None:
        """``plan``: the routes as of the last reload; ``waiting_max``: of one receiver."""
        self.wake: Callable[[], None] = lambda: None
        """Tells the lanes that something waits."""
        self.busy_since_s: float | None = None
        """Monotonic start of the step under way, for the watchdog; None between steps."""
        self._store = store
        self._clock = clock
        self._plan = plan
        self._waiting_max = waiting_max
        self._board: Board | None = None
        self._lost = False

    def step(self) -> int:
        """Do what is due; returns the milliseconds until there may be more, 0 for at once."""
        if self._lost:
            return IDLE_MS
        self.busy_since_s = self._clock.monotonic_s()
        try:
            return self._step()
        except LeaseLost:
            self._lost = True
            log.warning("routing_over")
            return IDLE_MS
        except StoreError as error:
            self._board = None
            log.error("routing_store_unavailable", detail=str(error))  # noqa: TRY400 - said in full
            return _STORE_PAUSE_MS
        except Exception:
            self._board = None
            raise
        finally:
            self.busy_since_s = None

    def _step(self) -> int:
        now_ms = self._clock.now_ms()
        board = self._board_of_now(now_ms)
        fresh = self._store.routing.fresh(TAKEN_MAX)
        # What stands for alerts comes before them, though it was decided after them.
        for each in sorted(fresh, key=lambda each: isinstance(each.decision, Alert)):
            if isinstance(each.decision, Alert):
                board.take(each.decision, each.team, now_ms)
            else:
                board.refuse(each.decision, each.alert, each.team, now_ms)
        silences = self._store.silenced.standing(now_ms)
        board.see(silences, now_ms)
        handled = self._store.handled.of(board.due_episodes(now_ms))
        board.flush(now_ms, handled)
        self._keep([each.seq for each in fresh], board.drain(), now_ms)
        if len(fresh) == TAKEN_MAX:
            return 0
        due_ms = board.next_due_ms()
        most = LOOK_MS if silences and board.held_by("silenced") else IDLE_MS
        return most if due_ms is None else min(most, max(0, due_ms - self._clock.now_ms()))

    def _board_of_now(self, now_ms: int) -> Board:
        plan, board = self._plan(), self._board
        if board is None:
            state = State.loaded(self._store.routing.load())
            board = self._board = Board(plan, state, self._sources(plan))
            board.adopt(plan, self._sources(plan), now_ms, changed=False)
        elif board.plan is not plan:
            board.adopt(plan, self._sources(plan), now_ms)
        return board

    def _sources(self, plan: Plan) -> Sources:
        if not plan.inhibit:
            return Sources(())
        firing = [
            (alert.episode, labels_of(alert, team=team, pack=plan.packs.get(alert.rule, "")))
            for alert, team in self._store.routing.firing()
        ]
        return Sources(plan.inhibit, firing)

    def _keep(self, looked_at: Sequence[int], effects: Effects, now_ms: int) -> None:
        if not (looked_at or effects.messages or effects.changed or effects.gone):
            return
        deliveries = [
            PlannedDelivery(message.id, receiver, message.key, self._waiting_max)
            for message in effects.messages
            for receiver in message.receivers
        ]
        shown = [name for m in effects.messages if not m.plain for name in m.shown]
        found = self._store.routing.decisions(shown)
        notices = [_notice(m, found, now_ms) for m in effects.messages if not m.plain]
        told = [
            Told(each.alert, each.route, each.episode, each.state, each.cause, each.notice)
            for each in effects.tellings.values()
        ]
        step = Routed(looked_at, effects.changed, effects.gone, told, notices, deliveries)
        self._store.routing.keep(step)
        self._say(effects)
        if deliveries:
            self.wake()

    @staticmethod
    def _say(effects: Effects) -> None:
        for message in effects.messages:
            if not message.plain:
                log.info(
                    "notice",
                    why=message.why,
                    route=message.route,
                    person=message.person,
                    receivers=list(message.receivers),
                    count=sum(message.counts.values()),
                    id=message.id,
                )
        held: dict[str, int] = {}
        for telling in effects.tellings.values():
            if telling.state == "held":
                held[telling.cause] = held.get(telling.cause, 0) + 1
        for cause, count in sorted(held.items()):
            log.info("alerts_held", cause=cause, count=count)


def _notice(message: Message, found: dict[str, Alert | Refusal], now_ms: int) -> Notice:
    shown = [found[name] for name in message.shown if name in found]
    return Notice(
        at_ms=now_ms,
        id=message.id,
        why=message.why,
        route=message.route,
        person=message.person,
        language=message.language,
        level=message.level,
        counts=message.counts,
        from_ms=message.from_ms,
        to_ms=message.to_ms,
        newest=tuple(each for each in shown if isinstance(each, Alert)),
        refusals=tuple(each for each in shown if isinstance(each, Refusal)),
    )
