"""Everything around the daemon, and what of it survives the daemon's death.

Owns the log, the clock, the disk, the receivers and telephony of one seed, and their faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from monitor.decisions import Ack, ManualAction
from monitor.delivery.channels.base import Channel
from monitor.delivery.channels.commands import CommandsChannel
from monitor.engine import Input
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.faults.chance import Chance
from tests.faults.clock import WorldClock
from tests.faults.disk import Disk, ShakyCheckpoints, shaken
from tests.faults.receivers import Auditor, DigestChannel, Heard, ShakyChannel
from tests.faults.sites import EXACT, EXACT_PATH, LIVE, LIVE_PATH
from tests.faults.source import ShakySource
from tests.faults.telephony import Exchange, TopicAnswers, TopicChannel
from tests.faults.traffic import LAST_WORD_MS, PARTITIONS, SPREAD_MS, START_MS, Sent

SKEW_MAX_MS = 60_000
"""The wall clock is never wrong by more: what is older than a window and the lateness before now
would not be read again after both checkpoints are lost, as is documented (semantics, 12)."""


PersonsAction = Literal["suspend", "resume", "freeze", "unfreeze"]

Kind = Literal["live", "exact", "rebuilt"]
"""``exact``: wall time has nothing to decide; ``rebuilt``: all checkpoints may be lost, after which
numbers come from the store and windows from the log, and figures warm up (ADR 8)."""


class OnlyTold(CommandsChannel):
    """Telephony to which a suspension is never stale: staleness depends on the wall clock."""

    acts = False


class World:
    """The surroundings of all lives of one seed."""

    def __init__(self, chance: Chance, directory: Path, sent: list[Sent], kind: Kind) -> None:
        self.chance = chance
        self.kind = kind
        self.exact = exact = kind == "exact"
        self.site = EXACT if exact else LIVE
        self.config_path = EXACT_PATH if exact else LIVE_PATH
        self.clock = WorldClock(START_MS)
        chance.now = self.clock.monotonic_s
        self.log = ShakySource(chance, PARTITIONS)
        self.heard = {name: Heard() for name in self.site.config.delivery.known_receivers()}
        self.exchange = Exchange()
        self.auditor = Auditor(directory / "monitor.db")
        self.elapse: Callable[[int], None] = self.clock.advance
        """Replaced by the schedule: what happens while a receiver takes its time."""
        self.between: Callable[[], None] = lambda: None
        """Replaced by the schedule: what happens between two transactions."""
        self._waiting = list(reversed(sent))
        self._disk = Disk(chance, self.clock.monotonic_s)
        self._directory = directory
        self.settings = StoreSettings(
            path=directory / "monitor.db", checkpoints=directory / "checkpoints"
        )
        self._reader: ShakySource | None = None
        self._store: Store | None = None
        self._down_until_s = 0.0
        # The first checkpoint is written in the first turn; before it there is nothing to resume.
        chance.mortal = kind == "rebuilt"

    def prepare(self, inputs: list[Input]) -> None:
        """Write answers of telephony into the journal before the first life begins."""
        with Store.open(self.settings, self.clock) as store:
            for entry in inputs:
                assert isinstance(entry.what, Ack)
                store.journal.append("ack", entry.tick, asdict(entry.what))

    # What the daemon sees.

    def open_store(self) -> Store:
        self._store = Store.open(self.settings, self.clock)
        return shaken(self._store, self.chance, self._disk, self.between)

    def checkpoints(self) -> ShakyCheckpoints:
        return ShakyCheckpoints(
            self.settings.checkpoints,
            self.chance,
            self._disk,
            spare=self.kind != "rebuilt",
        )

    def source(self) -> ShakySource:
        self._reader = self.log.reader()
        return self._reader

    def command_channel(self) -> TopicChannel:
        return TopicChannel(self.exchange, chance=self.chance, auditor=self.auditor)

    def telephony(self) -> Channel:
        kind = OnlyTold if self.exact else CommandsChannel
        return kind(self.command_channel())

    def answers(self) -> TopicAnswers:
        return TopicAnswers(self.exchange, self.chance)

    def channel(self, receiver: str) -> Channel:
        kind = DigestChannel if receiver == "people" else ShakyChannel
        return kind(
            receiver,
            self.heard[receiver],
            chance=self.chance,
            auditor=self.auditor,
            elapse=self.elapse,
        )

    def draw(self) -> float:
        return self.chance.stream("jitter").random()

    # What happens around it.

    def go_on(self, store: Store | None) -> None:
        """Time has passed: records come in, telephony works, things break and heal."""
        now_ms = self.clock.true_ms()
        while self._waiting and self._waiting[-1].at_ms <= now_ms:
            record = self._waiting.pop()
            stamped = self.exact or record.partition.topic == "crm"
            self.log.append(
                record.partition,
                [record.value],
                timestamp_ms=record.at_ms,
                append_time=stamped,
            )
        if not self.exact:
            self.exchange.work(self.chance, self.clock)
            if self.chance.strikes("wall clock jumps", 0.02):
                self.clock.skew_ms = self.chance.pick("to", [-SKEW_MAX_MS, -3_000, 5_000, 40_000])
            if store is not None and self.chance.strikes("a person acts", 0.02):
                self._act(store)
        now_s = self.clock.monotonic_s()
        if now_s >= self._down_until_s and self.chance.strikes("broker down", 0.015):
            self._down_until_s = now_s + self.chance.pick("broker down for", [1.5, 6.0, 20.0])
        self._set_down(now_s < self._down_until_s)

    def heal(self) -> None:
        """From now on nothing fails, and what was held back is told."""
        self.chance.calm = True
        self.chance.say("calm")
        self._down_until_s = 0.0
        self._set_down(False)
        if not self.exact:
            self.exchange.tell_all()
        self._disk.heal()

    def bury(self) -> None:
        """The daemon is dead, and its connections with it."""
        self._reader = None
        if self._store is not None:
            self._store.close()
            self._store = None

    @property
    def rest_ms(self) -> int:
        """Event time that must be reached before all can be over."""
        tolerance_ms = self.site.config.time.out_of_order
        return (LAST_WORD_MS if self.exact else START_MS + SPREAD_MS + 20_000) - tolerance_ms

    @property
    def sending(self) -> bool:
        """Records are still to come."""
        return bool(self._waiting)

    def _set_down(self, down: bool) -> None:
        self.log.down = down
        if self._reader is not None:
            self._reader.down = down

    def _act(self, store: Store) -> None:
        """Somebody uses the command line, from another process."""
        stream = self.chance.stream("person")
        kind: PersonsAction = stream.choice(["suspend", "resume", "freeze", "unfreeze"])
        number = "" if "freeze" in kind else f"+86215000000{stream.randrange(5)}"
        ttl_ms = stream.choice([None, 15_000]) if kind == "suspend" else None
        action = ManualAction(f"m{stream.random()}", kind, number, ttl_ms, "li", "a test")
        with Store.open(store.settings, self.clock, daemon=False) as console:
            console.requests.put(action)
