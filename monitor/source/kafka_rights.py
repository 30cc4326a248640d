"""What a broker does not let us do, in words that name the right that is missing.

Owns the meaning of refusals: who we are to the broker, which operation on what it refuses, and the
command that grants it. All of them may heal while we run, so nothing here ends anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

from monitor.source.settings import KafkaConnection

Operation = Literal["Read", "Write"]
"""Each brings ``Describe`` with it, as Kafka's own authorizer has it."""


def principal(connection: KafkaConnection) -> str | None:
    """Who we are to the broker; None where only the broker knows, by our certificate."""
    security = connection.security
    if security.sasl is not None:
        return f"User:{security.sasl.username}"
    if security.tls is not None and security.tls.cert_file is not None:
        return None
    return "User:ANONYMOUS"


def denied(
    fault: AuthorizationError,
    connection: KafkaConnection,
    operation: Operation,
    *,
    topics: Sequence[str] = (),
    transactional_id: str = "",
    group: str = "",
) -> str:
    """Who may not do what, and the command that mends it.

    Args:
        fault: what the broker answered.
        connection: over which.
        operation: what was tried on a topic, should it be about topics.
        topics: that it was tried on; what the fault itself names goes first.
        transactional_id: in use, if any.
        group: of consumers, in use if any.
    """
    names: Sequence[str]
    if isinstance(fault, TransactionalIdAuthorizationFailedError):
        operation, kind, names = "Write", "transactional-id", [transactional_id]
    elif isinstance(fault, GroupAuthorizationFailedError):
        operation, kind, names = "Read", "group", [group]
    elif isinstance(fault, TopicAuthorizationFailedError):
        kind, names = "topic", _named(fault) or topics
    elif isinstance(fault, ClusterAuthorizationFailedError):  # before Kafka 2.8, at the first write
        return (
            f"{_who(connection)} may not IdempotentWrite the cluster: grant it with kafka-acls.sh "
            f"--add --allow-principal {_grantee(connection)} --operation IdempotentWrite --cluster "
            f"({_said(fault)})"
        )
    else:
        return f"{_who(connection)} may not do this ({_said(fault)})"
    return f"{lacking(connection, operation, kind, names)} ({_said(fault)})"


def lacking(
    connection: KafkaConnection, operation: Operation, kind: str, names: Iterable[str]
) -> str:
    """The sentence, where the broker has said what it is about."""
    listed = sorted(names)
    options = " ".join(f"--{kind} {name}" for name in listed)
    return (
        f"{_who(connection)} may not {operation} {kind} {', '.join(listed)}: grant it with "
        f"kafka-acls.sh --add --allow-principal {_grantee(connection)} "
        f"--operation {operation} {options}"
    )


def _who(connection: KafkaConnection) -> str:
    return principal(connection) or "whoever security.tls.cert_file says we are"


def _grantee(connection: KafkaConnection) -> str:
    return principal(connection) or "'User:<the subject of our certificate>'"


def _said(fault: AuthorizationError) -> str:
    return f"the broker said {fault.message}"


def _named(fault: TopicAuthorizationFailedError) -> Sequence[str]:
    """Topics that the client has put into the fault: one, several, or none."""
    first = fault.args[0] if fault.args else ()
    return [first] if isinstance(first, str) else list(first)
