"""One receiver's deliveries: claimed, attempted, settled.

Owns the order of these steps; one thread calls :meth:`Lane.step`. What may be claimed next is the
outbox's to say, what becomes of an attempt is ``monitor.delivery.attempts``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from monitor.clock import Clock
from monitor.decisions import Alert, derive_id
from monitor.delivery.attempts import Attempts, Policy
from monitor.delivery.channels.base import Channel
from monitor.delivery.channels.progress import message_of
from monitor.delivery.pacing import Pacer
from monitor.delivery.people import Digest
from monitor.errors import DeliveryError, LeaseLost, StoreError
from monitor.store.folded import Span
from monitor.store.outbox import Delivery, Outbox, Settled

log = structlog.get_logger(__name__)

IDLE_MS = 60_000
"""The longest sleep without work; new work wakes the lane."""
_STORE_PAUSE_MS = 1_000
_BATCH = 32
_TOGETHER = 256
"""Of what is handed over as one."""
_DIGEST_MAX = 10_000
_FLUSH_S = 0.25


class Lane:
    """The way of deliveries to one receiver."""

    def __init__(
        self,
        receiver: str,
        channel: Channel,
        *,
        outbox: Outbox,
        clock: Clock,
        policy: Policy,
        pacer: Pacer,
        draw: Callable[[], float],
        count: Callable[[str], None],
        stale: Callable[[Delivery], None] = lambda _delivery: None,
        quiet: Callable[[Alert], int | None] = lambda _alert: None,
    ) -> None:
        """``draw`` is uniform in [0, 1); ``count`` is told the result of each attempt.

        ``quiet``: see ``monitor.delivery.quiet.Quiet.until_ms``.
        """
        self.receiver = receiver
        self.channel = channel
        self._outbox = outbox
        self._clock = clock
        self._policy = policy
        self._pacer = pacer
        self._count = count
        self._quiet = quiet
        self._attempts = Attempts(
            receiver,
            channel,
            clock=clock,
            policy=policy,
            pacer=pacer,
            draw=draw,
            count=count,
            stale=stale,
            note=outbox.note,
        )
        self.busy_since_s: float | None = None
        """Monotonic start of the step under way, for the watchdog; None between steps."""
        self._recovered = self._lost = False
        self._repost_at_s = 0.0
        self._span: Span | None = None
        """Folded deliveries of a digest that has been tried and is not settled."""

    def step(self, deadline_s: float | None = None) -> int:
        """Do what is due; returns the milliseconds until there may be more, 0 for at once.

        Past ``deadline_s`` (monotonic) nothing further of what was claimed is begun.
        """
        now_s = self._clock.monotonic_s()
        if self._lost:
            return IDLE_MS
        if now_s < self._attempts.paused_until_s:
            return _ms(self._attempts.paused_until_s - now_s)
        self.busy_since_s = now_s
        try:
            return self._step(now_s, deadline_s)
        finally:
            self.busy_since_s = None

    def _step(self, now_s: float, deadline_s: float | None) -> int:
        try:
            if not self._recovered:
                self._recover()
            wait_ms = self._repost(now_s)
            return min(wait_ms, self._deliver(deadline_s))
        except DeliveryError as error:
            # Nothing was claimed: a mark, a look back or a repost failed.
            self._count(error.reason)
            self._attempts.log_failure(error)
            return self._attempts.pause(error)
        except LeaseLost:
            # Another daemon delivers. Even looking back at what was sent would disturb it: that
            # fences off whoever writes to telephony's topic.
            self._lost = True
            log.warning("lane_over", receiver=self.receiver)
            return IDLE_MS
        except StoreError as error:
            # What was claimed may stand as in flight, sent or not: look before going on.
            self._recovered = False
            log.error("outbox_unavailable", receiver=self.receiver, detail=str(error))  # noqa: TRY400 - said in full
            return _STORE_PAUSE_MS
        except Exception:
            self._recovered = False
            raise

    def _recover(self) -> None:
        """Settle what the last run left in flight: it arrived, or it is sent again."""
        again: list[int] = []
        arrived: list[Settled] = []
        for delivery in self._outbox.in_flight(self.receiver):
            if delivery.mark and self.channel.already_sent(delivery):
                arrived.append(Settled(delivery.seq, "sent"))
            else:
                again.append(delivery.seq)
        self._outbox.settle(arrived)
        self._outbox.release(again)
        self._recovered = True
        if arrived or again:
            log.info(
                "in_flight_recovered",
                receiver=self.receiver,
                arrived=len(arrived),
                again=len(again),
            )

    def _repost(self, now_s: float) -> int:
        if self.channel.repost_ms is None:
            return IDLE_MS
        if now_s >= self._repost_at_s:
            folded = self._outbox.folded.span(self.receiver)
            self.channel.repost()
            if folded is not None:  # what they told of stands as it does now
                self._outbox.folded.settle(self.receiver, folded.last, "sent", "repost")
            self._attempts.succeeded()
            self._repost_at_s = now_s + self.channel.repost_ms / 1000
        return _ms(self._repost_at_s - now_s)

    def _deliver(self, deadline_s: float | None) -> int:
        due_ms, now_ms = self._outbox.next_due_ms(self.receiver), self._clock.now_ms()
        folded = self._outbox.folded.span(self.receiver) if self.channel.takes_digests else None
        if folded is None and (due_ms is None or due_ms > now_ms):
            return IDLE_MS if due_ms is None else min(IDLE_MS, due_ms - now_ms)
        wait_ms = self._pacer.wait_ms(self._clock.monotonic_s())
        if wait_ms > 0:
            return wait_ms
        fresh_since_ms = None
        if self.channel.takes_digests:
            fresh_since_ms = now_ms - self._policy.stale_after_ms
            late = self._outbox.claim_late(
                self.receiver, before_ms=fresh_since_ms, limit=_DIGEST_MAX
            )
            if late:
                told = self._of_one_message(self._told(late))
                if told:
                    self._outbox.settle(self._attempts.late(told))
                return self._pause_left_ms()
            if folded is not None:
                self._tell_folded(folded)
                return self._pause_left_ms()
        mark = self.channel.prepare()
        room = self._pacer.room(self._clock.monotonic_s())
        most = _TOGETHER if self.channel.together else _BATCH
        batch: Sequence[Delivery] = self._outbox.claim(
            self.receiver,
            limit=most if room is None else min(most, room),
            mark=mark,
            fresh_since_ms=fresh_since_ms,
        )
        batch = self._told(batch)
        if self.channel.together:
            batch = self._attempt_together(batch, mark, deadline_s)
        self._attempt_all(batch, mark, deadline_s)
        return self._pause_left_ms()

    def _of_one_message(self, late: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that go out as one; where a part of some has arrived already, these and no others.

        Others among them would make it another digest, which would be told from its beginning.
        """
        if self.channel.progress is None:
            return late
        begun = next((message_of(delivery.mark) for delivery in late if delivery.mark), "")
        if not begun:
            return late
        chosen = [delivery for delivery in late if message_of(delivery.mark) == begun]
        others = [delivery.seq for delivery in late if message_of(delivery.mark) != begun]
        self._outbox.release(others)
        return chosen

    def _told(self, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that people may hear of now; the others wait, or are over."""
        if self.channel.acts:
            return batch
        told: list[Delivery] = []
        for delivery in batch:
            alert = delivery.decision
            until_ms = self._quiet(alert) if isinstance(alert, Alert) else None
            if until_ms is None:
                told.append(delivery)
            elif until_ms:
                self._outbox.defer(delivery.seq, until_ms)
            else:
                self._count("silenced")
                self._outbox.settle([Settled(delivery.seq, "silenced", "silenced")])
        return told

    def _attempt_together(
        self, batch: Sequence[Delivery], mark: str, deadline_s: float | None
    ) -> Sequence[Delivery]:
        """Attempt as one what was not tried before; returns what is to be attempted one by one.

        What has failed once goes by itself from then on, so that one which can never arrive keeps
        no other back.
        """
        fresh = [delivery for delivery in batch if delivery.attempts == 1]
        now_s = self._clock.monotonic_s()
        if len(fresh) < 2 or (deadline_s is not None and now_s >= deadline_s):
            return batch
        settled = self._attempts.together(fresh, mark)
        self._outbox.settle(settled)
        others = [delivery for delivery in batch if delivery.attempts > 1]
        if _any_failed(settled):
            self._outbox.release([delivery.seq for delivery in others])
            return []
        return others

    def _attempt_all(self, batch: Sequence[Delivery], mark: str, deadline_s: float | None) -> None:
        """Attempt in order; the receiver's trouble ends the batch, and the rest goes back."""
        settled: list[Settled] = []
        flushed_s = self._clock.monotonic_s()
        for index, delivery in enumerate(batch):
            now_s = self._clock.monotonic_s()
            over = deadline_s is not None and now_s >= deadline_s
            if over or now_s < self._attempts.paused_until_s:
                self._outbox.settle(settled)
                self._outbox.release([rest.seq for rest in batch[index:]])
                return
            settled.append(self._attempts.one(delivery, mark))
            if self.channel.acts and _any_failed(settled[-1:]):
                # Another daemon may have taken over meanwhile. What comes next begins with the
                # store, which knows; a new connection to telephony would shut that one out.
                self._outbox.settle(settled)
                self._outbox.release([rest.seq for rest in batch[index + 1 :]])
                return
            if now_s - flushed_s >= _FLUSH_S:
                self._outbox.settle(settled)
                settled, flushed_s = [], now_s
        self._outbox.settle(settled)

    def _tell_folded(self, span: Span) -> None:
        """Tell what found the queue full as one; the same ones again until that is settled."""
        span = self._span = span if self._span is None else self._span
        name = derive_id("folded", self.receiver, *span)
        folded = self._outbox.folded
        digest = Digest.summed(name, "too_many", folded.decisions(self.receiver, span))
        keep = partial(folded.note, span.last)
        kept = folded.noted(span.last)
        failure = self._attempts.hand_over(digest, kept, keep) if digest.count else None
        if failure is not None:
            self._count(failure.reason)
            self._attempts.log_failure(failure, digest=digest.count)
            if failure.retry:
                self._attempts.pause(failure)
                return
        if failure is None:
            folded.settle(self.receiver, span.last, "sent", "digest")
        else:
            folded.settle(self.receiver, span.last, "parked", failure.reason)
        self._span = None

    def _pause_left_ms(self) -> int:
        left_s = self._attempts.paused_until_s - self._clock.monotonic_s()
        return _ms(left_s) if left_s > 0 else 0


def _any_failed(settled: Sequence[Settled]) -> bool:
    return any(outcome.state in {"retry", "parked"} for outcome in settled)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
