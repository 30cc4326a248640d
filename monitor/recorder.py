"""Between the engine and what must survive: outcomes in, journaled inputs out.

Owns the order "durable, then sent" for the live daemon, and the same interface without durability
for replays. Routing is ``monitor.delivery.routes``, storing ``monitor.store``.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict

import msgspec
import structlog

from monitor.clock import Clock
from monitor.decisions import Ack, Alert, Decision, Found, ListAction, ManualAction
from monitor.delivery.routes import Router
from monitor.engine import Input, Outcome
from monitor.errors import LeaseLost, StoreError
from monitor.source.base import Partition
from monitor.store.journal import Entry, FloorRow, Kind
from monitor.store.outbox import Delivery
from monitor.store.store import Recording, Store
from monitor.telephony.base import AckSource
from monitor.units import format_duration
from monitor.windows.pending import aligned
from monitor.windows.watermark import NEVER, Floor

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""Between two tries of a store that refuses, unless a try itself takes long."""
RETRY_SHARE = 4
"""A try that took a while is followed by so many times as long without one: judging goes on."""
RETRY_MAX_S = 30.0
"""But by no more than this, about as long as a silent PostgreSQL holds a try: a store that is back
is not left alone for minutes, while bad numbers go on calling."""
BACKLOG_MAX = 10_000
"""Outcomes that wait for the store in memory; with so many the engine waits, too."""
_STALE = "stale: not sent"
_GONE = "it was not sent: the configuration has its telephony system no more"
TOLD = -1
"""In place of a time: its silence has been told."""


