"""Commands, answers and dead letters on a real Apache Kafka."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from monitor.clock import ManualClock, SystemClock
from monitor.decisions import Ack
from monitor.errors import DeliveryError, SourceUnavailable
from monitor.events.batch import Reject
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.acks import AckReader
from monitor.telephony.dead_letters import VALUE_BYTES_MAX, KafkaDeadLetters
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.kafka_look_back import ids_after
from monitor.telephony.open import open_telephony
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import KafkaSimulator, TelephonySimulator
from tests.broker.broker import Broker, Cluster, free_ports

pytestmark = pytest.mark.kafka

AWAIT_S = 90.0
NUMBER = "+862150000007"
IDS = ["c1", "c2", "c3"]

_names = itertools.count()


class Desk:
    """A topic of commands, and the channel of a daemon that writes to it."""

    def __init__(self, kafka: Cluster, **more: Any) -> None:
        self.kafka = kafka
        self.connection = KafkaConnection(bootstrap=kafka.bootstrap)
        self.topic = kafka.create_topic(f"commands.{next(_names)}", 3)
        self.settings = TelephonySettings.model_validate(
            {"kind": "kafka", "commands": self.topic, "transactional_id": self.topic, **more}
        )
        self._open: list[KafkaCommandChannel] = []

    def channel(self) -> KafkaCommandChannel:
        self._open.append(KafkaCommandChannel(self.settings, self.connection))
        return self._open[-1]

    def close(self) -> None:
        for channel in self._open:
            channel.close()


@pytest.fixture
def desk(kafka: Cluster) -> Iterator[Desk]:
    made = Desk(kafka)
    yield made
    made.close()


def command(command_id: str) -> bytes:
    return json.dumps({"command_id": command_id, "action": "suspend", "number": NUMBER}).encode()


def committed(kafka: Cluster, topic: str) -> list[Any]:
    """Every record of a topic that a consumer of committed transactions sees."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed")
    parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(parts)
    for part in parts:
        consumer.seek(part, 0)
    ends = consumer.end_offsets(parts)
    records: list[Any] = []
    deadline = time.monotonic() + AWAIT_S
    while any(consumer.position(part) < end for part, end in ends.items()):
        assert time.monotonic() < deadline
        for polled in consumer.poll(timeout_ms=100).values():
            records.extend(polled)
    consumer.close()
    return records


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + AWAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_is_one_record_under_its_number(desk: Desk) -> None:
    channel = desk.channel()
    mark = channel.prepare()
    assert not channel.already_sent("c1", mark)
    channel.send(command("c1"), NUMBER, "c1")
    assert channel.already_sent("c1", mark)
    assert not channel.already_sent("c2", mark)
    assert not channel.already_sent("c1", channel.prepare())  # it lies before this mark
    [record] = committed(desk.kafka, desk.topic)
    assert record.value == command("c1")
    assert record.key == NUMBER.encode()
    assert record.headers == [("command_id", b"c1")]


def test_a_mark_that_is_none_looks_through_the_whole_topic(desk: Desk) -> None:
    channel = desk.channel()
    channel.send(command("c1"), NUMBER, "c1")
    assert channel.already_sent("c1", "")
    assert channel.already_sent("c1", '{"made": "by another kind of system"}')
    assert not channel.already_sent("c2", "")


def test_commands_of_one_number_keep_their_order(desk: Desk) -> None:
    channel = desk.channel()
    for n in range(10):
        channel.send(command(f"c{n}"), NUMBER, f"c{n}")
    records = committed(desk.kafka, desk.topic)
    assert [record.value for record in records] == [command(f"c{n}") for n in range(10)]
    assert len({record.partition for record in records}) == 1


def test_commands_sent_together_are_one_transaction(desk: Desk) -> None:
    channel = desk.channel()
    mark = channel.prepare()
    channel.send_all([(command(f"c{n}"), f"+86215000{n % 5:04}", f"c{n}") for n in range(20)])
    assert all(channel.already_sent(f"c{n}", mark) for n in range(20))
    by_key: dict[bytes, list[bytes]] = {}
    found = committed(desk.kafka, desk.topic)
    for record in found:
        by_key.setdefault(record.key, []).append(record.headers[0][1])
    assert sorted(by_key.values()) == sorted(
        [f"c{n}".encode() for n in range(key, 20, 5)] for key in range(5)
    )
    # A transaction leaves one marker in each partition that it wrote to.
    ends = json.loads(desk.channel().prepare())
    assert sum(ends.values()) == 20 + len({record.partition for record in found})


