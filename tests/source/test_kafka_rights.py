"""The words for a right that is missing, by who we are and what the broker said."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    DelegationTokenAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

from monitor.source.kafka_rights import denied
from monitor.source.settings import KafkaConnection

SASL = {"sasl": {"username": "monitor", "password": {"value": "never-shown"}}}


def connection(security: dict[str, Any]) -> KafkaConnection:
    return KafkaConnection.model_validate({"bootstrap": "kafka:9092", "security": security})


@pytest.mark.parametrize(
    ("security", "who", "grantee"),
    [
        (SASL, "User:monitor", "User:monitor"),
        ({"tls": {}, **SASL}, "User:monitor", "User:monitor"),
        ({}, "User:ANONYMOUS", "User:ANONYMOUS"),
        ({"tls": {}}, "User:ANONYMOUS", "User:ANONYMOUS"),
        (
            {"tls": {"cert_file": "c.pem", "key_file": "k.pem"}},
            "whoever security.tls.cert_file says we are",
            "User:<the subject of our certificate>",
        ),
    ],
)
def test_who_we_are(security: dict[str, Any], who: str, grantee: str) -> None:
    fault = TopicAuthorizationFailedError({"calls"})
    said = denied(fault, connection(security), "Read")
    assert said.startswith(f"{who} may not Read topic calls: grant it with ")
    assert f"--allow-principal '{grantee}' " in said or f"--allow-principal {grantee} " in said
    assert "never-shown" not in said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (TopicAuthorizationFailedError({"b", "a"}), "Write topic a, b: "),
        (TopicAuthorizationFailedError({"b", "a"}), " --operation Write --topic a --topic b "),
        (TopicAuthorizationFailedError("a"), "Write topic a: "),
        (TopicAuthorizationFailedError(), "Write topic tried: "),
        (TransactionalIdAuthorizationFailedError(), "Write transactional-id t-1: "),
        (GroupAuthorizationFailedError("g"), "Read group g-1: "),
        (ClusterAuthorizationFailedError(), "IdempotentWrite the cluster: "),
        (DelegationTokenAuthorizationFailedError(), "may not do this (the broker said DELEGATION"),
    ],
)
def test_what_is_missing(fault: AuthorizationError, said: str) -> None:
    words = denied(
        fault, connection(SASL), "Write", topics=["tried"], transactional_id="t-1", group="g-1"
    )
    assert said in words
    assert "(the broker said " in words
