"""The daemon's own process on Apache Kafka: killed, restarted, obeyed, and fed with rubbish."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaProducer

from monitor.decisions import ManualAction
from monitor.events.catalogue import EVENT_TYPES
from monitor.simulate.pacing import deliver
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import simulate
from monitor.simulate.sinks import KafkaSink
from monitor.source.settings import KafkaConnection
from tests.broker.broker import Broker, Cluster
from tests.e2e.daemons import (
    CLOCK,
    Daemon,
    commands,
    config,
    decided,
    judged,
    ordered,
    records,
    running,
    telephony,
    topics,
    wait,
)
from tests.e2e.live import PACK
from tests.events import hostile
from tests.store.made import list_action

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.untraced]


def test_kill_minus_nine_changes_nothing(kafka: Cluster, tmp_path: Path) -> None:
    prefix = topics(kafka, 4)
    recipe = replace(SCENARIOS["number-going-bad"], around_the_clock=True)
    start_ms = CLOCK.now_ms() - 3_600_000
    simulation = simulate(recipe, start_ms=start_ms, seed=5, rate=20.0, duration_ms=3_500_000)
    deliver(simulation, KafkaSink(KafkaConnection(bootstrap=kafka.bootstrap), prefix=prefix))
    # Suspensions outlast the test, so that those decided on past events are still worth sending.
    more = """\
override:
  rules:
    number-hangup:
      action: {suspend: {ttl: 6h, backoff: double, ttl_max: 24h, probation: {calls: 50, max: 1h}}}
"""
    expected = set(simulation.truth.should_suspend)
    daemons = []
    for name, kills in (("killed", (0.2, 0.45, 0.7)), ("left-alone", ())):
        folder = tmp_path / name
        folder.mkdir()
        mine = prefix if kills else prefix + "b-"
        if not kills:
            for topic in ("commands", "acks", "dead"):
                kafka.create_topic(mine + topic)
        text = config(folder, prefix, kafka.bootstrap, more)
        for topic in ("commands", "acks", "dead", "one"):
            text = text.replace(f" {prefix}{topic}", f" {mine}{topic}")
        daemon = Daemon(folder, text)
        with running(daemon), telephony(mine, kafka.bootstrap):
            for share in kills:
                judged(daemon, start_ms + int(share * 3_500_000))
                daemon.kill()
                daemon.start()
            judged(daemon, simulation.truth.end_ms)
            ordered(kafka.bootstrap, mine, expected)
            assert daemon.stop() == 0
        daemons.append((daemon, commands(kafka.bootstrap, mine)))
    (killed, sent), (alone, sent_alone) = daemons
    assert Counter(c["number"] for c in sent) == dict.fromkeys(expected, 1)
    assert len({c["command_id"] for c in sent}) == len(sent)
    assert sorted(c["command_id"] for c in sent) == sorted(c["command_id"] for c in sent_alone)
    assert decided(killed, simulation.truth.end_ms) == decided(alone, simulation.truth.end_ms)


def test_a_number_is_suspended_obeyed_and_comes_back_when_its_time_is_over(
    kafka: Cluster, tmp_path: Path
) -> None:
    prefix = topics(kafka, 1)
    more = f"""\
time: {{tick: 1s, out_of_order: 500ms, idle_after: 500ms}}
rules_dir: {PACK.parent}
packs: [{PACK.name}]
override:
  rules:
    hangup-raw: {{pending: {{for: 1s}}, action: {{suspend: {{ttl: 8s}}}}}}
    hangup-sequential: {{status: "off"}}