class StoreRecorder:
    """Records outcomes in the store; the engine's thread uses it.

    While the store refuses, outcomes wait here in their order, and judging goes on: figures stay
    true, and nothing is sent. Acknowledgements and manual actions wait where they are. No
    checkpoint may be taken meanwhile (:meth:`all_stored`): after a crash the same is judged again.
    """

    def __init__(
        self,
        store: Store,
        router: Router,
        acks: AckSource,
        *,
        clock: Clock,
        stop: threading.Event,
        ack_timeout_ms: int,
        recent: int = 200,
    ) -> None:
        """``ack_timeout_ms``: how long telephony may be silent, see :attr:`ack_timeout_ms`."""
        self.ack_timeout_ms = ack_timeout_ms
        """Wall time after which an unanswered command counts as ``silent``."""
        self.wake: Callable[[], None] = lambda: None
        """Tells delivery that something waits."""
        self.router = router
        self.feed: deque[Decision] = deque(maxlen=recent)
        """The newest decisions, for the terminal."""
        self.awaited: Callable[[], AbstractSet[str]] = frozenset
        """Ids of the commands that the desk awaits an answer to."""
        self.whole: Callable[[Ack], Ack] = lambda ack: ack
        """An answer with all who have to give one; it may raise StoreError."""
        self.found: Callable[[], list[Ack | Found]] = list
        """What came of asking telephony what it blocks."""
        self.teams: Callable[[Sequence[Alert]], Mapping[str, str]] = lambda _alerts: {}
        """The teams that alerts are about, by episode."""
        self.failing = ""
        """Why the store refuses just now; empty while it does not."""
        self.waiting: Callable[[], None] = lambda: None
        """Called each time that the store has refused, or accepts again."""
        self._store = store
        self._acks = acks
        self._clock = clock
        self._stop = stop
        self._waiting_since: dict[str, int] = {}
        """Wall time at which each awaited command was first seen to be."""
        self._own: queue.SimpleQueue[Ack] = queue.SimpleQueue()
        self._backlog: deque[Callable[[], Sequence[Decision]]] = deque()
        """What the store has not taken yet, oldest first; each gives the decisions new to it."""
        self._polled: deque[Ack | Found] = deque()
        """Answers, and what telephony was found to do, that are not in the journal yet."""
        self._unsure: list[str] = []
        """The key of the one that may be, although the store said no."""
        self._retry_at_s = 0.0

    @property
    def unjournaled(self) -> int:
        """Answers that were read, and are not in the journal yet."""
        return len(self._polled)

    @property
    def behind(self) -> int:
        """Outcomes that the store has not taken yet."""
        return len(self._backlog)

    def record(self, outcome: Outcome) -> None:
        """Store, then wake delivery; or keep it until the store takes it.

        Raises:
            LeaseLost: another daemon is the active one; nothing was sent.
            StoreError: too much waits, and the daemon was told to stop.
        """
        recording = Recording(
            decisions=outcome.decisions,
            deliveries=self.router.plan_all(outcome.decisions),
            changes=outcome.changes,
            floors=[_row(floor) for floor in outcome.floors],
            needless=[_row(floor) for floor in outcome.needless],
            judged_to_ms=None if outcome.judged == NEVER else outcome.judged,
            teams=self.teams([d for d in outcome.decisions if isinstance(d, Alert)]),
        )
        self._keep(lambda: self._store.record(recording))

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        """Journal what the wall clock refused, before any outcome that depends on it.

        Raises:
            LeaseLost, StoreError: see :meth:`record`.
        """
        payload = {"topic": partition.topic, "number": partition.number, "offsets": list(offsets)}
        key = f"{partition.topic}:{partition.number}:{offsets[0]}"
        now_ms = self._clock.now_ms()

        def journal() -> Sequence[Decision]:
            # It holds for good; the wall time only says when it is old enough to be forgotten.
            self._store.journal.append("refused", now_ms, payload, key=key)
            return ()

        self._keep(journal)

    def inputs(self, tick: int) -> list[Input]:
        """Acknowledgements and manual actions that have come in, journaled as of ``tick``.

        None while the store refuses: what is not in the journal must not change a decision.

        Raises:
            LeaseLost: another daemon is the active one.
        """
        if not self.catch_up():
            return []
        found: list[Input] = []
        self._polled += [*self._acks.poll(), *self._notes(), *self._silences(), *self.found()]
        with self._noting_failure():
            while self._polled:
                what = self._polled[0]
                what = self.whole(what) if isinstance(what, Ack) else what
                if self._journal(what, tick):
                    found.append(Input(tick, what))
                self._polled.popleft()
            claimed = self._store.requests.claim(tick)
            found += [Input(claim.tick_ms, claim.action) for claim in claimed]
        if self.failing:
            # The tick is judged without what failed here, so the journal must not have it there,
            # which it may: a store can break after it has stored. Before anything else is stored:
            self._backlog.appendleft(self._withdraw)
        return found

    def _journal(self, what: Ack | Found, tick: int) -> bool:
        """Journal an answer; False when it stands there already, and the engine has it."""
        kind, key = _key(what)
        if self._store.journal.holds(key):
            return False
        self._unsure = [key]
        self._store.journal.append(kind, tick, asdict(what), key=key)
        self._unsure = []
        return True

    def _withdraw(self) -> Sequence[Decision]:
        if self._unsure:
            self._store.journal.withdraw(self._unsure)
            self._unsure = []
        self._store.requests.withdraw()
        return ()

    def catch_up(self) -> bool:
        """Offer the store what waits for it, unless it has just refused; True when nothing does.

        Raises:
            LeaseLost: another daemon is the active one.
        """
        if self.failing and self._clock.monotonic_s() < self._retry_at_s:
            return False
        if self._backlog:
            with self._noting_failure():
                while self._backlog:
                    new = self._backlog[0]()
                    self._backlog.popleft()
                    if new:
                        self.feed.extend(new)
                        self.wake()
        return not self._backlog

    def all_stored(self) -> bool:
        """Nothing that has come in waits in memory alone: a checkpoint may be taken.

        It says where answers are read on, so those that were read and are not in the journal yet
        would be lost by one.

        Raises:
            LeaseLost: another daemon is the active one.
        """
        return self.catch_up() and not self.unjournaled

    def settle(self) -> None:
        """The last word before the end: what waits is stored, or it is said that it is not.

        Raises:
            StoreError: the store still refuses. Nothing of what waits was sent; the next start
                judges it again.
        """
        self._retry_at_s = 0.0
        if self._backlog and not self.catch_up():
            msg = f"{len(self._backlog)} outcomes could not be stored: {self.failing}"
            raise StoreError(msg)

    def stale(self, delivery: Delivery) -> None:
        """A command was not sent, its time being over: it counts as done. For any thread."""
        now_ms = self._clock.now_ms()
        self._own.put(Ack(delivery.decision.id, "applied", _STALE, now_ms))

    def gone(self, command_id: str, receiver: str) -> None:
        """A command waited for a system that there is no more: nobody else will answer it."""
        self._own.put(Ack(command_id, "rejected", _GONE, self._clock.now_ms(), receiver))

    def _notes(self) -> Iterator[Ack]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._own.get_nowait()

    def _silences(self) -> list[Ack]:
        """Commands that telephony has left unanswered for too long, each once.

        One that was not sent any more is done, or never will be: the note of it is in memory, and
        a crash loses it.
        """
        now_ms, awaited = self._clock.now_ms(), self.awaited()
        since = {name: self._waiting_since.get(name, now_ms) for name in awaited}
        limit = self.ack_timeout_ms
        over = sorted(n for n, began in since.items() if began != TOLD and now_ms - began >= limit)
        self._waiting_since = since | dict.fromkeys(over, TOLD)
        said: dict[str, Ack] = {}
        with contextlib.suppress(StoreError):  # silent, then: the note may come yet
            outbox = self._store.outbox
            said = {name: Ack(name, "applied", _STALE, now_ms) for name in outbox.stale(over)}
            for name, receiver in outbox.homeless(over).items():
                said[name] = Ack(name, "rejected", _GONE, now_ms, receiver)
        detail = f"no answer within {format_duration(limit)}"
        return [said.get(name, Ack(name, "silent", detail, now_ms)) for name in over]

    def _keep(self, work: Callable[[], Sequence[Decision]]) -> None:
        self._backlog.append(work)
        while not self.catch_up() and len(self._backlog) >= BACKLOG_MAX:
            if self._stop.is_set():
                raise StoreError(self.failing)
            self._clock.wait(self._stop, RETRY_S)

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """A store that refuses is said once, and left alone for a while."""
        began_s = self._clock.monotonic_s()
        try:
            yield
        except LeaseLost:
            raise
        except StoreError as error:
            if not self.failing:
                log.warning("store_refuses", detail=str(error))
            self.failing = str(error)
            now_s = self._clock.monotonic_s()
            pause_s = max(RETRY_S, RETRY_SHARE * (now_s - began_s))
            self._retry_at_s = now_s + min(pause_s, RETRY_MAX_S)
            self.waiting()
        else:
            if self.failing:
                log.info("store_accepts_again")
                self.failing = ""
                self.wake()  # what was stored although the store said no is due, too
                self.waiting()


