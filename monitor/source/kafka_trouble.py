"""Why a broker cannot be reached, in words that name the setting to mend.

Owns the meaning of what TLS, logins and sockets say. Nothing here holds a secret: what is quoted
comes from the broker or OpenSSL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kafka.cluster import ClusterMetadata
from kafka.errors import (
    KafkaConnectionError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)

from monitor.source.kafka_wire import WideManager
from monitor.source.settings import KafkaConnection

_QUOTED_CHARS = 300
_KEPT = 16

_UNTRUSTED = "the broker's certificate is not trusted: security.tls.ca_file must hold its CA"
_REFUSED = (
    "the broker refuses our certificate (expired, or not of a CA that it trusts): "
    "security.tls.cert_file"
)
_WANTED = "the broker asks for a certificate of ours: security.tls.cert_file and key_file"
_ANOTHER = "the broker's certificate is for another host name: name it in bootstrap as that does"
_PLAIN = "that port does not speak TLS: bootstrap, or leave security.tls out"

_MEANINGS = (
    (
        r"(?i)hostname mismatch|ip address mismatch|doesn't match|not valid for",
        _ANOTHER,
    ),
    (r"CERTIFICATE_VERIFY_FAILED.*has expired", "the broker's certificate has expired"),
    (r"CERTIFICATE_VERIFY_FAILED", _UNTRUSTED),
    (r"(?i)alert.{0,3}(certificate.(expired|unknown|revoked)|unknown.ca|access.denied)", _REFUSED),
    (r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|PACKET_LENGTH|HTTP_REQUEST", _PLAIN),
    (r"(?i)connection refused|ECONNREFUSED", "nobody listens there: bootstrap"),
    (r"(?i)DNS|name or service not known|name resolution", "no such host: bootstrap"),
)
_ASKED_FOR = re.compile(r"(?i)alert.{0,3}(bad.certificate|certificate.required|handshake.failure)")


class LoginBrokenOff(Exception):  # noqa: N818 - what happened, never raised
    """The broker ended the connection during the login.

    It does so right behind its refusal, which the client then has no eyes for.
    """


class WatchedManager(WideManager):
    """The client's connections, of which the last faults are kept.

    The client itself only ever says that it has found no broker.
    """

    cluster: ClusterMetadata

    def __init__(self, *arguments: Any, **configs: Any) -> None:
        self.faults: list[BaseException] = []
        super().__init__(*arguments, **configs)

    async def _connect(self, node: Any, conn: Any, *arguments: Any, **options: Any) -> None:
        conn.close_future.add_errback(self._keep)
        login = conn._sasl_authenticate  # noqa: SLF001 - the client has no other word for it

        async def watched(timeout_at: float) -> None:
            try:
                await login(timeout_at)
            except KafkaConnectionError as fault:
                self._keep(LoginBrokenOff(str(fault)))
                raise

        conn._sasl_authenticate = watched  # noqa: SLF001
        await super()._connect(node, conn, *arguments, **options)

    def _keep(self, fault: BaseException) -> None:
        self.faults = [*self.faults[1 - _KEPT :], fault]


def telling(faults: Iterable[BaseException], connection: KafkaConnection) -> BaseException | None:
    """Of several faults the newest that says something; None when none does."""
    return next((each for each in [*faults][::-1] if meaning(each, connection)), None)


def meaning(fault: BaseException, connection: KafkaConnection) -> str:
    """What a fault means and where to mend it; empty where nothing can be said."""
    if isinstance(fault, (SaslAuthenticationFailedError, LoginBrokenOff)):
        return "the login was refused: security.sasl.username and password"
    if isinstance(fault, UnsupportedSaslMechanismError):
        return "the broker has no such login: security.sasl.mechanism"
    said = str(fault)
    tls = connection.security.tls
    if _ASKED_FOR.search(said):
        return _WANTED if tls is None or tls.cert_file is None else _REFUSED
    return next((means for pattern, means in _MEANINGS if re.search(pattern, said)), "")


def explained(fault: BaseException, connection: KafkaConnection) -> str:
    """``meaning (what was said)``, bounded."""
    said = " ".join(f"{type(fault).__name__}: {fault}".split())[:_QUOTED_CHARS]
    found = meaning(fault, connection)
    return f"{found} ({said})" if found else said
