"""A source that is read and decoded ahead, in a thread of its own, while the engine judges.

Owns the thread, how far it may run ahead, and that nobody notices: what :meth:`ReadAhead.standings`
tells is of the records handed out, and a partition is never at its end while some of its records
wait here. Decoding and most of reading let go of the interpreter's lock.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from typing import Protocol

import structlog

from monitor.clock import Clock
from monitor.errors import SourceError, SourceUnavailable
from monitor.events.batch import Decoded
from monitor.source.base import Fetched, Partition, Source, Standing

log = structlog.get_logger(__name__)

ROWS_MAX = 100_000
"""Records read ahead, give or take a poll."""
LIVE_ROWS_MAX = 60_000
"""The same of a daemon: more than a poll, so that one is read while another waits. Its threads
share two cores with each other and a broker, and each costs more the more they overlap: beyond this
none was sooner done. Nothing else was measured: with more cores more may be better."""
SWITCH_S = 0.0005
"""After so long in Python a thread hands on the interpreter. The engine lets it go at each compiled
call, and by default would wait 5 ms for it each time that a batch is decoded or a page is written
(ADR 7)."""
SLOW_S = 1.0
"""A poll that takes so much longer than it may is not waited for."""
STUCK_S = 60.0
"""One that takes so long is reported."""
CLOSE_S = 3.0
"""How long closing waits for a poll to end."""


class Decodes(Protocol):
    """Bytes to columns; never raises for what a record holds."""

    def decode(self, fetched: Fetched) -> Decoded:
        """The rows of one batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(Fetched):
    """Records with what they decode to."""

    decoder: Decodes
    """Who decoded them; after a reload it is somebody else's turn."""
    decoded: Decoded


@dataclass(frozen=True, slots=True)
class _Delivery:
    """What one poll gave."""

    batches: list[Fetched]
    standings: Mapping[Partition, Standing]
    error: Exception | None = None

    @property
    def rows(self) -> int:
        return sum(len(batch.values) for batch in self.batches)


