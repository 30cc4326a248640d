"""Between the engine and what must survive: outcomes in, journaled inputs out.

Owns the order "durable, then sent" for the live daemon, and the same interface without durability
for replays. Routing is ``monitor.delivery.routes``, storing ``monitor.store``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import structlog

from monitor.clock import Clock
from monitor.decisions import Ack, Decision, ManualAction
from monitor.delivery.routes import Router
from monitor.engine import Input, Outcome
from monitor.errors import StoreError
from monitor.source.base import Partition
from monitor.store.journal import Entry, FloorRow
from monitor.store.store import Recording, Store
from monitor.telephony.base import AckSource
from monitor.windows.watermark import Floor

log = structlog.get_logger(__name__)

RETRY_S = 1.0


class StoreRecorder:
    """Records outcomes in the store; the engine's thread uses it."""

    def __init__(
        self,
        store: Store,
        router: Router,
        acks: AckSource,
        *,
        clock: Clock,
        stop: threading.Event,
        wake: Callable[[], None],
        recent: int = 200,
    ) -> None:
        self.router = router
        self.feed: deque[Decision] = deque(maxlen=recent)
        """The newest decisions, for the terminal."""
        self.failing = ""
        """Why the store refuses just now; empty while it does not."""
        self._store = store
        self._acks = acks
        self._clock = clock
        self._stop = stop
        self._wake = wake

    def record(self, outcome: Outcome) -> None:
        """Store, then wake delivery. A store that refuses is tried again until it does not.

        Raises:
            StoreError: still refused when the daemon was told to stop; nothing was sent.
        """
        recording = Recording(
            decisions=outcome.decisions,
            deliveries=self.router.plan_all(outcome.decisions),
            changes=outcome.changes,
            floors=[FloorRow(*f.partition, f.offset, f.floor_ms) for f in outcome.floors],
            judged_to_ms=outcome.judged,
        )
        new = self._insist(lambda: self._store.record(recording))
        if new:
            self.feed.extend(new)
            self._wake()

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        """Journal what the wall clock refused."""
        payload = {"topic": partition.topic, "number": partition.number, "offsets": list(offsets)}
        key = f"{partition.topic}:{partition.number}:{offsets[0]}"
        self._insist(lambda: self._store.journal.append("refused", 0, payload, key=key))

    def inputs(self, tick: int) -> list[Input]:
        """Acknowledgements and manual actions that have come in, journaled as of ``tick``."""
        found: list[Input] = []
        for ack in self._acks.poll():
            self._insist(
                lambda ack=ack: self._store.journal.append(  # type: ignore[misc]
                    "ack", tick, asdict(ack), key=f"ack:{ack.command_id}:{ack.status}:{ack.at_ms}"
                )
            )
            found.append(Input(tick, ack))
        claimed = self._insist(lambda: self._store.requests.claim(tick))
        found += [Input(claim.tick_ms, claim.action) for claim in claimed]
        return found

    def _insist(self, call: Callable[[], Any]) -> Any:
        while True:
            try:
                result = call()
            except StoreError as error:
                if self._stop.is_set():
                    raise
                if not self.failing:
                    log.warning("store_refuses", detail=str(error))
                self.failing = str(error)
                self._clock.wait(self._stop, RETRY_S)
            else:
                if self.failing:
                    log.info("store_accepts_again")
                self.failing = ""
                return result


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


def journaled_inputs(entries: Iterable[Entry]) -> list[Input]:
    """The journal's entries that the engine takes at their ticks."""
    inputs: list[Input] = []
    for entry in entries:
        if entry.kind == "manual":
            inputs.append(Input(entry.tick_ms, ManualAction(**entry.payload)))
        elif entry.kind == "ack":
            inputs.append(Input(entry.tick_ms, Ack(**entry.payload)))
    return inputs


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
