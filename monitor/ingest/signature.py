"""Whether a webhook comes from whom it says: signatures, as each sender makes them.

Owns the comparison; it takes as long for every signature, right or wrong. Secrets are read once,
at the start.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

from monitor.errors import UsageError
from monitor.ingest.settings import HmacReceiver, Receiver, TwilioReceiver, WhatsAppReceiver
from monitor.secret import Secret

SECRET_CHARS_MIN = 8
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Post:
    """A request, as far as a signature may cover it."""

    body: bytes
    headers: Mapping[str, str]
    """By name in small letters."""
    query: str
    """As it was sent."""
    form: Sequence[tuple[str, str]] = ()
    """The fields of a form, in their order; of anything else none."""


class Verifier(Protocol):
    """Knows one sender."""

    def is_signed(self, post: Post) -> bool:
        """Whether the sender signed it."""
        ...


class WhatsApp:
    """``X-Hub-Signature-256``; and the token that Meta shows once."""

    def __init__(self, settings: WhatsAppReceiver, place: str) -> None:
        self._key = _revealed(settings.secret, f"{place}.secret")
        self._token = _revealed(settings.verify_token, f"{place}.verify_token")

    def is_signed(self, post: Post) -> bool:
        """Whether Meta signed the body."""
        wanted = f"sha256={hmac.new(self._key, post.body, hashlib.sha256).hexdigest()}"
        return _same(wanted, post.headers.get("x-hub-signature-256", ""))

    def is_verified(self, token: str) -> bool:
        """Whether ``token`` is the one that was agreed."""
        return hmac.compare_digest(self._token, token.encode("utf-8", "surrogateescape"))


class Twilio:
    """``X-Twilio-Signature``: over the address and the form, or over the digest of a JSON body."""

    def __init__(self, settings: TwilioReceiver, place: str) -> None:
        self._key = _revealed(settings.secret, f"{place}.secret")
        self._url = settings.url

    def is_signed(self, post: Post) -> bool:
        """Whether Twilio signed it."""
        url = f"{self._url}?{post.query}" if post.query else self._url
        signed = url + "".join(f"{name}{value}" for name, value in sorted(set(post.form)))
        digest = hmac.new(self._key, signed.encode("utf-8", "surrogateescape"), hashlib.sha1)
        wanted = base64.b64encode(digest.digest()).decode()
        by_address = _same(wanted, post.headers.get("x-twilio-signature", ""))
        if post.form:
            return by_address
        said = dict(parse_qsl(post.query, max_num_fields=100)).get("bodySHA256", "")
        return _same(hashlib.sha256(post.body).hexdigest(), said.lower()) and by_address


class Hmac:
    """HMAC-SHA-256 of the body in a header."""

    def __init__(self, settings: HmacReceiver, place: str) -> None:
        self._key = _revealed(settings.secret, f"{place}.secret")
        self._settings = settings

    def is_signed(self, post: Post) -> bool:
        """Whether whoever has the key signed the body."""
        digest = hmac.new(self._key, post.body, hashlib.sha256).digest()
        in_hex = self._settings.encoding == "hex"
        written = digest.hex() if in_hex else base64.b64encode(digest).decode()
        shown = post.headers.get(self._settings.header.lower(), "")
        return _same(self._settings.prefix + written, shown)


def verifier(settings: Receiver, place: str) -> Verifier:
    """Who checks for a receiver; ``place`` is where its settings stand, for errors.

    Raises:
        SecretError: a secret is not where the configuration says.
        UsageError: it is too short to be one.
    """
    match settings:
        case WhatsAppReceiver():
            return WhatsApp(settings, place)
        case TwilioReceiver():
            return Twilio(settings, place)
        case HmacReceiver():
            return Hmac(settings, place)


def _revealed(secret: Secret, place: str) -> bytes:
    text = secret.reveal().strip()
    if len(text) < SECRET_CHARS_MIN:
        msg = f"{place}: it must have at least {SECRET_CHARS_MIN} characters"
        raise UsageError(msg)
    return text.encode()


def _same(wanted: str, shown: str) -> bool:
    return hmac.compare_digest(wanted.encode(), shown.encode("utf-8", "surrogateescape"))
