"""Outcomes in, journaled inputs out: what the recorder promises to the engine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Ack, Decision, Found, ManualAction
from monitor.delivery.routes import Router
from monitor.delivery.settings import DeliverySettings
from monitor.engine import Input, Outcome
from monitor.errors import LeaseLost, StoreError
from monitor.recorder import (
    RETRY_MAX_S,
    RETRY_S,
    RETRY_SHARE,
    ReplayRecorder,
    StoreRecorder,
    journaled_end,
    journaled_floors,
    journaled_inputs,
    journaled_refusals,
)
from monitor.source.base import Partition
from monitor.store.outbox import Delivery, PlannedDelivery, Settled
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from monitor.windows.pending import aligned
from monitor.windows.watermark import NEVER, Floor
from tests.store.made import NUMBER, alert, command, manual

NOW_MS = 1_800_000_000_000
TICK = 5_000
CALLS = Partition("calls", 0)


class Answers:
    """A telephony system that answers as told."""

    def __init__(self) -> None:
        self.waiting: deque[Ack] = deque()
        self.ignored: Mapping[str, int] = {}

    def restore(self, positions: Mapping[Partition, int]) -> None:
        pass

    def poll(self) -> list[Ack]:
        found = list(self.waiting)
        self.waiting.clear()
        return found

    def positions(self) -> Mapping[Partition, int]:
        return {}

    def close(self) -> None:
        pass


class Refusing:
    """A store's method that fails so many times before it works."""

    def __init__(self, inner: Callable[..., Any], times: int) -> None:
        self.inner = inner
        self.left = times
        self.calls = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise StoreError("the disk is full")
        return self.inner(*arguments, **options)


