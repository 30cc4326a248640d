"""One receiver: order, pauses, giving up, lateness, and what a crash leaves behind.

The clock stands still unless a test moves it, and the jitter is always drawn at 0.999: pauses are
the bound, less one millisecond.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.delivery.attempts import Policy
from monitor.delivery.channels.base import Channel
from monitor.delivery.channels.commands import CommandsChannel
from monitor.delivery.lane import IDLE_MS, Lane
from monitor.delivery.pacing import Pacer
from monitor.errors import StoreError
from monitor.store.outbox import Delivery, Outbox, PlannedDelivery, Settled
from monitor.store.store import Recording, Store
from monitor.units import Rate
from tests.delivery.conftest import NOW_MS
from tests.delivery.doubles import Digesting, Scripted, Topic, broken
from tests.store.made import NUMBER, alert, command, order, refusal

MINUTE_MS = 60_000


class Bench:
    """A lane on a store, with its counts."""

    def __init__(self, store: Store, clock: ManualClock, channel: Channel, **changes: Any) -> None:
        self.store = store
        self.clock = clock
        self.counts: Counter[str] = Counter()
        rate: Rate | None = changes.pop("rate", None)
        policy: dict[str, int] = {
            "stale_after_ms": 10 * MINUTE_MS,
            "max_age_ms": 60 * MINUTE_MS,
            "max_attempts": 5,
            "backoff_base_ms": 1_000,
            "backoff_max_ms": 8_000,
            **changes,
        }
        self.lane = Lane(
            "r",
            channel,
            outbox=store.outbox,
            clock=clock,
            policy=Policy(**policy),
            pacer=Pacer(rate),
            draw=lambda: 0.999,
            count=self.count,
        )

    def count(self, result: str) -> None:
        self.counts[result] += 1

    def queue(self, *decisions: Decision, key: str = "", folds_at: int | None = None) -> list[str]:
        plan = [PlannedDelivery(d.id, "r", key or d.id, folds_at) for d in decisions]
        self.store.record(Recording(decisions, plan))
        return [decision.id for decision in decisions]

    def run(self) -> int:
        """Step until there is nothing more to do at this moment."""
        while (wait_ms := self.lane.step()) == 0:
            pass
        return wait_ms

    def states(self) -> dict[str, int]:
        return {state: count for (_, state), count in self.store.outbox.counts().items()}


def some(count: int, *, age_ms: int = 0) -> list[Decision]:
    return [refusal(NOW_MS - age_ms + n, id=f"{age_ms}-{n}") for n in range(count)]


def test_all_that_is_due_goes_out_in_order(store: Store, clock: ManualClock) -> None:
    channel = Scripted()
    bench = Bench(store, clock, channel)
    ids = bench.queue(*some(80), key="one")
    assert bench.run() == IDLE_MS
    assert channel.sent == ids
    assert bench.counts == {"ok": 80}
    assert bench.states() == {}


def test_a_failure_pauses_the_lane_longer_each_time_up_to_the_bound(
    store: Store, clock: ManualClock
) -> None:
    channel = Scripted([broken()] * 5)
    bench = Bench(store, clock, channel, max_attempts=100)
    ids = bench.queue(*some(1))
    waits = []
    while not channel.sent:
        waits.append(bench.run())
        clock.advance(waits[-1])
        bench.run()
    assert waits == [999, 1_998, 3_996, 7_992, 7_992]
    assert channel.attempts == ids * 6
    assert bench.counts == {"timeout": 5, "ok": 1}


def test_while_it_pauses_nothing_is_attempted(store: Store, clock: ManualClock) -> None:
    channel = Scripted([broken()])
    bench = Bench(store, clock, channel)
    bench.queue(*some(3))
    assert bench.run() == 999
    assert len(channel.attempts) == 1  # the rest of the batch went back
    assert bench.states() == {"queued": 2, "retry": 1}
    clock.advance(998)
    assert bench.run() == 1
    assert len(channel.attempts) == 1
    clock.advance(1)
    bench.run()
    assert len(channel.sent) == 3


def test_what_was_put_back_has_not_used_up_an_attempt(store: Store, clock: ManualClock) -> None:
    bench = Bench(store, clock, Scripted([broken()]))
    bench.queue(*some(2))
    bench.run()
    clock.advance(999)
    attempts = {d.decision.id: d.attempts for d in store.outbox.claim("r", limit=9)}
    assert attempts == {"0-0": 2, "0-1": 1}


def test_one_bad_delivery_does_not_hold_the_others(store: Store, clock: ManualClock) -> None:
    """A receiver that fails on one body only: the others go first, the bad one is parked."""

    class Picky(Scripted):
        def send(self, delivery: Delivery) -> None:
            self.attempts.append(delivery.decision.id)
            if delivery.decision.id == "0-0":
                raise broken("status_5xx")
            self.sent.append(delivery.decision.id)

    channel = Picky()
    bench = Bench(store, clock, channel)
    bench.queue(*some(3))
    for _ in range(40):
        clock.advance(bench.run())
    assert channel.attempts == ["0-0", "0-1", "0-2", *["0-0"] * 4]
    assert channel.sent == ["0-1", "0-2"]
    assert bench.states() == {"parked": 1}


def test_order_within_a_key_survives_failures(store: Store, clock: ManualClock) -> None:
    channel = Scripted([None, broken(), broken("status_5xx"), None, broken()])
    bench = Bench(store, clock, channel)
    ids = bench.queue(*some(5), key="one")
    for _ in range(20):
        clock.advance(bench.run())
    assert channel.sent == ids


@pytest.mark.parametrize(
    ("asked_s", "wait_ms"), [(0.5, 999), (0.999, 999), (3.0, 3_000), (600.0, 8_000)]
)
def test_a_receiver_may_ask_for_a_longer_pause_but_not_for_ever(
    store: Store, clock: ManualClock, asked_s: float, wait_ms: int
) -> None:
    bench = Bench(store, clock, Scripted([broken("throttled", after_s=asked_s)]))
    bench.queue(*some(1))
    assert bench.run() == wait_ms
    assert store.outbox.next_due_ms("r") == NOW_MS + wait_ms


def test_a_final_failure_is_parked_at_once_and_pauses_nothing(
    store: Store, clock: ManualClock
) -> None:
    channel = Scripted([broken("status_4xx", retry=False)])
    bench = Bench(store, clock, channel)
    ids = bench.queue(*some(2))
    with capture_logs() as logs:
        assert bench.run() == IDLE_MS
    assert channel.sent == ids[1:]
    assert bench.states() == {"parked": 1}
    (line,) = logs
    assert (line["event"], line["log_level"], line["reason"]) == (
        "delivery_parked",
        "error",
        "status_4xx",
    )


def test_it_is_parked_after_its_attempts(store: Store, clock: ManualClock) -> None:
    channel = Scripted([broken()] * 9)
    bench = Bench(store, clock, channel, max_attempts=3)
    bench.queue(*some(1))
    for _ in range(9):
        clock.advance(bench.run())
    assert len(channel.attempts) == 3
    assert bench.states() == {"parked": 1}


@pytest.mark.parametrize(("age_ms", "state"), [(4_999, "retry"), (5_000, "parked")])
def test_it_is_parked_at_its_age(store: Store, clock: ManualClock, age_ms: int, state: str) -> None:
    bench = Bench(store, clock, Scripted([broken()]), max_age_ms=5_000)
    bench.queue(*some(1))
    clock.advance(age_ms)
    bench.run()
    assert bench.states() == {state: 1}


def test_a_fault_of_the_channel_itself_is_a_failed_attempt(
    store: Store, clock: ManualClock
) -> None:
    channel = Scripted([ZeroDivisionError("ours")])
    bench = Bench(store, clock, channel)
    bench.queue(*some(1))
    with capture_logs() as logs:
        clock.advance(bench.run())
    assert [line["event"] for line in logs] == ["channel_failed", "delivery_failed"]
    bench.run()
    assert len(channel.sent) == 1
    assert bench.counts == {"internal": 1, "ok": 1}


def test_the_pace_is_kept_across_batches(store: Store, clock: ManualClock) -> None:
    channel = Scripted()
    bench = Bench(store, clock, channel, rate=Rate(2, 10_000))
    bench.queue(*some(5))
    assert bench.run() == 10_000
    assert len(channel.sent) == 2
    clock.advance(9_999)
    assert bench.run() == 1
    clock.advance(1)
    assert bench.run() == 10_000
    clock.advance(10_000)
    assert bench.run() == IDLE_MS
    assert len(channel.sent) == 5


def test_past_the_deadline_nothing_further_is_begun(store: Store, clock: ManualClock) -> None:
    class Slow(Scripted):
        def send(self, delivery: Delivery) -> None:
            super().send(delivery)
            clock.advance(400)

    channel = Slow()
    bench = Bench(store, clock, channel)
    bench.queue(*some(9))
    bench.lane.step(deadline_s=1.0)
    assert len(channel.sent) == 3
    assert bench.states() == {"queued": 6}


def test_long_batches_are_settled_along_the_way(store: Store, clock: ManualClock) -> None:
    in_flight: list[int] = []

    class Slow(Scripted):
        def send(self, delivery: Delivery) -> None:
            clock.advance(100)
            in_flight.append(len(store.outbox.in_flight("r")))
            super().send(delivery)

    bench = Bench(store, clock, Slow())
    bench.queue(*some(9))
    bench.run()
    assert in_flight == [9, 9, 9, 9, 5, 5, 5, 2, 2]  # what a crash would repeat at most


# --- lateness -------------------------------------------------------------------------------------


def test_late_notifications_join_one_digest_and_the_fresh_follow(
    store: Store, clock: ManualClock
) -> None:
    channel = Digesting()
    bench = Bench(store, clock, channel)
    late = bench.queue(*some(40, age_ms=11 * MINUTE_MS))
    fresh = bench.queue(*some(2))
    assert bench.run() == IDLE_MS
    (digest,) = channel.digests
    assert [d.id for d in digest.newest] == late
    assert channel.sent == fresh
    assert bench.states() == {}
    assert bench.counts == {"digest": 1, "ok": 2}


def test_an_order_is_carried_out_however_late(store: Store, clock: ManualClock) -> None:
    channel = Digesting()
    bench = Bench(store, clock, channel)
    late = [
        order(NOW_MS - minutes * MINUTE_MS, scope=(("customer", f"k{minutes}"),))
        for minutes in (30, 20)
    ]
    bench.queue(alert(NOW_MS - 31 * MINUTE_MS), alert(NOW_MS - 32 * MINUTE_MS, rule="b"), *late)
    bench.run()
    assert channel.sent == [each.id for each in late]
    assert [digest.count for digest in channel.digests] == [2]


@pytest.mark.parametrize(("age_ms", "digests"), [(600_000, 0), (600_001, 1)])
def test_late_is_older_than_stale_after(
    store: Store, clock: ManualClock, age_ms: int, digests: int
) -> None:
    channel = Digesting()
    bench = Bench(store, clock, channel)
    bench.queue(
        refusal(NOW_MS - age_ms, id="a"),
        refusal(NOW_MS - age_ms, id="b"),
    )
    bench.run()
    assert len(channel.digests) == digests
    assert len(channel.sent) == 2 * (1 - digests)


def test_a_single_late_one_stays_itself(store: Store, clock: ManualClock) -> None:
    channel = Digesting()
    bench = Bench(store, clock, channel)
    ids = bench.queue(*some(1, age_ms=11 * MINUTE_MS))
    bench.run()
    assert (channel.sent, channel.digests) == (ids, [])


def test_a_channel_without_digests_gets_late_ones_one_by_one(
    store: Store, clock: ManualClock
) -> None:
    channel = Scripted()
    bench = Bench(store, clock, channel)
    ids = bench.queue(*some(3, age_ms=11 * MINUTE_MS))
    bench.run()
    assert channel.sent == ids
    with pytest.raises(TypeError, match="takes no digests"):
        Channel.send_digest(channel, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", [broken("status_5xx"), ZeroDivisionError("ours")])
def test_a_digest_that_fails_stays_together(
    store: Store, clock: ManualClock, failure: Exception
) -> None:
    channel = Digesting([failure, broken()])
    bench = Bench(store, clock, channel)
    late = bench.queue(*some(30, age_ms=11 * MINUTE_MS))
    assert bench.run() == 999
    assert bench.states() == {"retry": 30}
    clock.advance(999)
    assert bench.run() == 1_998
    clock.advance(1_998)
    bench.run()
    (digest,) = channel.digests
    assert [d.id for d in digest.newest] == late
    assert len(set(channel.attempts)) == 1  # the same id each time


def test_a_digest_that_is_refused_is_parked(store: Store, clock: ManualClock) -> None:
    bench = Bench(store, clock, Digesting([broken("status_4xx", retry=False)]))
    bench.queue(*some(3, age_ms=11 * MINUTE_MS))
    assert bench.run() == IDLE_MS
    assert bench.states() == {"parked": 3}


# --- too many ------------------------------------------------------------------------------------


def test_what_found_the_queue_full_is_told_as_one_after_the_others(
    store: Store, clock: ManualClock
) -> None:
    channel = Digesting([broken()])
    bench = Bench(store, clock, channel)
    bench.queue(*some(150), folds_at=10)
    assert bench.run() == 999
    assert bench.states() == {"folded": 140, "queued": 9, "retry": 1}
    clock.advance(999)
    assert bench.run() == IDLE_MS
    assert len(channel.sent) == 10
    (digest,) = channel.digests
    assert (digest.why, digest.count, len(digest.newest)) == ("too_many", 140, 100)
    assert digest.to_json()["counts"] == [
        {"what": "refusal max_fraction", "rule": "number-hangup", "level": "", "count": 140}
    ]
    assert bench.states() == {}
    assert bench.counts == {"timeout": 1, "ok": 10, "digest": 1}


def test_a_digest_of_many_that_fails_is_sent_again_under_its_id(
    store: Store, clock: ManualClock
) -> None:
    channel = Digesting([None, broken(), ZeroDivisionError("ours")])
    bench = Bench(store, clock, channel)
    bench.queue(*some(4), folds_at=1)
    assert bench.run() == 999
    bench.queue(*some(3, age_ms=5), folds_at=0)
    clock.advance(999)
    assert bench.run() == 1_998
    clock.advance(1_998)
    bench.run()
    assert [digest.count for digest in channel.digests] == [3, 3]
    assert len(set(channel.attempts)) == 3, "one delivery, and two digests: each its own id"
    assert channel.attempts[1:4] == [channel.digests[0].id] * 3
    assert bench.states() == {}


def test_a_digest_of_many_that_is_refused_is_parked(store: Store, clock: ManualClock) -> None:
    bench = Bench(store, clock, Digesting([None, broken("status_4xx", retry=False)]))
    bench.queue(*some(4), folds_at=1)
    assert bench.run() == IDLE_MS
    assert bench.states() == {"parked": 3}
    assert {each.reason for each in store.outbox.parked.entries(limit=9)} == {"status_4xx"}


def test_who_is_told_again_what_holds_needs_no_digest(store: Store, clock: ManualClock) -> None:
    channel = Scripted([None, broken()])
    channel.repost_ms = MINUTE_MS
    bench = Bench(store, clock, channel)
    bench.run()
    bench.queue(*some(4), folds_at=0)
    clock.advance(MINUTE_MS)
    assert bench.run() == 999
    assert bench.states() == {"folded": 4}, "it was not told"
    clock.advance(999)
    bench.run()
    assert (channel.reposts, channel.sent, channel.digests) == (2, [], [])
    assert bench.states() == {}


@pytest.mark.parametrize(("left_ms", "stale"), [(-1, True), (0, True), (1, False)])
def test_a_suspension_that_is_over_is_recorded_and_not_sent(
    store: Store, clock: ManualClock, left_ms: int, stale: bool
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    bench.queue(command(NOW_MS - MINUTE_MS, until_ms=NOW_MS + left_ms))
    bench.run()
    assert len(topic.records) == (not stale)
    assert bench.states() == ({"stale": 1} if stale else {})
    assert bench.counts == ({"stale": 1} if stale else {"ok": 1})


def test_a_late_resume_and_a_suspension_without_end_are_sent(
    store: Store, clock: ManualClock
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(
        command(1, action="suspend", until_ms=None),
        command(2, action="resume", until_ms=1),
        key=NUMBER,
    )
    bench.run()
    assert [command_id for _, command_id, _ in topic.records] == ids


# --- commands and crashes -------------------------------------------------------------------------


def live(count: int) -> list[Decision]:
    return [command(NOW_MS, number=f"+86215000000{n}") for n in range(count)]


def test_a_command_whose_answer_was_lost_is_not_sent_again(
    store: Store, clock: ManualClock
) -> None:
    topic = Topic()
    topic.lost_answers = 1
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(1))
    assert bench.run() == 999
    clock.advance(999)
    bench.run()
    assert [command_id for _, command_id, _ in topic.records] == ids
    assert bench.counts == {"timeout": 1, "ok": 1}


def test_commands_that_are_due_at_once_go_out_together(store: Store, clock: ManualClock) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(9))
    bench.run()
    assert topic.transactions == [ids]
    assert bench.states() == {}
    assert bench.counts == {"ok": 9}


def test_of_one_number_the_next_command_waits_for_the_one_before(
    store: Store, clock: ManualClock
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    one = bench.queue(command(NOW_MS), command(NOW_MS + 1, action="resume"), key=NUMBER)
    (other,) = bench.queue(*live(1))
    bench.run()
    assert topic.transactions == [[one[0], other], [one[1]]]


@pytest.mark.parametrize("arrived", [True, False])
def test_what_failed_together_is_looked_up_and_then_goes_one_by_one(
    store: Store, clock: ManualClock, arrived: bool
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(3))
    if arrived:
        topic.lost_answers = 1
    else:
        topic.failures.extend([None, broken("connection")])  # a mark there is
    assert bench.run() == 999  # one failure of the receiver, not three
    assert bench.states() == {"retry": 3}
    clock.advance(999)
    bench.run()
    assert topic.transactions == [ids] if arrived else [[each] for each in ids]
    assert [command_id for _, command_id, _ in topic.records] == ids
    assert bench.states() == {}


def test_one_that_can_never_arrive_keeps_no_other_back(store: Store, clock: ManualClock) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(3))
    topic.too_large.add(ids[1])
    bench.run()
    assert [command_id for _, command_id, _ in topic.records] == [ids[0], ids[2]]
    assert bench.states() == {"parked": 1}
    assert topic.transactions == [ids, *([each] for each in ids)]


def test_a_suspension_that_is_over_is_not_sent_with_the_others(
    store: Store, clock: ManualClock
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    first, _, last = bench.queue(
        command(NOW_MS, number="+862150000001"),
        command(NOW_MS, number="+862150000002", until_ms=NOW_MS),
        command(NOW_MS, number="+862150000003"),
    )
    bench.run()
    assert topic.transactions == [[first, last]]
    assert bench.states() == {"stale": 1}
    assert bench.counts == {"ok": 2, "stale": 1}


def test_when_nothing_of_what_is_due_is_to_be_sent_nothing_is(
    store: Store, clock: ManualClock
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    bench.queue(
        command(NOW_MS, number="+862150000001", until_ms=NOW_MS),
        command(NOW_MS, number="+862150000002", until_ms=NOW_MS),
    )
    bench.run()
    assert topic.transactions == []
    assert bench.states() == {"stale": 2}


def test_a_fault_of_ours_leaves_what_went_together_in_doubt(
    store: Store, clock: ManualClock
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(2))
    topic.failures.extend([None, ZeroDivisionError("ours")])
    assert bench.run() == 999
    assert bench.counts == {"internal": 2}
    clock.advance(999)
    bench.run()
    assert [command_id for _, command_id, _ in topic.records] == ids


def test_past_the_deadline_nothing_of_what_was_claimed_goes_out_together(
    store: Store, clock: ManualClock
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    bench.queue(*live(2))
    bench.lane.step(clock.monotonic_s())
    assert topic.transactions == []
    assert bench.states() == {"queued": 2}


@pytest.mark.parametrize("arrived", [True, False])
def test_a_crash_between_sending_and_bookkeeping(
    store: Store, clock: ManualClock, arrived: bool
) -> None:
    topic = Topic()
    topic.send(b"{}", "earlier", "c0")
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(2))
    claimed = store.outbox.claim("r", limit=9, mark=topic.prepare())
    if arrived:
        topic.send(b"{}", "number", claimed[0].decision.id)
    after = Bench(store, clock, CommandsChannel(topic))  # the next life of the daemon
    with capture_logs() as logs:
        after.run()
    assert sorted(command_id for _, command_id, _ in topic.records) == sorted(["c0", *ids])
    assert after.states() == {}
    (line,) = [line for line in logs if line["event"] == "in_flight_recovered"]
    assert (line["arrived"], line["again"]) == (int(arrived), 2 - arrived)


def test_nothing_is_sent_before_it_is_known_what_arrived(store: Store, clock: ManualClock) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(2))
    (first,) = store.outbox.claim("r", limit=1, mark=topic.prepare())
    topic.send(b"{}", "number", first.decision.id)
    topic.failures.extend([broken("connection")] * 2)
    bench = Bench(store, clock, CommandsChannel(topic))
    assert bench.run() == 999
    assert len(topic.records) == 1
    clock.advance(999)
    assert bench.run() == 1_998
    clock.advance(1_998)
    bench.run()
    assert [command_id for _, command_id, _ in topic.records] == ids


def test_without_a_mark_there_is_no_sending(store: Store, clock: ManualClock) -> None:
    topic = Topic()
    topic.failures.append(broken("connection"))
    bench = Bench(store, clock, CommandsChannel(topic))
    bench.queue(*live(1))
    assert bench.run() == 999
    assert bench.states() == {"queued": 1}
    assert bench.counts == {"connection": 1}
    clock.advance(999)
    bench.run()
    assert len(topic.records) == 1


def test_after_a_crash_other_receivers_get_it_again(store: Store, clock: ManualClock) -> None:
    channel = Scripted()
    bench = Bench(store, clock, channel)
    ids = bench.queue(*some(2))
    store.outbox.claim("r", limit=1)
    bench.run()
    assert channel.sent == ids


def test_a_mark_that_cannot_be_looked_up_means_sending_again(
    store: Store, clock: ManualClock
) -> None:
    class Marking(Scripted):
        def prepare(self) -> str:
            return "some mark"

    channel = Marking([broken()])
    bench = Bench(store, clock, channel)
    ids = bench.queue(*some(1))
    clock.advance(bench.run())
    bench.run()
    assert channel.attempts == ids * 2


def test_telephony_takes_commands_only(store: Store, clock: ManualClock) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    bench.queue(alert(NOW_MS))
    bench.run()
    assert bench.states() == {"parked": 1}
    assert topic.records == []


# --- reposts and the store ------------------------------------------------------------------------


def test_reposts_come_at_their_time_and_fail_like_deliveries(
    store: Store, clock: ManualClock
) -> None:
    channel = Scripted([None, broken("connection")])
    channel.repost_ms = 60_000
    bench = Bench(store, clock, channel)
    assert bench.run() == 60_000
    assert channel.reposts == 1
    clock.advance(59_999)
    assert bench.run() == 1
    clock.advance(1)
    assert bench.run() == 999
    assert channel.reposts == 1
    assert bench.counts == {"connection": 1}
    clock.advance(999)
    assert bench.run() == 60_000
    assert channel.reposts == 2


def test_a_repost_is_not_late_because_of_a_distant_retry(store: Store, clock: ManualClock) -> None:
    channel = Scripted()
    channel.repost_ms = 5_000
    bench = Bench(store, clock, channel)
    bench.run()
    bench.queue(*some(1))
    clock.advance(1_000)
    assert bench.run() == 4_000


@pytest.mark.parametrize("failure", [StoreError("the disk is full"), ZeroDivisionError("ours")])
def test_what_could_not_be_settled_is_looked_up_before_going_on(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    ids = bench.queue(*live(2))
    settle = Outbox.settle

    def fail_once(_outbox: Outbox, outcomes: Iterable[Settled]) -> None:
        if list(outcomes) and topic.records:
            monkeypatch.setattr(Outbox, "settle", settle)
            raise failure

    monkeypatch.setattr(Outbox, "settle", fail_once)
    with capture_logs() as logs:
        if isinstance(failure, StoreError):
            assert bench.lane.step() == 1_000
            assert [line["event"] for line in logs] == ["outbox_unavailable"]
        else:
            with pytest.raises(ZeroDivisionError):
                bench.lane.step()
    assert bench.states() == {"sending": 2}
    bench.run()
    assert [command_id for _, command_id, _ in topic.records] == ids  # each once
    assert bench.states() == {}


def test_after_a_command_that_failed_the_store_is_asked_before_any_other(
    store: Store, clock: ManualClock
) -> None:
    """Another daemon may be the active one by now; only the store knows."""
    topic = Topic()
    bench = Bench(store, clock, CommandsChannel(topic))
    [first] = bench.queue(command(NOW_MS, id="c1"))
    topic.failures.extend([None, broken()])  # prepared, then not sent
    bench.run()
    clock.advance(1_000)
    [second] = bench.queue(command(NOW_MS, id="c2", number="+862150000009"))
    topic.too_large = {first}
    assert bench.lane.step() == 0
    assert topic.transactions == [[first]], "the other one went back"
    assert bench.states() == {"parked": 1, "queued": 1}
    bench.run()
    assert topic.transactions == [[first], [second]]