def test_of_commands_sent_together_all_arrive_or_none(desk: Desk) -> None:
    channel = desk.channel()
    mark = channel.prepare()
    with pytest.raises(DeliveryError) as told:
        channel.send_all(
            [
                (command("c1"), NUMBER, "c1"),
                (b"x" * 2_000_000, NUMBER, "c2"),
                (command("c3"), NUMBER, "c3"),
            ]
        )
    assert not told.value.retry
    assert not any(channel.already_sent(each, mark) for each in ("c1", "c2", "c3"))
    assert committed(desk.kafka, desk.topic) == []


def test_the_broker_is_asked_for_a_mark_once_and_our_own_records_move_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    ask = KafkaCommandChannel._ask_ends

    def count(self: KafkaCommandChannel, numbers: set[int]) -> dict[int, int]:
        asked.append(numbers)
        return ask(self, numbers)

    monkeypatch.setattr(KafkaCommandChannel, "_ask_ends", count)
    channel = desk.channel()
    marks = []
    for n in range(4):
        marks.append(channel.prepare())
        assert channel.prepare() == marks[-1]
        channel.send(command(f"c{n}"), f"+86215000{n:04}", f"c{n}")
    assert len(asked) == 1
    assert len(set(marks)) == 4
    reader = desk.channel()
    for n, mark in enumerate(marks):
        assert [reader.already_sent(f"c{each}", mark) for each in range(4)] == [
            each >= n for each in range(4)
        ]