class Bench:
    """A recorder on a real store."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(NOW_MS)
        self.store = Store.open(StoreSettings(path=path), self.clock)
        self.answers = Answers()
        self.stop = threading.Event()
        self.awaited: set[str] = set()
        self.woken = 0
        self.recorder = StoreRecorder(
            self.store,
            Router(DeliverySettings(), telephony=False),
            self.answers,
            clock=self.clock,
            stop=self.stop,
            ack_timeout_ms=60_000,
            recent=3,
        )
        self.recorder.wake = self._wake
        self.recorder.awaited = lambda: self.awaited

    def _wake(self) -> None:
        self.woken += 1


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "monitor.db")
    yield made
    made.store.close()


def outcome(*decisions: Decision, judged: int = 60_000, **more: Any) -> Outcome:
    return Outcome(judged=judged, decisions=list(decisions), **more)


# --- recording ---------------------------------------------------------------------------------


def test_what_is_decided_is_durable_queued_and_told(bench: Bench) -> None:
    bench.recorder.record(outcome(alert(), command()))
    assert [d.id for d in bench.recorder.feed] == [alert().id, command().id]
    assert bench.store.outbox.counts() == {("log", "queued"): 2}
    assert bench.store.journal.judged_to_ms() == 60_000
    assert bench.woken == 1


def test_what_is_decided_again_is_not_told_again(bench: Bench) -> None:
    bench.recorder.record(outcome(alert()))
    bench.recorder.record(outcome(alert(), judged=65_000))
    assert len(bench.recorder.feed) == 1
    assert bench.store.outbox.counts() == {("log", "queued"): 1}
    assert bench.woken == 1
    assert bench.store.journal.judged_to_ms() == 65_000


def test_nothing_decided_wakes_nobody(bench: Bench) -> None:
    floors = [Floor(CALLS, 7, 60_000)]
    bench.recorder.record(outcome(floors=floors))
    assert bench.woken == 0
    assert journaled_floors(bench.store.journal.floors()) == floors


def test_the_feed_keeps_the_newest(bench: Bench) -> None:
    bench.recorder.record(outcome(*(alert(tick * TICK) for tick in range(1, 6))))
    assert [decision.at_ms for decision in bench.recorder.feed] == [15_000, 20_000, 25_000]


def test_routes_that_change_hold_from_the_next_outcome_on(bench: Bench) -> None:
    bench.recorder.record(outcome(alert()))
    settings = DeliverySettings.model_validate(
        {
            "receivers": {"other": {"type": "log"}},
            "routes": {"supervisors": {"receivers": ["other"]}},
        }
    )
    bench.recorder.router = Router(settings, telephony=False)
    bench.recorder.record(outcome(alert(120_000), judged=120_000))
    assert bench.store.outbox.counts() == {("log", "queued"): 1, ("other", "queued"): 1}


# --- a store that refuses -----------------------------------------------------------------------


def test_a_refusing_store_is_said_and_offered_what_waits_in_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = Refusing(bench.store.record, 3)
    monkeypatch.setattr(bench.store, "record", refusing)
    said: list[str] = []
    bench.recorder.waiting = lambda: said.append(bench.recorder.failing)
    for tick in range(1, 4):
        bench.recorder.record(outcome(alert(tick * TICK), judged=tick * TICK))
    assert (refusing.calls, bench.recorder.behind) == (1, 3), "left alone after it refused"
    assert (said, bench.woken, list(bench.recorder.feed)) == (["the disk is full"], 0, [])
    for tries in (2, 3):
        bench.clock.advance(round(RETRY_S * 1000))
        assert not bench.recorder.catch_up()
        assert not bench.recorder.catch_up(), "not again at once"
        assert refusing.calls == tries
    bench.clock.advance(round(RETRY_S * 1000))
    assert bench.recorder.catch_up()
    assert said == ["the disk is full"] * 3 + [""]
    assert (bench.recorder.behind, bench.recorder.failing) == (0, "")
    assert [d.at_ms for d in bench.recorder.feed] == [TICK, 2 * TICK, 3 * TICK]
    assert bench.store.journal.judged_to_ms() == 3 * TICK
    assert bench.woken == 4, "for each, and for what may have been stored before"
    bench.recorder.record(outcome(alert(120_000), judged=120_000))
    assert len(said) == 4, "a store that works is not worth a word"


def test_a_store_that_takes_long_to_refuse_is_asked_rarely(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_recording: Recording) -> list[Decision]:
        bench.clock.advance(1_000)
        raise StoreError("no answer within 1 s")

    monkeypatch.setattr(bench.store, "record", slow)
    bench.recorder.record(outcome(alert()))
    for _ in range(RETRY_SHARE):
        now_ms = bench.clock.now_ms()
        assert not bench.recorder.catch_up()
        assert bench.clock.now_ms() == now_ms
        bench.clock.advance(1_000)
    before_ms = bench.clock.now_ms()
    assert not bench.recorder.catch_up()
    assert bench.clock.now_ms() == before_ms + 1_000


def test_but_never_so_rarely_that_its_return_goes_unnoticed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def very_slow(_recording: Recording) -> list[Decision]:
        bench.clock.advance(32_000)
        raise StoreError("no answer within 32 s")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "record", very_slow)
        bench.recorder.record(outcome(alert()))
    bench.clock.advance(round(RETRY_MAX_S * 1000) - 1)
    assert not bench.recorder.catch_up()
    bench.clock.advance(1)
    assert bench.recorder.catch_up()


def test_too_much_that_waits_makes_the_engine_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.recorder.BACKLOG_MAX", 3)
    refusing = Refusing(bench.store.record, 4)
    monkeypatch.setattr(bench.store, "record", refusing)
    for tick in (1, 2):
        bench.recorder.record(outcome(alert(tick * TICK)))
    assert bench.clock.now_ms() == NOW_MS
    bench.recorder.record(outcome(alert(3 * TICK)))
    assert bench.clock.now_ms() == NOW_MS + 4 * RETRY_S * 1000
    assert bench.recorder.behind == 0


def test_told_to_stop_while_too_much_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.recorder.BACKLOG_MAX", 1)
    monkeypatch.setattr(bench.store, "record", Refusing(bench.store.record, 10**6))

    def stop_later() -> None:
        if bench.clock.now_ms() >= NOW_MS + 5_000:
            bench.stop.set()

    bench.recorder.waiting = stop_later
    with pytest.raises(StoreError, match="the disk is full"):
        bench.recorder.record(outcome(alert()))
    assert list(bench.recorder.feed) == []
    assert bench.woken == 0


def test_the_last_word_stores_what_waits_or_says_that_it_could_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.recorder.settle()
    monkeypatch.setattr(bench.store, "record", Refusing(bench.store.record, 2))
    bench.recorder.record(outcome(alert()))
    with pytest.raises(StoreError, match="1 outcomes could not be stored: the disk is full"):
        bench.recorder.settle()
    bench.recorder.settle()
    assert bench.recorder.behind == 0
    assert bench.store.journal.judged_to_ms() == 60_000


def test_a_lease_that_is_lost_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_recording: Recording) -> list[Decision]:
        raise LeaseLost("another daemon is the active one")

    monkeypatch.setattr(bench.store, "record", lost)
    with pytest.raises(LeaseLost):
        bench.recorder.record(outcome(alert()))


def test_while_outcomes_wait_no_input_is_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ack = Ack("c1", "applied", "", NOW_MS)
    bench.answers.waiting.append(ack)
    monkeypatch.setattr(bench.store, "record", Refusing(bench.store.record, 1))
    bench.recorder.record(outcome(alert()))
    assert bench.recorder.inputs(TICK) == []
    assert list(bench.answers.waiting) == [ack], "it waits where it is"
    bench.clock.advance(round(RETRY_S * 1000))
    assert bench.recorder.inputs(2 * TICK) == [Input(2 * TICK, ack)]


class BreaksAfter:
    """A store's method that does its work and then says that it failed, the first time."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        self.inner = inner
        self.broken = False

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        found = self.inner(*arguments, **options)
        if not self.broken:
            self.broken = True
            raise StoreError("the connection broke")
        return found


