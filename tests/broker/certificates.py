"""Certificates for tests, by openssl: an authority, a broker's, and clients' good and bad.

Owns the files alone; who is given which is the tests' business. All are PEM, keys PKCS #8.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY_PASSWORD = "only-for-tests"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path

    def tls(self) -> dict[str, str]:
        """As ``security.tls`` names them."""
        return {"cert_file": str(self.certificate), "key_file": str(self.key)}


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._made = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        _new_key(self._made.key)
        subject = ["-subj", f"/CN={name}", "-days", "2"]
        _openssl(
            "req", "-x509", "-key", str(self._made.key), "-out", str(self.certificate), *subject
        )

    @property
    def certificate(self) -> Path:
        """What is to be trusted."""
        return self._made.certificate

    def issue(self, name: str, *, names: str = "", days: int = 2) -> Pair:
        """A certificate for ``name``; ``days`` below 0: expired; ``names``: subjectAltName."""
        made = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        _new_key(made.key)
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        _openssl("req", "-new", "-key", str(made.key), "-out", str(request), "-subj", f"/CN={name}")
        extensions.write_text(f"subjectAltName={names}\n" if names else "")
        signer = ["-CA", str(self.certificate), "-CAkey", str(self._made.key), "-CAcreateserial"]
        out = ["-out", str(made.certificate), "-extfile", str(extensions), "-days", str(days)]
        _openssl("x509", "-req", "-in", str(request), *signer, *out)
        return made


def encrypted(pair: Pair) -> Pair:
    """The same pair, its key under :data:`KEY_PASSWORD`."""
    key = pair.key.with_suffix(".encrypted.key")
    password = ["-passout", f"pass:{KEY_PASSWORD}"]
    _openssl("pkcs8", "-topk8", "-in", str(pair.key), "-out", str(key), *password)
    return Pair(pair.certificate, key)


def _new_key(path: Path) -> None:
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    _openssl("genpkey", *curve, "-out", str(path))


def _openssl(*arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