class ReadAhead:
    """A :class:`monitor.source.base.Source` over another; one thread uses it."""

    def __init__(self, inner: Source, clock: Clock, rows_max: int = ROWS_MAX) -> None:
        """Nothing is read before :meth:`start`; set :attr:`decoder` before that.

        ``rows_max``: once so many records wait, no more are polled.
        """
        self.decoder: Callable[[], Decodes]
        """Whose decoding is wanted by now."""
        self._inner = inner
        self._clock = clock
        self._rows_max = rows_max
        self._changed = threading.Condition()
        # All below belongs to whoever holds the condition.
        self._waiting: deque[_Delivery] = deque()
        self._wish: tuple[int, float, AbstractSet[Partition]] | None = None
        self._asked = False
        """Somebody is waiting for what comes next."""
        self._dry = False
        """The last poll found nothing: there is no running ahead of that."""
        self._over = self._ended = False
        """Told to end; has ended."""
        self._exhausted = False
        self._thread: threading.Thread | None = None
        # And these to the thread that polls us.
        self._standings: Mapping[Partition, Standing] = {}
        self._is_sure = False
        self._heard_s = 0.0
        self._error: Exception | None = None

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """See :class:`monitor.source.base.Source`."""
        self._stop()
        sys.setswitchinterval(SWITCH_S)
        self._waiting.clear()
        self._inner.start(positions, since_ms)
        self._standings, self._is_sure = self._inner.standings(), True
        self._exhausted = self._inner.exhausted()
        self._heard_s = self._clock.monotonic_s()
        self._over = self._ended = self._dry = self._asked = False
        self._wish = self._error = None
        self._thread = threading.Thread(target=self._work, name="read-ahead", daemon=True)
        self._thread.start()

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """What is next; see :class:`monitor.source.base.Source`.

        Raises:
            SourceUnavailable: as the source says, or it has not answered for ``STUCK_S``.
            SourceError: as the source says.
        """
        if self._thread is None:
            raise SourceError("poll belongs between start and close")
        with self._changed:
            self._wish, self._asked = (max_records, timeout_s, skip), True
            self._changed.notify_all()
            if self._ended and not self._waiting:  # at once, and who goes on asking never rests
                self._changed.wait_for(lambda: self._over, timeout_s)
            else:
                self._changed.wait_for(lambda: self._waiting or self._ended, timeout_s + SLOW_S)
            delivery = self._waiting.popleft() if self._waiting else None
            self._asked = False
            if delivery is not None and delivery.error is not None:
                self._wish = None  # tried again when somebody asks again
            # More of what these standings call the end may be here already.
            said = delivery is not None or (self._ended and self._exhausted)
            self._is_sure = said and not self._waiting
            self._changed.notify_all()
        if delivery is None:
            return self._nothing_yet()
        self._heard_s, self._error = self._clock.monotonic_s(), delivery.error
        if delivery.error is not None:
            raise delivery.error
        self._standings = delivery.standings
        return delivery.batches

    def _nothing_yet(self) -> list[Fetched]:
        if self._error is not None:  # it has not been heard to be over
            raise self._error
        silent_s = self._clock.monotonic_s() - self._heard_s
        if silent_s > STUCK_S and not self._ended:
            msg = f"reading has not come back for {silent_s:.0f} s"
            raise SourceUnavailable(msg)
        return []

    def standings(self) -> Mapping[Partition, Standing]:
        """Where reading stands, of the records handed out."""
        if self._is_sure:
            return self._standings
        return {
            part: replace(standing, confirmed=False) for part, standing in self._standings.items()
        }

    def exhausted(self) -> bool:
        """No record will ever come again."""
        with self._changed:
            return self._exhausted and not any(each.batches for each in self._waiting)

    def close(self) -> None:
        """Stop reading; twice is fine."""
        self._stop()
        self._inner.close()

    def _stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._changed:
            self._over = True
            self._changed.notify_all()
        thread.join(CLOSE_S)
        if thread.is_alive():
            log.warning("reading_left", detail="a poll has not come back; it ends with the process")

    # --- the thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        while (wish := self._next_wish()) is not None:
            delivery = self._read(*wish)
            with self._changed:
                self._dry = not delivery.batches
                self._exhausted = delivery.error is None and self._inner.exhausted()
                # That nothing came is news for those alone who are waiting to hear it; and that
                # nothing will ever come, for everybody: nobody is told a second time.
                news = delivery.batches or delivery.error is not None or self._exhausted
                if news or self._asked:
                    self._waiting.append(delivery)
                    self._asked = False
                if delivery.error is not None:
                    self._wish = None
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _next_wish(self) -> tuple[int, float, AbstractSet[Partition]] | None:
        """How to poll next, once there is room and reason; None: no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._exhausted or self._may_read())
            return None if self._over or self._exhausted else self._wish

    def _may_read(self) -> bool:
        if self._wish is None or (self._dry and not self._asked):
            return False
        return sum(each.rows for each in self._waiting) < self._rows_max

    def _read(self, max_records: int, timeout_s: float, skip: AbstractSet[Partition]) -> _Delivery:
        try:
            fetched = self._inner.poll(max_records, timeout_s, skip)
            standings = self._inner.standings()
            decoder = self.decoder()
            return _Delivery([_prepared(batch, decoder) for batch in fetched], standings)
        except Exception as error:  # noqa: BLE001 - whatever it is, who polls us gets it
            return _Delivery([], {}, error)


def _prepared(batch: Fetched, decoder: Decodes) -> Fetched:
    own = {field.name: getattr(batch, field.name) for field in fields(Fetched)}
    return Prepared(**own, decoder=decoder, decoded=decoder.decode(batch))


def decoded_by(decoder: Decodes, fetched: Fetched) -> Decoded:
    """What ``fetched`` decodes to; the work may have been done already."""
    if isinstance(fetched, Prepared) and fetched.decoder is decoder:
        return fetched.decoded
    return decoder.decode(fetched)