@pytest.mark.parametrize("fails", [Refusing, BreaksAfter])
def test_an_input_that_fails_takes_effect_at_the_tick_that_the_journal_has(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., Any]
) -> None:
    first, second = (Ack(name, "applied", "", NOW_MS) for name in ("c1", "c2"))
    bench.answers.waiting += [first, second]
    append = bench.store.journal.append

    def the_second(kind: Any, tick: int, payload: Any, *, key: str = "") -> None:
        (failing if payload["command_id"] == "c2" else append)(kind, tick, payload, key=key)

    failing = Refusing(append, 1) if fails is Refusing else BreaksAfter(append)
    monkeypatch.setattr(bench.store.journal, "append", the_second)
    assert bench.recorder.inputs(TICK) == [Input(TICK, first)]
    bench.recorder.record(outcome(alert(), judged=TICK))
    bench.clock.advance(round(RETRY_S * 1000))
    assert bench.recorder.inputs(2 * TICK) == [Input(2 * TICK, second)]
    ticks = [(e.payload["command_id"], e.tick_ms) for e in bench.store.journal.read()]
    assert ticks == [("c1", TICK), ("c2", 2 * TICK)]
    assert bench.store.journal.judged_to_ms() == TICK


def test_no_checkpoint_while_an_answer_that_was_read_is_in_memory_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would say that the answer was read, and after a crash nobody had it: seed 378."""
    ack = Ack("c1", "applied", "", NOW_MS)
    bench.answers.waiting.append(ack)
    monkeypatch.setattr(bench.store.journal, "append", Refusing(bench.store.journal.append, 1))
    assert bench.recorder.all_stored()
    assert bench.recorder.inputs(TICK) == []
    bench.clock.advance(round(RETRY_S * 1000))
    assert bench.recorder.catch_up(), "the store is well again"
    assert not bench.recorder.all_stored()
    assert bench.recorder.inputs(2 * TICK) == [Input(2 * TICK, ack)]
    assert bench.recorder.all_stored()


@pytest.mark.parametrize("fails", ["reading", "committing"])
def test_a_repeated_answer_that_fails_takes_nothing_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    ack = Ack("c1", "applied", "", NOW_MS)
    bench.answers.waiting.append(ack)
    assert bench.recorder.inputs(TICK) == [Input(TICK, ack)]
    bench.answers.waiting.append(ack)
    if fails == "reading":
        holds = Refusing(bench.store.journal.holds, 1)
        monkeypatch.setattr(bench.store.journal, "holds", holds)
    else:
        commit_breaks(bench, monkeypatch)
    for tick in (2 * TICK, 3 * TICK):
        assert bench.recorder.inputs(tick) == [], "the engine has it"
        bench.recorder.record(outcome(alert(tick), judged=tick))
        bench.clock.advance(round(RETRY_S * 1000))
    assert [entry.tick_ms for entry in bench.store.journal.read()] == [TICK]


def taken(action: ManualAction, bench: Bench) -> ManualAction:
    """As the journal has it: with its end by the wall clock."""
    assert action.ttl_ms is not None
    return replace(action, until_ms=bench.clock.now_ms() + action.ttl_ms)


def test_an_action_whose_claim_broke_takes_effect_once_and_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = manual()
    bench.store.requests.put(action)
    commit_breaks(bench, monkeypatch)
    assert bench.recorder.inputs(TICK) == []
    assert len(bench.store.journal.read()) == 1, "it was stored, though it failed"
    bench.clock.advance(round(RETRY_S * 1000))
    assert bench.recorder.inputs(2 * TICK) == [Input(2 * TICK, taken(action, bench))]
    assert [e.tick_ms for e in bench.store.journal.read()] == [2 * TICK]
    bench.clock.advance(round(RETRY_S * 1000))
    assert bench.recorder.inputs(3 * TICK) == []


def commit_breaks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next transaction that writes is committed, and then the connection breaks."""
    database = bench.store.requests._database
    write, broken = database.write, threading.Event()

    @contextmanager
    def breaks() -> Iterator[Any]:
        with write() as connection:
            yield connection
        if not broken.is_set():
            broken.set()
            raise StoreError("the connection broke")

    monkeypatch.setattr(database, "write", breaks)


