"""Daemons with one promise taken out, to show that the simulation would notice.

Owns the mutants; each is a patch of the product while a seed is played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import msgspec

from monitor.decisions import Command
from monitor.delivery.channels.commands import CommandsChannel
from monitor.engine import Engine, Outcome
from monitor.indicators.scope import ScopeState
from monitor.recorder import StoreRecorder
from monitor.running import resume
from monitor.store import outbox, store
from monitor.store.outbox import Delivery, Settled
from monitor.store.schema import OUTBOX
from monitor.windows.dedup import Dedup
from monitor.windows.pending import Pending
from monitor.windows.watermark import NEVER
from tests.faults.life import Life

Mutant = Callable[[], AbstractContextManager[object]]


@contextmanager
def sends_before_storing() -> Iterator[None]:
    """Commands go out while they are decided."""
    lives: list[Life] = []
    born, record = Life.__init__, StoreRecorder.record

    def remember(self: Life, world: Any) -> None:
        lives.append(self)
        born(self, world)

    def send_first(self: StoreRecorder, outcome: Outcome) -> None:
        channel = lives[-1].parts.telephony.channel
        assert channel is not None
        for command in outcome.decisions:
            if isinstance(command, Command):
                channel.send(msgspec.json.encode(command.to_wire()), command.number, command.id)
        record(self, outcome)

    with (
        mock.patch.object(Life, "__init__", remember),
        mock.patch.object(StoreRecorder, "record", send_first),
    ):
        yield


def forgets_pending_rows() -> AbstractContextManager[object]:
    """A checkpoint leaves out what was read and not yet judged."""

    def snapshot(self: Pending) -> dict[str, Any]:
        return {"latest": self.latest, "rows": b""}

    return mock.patch.object(Pending, "snapshot", snapshot)


def drops_floors() -> AbstractContextManager[object]:
    """The journal does not say which partitions were left out."""
    return mock.patch.object(store, "raise_floors")


def marks_sent_before_sending() -> AbstractContextManager[object]:
    """A delivery is over before it has begun."""
    claim = outbox.Outbox.claim

    def settle_first(self: outbox.Outbox, receiver: str, **asked: Any) -> list[Delivery]:
        claimed = claim(self, receiver, **asked)
        self.settle(Settled(delivery.seq, "sent") for delivery in claimed)
        return claimed

    return mock.patch.object(outbox.Outbox, "claim", settle_first)


def never_looks_back() -> AbstractContextManager[object]:
    """A command whose first attempt ended in doubt is simply sent again."""
    return mock.patch.object(CommandsChannel, "already_sent", return_value=False)


def forgets_answers() -> AbstractContextManager[object]:
    """After a restart the answers of telephony in the journal are not taken again."""
    return mock.patch.object(resume, "journaled_inputs", return_value=[])


def forgets_what_was_judged() -> AbstractContextManager[object]:
    """A recovery does not wait for what the earlier run had read (ADR 6)."""
    return mock.patch.object(resume, "journaled_end", return_value=NEVER)


def forgets_refusals() -> AbstractContextManager[object]:
    """After a restart the clock is asked anew about records that it had refused."""
    return mock.patch.object(resume, "journaled_refusals", return_value=[])


def forgets_ids() -> AbstractContextManager[object]:
    """A checkpoint leaves out which events were seen."""

    def restore(self: Dedup, state: Any) -> None:
        """Begin with none."""

    return mock.patch.object(Dedup, "restore", restore)


def overtakes() -> AbstractContextManager[object]:
    """What is due is sent, whatever was decided earlier about the same."""

    due = outbox._UNSENT.order_by(OUTBOX.c.due_ms, OUTBOX.c.seq)
    ready = due.where(OUTBOX.c.due_ms <= outbox._NOW_MS).limit(outbox._LIMIT)
    return mock.patch.multiple(
        outbox,
        _NEXT_DUE=due.with_only_columns(OUTBOX.c.due_ms).limit(1),
        _CLAIM=ready,
        _CLAIM_FRESH=ready.where(outbox._SINCE),
    )


def warms_anew() -> AbstractContextManager[object]:
    """A reload before the first tick forgets since when windows are covered."""
    return mock.patch.object(ScopeState, "cover")


def judges_twice() -> AbstractContextManager[object]:
    """A restart goes on one tick too early."""
    restore = Engine.restore

    def earlier(self: Engine, state: Any) -> Any:
        positions = restore(self, state)
        if self.judged != NEVER:
            self.judged -= self.pace.tick_ms
        return positions

    return mock.patch.object(Engine, "restore", earlier)


MUTANTS: dict[str, tuple[Mutant, int]] = {
    "sends before storing": (sends_before_storing, 1),
    "forgets pending rows": (forgets_pending_rows, 2),
    "drops floors": (drops_floors, 1),
    "marks sent before sending": (marks_sent_before_sending, 1),
    "never looks back": (never_looks_back, 6),
    "forgets answers": (forgets_answers, 2),
    "forgets what was judged": (forgets_what_was_judged, 7),
    "forgets refusals": (forgets_refusals, 5),
    "forgets ids": (forgets_ids, 19),
    "overtakes": (overtakes, 26),
    "warms anew": (warms_anew, 5),
    "judges twice": (judges_twice, 2),
}
"""By name, with the first seed that finds it: others are tried only when that does not any more."""
