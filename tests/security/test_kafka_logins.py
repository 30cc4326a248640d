"""TLS, mutual TLS and SCRAM against a real Apache Kafka: what works, and what is said if not."""

from __future__ import annotations

import itertools
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from monitor.clock import SystemClock
from monitor.errors import DeliveryError, SourceError, SourceUnavailable
from monitor.events.batch import Reject
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.dead_letters import KafkaDeadLetters
from monitor.telephony.open import open_telephony
from monitor.telephony.settings import TelephonySettings
from tests.broker.broker import SCRAM_PASSWORD, SCRAM_USER, Broker, Cluster
from tests.broker.certificates import KEY_PASSWORD, Authority, Pair, encrypted
from tests.daemon.running import eventually
from tests.store.proxy import proxied

pytestmark = pytest.mark.kafka

_names = itertools.count()
WRONG = "wr0ng-and-never-shown"


@pytest.fixture(scope="module")
def client(kafka: Cluster) -> Pair:
    """A certificate of ours that the broker trusts."""
    if kafka.broker is None:
        pytest.skip("MONITOR_TEST_KAFKA names a broker without our listeners")
    return kafka.broker.authority.issue("monitor-client")


@pytest.fixture
def topic(kafka: Cluster) -> str:
    """A topic with three records."""
    name = kafka.create_topic(f"security.{next(_names)}")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for number in range(3):
        producer.send(name, b"%d" % number)
    producer.close(timeout=10)
    return name


def scram(mechanism: str, password: str = SCRAM_PASSWORD) -> dict[str, Any]:
    return {"mechanism": mechanism, "username": SCRAM_USER, "password": {"value": password}}


def connection(bootstrap: str, security: dict[str, Any], **more: Any) -> KafkaConnection:
    return KafkaConnection.model_validate(
        {"bootstrap": bootstrap, "security": security, "connect_timeout": "20s", **more}
    )


def read(to: KafkaConnection, topic: str) -> list[bytes | None]:
    """The three records of ``topic``."""
    source = KafkaSource(KafkaSettings.of(to, topic))
    try:
        source.start({}, None)
        found: list[bytes | None] = []

        def all_there() -> bool:
            found.extend(value for chunk in source.poll(100, 0.1) for value in chunk.values)
            return len(found) == 3

        eventually(all_there, "three records")
        return found
    finally:
        source.close()


def refusal(to: KafkaConnection, topic: str) -> str:
    """What is said when the source cannot begin: something that trying again may heal."""
    source = KafkaSource(KafkaSettings.of(to, topic))
    try:
        with pytest.raises(SourceUnavailable) as refused:
            source.start({}, None)
    finally:
        source.close()
    assert to.bootstrap in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram_over_tls_for_source_commands_answers_and_dead_letters(
    kafka: Cluster, own_broker: Broker, topic: str, mechanism: str
) -> None:
    tls = {"ca_file": str(own_broker.certificate)}
    secured = connection(own_broker.sasl_ssl, {"tls": tls, "sasl": scram(mechanism)})
    _everything_works(kafka, secured, topic)


@pytest.mark.parametrize("protected", [False, True], ids=["plain key", "key with a password"])
def test_mutual_tls_for_source_commands_answers_and_dead_letters(
    kafka: Cluster, own_broker: Broker, client: Pair, topic: str, protected: bool
) -> None:
    own: dict[str, Any] = client.tls()
    if protected:
        own = {**encrypted(client).tls(), "key_password": {"value": KEY_PASSWORD}}
    tls = {"ca_file": str(own_broker.certificate), **own}
    _everything_works(kafka, connection(own_broker.mutual, {"tls": tls}), topic)


def _everything_works(kafka: Cluster, secured: KafkaConnection, topic: str) -> None:
    assert read(secured, topic) == [b"0", b"1", b"2"]
    suffix = next(_names)
    commands = kafka.create_topic(f"security.commands.{suffix}")
    acks = kafka.create_topic(f"security.acks.{suffix}")
    refused = kafka.create_topic(f"security.dead.{suffix}")
    with ExitStack() as stack:
        settings = TelephonySettings(
            kind="kafka", commands=commands, acks=acks, transactional_id=f"security-{suffix}"
        )
        telephony = open_telephony(settings, secured, SystemClock())
        assert telephony.channel is not None
        stack.callback(telephony.channel.close)
        stack.callback(telephony.acks.close)
        mark = telephony.channel.prepare()
        telephony.channel.send(b'{"command_id": "c-1"}', "+8621500000001", "c-1")
        assert telephony.channel.already_sent("c-1", mark)
        telephony.acks.restore({})
        answer = {"command_id": "c-1", "status": "applied", "at": "2026-11-22T01:00:00Z"}
        _send(kafka, acks, json.dumps(answer).encode())
        (ack,) = eventually(telephony.acks.poll, "an answer")
        assert ack.command_id == "c-1"
        letters = KafkaDeadLetters(secured, refused)
        letters.put([Reject(Partition(topic, 0), 0, "not_json", "nonsense", b"{")])
        letters.close()
        assert letters.lost == 0
    assert _values(kafka, refused) == [b"{"]