# --- inputs ---------------------------------------------------------------------------------------


def test_acknowledgements_and_people_are_journaled_as_of_their_tick(bench: Bench) -> None:
    ack = Ack("c1", "rejected", "no such number", NOW_MS - 5)
    action = manual()
    bench.answers.waiting.append(ack)
    bench.store.requests.put(action)
    assert bench.recorder.inputs(TICK) == [Input(TICK, ack), Input(TICK, taken(action, bench))]
    assert bench.recorder.inputs(2 * TICK) == []
    entries = bench.store.journal.read()
    assert journaled_inputs(entries, tick_ms=TICK) == [
        Input(TICK, ack),
        Input(TICK, taken(action, bench)),
    ]


def test_an_answer_read_again_after_a_restart_stands_once_in_the_journal(bench: Bench) -> None:
    ack = Ack("c1", "applied", "", NOW_MS)
    bench.answers.waiting.extend([ack, ack])
    bench.recorder.inputs(TICK)
    bench.answers.waiting.append(ack)
    bench.recorder.inputs(9 * TICK)
    assert [entry.tick_ms for entry in bench.store.journal.read()] == [TICK]


def test_silence_is_told_once_and_after_the_whole_timeout(bench: Bench) -> None:
    bench.awaited = {"c2", "c1"}
    assert bench.recorder.inputs(TICK) == []
    bench.clock.advance(59_999)
    bench.awaited.add("c3")
    assert bench.recorder.inputs(2 * TICK) == []
    bench.clock.advance(1)
    now_ms = bench.clock.now_ms()
    silent = [Ack(name, "silent", "no answer within 1m", now_ms) for name in ("c1", "c2")]
    assert bench.recorder.inputs(3 * TICK) == [Input(3 * TICK, ack) for ack in silent]
    bench.clock.advance(59_998)
    assert bench.recorder.inputs(4 * TICK) == []
    bench.clock.advance(1)
    (late,) = bench.recorder.inputs(5 * TICK)
    assert isinstance(late.what, Ack)
    assert late.what.command_id == "c3"
    assert journaled_inputs(bench.store.journal.read(), tick_ms=TICK)[:2] == [
        Input(3 * TICK, ack) for ack in silent
    ]


