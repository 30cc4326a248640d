"""A real one-node Apache Kafka (KRaft) for tests: formatted, started, killed, restarted.

Owns the broker's process, ports, certificates and files; topics and records belong to the tests.
The jars come from Maven (pom.xml beside this file) into ``target/``, once per version of the pom.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from tests.broker.certificates import Authority

HERE = Path(__file__).parent
LIBS = HERE / "target" / "libs"
CLASSES = LIBS / "broker.jsa"
"""The broker's classes as the JVM likes them: halves what a start costs. Made by the first broker
that is stopped in peace; a JVM that cannot use it goes without."""
SCRAM_USER = "monitor"
SCRAM_PASSWORD = "only-for-tests"
STORE_PASSWORD = "only-for-tests"
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
READY_S = 180.0  # three seconds on an idle machine
STOP_S = 60.0

_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,MUTUAL:SSL
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config={login} required;
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={login} required;
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={login} required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={login} required;
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location={folder}/authority/authority.pem
ssl.keystore.type=PKCS12
ssl.keystore.location={folder}/broker.p12
ssl.keystore.password={store_password}
ssl.key.password={store_password}
ssl.client.auth=none
log.dirs={folder}/data
auto.create.topics.enable=false
message.max.bytes=20971520
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=100
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

_LISTENERS = {
    "PLAINTEXT": "plain",
    "SASL_PLAINTEXT": "sasl",
    "SSL": "ssl",
    "SASL_SSL": "sasl_ssl",
    "MUTUAL": "mutual",
}
"""Kafka's names of the listeners, and ours of their ports."""

_LOG4J = """\
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
"""


class BrokerError(Exception):
    """Raised when the broker cannot be resolved, formatted or started; carries its last lines."""


def missing_tools() -> str:
    """Why no broker can be started here; empty when everything is there."""
    missing = [tool for tool in ("java", "keytool", "mvn", "openssl") if shutil.which(tool) is None]
    return f"{', '.join(missing)} not found" if missing else ""


def resolve_jars() -> Path:
    """The folder of the broker's jars; Maven is asked only when the pom has changed."""
    LIBS.parent.mkdir(exist_ok=True)
    with (LIBS.parent / "lock").open("w") as lock:  # every worker of a test run may want them
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _resolved()


def _resolved() -> Path:
    wanted = hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()
    stamp = LIBS / "pom.sha256"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(LIBS, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={LIBS}"]
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), *goal],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode != 0:
            msg = f"Maven could not resolve the broker:\n{done.stdout}{done.stderr}"
            raise BrokerError(msg)
        stamp.write_text(wanted)
    return LIBS


