"""What the simulation has found, each as small as it can be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.clock import ManualClock
from monitor.decisions import ManualAction
from monitor.engine import Input
from monitor.events.rejects import MemoryDeadLetters
from monitor.replay import Past, replay_engine
from monitor.source.memory import MemorySource
from tests.faults.reference import Expected, Listener, with_journal
from tests.faults.seeds import run_seed
from tests.faults.sites import LIVE
from tests.faults.traffic import LAST_WORD_MS, PARTITIONS, START_MS, traffic

TICK = 5_000


def test_what_a_person_did_before_the_first_record_takes_effect_at_its_tick_in_a_replay() -> None:
    log = MemorySource(PARTITIONS)
    for record in traffic(1, exact=False):
        log.append(record.partition, [record.value], timestamp_ms=record.at_ms)
    freeze = ManualAction("m1", "freeze", "", None, "li", "a test")
    early = START_MS - 12 * TICK
    past = Past(inputs=(Input(early, freeze),), judged_to=early)
    expected, _engine = with_journal(LIVE, log, past)
    assert [(c.at_ms, c.reason) for c in expected.changes[:1]] == [(early, "freeze")]


def test_a_clock_that_was_set_back_refuses_nothing_that_was_judged_before() -> None:
    """A restart reads again what the last run had accepted, by a clock that was right."""
    wrong, right = refused_at(START_MS - 3_600_000), refused_at(LAST_WORD_MS)
    assert right, "some are refused by any clock"
    assert wrong == right


def refused_at(now_ms: int) -> list[tuple[str, int]]:
    """Reason and offset of what the engine refuses of a log when it is read at this time."""
    log = MemorySource(PARTITIONS)
    for record in traffic(4, exact=True):
        log.append(record.partition, [record.value], timestamp_ms=record.at_ms)
    log.start({}, None)
    dead = MemoryDeadLetters()
    clock = ManualClock(now_ms)
    engine = replay_engine(LIVE, log, lambda _decision: None, dead_letters=dead, clock=clock)
    engine.pace = replace(engine.pace, live=True)
    engine.recorder = Listener(Expected(), None, TICK)  # which takes no refusal
    engine.expect((), LAST_WORD_MS)
    for _ in range(3):
        engine.step()
    assert all(standing.position == standing.end for standing in log.standings().values())
    return sorted((reject.reason, reject.offset) for reject in dead.kept)


@pytest.mark.parametrize("seed", [378, 482])
def test_an_answer_that_was_read_and_is_in_no_journal_is_read_again(seed: int) -> None:
    assert not run_seed(seed).violations


def test_a_store_that_cannot_be_read_after_a_rebuild_does_not_end_the_daemon() -> None:
    assert not run_seed(1187).violations


def test_a_number_that_called_while_it_was_out_is_in_one_pool_however_records_were_read() -> None:
    assert not run_seed(625877257).violations