def test_a_command_that_is_answered_and_asked_again_has_its_time_anew(bench: Bench) -> None:
    bench.awaited = {"c1"}
    bench.recorder.inputs(TICK)
    bench.clock.advance(50_000)
    bench.awaited = set()
    bench.recorder.inputs(2 * TICK)
    bench.awaited = {"c1"}
    bench.recorder.inputs(3 * TICK)
    bench.clock.advance(59_999)
    assert bench.recorder.inputs(4 * TICK) == []
    bench.clock.advance(1)
    assert len(bench.recorder.inputs(5 * TICK)) == 1


def test_what_telephony_was_found_to_do_is_journaled_once_and_read_again(bench: Bench) -> None:
    found = Found(NUMBER, "missing", 3, NOW_MS, "telephony does not block it", NOW_MS)
    bench.recorder.found = lambda: [found]
    assert bench.recorder.inputs(TICK) == [Input(TICK, found)]
    assert bench.recorder.inputs(2 * TICK) == []
    assert journaled_inputs(bench.store.journal.read(), tick_ms=TICK) == [Input(TICK, found)]


def test_a_command_that_was_not_sent_counts_as_done(bench: Bench) -> None:
    bench.store.record(Recording([command()]))
    delivery = Delivery(1, "telephony", NUMBER, command(), 1, NOW_MS, "")
    thread = threading.Thread(target=bench.recorder.stale, args=(delivery,))
    thread.start()
    thread.join()
    ack = Ack(command().id, "applied", "stale: not sent", NOW_MS)
    assert bench.recorder.inputs(TICK) == [Input(TICK, ack)]
    assert bench.recorder.inputs(2 * TICK) == []


def test_a_command_that_no_system_will_get_is_answered_and_so_it_is_after_a_crash(
    bench: Bench,
) -> None:
    made = command()
    bench.store.record(Recording([made], [PlannedDelivery(made.id, "telephony.moon", "k")]))
    bench.awaited = {made.id}
    bench.store.outbox.abandon(["log"])
    bench.recorder.gone(made.id, "telephony.moon")
    (taken,) = bench.recorder.inputs(TICK)
    assert isinstance(taken.what, Ack)
    assert (taken.what.status, taken.what.system) == ("rejected", "telephony.moon")
    bench.clock.advance(60_000)  # the note was in memory; what is silent is looked up
    (again,) = bench.recorder.inputs(2 * TICK)
    assert isinstance(again.what, Ack)
    assert (again.what.status, again.what.detail) == ("rejected", taken.what.detail)


def test_answers_of_two_at_the_same_moment_are_two_and_come_back_as_they_were(
    bench: Bench,
) -> None:
    both = ("a", "b")
    bench.recorder.whole = lambda ack: replace(ack, systems=both)
    bench.answers.waiting.extend(Ack("c1", "applied", "", 1, name) for name in both)
    taken = bench.recorder.inputs(TICK)
    assert [each.what for each in taken] == [Ack("c1", "applied", "", 1, n, both) for n in both]
    again = journaled_inputs(bench.store.journal.read(0), tick_ms=TICK)
    systems = [list(each.what.systems) for each in again if isinstance(each.what, Ack)]
    assert systems == [["a", "b"], ["a", "b"]]


