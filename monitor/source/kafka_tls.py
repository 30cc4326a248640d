"""The certificate files of a connection, looked at before the client is given them.

Owns that check alone: the client takes a file it cannot use for a broker that does not answer.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from monitor.errors import SourceError
from monitor.source.settings import Tls


def check_files(tls: Tls) -> None:
    """Read the certificate files as the client will.

    Raises:
        SourceError: a file is missing or unreadable, is no PEM, or key and certificate or key and
            password do not belong together; it names the setting.
        SecretError: ``key_password`` cannot be read.
    """
    for name in ("ca_file", "cert_file", "key_file"):
        path: Path | None = getattr(tls, name)
        if path is not None:
            _readable(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca_file is not None:
        try:
            context.load_verify_locations(tls.ca_file)
        except ssl.SSLError as fault:
            msg = f"security.tls.ca_file: {tls.ca_file} holds no certificate in PEM"
            raise SourceError(msg) from fault
    if tls.cert_file is not None:
        _check_own(context, tls)


def _check_own(context: ssl.SSLContext, tls: Tls) -> None:
    # Without one OpenSSL would ask at the terminal.
    password = "" if tls.key_password is None else tls.key_password.reveal()
    try:
        context.load_cert_chain(str(tls.cert_file), tls.key_file, password)
    except ssl.SSLError as fault:
        mismatch = fault.reason == "KEY_VALUES_MISMATCH"
        encrypted = "ENCRYPTED" in (tls.key_file or tls.cert_file or Path()).read_text("latin-1")
        if mismatch:
            text = "security.tls.key_file is not the key of cert_file"
        elif encrypted:
            text = "security.tls.key_password does not open key_file"
        else:
            text = "security.tls.cert_file and key_file: no certificate and key in PEM"
        raise SourceError(text) from fault


def _readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except FileNotFoundError as fault:
        msg = f"security.tls.{name}: there is no file {path}"
        raise SourceError(msg) from fault
    except OSError as fault:
        msg = f"security.tls.{name}: {path} cannot be read: {fault.strerror}"
        raise SourceError(msg) from fault
