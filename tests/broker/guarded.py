"""A broker on which nobody may do anything without an ACL, and the commands that give them.

Owns the authorizer's settings and the stand-in for ``kafka-acls.sh``, which runs Kafka's own class;
which ACLs there are is the business of the document that a test takes them from.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient

from monitor.source.settings import KafkaConnection
from tests.broker.broker import LIBS, LOGIN, SCRAM_PASSWORD, Broker

ADMIN = "admin"
_AS_ADMIN = f'required username="{ADMIN}" password="{SCRAM_PASSWORD}"'
_KNOWN = f'user_{ADMIN}="{SCRAM_PASSWORD}"'
_PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"

# The broker speaks to itself as the admin, too: with a listener that knows no names it would be
# User:ANONYMOUS, who had then to be a super user, and with it whoever does not log in.
_AUTHORIZER = f"""\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN}
allow.everyone.if.no.acl.found=false
listener.security.protocol.map=CONTROLLER:SASL_PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,MUTUAL:SSL
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={_PLAIN_LOGIN} {_AS_ADMIN} {_KNOWN};
inter.broker.listener.name=SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={LOGIN} {_AS_ADMIN};
"""

_ADMIN_PROPERTIES = f"""\
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config={LOGIN} {_AS_ADMIN};
"""

_KAFKA_ACLS = """\
#!/bin/sh
classes=-XX:ArchiveClassesAtExit={archive}
[ ! -e {archive} ] || classes=-XX:SharedArchiveFile={archive}
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto "$classes" \
  -cp '{libs}/*' org.apache.kafka.tools.AclCommand "$@"
"""
"""Its classes are loaded once, as the broker's are: a JVM a command is most of what they cost."""


@contextmanager
def guarded(folder: Path, users: Sequence[str]) -> Iterator[Broker]:
    """A broker that runs, knows ``users`` besides the admin, and lets none of them do anything."""
    broker = Broker(folder, (ADMIN, *users))
    try:
        broker.format(_AUTHORIZER)
        broker.start()
        yield broker
    finally:
        broker.kill()


def run_as_written(broker: Broker, commands: str, variables: Mapping[str, str]) -> None:
    """Run ``commands`` of a document as a reader would, with ``variables`` set as it asks for."""
    (broker.folder / "admin.properties").write_text(_ADMIN_PROPERTIES)
    stand_in = broker.folder / "bin" / "kafka-acls.sh"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(_KAFKA_ACLS.format(libs=LIBS, archive=broker.folder / "acls.jsa"))
    stand_in.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=broker.folder,
        env={
            **os.environ,
            "PATH": f"{stand_in.parent}:{os.environ['PATH']}",
            "BROKER": broker.sasl,
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def connection_as(broker: Broker, user: str, **more: str) -> KafkaConnection:
    """The broker's address and a login as ``user``."""
    password = {"value": SCRAM_PASSWORD}
    sasl = {"mechanism": "SCRAM-SHA-512", "username": user, "password": password}
    given = {"bootstrap": broker.sasl, "security": {"sasl": sasl}, **more}
    return KafkaConnection.model_validate(given)


@contextmanager
def administrator(broker: Broker) -> Iterator[KafkaAdminClient]:
    """Kafka's admin client, logged in as the one who may do everything."""
    admin = KafkaAdminClient(**connection_as(broker, ADMIN).options())
    try:
        yield admin
    finally:
        admin.close()