def test_an_answer_waits_while_it_cannot_be_said_who_else_has_to_give_one(bench: Bench) -> None:
    def refuses(_ack: Ack) -> Ack:
        raise StoreError("the disk is away")

    bench.recorder.whole = refuses
    bench.answers.waiting.append(Ack("c1", "applied", "", 1, "a"))
    assert bench.recorder.inputs(TICK) == []
    assert bench.recorder.unjournaled == 1
    bench.recorder.whole = lambda ack: ack
    bench.clock.advance(60_000)
    assert len(bench.recorder.inputs(2 * TICK)) == 1


def test_a_note_that_a_crash_lost_is_found_before_silence_is_told(bench: Bench) -> None:
    plan = [PlannedDelivery(command().id, "telephony", NUMBER)]
    bench.store.record(Recording([command()], plan))
    [delivery] = bench.store.outbox.claim("telephony", limit=1, mark="0")
    bench.store.outbox.settle([Settled(delivery.seq, "stale", "stale")])
    bench.awaited = {command().id, "c2"}
    bench.recorder.inputs(TICK)
    bench.clock.advance(60_000)
    found = [entry.what for entry in bench.recorder.inputs(2 * TICK)]
    assert {(ack.command_id, ack.status) for ack in found if isinstance(ack, Ack)} == {
        (command().id, "applied"),
        ("c2", "silent"),
    }


def test_refused_records_are_journaled_once(bench: Bench) -> None:
    bench.recorder.refused(CALLS, [7, 9])
    bench.recorder.refused(CALLS, [7, 9])
    bench.recorder.refused(CALLS, [12])
    entries = bench.store.journal.read(kind="refused")
    assert journaled_refusals(entries) == [(CALLS, 7), (CALLS, 9), (CALLS, 12)]
    assert journaled_inputs(bench.store.journal.read(), tick_ms=TICK) == []


def test_refusals_are_kept_as_long_as_everything_else(bench: Bench) -> None:
    bench.recorder.refused(CALLS, [7])
    last = bench.store.journal.last_seq()
    bench.store.history.prune(NOW_MS, journal_upto=last)
    assert journaled_refusals(bench.store.journal.read()) == [(CALLS, 7)]
    bench.store.history.prune(NOW_MS + 1, journal_upto=last)
    assert bench.store.journal.read() == []


# --- ticks of another length ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ms", "tick"), [(0, 0), (1, 700), (699, 700), (700, 700), (701, 1_400), (-1, 0)]
)
def test_the_first_tick_not_before(ms: int, tick: int) -> None:
    assert aligned(ms, 700) == tick


def test_a_journal_of_other_ticks_is_moved_up(bench: Bench) -> None:
    bench.store.requests.put(manual())
    bench.recorder.inputs(5_000)
    (moved,) = journaled_inputs(bench.store.journal.read(), tick_ms=3_000)
    assert moved.tick == 6_000
    assert journaled_end(5_000, tick_ms=3_000) == 6_000
    assert journaled_end(6_000, tick_ms=3_000) == 6_000
    assert journaled_end(None, tick_ms=3_000) == NEVER


# --- replay ---------------------------------------------------------------------------------------


def test_a_replay_tells_and_keeps_nothing() -> None:
    told: list[Decision] = []
    recorder = ReplayRecorder(told.append)
    recorder.record(outcome(alert(), command()))
    assert told == [alert(), command()]
    recorder.refused(CALLS, [1])
    assert recorder.inputs(TICK) == []


def test_manual_actions_survive_the_journal_whole(bench: Bench) -> None:
    action = ManualAction("m9", "suspend", NUMBER, 90_000, "李", "投诉")
    bench.store.requests.put(action)
    bench.recorder.inputs(TICK)
    expected = [Input(TICK, taken(action, bench))]
    assert journaled_inputs(bench.store.journal.read(), tick_ms=TICK) == expected
