"""What ``config.yaml`` says about where events come from.

Owns the models of ``source:`` and of a Kafka connection, which telephony shares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from monitor.errors import SecretError, SourceError
from monitor.secret import Secret
from monitor.units import DurationMs, Size

TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
Bootstrap = Annotated[str, StringConstraints(pattern=r"^[^\s,]+:[0-9]{1,5}(,[^\s,]+:[0-9]{1,5})*$")]

DEFAULT_TOPICS = ("calls", "sms", "messages", "crm")


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Sasl(_Settings):
    """Login by name and password."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str
    password: Secret


class Tls(_Settings):
    """Encryption, and who is trusted."""

    ca_file: Path | None = None
    """Certificates to trust, PEM; none: the system's."""
    cert_file: Path | None = None
    """Our own certificate, PEM, where the broker asks for one."""
    key_file: Path | None = None
    key_password: Secret | None = None
    check_hostname: bool = True

    @model_validator(mode="after")
    def _key_needs_certificate(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            msg = "key_file needs cert_file"
            raise ValueError(msg)
        return self


class Security(_Settings):
    """How the broker is spoken to: plain where both are left out."""

    tls: Tls | None = None
    sasl: Sasl | None = None

    @property
    def protocol(self) -> str:
        """Kafka's name for the combination, ``SASL_SSL`` for one."""
        encrypted = self.tls is not None
        if self.sasl is not None:
            return "SASL_SSL" if encrypted else "SASL_PLAINTEXT"
        return "SSL" if encrypted else "PLAINTEXT"


class KafkaConnection(_Settings):
    """One Kafka cluster, for consumers and producers alike."""

    bootstrap: Bootstrap
    """``host:port``, several with commas."""
    client_id: str = "callcentre-monitor"
    security: Security = Security()
    connect_timeout: DurationMs = 10_000
    request_timeout: DurationMs = 30_000

    def options(self) -> dict[str, Any]:
        """Keyword arguments that kafka-python's consumer, producer and admin client share.

        Holds passwords in clear: not for logs.

        Raises:
            SourceError: a secret cannot be read.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "client_id": self.client_id,
            "security_protocol": self.security.protocol,
            "bootstrap_timeout_ms": self.connect_timeout,
            "request_timeout_ms": self.request_timeout,
            "reconnect_backoff_max_ms": 2_000,  # a broker that is back is noticed soon
        }
        try:
            return options | _security_options(self.security)
        except SecretError as error:
            raise SourceError(str(error)) from error


class KafkaSettings(KafkaConnection):
    """Events from Kafka topics; positions are kept by the daemon, not by a consumer group."""

    kind: Literal["kafka"]
    topics: Annotated[tuple[TopicName, ...], Field(min_length=1, max_length=100)] = DEFAULT_TOPICS
    discover_every: DurationMs = 10_000
    """How soon a topic or partition made later is found."""
    fetch_bytes_per_partition: Size = 4 * 2**20
    """How much one partition may deliver at once; a larger single record still comes."""
    fetch_bytes: Size = 50 * 2**20
    lag_group: str | None = None
    """Consumer group that positions are committed to every ``lag_every``, for lag tools only."""
    lag_every: DurationMs = 10_000

    @classmethod
    def of(cls, connection: KafkaConnection, *topics: str) -> KafkaSettings:
        """Settings to read ``topics`` over a connection that is already checked."""
        same = {name: getattr(connection, name) for name in KafkaConnection.model_fields}
        return cls.model_construct(kind="kafka", topics=topics, **same)

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        if len(set(self.topics)) != len(self.topics):
            msg = "a topic is named twice"
            raise ValueError(msg)
        return self


class FilesSettings(_Settings):
    """Events from JSONL files, one event a line."""

    kind: Literal["files"]
    paths: Annotated[tuple[str, ...], Field(min_length=1, max_length=1_000)]
    """Files, or patterns such as ``calls-*.jsonl``; each file is a partition of its own."""
    follow: bool = False
    """Wait for lines that are appended, through rotation, or read once to the end."""
    bookmarks: Path = Path("var/files")
    """Folder of what must be remembered about rotated files; used with ``follow`` only."""
    max_line: Size = 16 * 2**20
    """A longer line is handed on cut to this length, and so becomes a dead letter."""

    @model_validator(mode="after")
    def _followed_files_are_plain(self) -> Self:
        if self.follow and any(path.endswith(".gz") for path in self.paths):
            msg = "a compressed file cannot be followed"
            raise ValueError(msg)
        if len(set(self.paths)) != len(self.paths):
            msg = "a path is named twice"
            raise ValueError(msg)
        return self


class ArchivedSettings(_Settings):
    """Events from an archive that a daemon has kept (`archive.path`), read once to its end."""

    kind: Literal["archive"]
    path: Path
    """Its folder."""


AnySource = KafkaSettings | FilesSettings | ArchivedSettings
SourceSettings = Annotated[AnySource, Field(discriminator="kind")]


def _security_options(security: Security) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if security.tls is not None:
        options |= _tls_options(security.tls)
    if security.sasl is not None:
        options |= {
            "sasl_mechanism": security.sasl.mechanism,
            "sasl_plain_username": security.sasl.username,
            "sasl_plain_password": security.sasl.password.reveal(),
        }
    return options


def _tls_options(tls: Tls) -> dict[str, Any]:
    options: dict[str, Any] = {"ssl_check_hostname": tls.check_hostname}
    files = {"ssl_cafile": tls.ca_file, "ssl_certfile": tls.cert_file, "ssl_keyfile": tls.key_file}
    for name, path in files.items():
        if path is None:
            continue
        if not path.is_file():  # the client would take it for a broker that does not answer
            setting = name.removeprefix("ssl_").replace("file", "_file")
            msg = f"security.tls.{setting}: there is no file {path}"
            raise SourceError(msg)
        options[name] = str(path)
    if tls.cert_file is not None:  # without a password OpenSSL would ask at the terminal
        options["ssl_password"] = "" if tls.key_password is None else tls.key_password.reveal()
    return options
