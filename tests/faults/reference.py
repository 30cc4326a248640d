"""The run that nothing disturbs, from the same log and journal.

Owns what is expected: decisions and numbers' histories, and for exact seeds the answers of
telephony at their ticks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitor.decisions import Ack, Command, Decision, NumberChange
from monitor.engine import Engine, Input, Outcome
from monitor.replay import Past, replay_engine
from monitor.site import Site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from tests.faults.traffic import PARTITIONS, Sent

Status = Literal["applied", "rejected"]


@dataclass
class Expected:
    """What a run decides that nothing disturbs."""

    decisions: list[Decision] = field(default_factory=list)
    changes: list[NumberChange] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    """Answers of telephony by tick, of an exact seed."""


class Listener:
    """Keeps outcomes; may answer commands, each a few ticks after it was made."""

    def __init__(self, expected: Expected, answer: random.Random | None, tick_ms: int) -> None:
        self._expected = expected
        self._answer = answer
        self._tick_ms = tick_ms
        self._due: list[Input] = []

    def record(self, outcome: Outcome) -> None:
        self._expected.decisions += outcome.decisions
        self._expected.changes += outcome.changes
        if self._answer is None:
            return
        for command in outcome.decisions:
            if isinstance(command, Command) and not command.shadow:
                tick = command.at_ms + self._answer.choice([1, 1, 2, 5]) * self._tick_ms
                rejected = self._answer.random() < 0.1
                status: Status = "rejected" if rejected else "applied"
                self._due.append(Input(tick, Ack(command.id, status, "", tick)))

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        raise AssertionError((partition, offsets))  # a replay has no wall clock

    def inputs(self, tick: int) -> list[Input]:
        found = [entry for entry in self._due if entry.tick <= tick]
        self._due = [entry for entry in self._due if entry.tick > tick]
        self._expected.inputs += found
        return found


def with_journal(site: Site, log: MemorySource, past: Past) -> tuple[Expected, Engine]:
    """The log read in one go, with the journal of the disturbed run."""
    expected = Expected()
    source = _whole(log)
    engine = replay_engine(site, source, lambda _decision: None, past=past)
    engine.recorder = Listener(expected, None, engine.pace.tick_ms)
    engine.run_to_end()
    return expected, engine


def with_answers(site: Site, sent: Sequence[Sent], seed: int) -> Expected:
    """The records of an exact seed, tick by tick, with telephony answering by event time."""
    log = MemorySource(PARTITIONS)
    for record in sent:
        log.append(record.partition, [record.value], timestamp_ms=record.at_ms, append_time=True)
    expected = Expected()
    source = _whole(log)
    none = Past(judged_to=0)  # there is a journal, so that commands are not answered at once
    engine = replay_engine(site, source, lambda _decision: None, past=none)
    tick_ms = engine.pace.tick_ms
    engine.recorder = Listener(expected, random.Random(f"answers {seed}"), tick_ms)
    for batch in source.poll(1_000_000, 0.0):
        engine._take(batch)
    first_ms = min(int(frame["eff"].min()) for frame in engine.pending._frames)  # type: ignore[arg-type]
    first = first_ms - first_ms % tick_ms + tick_ms
    for tick in range(first, engine.pending.latest + 2 * tick_ms, tick_ms):
        engine._judge_until(tick)
    return expected


def _whole(log: MemorySource) -> MemorySource:
    source = log.reopened()
    source.finish()
    source.start({}, None)
    return source
