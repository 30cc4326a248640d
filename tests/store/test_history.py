"""Reads for people, and the deletion of what is old."""

from __future__ import annotations

from monitor.clock import ManualClock
from monitor.store.journal import FloorRow, NewEntry
from monitor.store.outbox import PlannedDelivery, Settled
from monitor.store.store import Recording, Store
from tests.store.made import alert, change, command, manual, refusal

FUTURE = 10**15


def test_newest_first_since_and_limit(store: Store) -> None:
    alerts = [alert(at) for at in (60_000, 180_000, 120_000)]
    store.record(Recording(alerts))
    assert [a.at_ms for a in store.history.alerts()] == [180_000, 120_000, 60_000]
    assert [a.at_ms for a in store.history.alerts(since_ms=120_000)] == [180_000, 120_000]
    assert [a.at_ms for a in store.history.alerts(since_ms=120_001)] == [180_000]
    assert [a.at_ms for a in store.history.alerts(limit=1)] == [180_000]
    assert store.history.alerts(rule="another") == []
    assert len(store.history.alerts(rule="number-hangup")) == 3


def test_kinds_do_not_mix_and_numbers_are_told_apart(store: Store) -> None:
    other = command(number="+862150000008")
    store.record(Recording([alert(), command(), other, refusal()], changes=[change()]))
    assert store.history.commands(number=other.number) == [other]
    assert store.history.refusals() == [refusal()]
    assert store.history.refusals(number=other.number) == []
    assert store.history.refusals(since_ms=60_001) == []
    assert store.history.changes(number=other.number) == []
    assert store.history.changes(since_ms=60_000) == [change()]
    assert store.history.changes(since_ms=60_001) == []


def test_the_last_command_of_each_number_is_a_real_one(store: Store) -> None:
    suspend, resume = command(60_000), command(90_000, action="resume")
    shadow = command(120_000, shadow=True)
    other = command(60_000, number="+861")
    store.record(Recording([suspend, resume, shadow, other]))
    assert store.history.last_commands() == {"+861": other, resume.number: resume}
    assert list(store.history.last_commands()) == ["+861", resume.number]


def test_pruning_keeps_what_still_matters(store: Store, clock: ManualClock) -> None:
    firing = alert(60_000)
    ended = [
        alert(at, scope=(("team", "t"),), since_ms=60_000, state=state)
        for at, state in ((60_000, "firing"), (65_000, "resolved"))
    ]
    suspend, resume = command(60_000), command(65_000, action="resume")
    unsent, told = refusal(60_000), refusal(65_000)
    shadow = command(70_000, shadow=True)
    store.record(
        Recording(
            [firing, *ended, suspend, resume, unsent, told, shadow],
            [PlannedDelivery(unsent.id, "hook", "k"), PlannedDelivery(told.id, "log", "k")],
            changes=[change()],
            floors=[FloorRow("t", 0, 1, 60_000), FloorRow("t", 0, 2, 2_000_000)],
            journal=[NewEntry("ack", 60_000, 1), NewEntry("ack", 60_000, 2)],
        )
    )
    store.requests.put(manual("done"))
    store.requests.claim(60_000)
    store.requests.put(manual("waiting"))
    (delivery,) = store.outbox.claim("log", limit=1)
    store.outbox.settle([Settled(delivery.seq, "sent")])
    upto = store.journal.read()[0].seq

    assert store.history.prune(60_000, journal_upto=upto) == 0  # nothing is older than its limit
    clock.advance(1)
    assert store.history.prune(1_000_001, journal_upto=upto) > 0
    while store.history.prune(1_000_001, journal_upto=upto):
        pass

    assert store.history.alerts() == [firing]
    assert store.history.commands() == [resume]
    assert store.history.refusals() == [unsent]
    assert store.history.changes() == []
    assert [e.alert for e in store.episodes.current(resolved_since_ms=0)] == [firing]
    assert store.outbox.counts() == {("hook", "queued"): 1}
    assert next(e.payload for e in store.journal.read()) == 2
    assert store.journal.floors() == [FloorRow("t", 0, 2, 2_000_000)]
    assert store.requests.find("done") is None
    assert store.requests.find("waiting") is not None


def test_pruning_goes_in_small_steps(store: Store) -> None:
    store.record(Recording([refusal(at) for at in range(1, 11)]))
    sizes = []
    while gone := store.history.prune(FUTURE, journal_upto=0, limit=4):
        sizes.append(gone)
    assert sizes == [4, 4, 2]
    assert store.history.refusals() == []


def test_a_parked_delivery_is_history_once_it_is_old(store: Store, clock: ManualClock) -> None:
    store.record(Recording([refusal()], [PlannedDelivery(refusal().id, "hook", "k")]))
    (delivery,) = store.outbox.claim("hook", limit=1)
    store.outbox.settle([Settled(delivery.seq, "parked", "status_4xx")])
    assert store.history.prune(clock.now_ms(), journal_upto=0) == 0
    assert store.history.prune(clock.now_ms() + 1, journal_upto=0) == 2
    assert store.history.refusals() == []