class Broker:
    """One broker in one folder. Ports stay the same over restarts."""

    def __init__(self, folder: Path, users: Sequence[str] = (SCRAM_USER,)) -> None:
        """``users`` are who may log in by SCRAM, all with ``SCRAM_PASSWORD``."""
        self.folder = folder
        self._users = users
        self.log_path = folder / "broker.log"
        self.certificate = folder / "broker.pem"
        """The broker's self-signed certificate: what a TLS client is to trust."""
        self.authority: Authority
        """Who signs certificates of clients; there once :meth:`format` is done."""
        self._classpath = f"{resolve_jars()}/*"
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {}
        atexit.register(self.kill)

    @property
    def plain(self) -> str:
        """``host:port`` without encryption or login."""
        return f"127.0.0.1:{self._ports['plain']}"

    @property
    def sasl(self) -> str:
        """``host:port`` that wants SCRAM-SHA-256 or -512 as ``SCRAM_USER``."""
        return f"127.0.0.1:{self._ports['sasl']}"

    @property
    def sasl_ssl(self) -> str:
        """The same over TLS with :attr:`certificate`."""
        return f"127.0.0.1:{self._ports['sasl_ssl']}"

    @property
    def mutual(self) -> str:
        """``host:port`` that speaks TLS and wants a certificate of :attr:`authority`."""
        return f"127.0.0.1:{self._ports['mutual']}"

    @property
    def ssl(self) -> str:
        """``host:port`` that speaks TLS with :attr:`certificate`."""
        return f"127.0.0.1:{self._ports['ssl']}"

    def format(self, more: str = "") -> None:
        """Make configuration, certificate and an empty log; once in a broker's life.

        ``more`` are lines of ``server.properties`` that win over those above them.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ports = free_ports((*_LISTENERS.values(), "controller"))
        self.authority = Authority(self.folder / "authority")
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        (self.folder / "server.properties").write_text(
            _SERVER.format(
                folder=self.folder,
                login=LOGIN,
                store_password=STORE_PASSWORD,
                controller=self._ports["controller"],
                listeners=",".join(
                    f"{name}://127.0.0.1:{self._ports[port]}" for name, port in _LISTENERS.items()
                ),
            )
            + more
        )
        self._make_certificate()
        logins = [
            f"SCRAM-SHA-{bits}=[name={user},password={SCRAM_PASSWORD}]"
            for user in self._users
            for bits in (256, 512)
        ]
        scram = [part for login in logins for part in ("-S", login)]
        storage = ["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID]
        self._tool([*self._java("128M"), *storage, "-c", "server.properties", *scram])

    def start(self) -> None:
        """Start, and return when the broker answers; after a kill too (no second format).

        Raises:
            BrokerError: it ended, or did not answer in ``READY_S`` seconds.
        """
        self.launch()
        self.await_answer()

    def launch(self, heap: str = "768M") -> None:
        """Start, without waiting for an answer."""
        if self._process is not None:
            raise BrokerError("the broker is running already")
        shared = f"-XX:ArchiveClassesAtExit={self.folder / CLASSES.name}"
        if CLASSES.exists():
            shared = f"-XX:SharedArchiveFile={CLASSES}"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_dies_with_us(), *self._java(heap, shared), "kafka.Kafka", "server.properties"],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def await_answer(self) -> None:
        """Wait until it answers.

        Raises:
            BrokerError: it ended, or did not answer in ``READY_S`` seconds.
        """
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if (
                self._process is None
                or self._process.poll() is not None
                or time.monotonic() > deadline
            ):
                self.kill()
                msg = f"the broker did not start:\n{self.log_tail()}"
                raise BrokerError(msg)
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, and make sure that it did."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
                self._keep_classes()
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole process group; nothing is left running. Twice is fine."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: the end of :meth:`pause`."""
        self._signal(signal.SIGCONT)

    def log_tail(self, lines: int = 60) -> str:
        """The last lines the broker wrote."""
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._ports["plain"]), 0.2).close()
            with admin_of(self.plain) as admin:
                return bool(admin.describe_cluster()["brokers"])
        return False

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _keep_classes(self) -> None:
        made = self.folder / CLASSES.name
        if made.exists() and not CLASSES.exists():
            shared = shutil.copy(made, CLASSES.with_suffix(f".{os.getpid()}"))
            Path(shared).replace(CLASSES)

    def _java(self, heap: str, *flags: str) -> list[str]:
        quick_start = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        logging = "-Dlog4j2.configurationFile=log4j2.properties"
        return ["java", f"-Xmx{heap}", *quick_start, *flags, logging, "-cp", self._classpath]

    def _make_certificate(self) -> None:
        store = ["-keystore", "broker.p12", "-storetype", "PKCS12", "-storepass", STORE_PASSWORD]
        names = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1,DNS:localhost"]
        key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2"]
        self._tool(["keytool", "-genkeypair", "-alias", "broker", *key, *names, *store])
        export = ["-exportcert", "-rfc", "-alias", "broker", "-file", "broker.pem"]
        self._tool(["keytool", *export, *store])

    def _tool(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode != 0:
            msg = f"{command[0]} failed:\n{done.stdout}{done.stderr}"
            raise BrokerError(msg)


class Cluster:
    """What a test needs of a broker, ours or one that was there: address and topics."""

    def __init__(self, bootstrap: str, broker: Broker | None = None) -> None:
        self.bootstrap = bootstrap
        self._broker = broker

    @property
    def broker(self) -> Broker | None:
        """The process, when it is ours to kill; None for one given by the environment."""
        return self._broker

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        *,
        append_time: bool = False,
        configs: Mapping[str, str] | None = None,
    ) -> str:
        """Create a topic, wait until its leaders are there, and give its name back.

        ``append_time`` sets ``message.timestamp.type=LogAppendTime``.
        """
        settings = {
            "message.timestamp.type": "LogAppendTime" if append_time else "CreateTime",
            **(configs or {}),
        }
        topic = {"num_partitions": partitions, "replication_factor": 1, "configs": settings}
        with admin_of(self.bootstrap) as admin:
            admin.create_topics({name: topic}, wait_for_metadata=True)
        return name

    def configure_topic(self, name: str, configs: Mapping[str, str]) -> None:
        """Change a topic's settings."""
        with admin_of(self.bootstrap) as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(configs))])

    def add_partitions(self, name: str, total: int) -> None:
        """Grow a topic to ``total`` partitions."""
        with admin_of(self.bootstrap) as admin:
            admin.create_partitions({name: total})
            admin.wait_for_topics([name])


@contextlib.contextmanager
def admin_of(bootstrap: str) -> Iterator[KafkaAdminClient]:
    """An admin client that is closed at the end.

    Raises:
        OSError: nobody answers.
    """
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=5_000)
    except KafkaError as fault:
        raise OSError(str(fault)) from fault
    try:
        yield admin
    finally:
        admin.close()


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A free TCP port for each name; all are held until all are found, so they differ."""
    with contextlib.ExitStack() as held:
        ports = {}
        for name in names:
            listener = held.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports[name] = listener.getsockname()[1]
        return ports


def _dies_with_us() -> list[str]:
    """Should the tests themselves be killed, the kernel ends the broker (Linux only)."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