"""
    daemon = Daemon(tmp_path, config(tmp_path, prefix, kafka.bootstrap, more))
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    with running(daemon), telephony(prefix, kafka.bootstrap) as system:
        wait("the daemon reads", lambda: '"event": "started"' in daemon.log())
        number, other = "+862150000007", "+862150000008"
        for index in range(20):
            for name, bad in ((number, True), (other, False)):
                event = {
                    "id": f"{name}-{index}",
                    "type": "call.ended",
                    "time": CLOCK.now_ms(),
                    "number": name,
                    "campaign": "spring",
                    "team": "t1",
                    "customer": f"c{index}",
                    "outcome": "answered",
                    "hangup_by": "customer" if bad else "agent",
                    "talk_s": 5,
                }
                producer.send(prefix + "calls", json.dumps(event).encode(), key=name.encode())
        producer.flush()
        wait("telephony blocks the number", lambda: not system.may_call(number))
        assert system.may_call(other)
        wait("telephony lets it call again", lambda: system.may_call(number), 30)
        first, second = wait("the resume is on the topic", lambda: pair(kafka.bootstrap, prefix))
        assert {first["number"], second["number"]} == {number}
        assert first["until"] is not None
        assert first["evidence"]["hits"] / first["evidence"]["of"] == 1.0
        assert first["command_id"] != second["command_id"]
    producer.close()


def test_the_do_not_call_topic_has_each_change_once_and_the_last_word_on_everyone(
    kafka: Cluster, tmp_path: Path
) -> None:
    """Events and a person change the list; the daemon is killed between, and reads them again."""
    prefix, asked, told = topics(kafka, 1), "+8613912345678", "+8613912345679"
    kafka.create_topic(prefix + "dnc", configs={"cleanup.policy": "compact"})
    more = f"""\
time: {{tick: 1s, out_of_order: 500ms, idle_after: 500ms}}
do_not_call: {{from_events: [opted_out]}}
delivery:
  receivers: {{dnc: {{type: kafka, topic: {prefix}dnc}}}}
  do_not_call: [dnc]
