"""What an attempt is, and what became of it: sent, to be tried again, given up.

Owns the outcome of attempts and the pauses that a receiver's trouble asks for. What is attempted,
and when, is ``monitor.delivery.lane``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import structlog

from monitor.clock import Clock
from monitor.decisions import Command, Notice
from monitor.delivery.channels.base import Channel
from monitor.delivery.pacing import Pacer
from monitor.delivery.people import Digest
from monitor.delivery.retry import pause_ms
from monitor.errors import DeliveryError, StoreError
from monitor.store.outbox import Delivery, Settled

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard delivery is tried; see ``DeliverySettings``."""

    stale_after_ms: int
    max_age_ms: int
    max_attempts: int
    backoff_base_ms: int
    backoff_max_ms: int


class Attempts:
    """Attempts at one receiver; one thread uses it."""

    def __init__(
        self,
        receiver: str,
        channel: Channel,
        *,
        clock: Clock,
        policy: Policy,
        pacer: Pacer,
        draw: Callable[[], float],
        count: Callable[[str], None],
        stale: Callable[[Delivery], None],
        note: Callable[[Sequence[int], str], None] = lambda _seqs, _text: None,
    ) -> None:
        """As :class:`monitor.delivery.lane.Lane`; ``note``: ``Outbox.note``."""
        self.paused_until_s = 0.0
        """Monotonic: till then the receiver is left alone."""
        self._receiver = receiver
        self._channel = channel
        self._clock = clock
        self._policy = policy
        self._pacer = pacer
        self._draw = draw
        self._count = count
        self._stale = stale
        self._note = note
        self._failures = 0

    def one(self, delivery: Delivery, mark: str) -> Settled:
        """Attempt one; ``mark`` is of now."""
        try:
            over = self._over(delivery, mark)
            if over is not None:
                return over
            self._pacer.took(self._clock.monotonic_s())
            with self._following(delivery.mark, partial(self._note, [delivery.seq])):
                self._send(delivery)
        except DeliveryError as error:
            return self._failed(delivery, error)
        except StoreError:
            raise  # how much has arrived could not be noted: it is looked at again
        except Exception as error:
            log.exception("channel_failed", receiver=self._receiver, id=delivery.decision.id)
            return self._failed(delivery, _ours(error))
        return self._sent(delivery)

    def together(self, fresh: Sequence[Delivery], mark: str) -> list[Settled]:
        """Attempt several as one, none of which has failed before."""
        settled: list[Settled] = []
        left: list[Delivery] = []
        try:
            for delivery in fresh:
                over = self._over(delivery, mark)
                if over is None:
                    left.append(delivery)
                else:
                    settled.append(over)
            if left:
                self._pacer.took(self._clock.monotonic_s())
                self._channel.send_all(left)
        except DeliveryError as error:
            return settled + self._failed_together(fresh, settled, error)
        except Exception as error:
            ids = [delivery.decision.id for delivery in left]
            log.exception("channel_failed", receiver=self._receiver, ids=ids)
            return settled + self._failed_together(fresh, settled, _ours(error))
        return settled + [self._sent(delivery) for delivery in left]

    def late(self, late: Sequence[Delivery]) -> list[Settled]:
        """Send late notifications as one; a single one stays itself."""
        if len(late) == 1:
            return [self.one(late[0], "")]
        digest = Digest.of([delivery.decision for delivery in late])
        keep = partial(self._note, [delivery.seq for delivery in late])
        failure = self.hand_over(digest, late[0].mark, keep)
        if failure is None:
            return [Settled(delivery.seq, "sent", "digest") for delivery in late]
        self._count(failure.reason)
        settled = self._all_failed(late, failure)
        parked = sum(outcome.state == "parked" for outcome in settled)
        self.log_failure(failure, digest=len(late), parked=parked)
        return settled

    def hand_over(
        self, digest: Digest, kept: str, keep: Callable[[str], None]
    ) -> DeliveryError | None:
        """Send a digest; what went wrong, or None. ``kept`` and ``keep``: see ``Progress``.

        Raises:
            StoreError: a part has arrived, and that could not be noted.
        """
        self._pacer.took(self._clock.monotonic_s())
        try:
            with self._following(kept, keep):
                self._channel.send_digest(digest)
        except DeliveryError as error:
            return error
        except StoreError:
            raise
        except Exception as error:
            log.exception("channel_failed", receiver=self._receiver, id=digest.id)
            return _ours(error)
        self.succeeded()
        self._count("digest")
        return None

    def succeeded(self) -> None:
        """The receiver takes what it is given: the next pause is a short one again."""
        self._failures = 0

    def pause(self, error: DeliveryError) -> int:
        """Leave the receiver alone for a while, as its failures come in a row; ms."""
        self._failures += 1
        pause = self._backoff_ms(self._failures, error)
        self.paused_until_s = self._clock.monotonic_s() + pause / 1000
        return pause

    def log_failure(self, error: DeliveryError, **more: object) -> None:
        """Say that something was not delivered."""
        log.warning(
            "delivery_failed",
            receiver=self._receiver,
            reason=error.reason,
            detail=str(error),
            **more,
        )

    @contextmanager
    def _following(self, kept: str, keep: Callable[[str], None]) -> Iterator[None]:
        """Where a message goes out in pieces, each is noted as it arrives."""
        progress = self._channel.progress
        if progress is None:
            yield
            return
        progress.follow(kept, keep)
        try:
            yield
        finally:
            progress.leave()

    def _send(self, delivery: Delivery) -> None:
        notice = delivery.decision
        if not isinstance(notice, Notice):
            self._channel.send(delivery)
        elif self._channel.takes_digests:
            self._channel.send_digest(Digest.told(notice))
        else:
            for decision in notice.shown:
                self._channel.send(replace(delivery, decision=decision))

    def _over(self, delivery: Delivery, mark: str) -> Settled | None:
        """What became of it already; None: it is to be sent.

        Raises:
            DeliveryError: nothing is known.
        """
        tried_before = delivery.attempts > 1 or delivery.mark != mark
        if delivery.mark and tried_before and self._channel.already_sent(delivery):
            return self._sent(delivery)
        if not self._too_late(delivery):
            return None
        self._count("stale")
        self._stale(delivery)
        log.warning("suspension_stale", receiver=self._receiver, id=delivery.decision.id)
        return Settled(delivery.seq, "stale", "stale")

    def _too_late(self, delivery: Delivery) -> bool:
        """A suspension that is over by itself; telling telephony now would begin a new one."""
        decision = delivery.decision
        return (
            self._channel.acts
            and isinstance(decision, Command)
            and decision.action == "suspend"
            and decision.until_ms is not None
            and decision.until_ms <= self._clock.now_ms()
        )

    def _sent(self, delivery: Delivery) -> Settled:
        self.succeeded()
        self._count("ok")
        return Settled(delivery.seq, "sent")

    def _given_up(self, delivery: Delivery, error: DeliveryError) -> bool:
        if error.retry and self._channel.acts and isinstance(delivery.decision, Command):
            return False  # a number would call on, or never again; it is over at its own end
        return (
            not error.retry
            or delivery.attempts >= self._policy.max_attempts
            or self._clock.now_ms() - delivery.created_ms >= self._policy.max_age_ms
        )

    def _failed(self, delivery: Delivery, error: DeliveryError) -> Settled:
        self._count(error.reason)
        if error.retry:
            self.pause(error)
        if self._given_up(delivery, error):
            log.error(
                "delivery_parked",
                receiver=self._receiver,
                id=delivery.decision.id,
                reason=error.reason,
                attempts=delivery.attempts,
                detail=str(error),
            )
            return Settled(delivery.seq, "parked", error.reason)
        self.log_failure(error, attempts=delivery.attempts, id=delivery.decision.id)
        due_ms = self._clock.now_ms() + self._backoff_ms(delivery.attempts, error)
        return Settled(delivery.seq, "retry", error.reason, due_ms)

    def _failed_together(
        self, fresh: Sequence[Delivery], settled: Sequence[Settled], error: DeliveryError
    ) -> list[Settled]:
        """What became of those of ``fresh`` that are not ``settled``."""
        over = {outcome.seq for outcome in settled}
        failed = [delivery for delivery in fresh if delivery.seq not in over]
        if len(failed) == 1:
            return [self._failed(failed[0], error)]
        for _ in failed:
            self._count(error.reason)
        self.log_failure(error, together=len(failed))
        if error.retry:
            return self._all_failed(failed, error)
        # It is one of them, and the others' attempts show which: each by itself, and at once.
        now_ms = self._clock.now_ms()
        return [Settled(delivery.seq, "retry", error.reason, now_ms) for delivery in failed]

    def _all_failed(self, failed: Sequence[Delivery], error: DeliveryError) -> list[Settled]:
        """They stay together: all are due again at one time."""
        pause = self.pause(error) if error.retry else 0
        due_ms = self._clock.now_ms() + pause
        return [
            Settled(delivery.seq, "parked", error.reason)
            if self._given_up(delivery, error)
            else Settled(delivery.seq, "retry", error.reason, due_ms)
            for delivery in failed
        ]

    def _backoff_ms(self, failures: int, error: DeliveryError) -> int:
        policy = self._policy
        pause = pause_ms(
            failures,
            base_ms=policy.backoff_base_ms,
            max_ms=policy.backoff_max_ms,
            draw=self._draw(),
        )
        # A receiver may ask for longer, but not for ever.
        asked = min(policy.backoff_max_ms, round((error.retry_after_s or 0) * 1000))
        return max(1, pause, asked)


def _ours(error: Exception) -> DeliveryError:
    return DeliveryError(type(error).__name__, retry=True, reason="internal")
