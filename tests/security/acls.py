"""What the ACLs of docs/security.md grant, as tables, and how single ones are taken away.

Owns the names and the reading of the page; what may be done with a grant is what tests show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

PAGE = Path(__file__).parent.parent.parent / "docs" / "security.md"
EVENTS = ("calls", "sms", "messages", "crm", "carrier-flags")
COMMANDS, ACKS, DEAD = "telephony.commands", "telephony.acks", "monitor.dead-letters"
TRANSACTIONAL_ID = "callcentre-monitor.commands"
D, P, T, FEED, STRANGER = "monitor", "dialler", "telephony", "carrier-feed", "stranger"
G, LAG_GROUP = "telephony-gateway", "monitor-lag"


class Grant(NamedTuple):
    user: str
    operation: str
    kind: str
    name: str


OURS = (
    *(Grant(D, "Read", "topic", topic) for topic in (*EVENTS, ACKS, COMMANDS)),
    *(Grant(D, "Write", "topic", topic) for topic in (COMMANDS, DEAD)),
    Grant(D, "Write", "transactional-id", TRANSACTIONAL_ID),
    Grant(D, "Read", "group", LAG_GROUP),
)
OTHERS = (
    Grant(P, "Write", "topic", "calls"),
    Grant(FEED, "Write", "topic", "carrier-flags"),
    Grant(T, "Read", "topic", COMMANDS),
    Grant(T, "Read", "group", G),
    Grant(T, "Write", "topic", ACKS),
)
ACL_FOR_STRANGERS = ACL(
    f"User:{STRANGER}",
    "*",
    ACLOperation.ALL,
    ACLPermissionType.ALLOW,
    ResourcePattern(ResourceType.TOPIC, COMMANDS, ACLResourcePatternType.LITERAL),
)


def commands_of_the_page() -> str:
    section = PAGE.read_text(encoding="utf-8").split("\n### ACLs\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def filter_of(grant: Grant | None = None) -> ACLFilter:
    """That of one grant; without, of all."""
    kind, name, user, operation = ResourceType.ANY, None, None, ACLOperation.ANY
    if grant is not None:
        kind = ResourceType[grant.kind.upper().replace("-", "_")]
        name, user = grant.name, f"User:{grant.user}"
        operation = ACLOperation[grant.operation.upper()]
    pattern = ResourcePatternFilter(kind, name, ACLResourcePatternType.ANY)
    return ACLFilter(user, None, operation, ACLPermissionType.ANY, pattern)


def grant_of(acl: ACL) -> Grant:
    resource = acl.resource_pattern
    kind = resource.resource_type.name.lower().replace("_", "-")
    user = acl.principal.removeprefix("User:")
    return Grant(user, acl.operation.name.capitalize(), kind, resource.resource_name)


@contextmanager
def without(admin: KafkaAdminClient, grant: Grant) -> Iterator[None]:
    """All the others stand meanwhile."""
    acls, _ = admin.describe_acls(filter_of(grant))
    assert len(acls) == 1
    admin.delete_acls([filter_of(grant)])
    try:
        yield
    finally:
        admin.create_acls(acls)
