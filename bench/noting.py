"""A daemon that notes when it did what: ``python -m bench.noting run …`` is ``monitor run …``.

Owns the places in the product at which ``bench.stages`` are noted. They are put around its own
functions, so that the product knows nothing of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.stages import FILE, Notes, now_ms
from monitor.cli import main as monitor
from monitor.delivery.channels.commands import CommandsChannel
from monitor.delivery.settings import TELEPHONY
from monitor.engine import Engine, Outcome
from monitor.events.ahead import ReadAhead
from monitor.recorder import StoreRecorder
from monitor.running.keep import Keeper
from monitor.running.standing import Standing
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.store.outbox import Outbox

OUT_OF_ORDER_MS, TICK_MS = 1_000, 5_000


def _around(owner: type, name: str, wrap: Callable[..., Any]) -> None:
    """Have ``wrap(inner, self, …)`` done in place of a method."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(self: Any, *args: Any, **named: Any) -> Any:
        return wrap(inner, self, *args, **named)

    setattr(owner, name, outer)


class Reading:
    """Notes which tick has become due with what was read."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._polled_ms = 0.0
        self._times: dict[Partition, int] = {}
        self._due = 0

    def poll(self, inner: Any, source: Any, *args: Any) -> Any:
        """The broker has answered."""
        fetched = inner(source, *args)
        if fetched:
            self._polled_ms = now_ms()
        return fetched

    def read(self, inner: Any, ahead: Any, *args: Any) -> Any:
        """What it answered is decoded."""
        delivery = inner(ahead, *args)
        for batch in delivery.batches:
            frame = batch.decoded.frame
            if frame.height:
                latest = self._times.get(batch.partition, 0)
                self._times[batch.partition] = max(latest, frame["time"].max())
        if delivery.batches:
            watermark = min(self._times.values(), default=0) - OUT_OF_ORDER_MS
            tick = watermark - watermark % TICK_MS
            if tick > self._due:
                self._due = tick
                self._notes.tick("fetched", tick, self._polled_ms)
                self._notes.tick("decoded", tick)
        return delivery


def instrument(notes: Notes) -> None:
    """Note all stages from now on."""

    def judge(inner: Any, engine: Any, until: int, floors: Any) -> Any:
        notes.tick("begun", until)
        return inner(engine, until, floors)

    def release(inner: Any, engine: Any, until: int) -> Any:
        rows = inner(engine, until)
        notes.tick("released", until)
        return rows

    def record(inner: Any, recorder: Any, outcome: Outcome) -> None:
        notes.tick("decided", outcome.judged)
        inner(recorder, outcome)
        notes.tick("stored", outcome.judged)

    def claim(inner: Any, outbox: Any, receiver: str, **named: Any) -> Any:
        batch = inner(outbox, receiver, **named)
        if receiver == TELEPHONY:  # people hear of commands, too
            notes.commands("claimed", (each.decision.id for each in batch))
        return batch

    def send(inner: Any, channel: Any, delivery: Any) -> None:
        inner(channel, delivery)
        notes.commands("sent", [delivery.decision.id])

    def send_all(inner: Any, channel: Any, deliveries: Any) -> None:
        inner(channel, deliveries)
        notes.commands("sent", [each.decision.id for each in deliveries])

    def beside(name: str) -> Callable[..., Any]:
        def timed(inner: Any, owner: Any, *args: Any) -> Any:
            began_ms = now_ms()
            found = inner(owner, *args)
            notes.held(name, now_ms() - began_ms)
            return found

        return timed

    reading = Reading(notes)
    _around(KafkaSource, "poll", reading.poll)
    _around(ReadAhead, "_read", reading.read)
    _around(Engine, "_judge_slice", judge)
    _around(Engine, "_release", release)
    _around(StoreRecorder, "record", record)
    _around(Outbox, "claim", claim)
    _around(Standing, "publish", beside("figures published"))
    _around(Keeper, "_begin", beside("picture for a checkpoint"))
    _around(Keeper, "_prune", beside("history pruned"))
    _around(CommandsChannel, "send", send)
    _around(CommandsChannel, "send_all", send_all)


def main() -> None:
    """Be ``monitor``, with notes."""
    instrument(Notes(Path(FILE)))
    monitor()


if __name__ == "__main__":
    main()