"""
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)

    def happens(name: str, kind: str) -> None:
        event = {"id": name, "type": kind, "time": CLOCK.now_ms(), "customer": asked}
        producer.send(prefix + "sms", json.dumps(event).encode()).get(30)

    def updates(count: int) -> list[Any]:
        found = records(kafka.bootstrap, prefix + "dnc")
        return found if len(found) >= count else []

    daemon = Daemon(tmp_path, config(tmp_path, prefix, kafka.bootstrap, more))
    with running(daemon):
        happens("s1", "sms.opted_out")
        wait("the customer is on the topic", lambda: updates(1))
        daemon.kill()
        daemon.start()
        with daemon.store() as store:
            store.requests.put(list_action("m1", told, reason="person"))
        wait("what a person asked for is there too", lambda: updates(2))
        happens("s2", "sms.consented")
        found = wait("the customer has consented", lambda: updates(3))
        assert daemon.stop() == 0
    producer.close()
    bodies = [json.loads(record.value) for record in found]
    assert [(body["action"], body["customer"], body["reason"]) for body in bodies] == [
        ("add", asked, "opted_out"),
        ("add", told, "person"),
        ("remove", asked, "consented"),
    ]
    assert [record.key.decode() for record in found] == [asked, told, asked]
    assert len({body["update_id"] for body in bodies}) == 3
    assert len(records(kafka.bootstrap, prefix + "dnc")) == 3, "after the restart none again"


@pytest.mark.parametrize("away", ["silent", "gone"])
def test_sigterm_while_kafka_is_away_ends_it_soon_and_a_command_goes_out_once(
    kafka: Cluster, own_broker: Broker, tmp_path: Path, away: str
) -> None:
    """With a command on its way, a dead letter that waits, and a source that does not answer."""
    prefix, number = topics(kafka, 1), "+862150000009"
    daemon = Daemon(tmp_path, config(tmp_path, prefix, kafka.bootstrap, ""))
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    with running(daemon):
        call = {"id": "c1", "type": "call.ended", "time": CLOCK.now_ms(), "number": number}
        producer.send(prefix + "calls", json.dumps(call).encode()).get(30)
        wait("a tick is judged", daemon.judged_ms)
        producer.send(prefix + "calls", b"rubbish").get(30)
        producer.close(timeout=5)
        (own_broker.pause if away == "silent" else own_broker.kill)()
        try:
            order = ManualAction("m1", "suspend", number, 600_000, "li", "test")
            with daemon.store() as store:
                store.requests.put(order)
            wait("a command is on its way", lambda: _sending(daemon))
            started = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - started < 5
        finally:
            (own_broker.resume if away == "silent" else own_broker.start)()
        daemon.start()
        wait("it is sent", lambda: commands(kafka.bootstrap, prefix))
        assert daemon.stop() == 0
    assert [each["number"] for each in commands(kafka.bootstrap, prefix)] == [number]


def _sending(daemon: Daemon) -> bool:
    """Whether an attempt at a delivery to telephony has begun, or has failed."""
    with daemon.store() as store:
        states = {state for (name, state) in store.outbox.counts() if name == "telephony"}
    return bool(states & {"sending", "retry"}) or "delivery_failed" in daemon.log()


def pair(bootstrap: str, prefix: str) -> list[dict[str, Any]]:
    """The first suspension on the topic and what follows it; empty while there are not two."""
    sent = commands(bootstrap, prefix)
    begin = next((n for n, command in enumerate(sent) if command["action"] == "suspend"), len(sent))
    found = sent[begin : begin + 2]
    return found if [command["action"] for command in found] == ["suspend", "resume"] else []


def test_hostile_records_are_dead_letters_with_their_reason_and_nothing_else_is_lost(
    kafka: Cluster, tmp_path: Path
) -> None:
    prefix = topics(kafka, 1)
    pack_of_all_fields(tmp_path / "packs" / "all")
    more = f"rules_dir: {tmp_path}/packs\npacks: [all]\n"
    daemon = Daemon(tmp_path, config(tmp_path, prefix, kafka.bootstrap, more))
    now_ms = CLOCK.now_ms()
    bad = [record for record in hostile.corpus() if not record.decodes]
    assert len(bad) >= 60
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=20_000_000)
    sent: list[tuple[bytes, str]] = []
    for index, record in enumerate(bad):
        if record.value:  # an empty value is a record, too
            producer.send(prefix + "calls", hostile.good(index, at_ms=now_ms - 1_000))
        producer.send(prefix + "calls", record.value)
        sent.append((record.value, record.expected))
    far = (b'{"id":"ahead","type":"call.ended","time":%d}' % (now_ms + 600_000), "from_the_future")
    old = (b'{"id":"old","type":"call.ended","time":%d}' % (now_ms - 3_600_000), "too_late")
    for value, reason in (far, old):
        producer.send(prefix + "calls", value)
        sent.append((value, reason))
    producer.send(prefix + "calls", hostile.good(9_999, at_ms=now_ms))
    producer.flush()
    producer.close()
    with running(daemon):
        found = wait(
            "every dead letter",
            lambda: (r := records(kafka.bootstrap, prefix + "dead")) and len(r) >= len(sent) and r,
        )
        wait("the good ones are judged", lambda: daemon.judged_ms() >= now_ms)
        assert daemon.stop() == 0
    got = Counter((headers(r)["reason"], cut(r.value)) for r in found)
    assert got == Counter((reason, cut(value)) for value, reason in sent)
    assert {headers(r)["topic"] for r in found} == {prefix + "calls"}
    goods = sum(1 for record in bad if record.value) + 1
    assert f"events={goods} " in daemon.log().splitlines()[-1]


def pack_of_all_fields(folder: Path) -> None:
    """Fields are checked where something looks at them: here something looks at each."""
    folder.mkdir(parents=True)
    indicators = [
        {
            "id": f"{kind.replace('.', '_')}_{field}"[:60],
            "kind": "count",
            "value": {"count": kind, "where": f"{field} is not null"},
            "by": ["campaign"],
            "windows": ["30m"],
        }
        for kind, event in EVENT_TYPES.items()
        for field in event.fields
    ]
    text = yaml.safe_dump({"version": 1, "indicators": indicators})
    (folder / "indicators.yaml").write_text(text, encoding="utf-8")


def headers(record: Any) -> dict[str, str]:
    return {key: value.decode() for key, value in record.headers}


def cut(value: bytes) -> str:
    """Enough of a value to know it by; a dead letter holds at most its first 900 000 bytes."""
    return base64.b64encode(value[:200]).decode()


def test_the_health_of_the_test_itself() -> None:
    """The reasons named by the events' contract all stand in the corpus that is sent."""
    named = {record.expected for record in hostile.corpus()}
    assert {"not_json", "not_an_object", "wrong_type", "missing_field", "not_finite"} <= named
    assert {"over_long_string", "out_of_range", "too_large", "too_deep", "not_utf8"} <= named