def _send(kafka: Cluster, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    producer.send(topic, value).get(30)
    producer.close(timeout=10)


def _values(kafka: Cluster, topic: str) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek(TopicPartition(topic, 0), 0)
    polled = consumer.poll(timeout_ms=30_000)
    consumer.close()
    return [record.value for records in polled.values() for record in records]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_names_the_setting_and_not_the_password(
    own_broker: Broker, topic: str, mechanism: str
) -> None:
    tls = {"ca_file": str(own_broker.certificate)}
    security = {"tls": tls, "sasl": scram(mechanism, WRONG)}
    said = refusal(connection(own_broker.sasl_ssl, security, connect_timeout="2s"), topic)
    assert "login was refused: security.sasl.username and password" in said
    assert WRONG not in said


def test_a_broker_of_another_authority_is_not_trusted(
    own_broker: Broker, topic: str, tmp_path: Path
) -> None:
    tls = {"ca_file": str(Authority(tmp_path).certificate)}
    said = refusal(connection(own_broker.ssl, {"tls": tls}, connect_timeout="2s"), topic)
    assert "certificate is not trusted: security.tls.ca_file" in said


def test_a_broker_by_another_name_is_not_spoken_to(own_broker: Broker, topic: str) -> None:
    tls: dict[str, Any] = {"ca_file": str(own_broker.certificate)}
    host, port = own_broker.ssl.split(":")
    with proxied(host, int(port), near="127.0.0.2") as elsewhere:
        bootstrap = f"127.0.0.2:{elsewhere.port}"
        said = refusal(connection(bootstrap, {"tls": tls}, connect_timeout="2s"), topic)
        assert "certificate is for another host name" in said
        assert "bootstrap" in said
        unchecked = connection(bootstrap, {"tls": {**tls, "check_hostname": False}})
        assert read(unchecked, topic) == [b"0", b"1", b"2"]


def test_a_missing_certificate_of_ours_is_asked_for(own_broker: Broker, topic: str) -> None:
    tls = {"ca_file": str(own_broker.certificate)}
    said = refusal(connection(own_broker.mutual, {"tls": tls}, connect_timeout="2s"), topic)
    assert "asks for a certificate of ours: security.tls.cert_file" in said


@pytest.mark.parametrize("fault", ["expired", "of another authority"])
def test_a_certificate_of_ours_that_is_refused(
    own_broker: Broker, topic: str, tmp_path: Path, fault: str
) -> None:
    if fault == "expired":
        bad = own_broker.authority.issue("expired-client", days=-1)
    else:
        bad = Authority(tmp_path).issue("stranger")
    tls = {"ca_file": str(own_broker.certificate), **bad.tls()}
    said = refusal(connection(own_broker.mutual, {"tls": tls}, connect_timeout="2s"), topic)
    assert "refuses our certificate" in said
    assert "security.tls.cert_file" in said


def test_tls_to_a_port_without_it_and_the_other_way_round(own_broker: Broker, topic: str) -> None:
    tls = {"ca_file": str(own_broker.certificate)}
    said = refusal(connection(own_broker.plain, {"tls": tls}, connect_timeout="2s"), topic)
    assert "bootstrap" in said
    said = refusal(connection(own_broker.ssl, {}, connect_timeout="2s"), topic)
    assert "TLS" in said


def test_commands_and_dead_letters_say_it_too_and_can_be_tried_again(own_broker: Broker) -> None:
    security = {
        "tls": {"ca_file": str(own_broker.certificate)},
        "sasl": scram("SCRAM-SHA-512", WRONG),
    }
    wrong = connection(own_broker.sasl_ssl, security, connect_timeout="2s")
    settings = TelephonySettings(kind="kafka", commands="x", acks="y")
    channel = open_telephony(settings, wrong, SystemClock()).channel
    assert channel is not None
    with pytest.raises(DeliveryError, match=r"security\.sasl\.username and password") as refused:
        channel.prepare()
    assert refused.value.retry
    assert WRONG not in str(refused.value)
    channel.close()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A good pair, another's key, a key under a password, and a file that is no PEM."""
    authority = Authority(tmp_path / "ours")
    good, other = authority.issue("good"), authority.issue("other")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("-----BEGIN NONSENSE-----\n")
    return {
        "ca": authority.certificate,
        "cert": good.certificate,
        "key": good.key,
        "other": other.key,
        "locked": encrypted(good).key,
        "rubbish": rubbish,
        "none": tmp_path / "none.pem",
    }


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"ca_file": "rubbish"}, r"tls\.ca_file: .* holds no certificate"),
        ({"ca_file": "none"}, r"tls\.ca_file: there is no file"),
        ({"cert_file": "rubbish"}, r"tls\.cert_file and key_file: no certificate"),
        ({"cert_file": "cert", "key_file": "none"}, r"tls\.key_file: there is no file"),
        ({"cert_file": "cert", "key_file": "other"}, r"key_file is not the key of cert_file"),
        ({"cert_file": "cert", "key_file": "locked"}, r"tls\.key_password does not open key_file"),
    ],
)
@pytest.mark.parametrize("password", [None, WRONG])
def test_files_that_cannot_work_are_an_error_before_connecting(
    files: dict[str, Path], names: dict[str, str], said: str, password: str | None
) -> None:
    tls: dict[str, Any] = {setting: str(files[name]) for setting, name in names.items()}
    if password is not None:
        tls["key_password"] = {"value": password}
    source = KafkaSource(KafkaSettings.of(connection("127.0.0.1:9", {"tls": tls}), "x"))
    with pytest.raises(SourceError, match=said) as refused:
        source.start({}, None)
    assert WRONG not in str(refused.value)