def test_after_an_attempt_in_doubt_the_broker_is_asked_for_a_mark_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a command that got through after all would lie before no mark, and would go out again."""
    channel = desk.channel()
    channel.send(command("c0"), NUMBER, "c0")
    mark = channel.prepare()
    commit = KafkaProducer.commit_transaction

    def commit_unheard(producer: KafkaProducer) -> None:
        commit(producer)
        raise KafkaTimeoutError("nobody heard of it")

    monkeypatch.setattr(KafkaProducer, "commit_transaction", commit_unheard)
    with pytest.raises(DeliveryError):
        channel.send(command("c1"), NUMBER, "c1")
    monkeypatch.undo()
    assert channel.prepare() != mark
    assert channel.already_sent("c1", mark)


def test_what_a_look_back_found_holds_until_an_attempt_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    look = ids_after

    def count(mark: str, *more: Any, **named: Any) -> set[str]:
        looked.append(mark)
        return look(mark, *more, **named)

    monkeypatch.setattr("monitor.telephony.kafka.ids_after", count)
    channel = desk.channel()
    mark = channel.prepare()
    for n in range(3):
        assert not channel.already_sent(f"c{n}", mark)
        channel.send(command(f"c{n}"), NUMBER, f"c{n}")
        assert channel.already_sent(f"c{n}", mark)
    assert looked == [mark]
    with pytest.raises(DeliveryError):
        channel.send(b"x" * 2_000_000, NUMBER, "c3")
    assert channel.already_sent("c2", mark)
    assert not channel.already_sent("c3", mark)
    assert looked == [mark, mark]


def test_a_log_that_is_shorter_than_it_was_makes_marks_anew(desk: Desk) -> None:
    channel = desk.channel()
    channel.prepare()
    channel._ends = dict.fromkeys(range(3), 1_000)
    channel.send(command("c1"), NUMBER, "c1")
    assert max(json.loads(channel.prepare()).values()) < 10


@pytest.mark.parametrize(("place", "arrived"), [("before_commit", False), ("after_commit", True)])
def test_a_sender_killed_before_it_could_say_so_sends_once(
    desk: Desk, place: str, *, arrived: bool
) -> None:
    script = Path(__file__).with_name("killed_sender.py")
    died = subprocess.run(
        [sys.executable, script, desk.kafka.bootstrap, desk.topic, desk.topic, place, *IDS],
        cwd=script.parent.parent.parent,
        env={"PYTHONPATH": str(script.parent.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=AWAIT_S,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    mark = died.stdout.splitlines()[-1]

    channel = desk.channel()  # the daemon begins again, and knows only the mark
    for each in IDS:
        assert channel.already_sent(each, mark) is arrived
        if not arrived:
            channel.send(command(each), NUMBER, each)
        assert channel.already_sent(each, mark)
    sent = [record.headers[0][1].decode() for record in committed(desk.kafka, desk.topic)]
    assert sent == IDS


def test_a_second_daemon_puts_the_first_out_of_action(desk: Desk) -> None:
    first, second = desk.channel(), desk.channel()
    first.send(command("c1"), NUMBER, "c1")
    second.send(command("c2"), NUMBER, "c2")
    with pytest.raises(DeliveryError) as told:
        first.send(command("c3"), NUMBER, "c3")
    assert told.value.retry
    assert told.value.reason == "fenced"
    sent = [record.headers[0][1] for record in committed(desk.kafka, desk.topic)]
    assert sorted(sent) == [b"c1", b"c2"]


def test_what_another_producer_holds_open_is_waited_for(desk: Desk) -> None:
    """Behind an open transaction of somebody else nothing can be read, ours neither."""
    impatient = Desk(desk.kafka, send_timeout="3s")
    channel = impatient.channel()
    mark = channel.prepare()
    other = KafkaProducer(
        bootstrap_servers=desk.kafka.bootstrap, transactional_id=f"other.{impatient.topic}"
    )
    other.init_transactions()
    other.begin_transaction()
    for number in range(3):
        other.send(impatient.topic, b"{}", partition=number)
    other.flush(30)
    channel.send(command("c1"), NUMBER, "c1")
    with pytest.raises(DeliveryError, match="end of") as told:
        channel.already_sent("c1", mark)
    assert told.value.reason == "timeout"
    other.abort_transaction()
    other.close(timeout=10)
    assert channel.already_sent("c1", mark)
    impatient.close()


def test_partitions_added_after_the_mark_are_looked_through_too(desk: Desk) -> None:
    channel = desk.channel()
    mark = channel.prepare()
    desk.kafka.add_partitions(desk.topic, 12)
    later = desk.channel()  # it knows all twelve
    wait_until(lambda: len(json.loads(later.prepare())) == 12)
    for n in range(12):
        later.send(command(f"c{n}"), f"+86215000{n:04}", f"c{n}")
    assert all(later.already_sent(f"c{n}", mark) for n in range(12))


def test_a_silent_broker_is_a_timeout_and_then_the_command_goes_out_once(
    kafka: Cluster, own_broker: Broker
) -> None:
    desk = Desk(kafka, send_timeout="4s")
    channel = desk.channel()
    mark = channel.prepare()
    channel.send(command("c0"), NUMBER, "c0")
    own_broker.pause()
    try:
        with pytest.raises(DeliveryError) as told:
            channel.send(command("c1"), NUMBER, "c1")
        assert told.value.retry
        with pytest.raises(DeliveryError):
            channel.already_sent("c1", mark)
    finally:
        own_broker.resume()

    def sent_at_last() -> bool:
        with contextlib.suppress(DeliveryError):
            if not channel.already_sent("c1", mark):
                channel.send(command("c1"), NUMBER, "c1")
            return True
        return False

    wait_until(sent_at_last)
    sent = [record.headers[0][1] for record in committed(kafka, desk.topic)]
    assert sorted(sent) == [b"c0", b"c1"]
    desk.close()


def test_no_broker_and_no_topic_are_told_and_can_be_tried_again(kafka: Cluster) -> None:
    port = free_ports(("none",))["none"]
    nowhere = KafkaConnection.model_validate(
        {"bootstrap": f"127.0.0.1:{port}", "connect_timeout": "300ms"}
    )
    missing = TelephonySettings.model_validate(
        {"kind": "kafka", "commands": "no.such.topic", "send_timeout": "2s"}
    )
    for connection, reason in [
        (nowhere, "connection"),
        (KafkaConnection(bootstrap=kafka.bootstrap), "timeout"),
    ]:
        channel = KafkaCommandChannel(missing, connection)
        with pytest.raises(DeliveryError) as told:
            channel.prepare()
        assert told.value.retry
        assert told.value.reason == reason
        channel.close()
        channel.close()


def test_a_command_that_is_too_large_is_given_up(desk: Desk) -> None:
    channel = desk.channel()
    with pytest.raises(DeliveryError) as told:
        channel.send(b"x" * 2_000_000, NUMBER, "c1")
    assert not told.value.retry
    assert told.value.reason == "too_large"
    channel.send(command("c2"), NUMBER, "c2")
    assert len(committed(desk.kafka, desk.topic)) == 1


# Answers.


def test_answers_are_read_and_positions_resume_behind_them(kafka: Cluster) -> None:
    topic = kafka.create_topic(f"acks.{next(_names)}")
    connection = KafkaConnection(bootstrap=kafka.bootstrap)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)

    def answer(command_id: str) -> None:
        body = {"command_id": command_id, "status": "applied", "at": "2026-11-22T09:00:00Z"}
        producer.send(topic, json.dumps(body).encode()).get(30)

    def read(positions: dict[Partition, int], count: int) -> tuple[list[Ack], Any]:
        reader = AckReader(KafkaSource(KafkaSettings.of(connection, topic)))
        reader.restore(positions)
        acks: list[Ack] = []

        def enough() -> bool:
            acks.extend(reader.poll())
            return len(acks) >= count

        wait_until(enough)
        reader.close()
        return acks, reader.positions()

    answer("c1")
    answer("c2")
    acks, positions = read({}, 2)
    assert [ack.command_id for ack in acks] == ["c1", "c2"]
    assert acks[0].at_ms == 1_795_338_000_000
    assert positions == {Partition(topic, 0): 2}
    answer("c3")
    acks, positions = read(dict(positions), 1)
    assert [ack.command_id for ack in acks] == ["c3"]
    producer.close(timeout=10)


def test_the_simulated_system_answers_over_kafka_and_knows_again_what_is_blocked(
    kafka: Cluster,
) -> None:
    topics = {"commands": f"commands.{next(_names)}", "acks": f"acks.{next(_names)}"}
    for topic in topics.values():
        kafka.create_topic(topic)
    configured = TelephonySettings.model_validate({"kind": "kafka", **topics})
    connection = KafkaConnection(bootstrap=kafka.bootstrap)
    telephony = open_telephony(configured, connection, SystemClock())
    assert telephony.channel is not None
    telephony.acks.restore({})
    simulated = TelephonySimulator(SystemClock(), answers_after_ms=0)
    simulator = KafkaSimulator(simulated, configured, connection)
    telephony.channel.send(command("c1"), NUMBER, "c1")
    acks: list[Ack] = []

    def answered() -> bool:
        simulator.step(0.05)
        acks.extend(telephony.acks.poll())
        return bool(acks)

    wait_until(answered)
    assert [(ack.command_id, ack.status) for ack in acks] == [("c1", "applied")]
    assert not simulated.may_call(NUMBER)
    simulator.close()
    again = KafkaSimulator(
        TelephonySimulator(SystemClock(), answers_after_ms=0), configured, connection
    )
    stop = threading.Event()
    running = threading.Thread(target=again.run, args=(stop, SystemClock()))
    running.start()
    wait_until(lambda: not again.simulator.may_call(NUMBER))
    stop.set()
    running.join(30)
    telephony.channel.close()
    telephony.acks.close()


def test_what_the_simulated_system_could_not_answer_is_answered_once_the_broker_is_back(
    kafka: Cluster, own_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.telephony.simulated._ANSWER_MS", 3_000)
    desk = Desk(kafka)
    acks = kafka.create_topic(f"acks.{next(_names)}")
    configured = desk.settings.model_copy(update={"acks": acks})
    clock = ManualClock(1_795_338_000_000)
    simulated = TelephonySimulator(clock, answers_after_ms=1)
    simulator = KafkaSimulator(simulated, configured, desk.connection)
    channel = desk.channel()

    def step() -> int:
        return simulator.step(0.05)

    def taken(*ids: str) -> None:
        for each in ids:
            channel.send(command(each), NUMBER, each)
        wait_until(lambda: not step() and len(simulated._due) == len(ids))
        clock.advance(1)

    taken("c0")
    assert step() == 1
    taken("c1", "c2")
    own_broker.pause()
    try:
        with pytest.raises(SourceUnavailable, match="answering"):
            step()
        assert simulated.blocked() == {NUMBER: None}
    finally:
        own_broker.resume()

    def answered() -> bool:
        with contextlib.suppress(SourceUnavailable):
            return step() == 2
        return False

    wait_until(answered)
    assert step() == 0
    answers = [json.loads(record.value) for record in committed(kafka, acks)]
    assert [answer["command_id"] for answer in answers[-2:]] == ["c1", "c2"]
    simulator.close()
    desk.close()


# Dead letters.


def reject(offset: int, value: bytes = b"\xff\x00 not json") -> Reject:
    return Reject(Partition("calls", 3), offset, "not_json", "expected {", value)


def test_dead_letters_keep_every_byte_and_say_why(kafka: Cluster) -> None:
    topic = kafka.create_topic(f"dead.{next(_names)}")
    sink = KafkaDeadLetters(KafkaConnection(bootstrap=kafka.bootstrap), topic)
    large = b"y" * (VALUE_BYTES_MAX + 1)
    sink.put([reject(7), reject(8, large)])
    sink.close()
    sink.close()
    first, second = committed(kafka, topic)
    assert first.value == b"\xff\x00 not json"
    assert first.headers == [
        ("reason", b"not_json"),
        ("topic", b"calls"),
        ("partition", b"3"),
        ("offset", b"7"),
        ("detail", b"expected {"),
    ]
    assert len(second.value) == VALUE_BYTES_MAX
    assert second.headers[-1] == ("length", str(len(large)).encode())
    assert sink.lost == 0


def test_a_producer_left_behind_does_not_hold_the_process(
    kafka: Cluster, own_broker: Broker
) -> None:
    """The client's own hook would wait for a silent broker, and complain when it gives up."""
    topic = kafka.create_topic(f"left.{next(_names)}", 1)
    child = f"""
import sys
from monitor.source.kafka_client import open_producer
from monitor.source.settings import KafkaConnection
producer, _ = open_producer(KafkaConnection(bootstrap={kafka.bootstrap!r}))
producer.partitions_for({topic!r})
print("open", flush=True)
sys.stdin.readline()
producer.send({topic!r}, b"on its way")
"""
    with subprocess.Popen(
        [sys.executable, "-c", child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        own_broker.pause()
        try:
            _, errors = process.communicate("go\n", timeout=AWAIT_S)
        finally:
            own_broker.resume()
    assert process.returncode == 0
    assert errors == ""


def test_dead_letters_wait_for_a_broker_that_comes_back(kafka: Cluster, own_broker: Broker) -> None:
    topic = kafka.create_topic(f"dead.{next(_names)}")
    sink = KafkaDeadLetters(KafkaConnection(bootstrap=kafka.bootstrap), topic)
    sink.put([reject(1)])
    wait_until(lambda: len(committed(kafka, topic)) == 1)
    own_broker.kill()
    began = time.monotonic()
    sink.put([reject(n) for n in range(2, 50)])
    assert time.monotonic() - began < 1.0
    own_broker.start()
    wait_until(lambda: len({record.headers[3] for record in committed(kafka, topic)}) == 49)
    sink.close()
    assert sink.lost == 0


def nowhere() -> KafkaConnection:
    port = free_ports(("none",))["none"]
    return KafkaConnection.model_validate(
        {"bootstrap": f"127.0.0.1:{port}", "connect_timeout": "200ms"}
    )


@pytest.mark.parametrize(("records", "size", "kept"), [(5, 1, 3), (3, 40, 2), (3, 200, 0)])
def test_so_many_dead_letters_wait_for_a_broker_and_no_more(
    monkeypatch: pytest.MonkeyPatch, records: int, size: int, kept: int
) -> None:
    """At most three of them here, of at most 100 bytes together."""
    monkeypatch.setattr("monitor.telephony.dead_letters.WAITING_MAX", 3)
    monkeypatch.setattr("monitor.telephony.dead_letters.WAITING_BYTES_MAX", 100)
    sink = KafkaDeadLetters(nowhere(), "dead")
    monkeypatch.setattr(sink, "_run", lambda: None)
    sink.put([reject(n, b"x" * size) for n in range(records)])
    assert sink.waiting() == (kept, 3)
    assert sink.lost == records - kept


def test_dead_letters_without_a_broker_are_lost_and_counted() -> None:
    sink = KafkaDeadLetters(nowhere(), "dead")
    sink.put([reject(n) for n in range(10_100)])
    sink.close()
    assert sink.lost == 10_100
