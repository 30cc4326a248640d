"""``source:`` of the configuration: what is refused, and what the client is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from monitor.errors import SourceError
from monitor.source.settings import (
    ArchivedSettings,
    FilesSettings,
    KafkaConnection,
    KafkaSettings,
    SourceSettings,
)

SOURCE: TypeAdapter[KafkaSettings | FilesSettings | ArchivedSettings] = TypeAdapter(SourceSettings)


def kafka(**more: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"kind": "kafka", "bootstrap": "b:9092", **more})


def files(**more: Any) -> FilesSettings:
    return FilesSettings.model_validate({"kind": "files", "paths": ["a.jsonl"], **more})


def test_the_kind_decides() -> None:
    assert isinstance(
        SOURCE.validate_python({"kind": "kafka", "bootstrap": "b:9092"}), KafkaSettings
    )
    assert isinstance(SOURCE.validate_python({"kind": "files", "paths": ["a"]}), FilesSettings)
    with pytest.raises(ValidationError, match="kind"):
        SOURCE.validate_python({"kind": "carrier-pigeon"})


def test_topics_by_default() -> None:
    assert kafka().topics == ("calls", "sms", "messages", "crm")


@pytest.mark.parametrize(
    "more",
    [
        {"bootstrap": "no-port"},
        {"bootstrap": ""},
        {"topics": []},
        {"topics": ["calls", "calls"]},
        {"topics": ["a topic"]},
        {"topics": ["x" * 250]},
        {"discover_every": 5},
        {"nonsense": 1},
        {"security": {"sasl": {"username": "u", "password": {}}}},
        {"security": {"sasl": {"username": "u", "password": {"env": "A", "file": "b"}}}},
        {"security": {"tls": {"key_file": "k.pem"}}},
    ],
)
def test_what_kafka_does_not_take(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kafka(**more)


@pytest.mark.parametrize(
    "more",
    [
        {"paths": []},
        {"paths": ["a", "a"]},
        {"follow": True, "paths": ["a.jsonl.gz"]},
        {"max_line": 100},
    ],
)
def test_what_files_do_not_take(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        files(**more)


def test_a_compressed_file_may_be_read_once() -> None:
    assert files(paths=["a.jsonl.gz"]).paths == ("a.jsonl.gz",)


@pytest.mark.parametrize(
    ("security", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"tls": {}}, "SSL"),
        ({"sasl": {"username": "u", "password": {"value": "p"}}}, "SASL_PLAINTEXT"),
        ({"tls": {}, "sasl": {"username": "u", "password": {"value": "p"}}}, "SASL_SSL"),
    ],
)
def test_security_names_the_protocol(security: dict[str, Any], protocol: str) -> None:
    assert kafka(security=security).options()["security_protocol"] == protocol


def test_the_client_is_given_login_and_certificates(tmp_path: Path) -> None:
    names = ("ca.pem", "cert.pem", "key.pem")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "password").write_text("from a file \n")
    tls = dict(
        zip(("ca_file", "cert_file", "key_file"), map(tmp_path.joinpath, names), strict=True)
    )
    security = {
        "tls": {**tls, "key_password": {"value": "opens the key"}, "check_hostname": False},
        "sasl": {
            "mechanism": "SCRAM-SHA-512",
            "username": "monitor",
            "password": {"file": tmp_path / "password"},
        },
    }
    options = kafka(bootstrap="a:1,b:2", security=security).options()
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["ssl_cafile"] == str(tmp_path / "ca.pem")
    assert options["ssl_certfile"] == str(tmp_path / "cert.pem")
    assert options["ssl_keyfile"] == str(tmp_path / "key.pem")
    assert options["ssl_password"] == "opens the key"
    assert options["ssl_check_hostname"] is False
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "monitor"
    assert options["sasl_plain_password"] == "from a file"


def test_a_certificate_that_is_not_there_is_told_before_connecting(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"security.tls.ca_file: there is no file .*ca\.pem"):
        kafka(security={"tls": {"ca_file": tmp_path / "ca.pem"}}).options()


def test_secrets_are_not_printed() -> None:
    sasl = {"username": "u", "password": {"value": "hunter2"}}
    configured = kafka(security={"sasl": sasl})
    for shown in (repr(configured), str(configured), configured.model_dump_json()):
        assert "hunter2" not in shown
    assert configured.options()["sasl_plain_password"] == "hunter2"


def test_a_secret_that_cannot_be_read_is_the_sources_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    configured = kafka(security={"sasl": {"username": "u", "password": {"env": "NOT_SET"}}})
    with pytest.raises(SourceError, match="NOT_SET is not set"):
        configured.options()


def test_a_connection_is_shared_with_its_settings() -> None:
    connection = KafkaConnection.model_validate(
        {"bootstrap": "b:9092", "client_id": "me", "connect_timeout": "3s"}
    )
    shared = KafkaSettings.of(connection, "acks")
    assert (shared.kind, shared.topics, shared.client_id) == ("kafka", ("acks",), "me")
    assert shared.connect_timeout == 3_000
    assert shared.discover_every == 10_000
