"""The ACLs of docs/security.md, run as they stand there, on Apache Kafka with its authorizer.

With them, and no others, the daemon does its work; what they do not give is refused; each of them
is needed, and without it the daemon says which one is missing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ACLPermissionType
from kafka.errors import (
    AuthorizationError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import KafkaSimulator, TelephonySimulator
from tests.broker.broker import SCRAM_PASSWORD, Broker
from tests.broker.guarded import ADMIN, administrator, connection_as, guarded, run_as_written
from tests.daemon.running import eventually
from tests.e2e.daemons import CLOCK, Daemon, running, wait
from tests.e2e.live import PACK
from tests.security.acl_attempts import (
    by_commands,
    by_dead_letters,
    by_lag,
    by_source,
    committed,
    joins,
    reads,
    writes,
)
from tests.security.acls import (
    ACKS,
    ACL_FOR_STRANGERS,
    COMMANDS,
    DEAD,
    EVENTS,
    FEED,
    LAG_GROUP,
    OTHERS,
    OURS,
    STRANGER,
    TRANSACTIONAL_ID,
    D,
    G,
    Grant,
    P,
    T,
    commands_of_the_page,
    filter_of,
    grant_of,
    without,
)

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def broker(
    broker_tools: None,  # noqa: ARG001 - a mark has no effect on fixtures
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Broker]:
    """It runs, has the topics, and the ACLs of the page."""
    with guarded(tmp_path_factory.mktemp("guarded"), [D, P, T, FEED, STRANGER]) as running:
        with administrator(running) as admin:
            topic = {"num_partitions": 1, "replication_factor": 1}
            names = (*EVENTS, COMMANDS, ACKS, DEAD)
            admin.create_topics(dict.fromkeys(names, topic), wait_for_metadata=True)
        run_as_written(running, commands_of_the_page(), {"D": D, "P": P, "T": T, "G": G})
        yield running


@pytest.fixture(scope="module")
def admin(broker: Broker) -> Iterator[KafkaAdminClient]:
    with administrator(broker) as client:
        yield client


def test_the_page_grants_what_the_tables_here_say_and_nothing_else(admin: KafkaAdminClient) -> None:
    acls, _ = admin.describe_acls(filter_of())
    assert {(acl.permission_type, acl.host) for acl in acls} == {(ACLPermissionType.ALLOW, "*")}
    assert sorted(map(grant_of, acls)) == sorted(OURS + OTHERS)


DOES: dict[tuple[str, str], Callable[[Broker, str], str]] = {
    **{("Read", topic): by_source for topic in (*EVENTS, ACKS)},
    ("Read", COMMANDS): by_commands,
    ("Write", COMMANDS): by_commands,
    ("Write", TRANSACTIONAL_ID): by_commands,
    ("Write", DEAD): by_dead_letters,
    ("Read", LAG_GROUP): by_lag,
}


@pytest.mark.parametrize("grant", OURS, ids=lambda grant: f"{grant.operation} {grant.name}")
def test_each_grant_is_needed_and_named_when_it_is_missing(
    broker: Broker, admin: KafkaAdminClient, grant: Grant
) -> None:
    does = DOES[grant.operation, grant.name]
    with without(admin, grant):
        said = eventually(lambda: does(broker, grant.name), "it is refused")
    _, operation, kind, name = grant
    if does is by_commands:
        assert said.startswith("refused: ")
    assert f"User:{D} may not {operation} {kind} {name}: " in said
    mend = f"--add --allow-principal User:{D} --operation {operation} --{kind} {name}"
    assert mend in said
    eventually(lambda: not does(broker, grant.name), "with the grant it is done")


ON_TOPICS, ON_GROUPS = TopicAuthorizationFailedError, GroupAuthorizationFailedError
FORBIDDEN = {
    "a producer of events forges a command": (P, writes(COMMANDS), ON_TOPICS),
    "a producer of events forges an answer": (P, writes(ACKS), ON_TOPICS),
    "a producer of events flags numbers as the carrier": (P, writes("carrier-flags"), ON_TOPICS),
    "a producer of events reads them": (P, reads("calls"), ON_TOPICS),
    "a producer of events puts the daemon's producer out of action": (
        P,
        writes(COMMANDS, transactional_id=TRANSACTIONAL_ID),
        TransactionalIdAuthorizationFailedError,
    ),
    "the carrier makes up calls": (FEED, writes("calls"), ON_TOPICS),
    "telephony commands itself": (T, writes(COMMANDS), ON_TOPICS),
    "telephony reads what was refused": (T, reads(DEAD), ON_TOPICS),
    "telephony commits for the daemon": (T, joins(LAG_GROUP), ON_GROUPS),
    "the daemon makes up calls": (D, writes("calls"), ON_TOPICS),
    "the daemon answers itself": (D, writes(ACKS), ON_TOPICS),
    "the daemon reads dead letters": (D, reads(DEAD), ON_TOPICS),
    **{
        f"a stranger {does.__name__} {topic}": (STRANGER, does(topic), ON_TOPICS)
        for topic in (*EVENTS, COMMANDS, ACKS, DEAD)
        for does in (writes, reads)
    },
    "a stranger joins telephony's group": (STRANGER, joins(G), ON_GROUPS),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_what_the_page_does_not_grant_is_refused(broker: Broker, case: str) -> None:
    user, work, error = FORBIDDEN[case]
    with pytest.raises(error):
        work(connection_as(broker, user))


def test_a_stranger_sees_and_changes_nothing(broker: Broker) -> None:
    stranger = KafkaAdminClient(**connection_as(broker, STRANGER).options())
    try:
        assert stranger.list_topics() == []
        with pytest.raises(AuthorizationError):
            stranger.create_topics({"mine": {"num_partitions": 1, "replication_factor": 1}})
        with pytest.raises(AuthorizationError):
            stranger.describe_acls(filter_of())
        made = stranger.create_acls([ACL_FOR_STRANGERS])
        assert made["succeeded"] == []
    finally:
        stranger.close()


def test_whoever_does_not_log_in_is_a_stranger_too(broker: Broker) -> None:
    with pytest.raises(ON_TOPICS):
        reads("calls")(KafkaConnection(bootstrap=broker.plain))
    with pytest.raises(ON_TOPICS):
        writes(COMMANDS)(KafkaConnection(bootstrap=broker.plain))


def test_others_can_do_what_is_theirs(broker: Broker) -> None:
    for user, work in (
        (P, writes("calls")),
        (FEED, writes("carrier-flags")),
        (T, reads(COMMANDS)),
        (T, joins(G)),
        (T, writes(ACKS)),
    ):
        work(connection_as(broker, user))


def configuration(folder: Path, broker: Broker) -> str:
    """Topics and transactional id are the defaults, which the page speaks of."""
    return f"""\