def _row(floor: Floor) -> FloorRow:
    return FloorRow(*floor.partition, floor.offset, floor.floor_ms)


def _key(what: Ack | Found) -> tuple[Kind, str]:
    """Kind and key by which the journal knows an answer that is read again after a restart."""
    if isinstance(what, Found):
        return "found", _joined(f"found:{what.number}:{what.what}:{what.at_ms}", what.system)
    return "ack", _joined(f"ack:{what.command_id}:{what.status}:{what.at_ms}", what.system)


def _joined(key: str, system: str) -> str:
    return f"{key}:{system}" if system else key


class ReplayRecorder:
    """Hands decisions to a callback; takes inputs from a list, durable elsewhere or nowhere."""

    def __init__(self, tell: Callable[[Decision], None]) -> None:
        self._tell = tell

    def record(self, outcome: Outcome) -> None:
        """Pass the decisions on, in order."""
        for decision in outcome.decisions:
            self._tell(decision)

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        """Never called: a replay has no wall clock."""

    def inputs(self, tick: int) -> list[Input]:  # noqa: ARG002 - the interface's
        """None come while a replay runs; the journal's are given to the engine at its start."""
        return []


def journaled_inputs(entries: Iterable[Entry], *, tick_ms: int) -> list[Input]:
    """The journal's entries that the engine takes at their ticks.

    Those of a tick of another length take effect with the next one that there is now.
    """
    inputs: list[Input] = []
    for entry in entries:
        tick = aligned(entry.tick_ms, tick_ms)
        if entry.kind == "manual":
            inputs.append(Input(tick, ManualAction(**entry.payload)))
        elif entry.kind == "list":
            inputs.append(Input(tick, msgspec.convert(entry.payload, ListAction)))
        elif entry.kind == "ack":
            inputs.append(Input(tick, msgspec.convert(entry.payload, Ack)))
        elif entry.kind == "found":
            inputs.append(Input(tick, Found(**entry.payload)))
    return inputs


def journaled_end(judged_to_ms: int | None, *, tick_ms: int) -> int:
    """The tick up to which an earlier run has judged; NEVER when there was none."""
    return NEVER if judged_to_ms is None else aligned(judged_to_ms, tick_ms)


def journaled_refusals(entries: Iterable[Entry]) -> list[tuple[Partition, int]]:
    """The records that the wall clock refused when they were first read."""
    return [
        (Partition(entry.payload["topic"], entry.payload["number"]), offset)
        for entry in entries
        if entry.kind == "refused"
        for offset in entry.payload["offsets"]
    ]


def journaled_floors(rows: Iterable[FloorRow]) -> list[Floor]:
    """The floors of partitions that were left out."""
    return [Floor(Partition(row.topic, row.number), row.position, row.floor_ms) for row in rows]
