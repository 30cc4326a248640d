"""The log decides: batches, interleaving, restarts, live or replay make the same decisions."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from monitor.decisions import Alert, Command, Decision, ManualAction
from monitor.replay import Past, replay_engine
from monitor.source.memory import MemorySource
from monitor.windows.watermark import NEVER
from tests.e2e.live import Trouble, nervous_site, run_live, run_replay
from tests.e2e.stream import PARTITIONS, Sent, stream

pytestmark = pytest.mark.untraced

SITE = nervous_site()


def lines(decisions: list[Decision]) -> list[str]:
    return [str(decision.to_json()) for decision in decisions]


def filled(sent: list[Sent]) -> MemorySource:
    source = MemorySource(PARTITIONS)
    for record in sent:
        source.append(record.partition, [record.value])
    source.finish()
    return source


@pytest.mark.parametrize("seed", range(3))
def test_any_batches_and_any_interleaving(seed: int) -> None:
    sent = stream(seed)
    runs: list[list[str]] = []
    for variant in range(4):
        rng = random.Random(f"{seed} {variant}")
        source = filled(sent)
        source.start({}, None)
        decisions: list[Decision] = []
        engine = replay_engine(SITE, source, decisions.append)
        few = rng.choice([1, 3, 100]) if variant else 100
        engine.pace = replace(engine.pace, slice_ticks=few)
        while not source.exhausted():
            size = 10_000 if variant == 0 else rng.choice([1, 7, 60, 500])
            skip = frozenset(p for p in PARTITIONS if variant and rng.random() < 0.4)
            for batch in source.poll(size, 0.0, skip):
                engine._take(batch)
            watermark = engine.watermarks.advance(source.standings(), wall_ms=None, now_s=0.0)
            engine._judge_until(watermark - watermark % 5_000)
        engine.finish()
        runs.append(lines(decisions))
    assert runs[0], "a stream without decisions shows nothing"
    for run in runs[1:]:
        assert run == runs[0]


@pytest.mark.parametrize("seed", range(3))
def test_live_with_kills_equals_its_replay(seed: int) -> None:
    sent = stream(seed)
    durable, source = run_live(SITE, sent, seed, Trouble(kills=0.06))
    replayed = run_replay(SITE, source, durable.past())
    assert sorted(lines(list(durable.decisions.values()))) == sorted(lines(replayed))
    kinds = Counter(type(decision) for decision in replayed)
    assert kinds[Alert] > 3
    assert kinds[Command] >= 1


EVERYTHING = Trouble(kills=0.06, late_partitions=True, clock_steps=0.05, orders=0.03, stalls=0.02)


@pytest.mark.parametrize(
    ("seed", "trouble"),
    [
        (0, Trouble(late_partitions=True)),
        (1, Trouble(late_partitions=True, kills=0.1)),
        (2, Trouble(clock_steps=0.1, kills=0.06)),
        (3, Trouble(orders=0.05, stalls=0.04)),
        (4, Trouble(orders=0.05, stalls=0.04, kills=0.1)),
        # In 29 and 42 a partition comes to be while a daemon recovers.
        *((seed, EVERYTHING) for seed in (5, 6, 7, 8, 29, 42)),
    ],
)
def test_what_comes_from_outside_the_log_stands_in_the_journal(seed: int, trouble: Trouble) -> None:
    sent = stream(seed, count=600)
    durable, source = run_live(SITE, sent, seed, trouble)
    replayed = run_replay(SITE, source, durable.past())
    assert sorted(lines(list(durable.decisions.values()))) == sorted(lines(replayed))
    assert replayed
    if trouble.orders:
        taken = [entry for entry in durable.inputs if isinstance(entry.what, ManualAction)]
        assert len(taken) > 3
    if trouble.late_partitions:
        begun = {floor[0][0] for floor in durable.floors.items() if floor[1] != NEVER}
        assert begun >= set(PARTITIONS[1:])


def test_a_record_from_the_future_is_refused_again_in_the_replay() -> None:
    sent = stream(3)
    durable, source = run_live(SITE, sent, 3, Trouble())
    assert durable.refused, "no clock ran ahead in this stream"
    with_journal = run_replay(SITE, source, durable.past())
    without = run_replay(SITE, source, Past(judged_to=durable.judged_to))
    assert lines(with_journal) != lines(without)