version: 1
source:
  kind: kafka
  bootstrap: {broker.sasl}
  topics: [{", ".join(EVENTS)}]
  lag_group: {LAG_GROUP}
  lag_every: 500ms
  security: {{sasl: {{username: {D}, password: {{value: {SCRAM_PASSWORD}}}}}}}
events: {{allow: {{number.flagged: [carrier-flags], number.cleared: [carrier-flags]}}}}
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
exporter: {{enabled: false}}
time: {{tick: 1s, out_of_order: 500ms, idle_after: 500ms}}
telephony: {{kind: kafka}}
rules_dir: {PACK.parent}
packs: [{PACK.name}]
"""


def send(broker: Broker, user: str, topic: str, *records: bytes) -> None:
    producer = KafkaProducer(**connection_as(broker, user).options())
    for record in records:
        producer.send(topic, record).get(10)
    producer.close(timeout=5)


def call(event_id: str, number: str, at_ms: int) -> bytes:
    event = {"id": event_id, "type": "call.ended", "time": at_ms, "number": number}
    return json.dumps(event).encode()


def values(broker: Broker, topic: str) -> list[bytes | None]:
    source = KafkaSource(KafkaSettings.of(connection_as(broker, ADMIN), topic))
    source.start({}, None)
    found = [value for _ in range(3) for chunk in source.poll(100, 0.1) for value in chunk.values]
    source.close()
    return found


def happened(daemon: Daemon, number: str) -> set[str]:
    with daemon.store() as store:
        return {change.reason for change in store.history.changes(number=number)}


def test_the_daemon_does_all_its_work_with_these_grants(broker: Broker, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, configuration(tmp_path, broker))
    number, flagged = "+862150000007", "+862150000008"
    stop, system = threading.Event(), TelephonySimulator(CLOCK, answers_after_ms=50)
    gateway = KafkaSimulator(
        system, TelephonySettings(kind="kafka"), connection_as(broker, T, client_id="gateway")
    )
    thread = threading.Thread(target=gateway.run, args=(stop, CLOCK))
    with running(daemon):
        wait("it reads", lambda: '"event": "started"' in daemon.log())
        thread.start()
        try:
            now_ms = CLOCK.now_ms()
            send(broker, P, "calls", call("c", number, now_ms), b"rubbish")
            for topic in ("sms", "messages", "crm"):  # by producers that the page does not list
                send(broker, ADMIN, topic, call(topic, number, now_ms))
            flag = {"id": "f", "type": "number.flagged", "time": now_ms, "number": flagged}
            send(broker, FEED, "carrier-flags", json.dumps(flag).encode())
            wait("telephony is told", lambda: not system.may_call(flagged))
            wait("its answer is read", lambda: "applied" in happened(daemon, flagged))
            assert system.may_call(number)
            wait("a dead letter is there", lambda: b"rubbish" in values(broker, DEAD))
            assert daemon.stop() == 0
        finally:
            stop.set()
            thread.join()
    log = daemon.log()
    assert "events=5 " in log.splitlines()[-1]
    assert "may not" not in log
    assert "uthoriz" not in log
    with administrator(broker) as admin:
        assert {place.topic for place in committed(admin, LAG_GROUP)} == set(EVENTS)
