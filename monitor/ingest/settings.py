"""The ``ingest:`` part of ``config.yaml``: which webhooks are received, and where they are kept.

Owns the models alone; this module is read by every command, so it imports no web framework.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from monitor.exporter.settings import ExporterSettings, is_loopback
from monitor.secret import Secret
from monitor.units import DurationMs, Rate, Size
from monitor.web.settings import WebSettings, WebTls

RECEIVERS_MAX = 100

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class WhatsAppReceiver(_Settings):
    """Webhooks of the WhatsApp Cloud API (Meta)."""

    kind: Literal["whatsapp"]
    """``X-Hub-Signature-256``, and Meta's question at the set-up."""
    secret: Secret
    """The app secret: ``X-Hub-Signature-256`` is made with it."""
    verify_token: Secret
    """What Meta shows when the webhook is set up, chosen by you."""


class TwilioReceiver(_Settings):
    """Status callbacks of Twilio."""

    kind: Literal["twilio"]
    """``X-Twilio-Signature``."""
    secret: Secret
    """The auth token: ``X-Twilio-Signature`` is made with it."""
    url: str = Field(pattern=r"^https?://[^\s?#]+$")
    """The address that Twilio was given, without a query: it is part of the signature."""


class HmacReceiver(_Settings):
    """Anything that signs the body with HMAC-SHA-256."""

    kind: Literal["hmac"]
    """A signature of the body in a header."""
    secret: Secret
    """The key of the signature."""
    header: HeaderName = "X-Signature"
    """Holds the signature."""
    prefix: str = Field("", max_length=64)
    """Stands before it, such as ``sha256=``."""
    encoding: Literal["hex", "base64"] = "hex"
    """How it is written."""


Receiver = Annotated[WhatsAppReceiver | TwilioReceiver | HmacReceiver, Field(discriminator="kind")]
ReceiverName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class IngestExporter(_Settings):
    """Figures and health of ``monitor ingest``, at an address of their own."""

    enabled: bool = True
    """Serve ``/metrics``, ``/healthz``, ``/readyz``."""
    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Beyond loopback only together with a token."""
    port: int = Field(9111, ge=0, le=65535)
    """0: any free port, which the log tells."""
    token_env: str | None = Field(None, min_length=1, max_length=100)
    """Name of the environment variable that holds the bearer token."""
    token_file: Path | None = None
    """File that holds the bearer token."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        self.exporter()
        return self

    def exporter(self) -> ExporterSettings:
        """As those of the daemon's.

        Raises:
            ValueError: it is open to others without a token.
        """
        return ExporterSettings(
            host=self.host, port=self.port, token_env=self.token_env, token_file=self.token_file
        )


class IngestSettings(_Settings):
    """Webhooks, received by ``monitor ingest``: a process of its own, beside the daemon."""

    receivers: Annotated[dict[ReceiverName, Receiver], Field(max_length=RECEIVERS_MAX)] = {}
    """Name → who sends: ``/ingest/<name>``. Without any, nothing is received."""
    to: Literal["files", "kafka"] = "files"
    """Where records are kept: files that the daemon follows, or topics of the source's Kafka."""
    folder: Path = Path("var/ingest")
    """With ``files``: ``<name>.jsonl`` in it, rotated by size."""
    file_bytes: Size = Field(64 * 2**20, ge=2**16)
    """Size at which a file is renamed and the next begun."""
    files: int = Field(20, ge=2, le=1_000)
    """Files kept of each receiver; the oldest goes, read or not."""
    topic_prefix: str = Field("ingest.", pattern=r"^[a-zA-Z0-9._-]{0,100}$")
    """With ``kafka``: goes before the name, as the topic."""
    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Beyond loopback only with ``tls``, or ``plain``."""
    port: int = Field(9110, ge=0, le=65535)
    """0: any free port, which the log tells."""
    tls: WebTls | None = None
    """Encryption; none: plain HTTP."""
    plain: bool = False
    """Plain HTTP beyond loopback, because something before us encrypts."""
    rate: Rate = Rate(60_000, 60_000)
    """Signed requests of one receiver; more are told to come back."""
    body_max: Size = Field(900_000, ge=1_024, le=2**24)
    """A longer body is refused unread."""
    timeout: DurationMs = Field(10_000, ge=1_000, le=600_000)
    """A request that is not answered by then is cut off."""
    connections: int = Field(256, ge=1, le=10_000)
    """Open at once; one more is told to come back."""
    waiting: int = Field(1_000, ge=1, le=100_000)
    """Records that wait to be kept; one more is told to come back."""
    exporter: IngestExporter = IngestExporter()
    """Figures and health."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not is_loopback(self.host) and self.tls is None and not self.plain:
            msg = (
                f"host {self.host} is open to others, and what they send would be in clear: set "
                "tls, or plain: true where something before it encrypts"
            )
            raise ValueError(msg)
        return self

    def web(self) -> WebSettings:
        """The server's side of it."""
        mine = ("host", "port", "tls", "plain", "body_max", "timeout", "connections")
        update = {name: getattr(self, name) for name in mine}
        return WebSettings().model_copy(update={"enabled": True, **update})
