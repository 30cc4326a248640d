"""Signatures: published examples, and everything that is none."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from pydantic import TypeAdapter

from monitor.errors import UsageError
from monitor.ingest.settings import Receiver
from monitor.ingest.signature import Post, Verifier, verifier

SECRET = "12345-not-a-secret"
WHATSAPP = {"kind": "whatsapp", "secret": {"value": SECRET}, "verify_token": {"value": "agreed-on"}}


def made(**settings: Any) -> Verifier:
    receiver: Receiver = TypeAdapter[Receiver](Receiver).validate_python(settings)
    return verifier(receiver, "ingest.receivers.it")


def signed_hex(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_twilios_own_example() -> None:
    """From Twilio's documentation of request validation."""
    url = "https://mycompany.com/myapp.php"
    twilio = made(kind="twilio", secret={"value": "12345678"}, url=url)
    form = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ]
    text = f"{url}?foo=1&bar=2" + "".join(name + value for name, value in form)
    signature = base64.b64encode(hmac.new(b"12345678", text.encode(), hashlib.sha1).digest())
    headers = {"x-twilio-signature": signature.decode()}
    assert twilio.is_signed(Post(b"", headers, "foo=1&bar=2", form))
    assert twilio.is_signed(Post(b"", headers, "foo=1&bar=2", form[::-1]))
    assert not twilio.is_signed(Post(b"", headers, "foo=1", form))
    assert not twilio.is_signed(Post(b"", headers, "foo=1&bar=2", [*form, ("More", "1")]))
    assert not twilio.is_signed(Post(b"", {}, "foo=1&bar=2", form))


def test_twilio_signs_the_digest_of_json() -> None:
    url, body = "https://example.com/ingest/twilio", b'{"a": 1}'
    twilio = made(kind="twilio", secret={"value": SECRET}, url=url)
    query = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
    digest = hmac.new(SECRET.encode(), f"{url}?{query}".encode(), hashlib.sha1).digest()
    headers = {"x-twilio-signature": base64.b64encode(digest).decode()}
    assert twilio.is_signed(Post(body, headers, query))
    assert not twilio.is_signed(Post(b'{"a": 2}', headers, query))
    assert not twilio.is_signed(Post(body, headers, ""))


def test_meta_signs_the_body() -> None:
    whatsapp = made(**WHATSAPP)
    body = b'{"name": "\\u4f60"}'
    headers = {"x-hub-signature-256": f"sha256={signed_hex(body)}"}
    assert whatsapp.is_signed(Post(body, headers, ""))
    assert not whatsapp.is_signed(Post(body + b" ", headers, ""))
    for wrong in ("", signed_hex(body), "sha256=", "sha256=\udcff", "sha1=abc"):
        assert not whatsapp.is_signed(Post(body, {"x-hub-signature-256": wrong}, ""))


@pytest.mark.parametrize(
    ("encoding", "prefix"), [("hex", ""), ("base64", "v1="), ("hex", "sha256=")]
)
def test_others_sign_as_they_are_configured(encoding: str, prefix: str) -> None:
    other = made(
        kind="hmac", secret={"value": SECRET}, header="X-Mine", prefix=prefix, encoding=encoding
    )
    digest = hmac.new(SECRET.encode(), b"body", hashlib.sha256).digest()
    written = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    assert other.is_signed(Post(b"body", {"x-mine": prefix + written}, ""))
    assert not other.is_signed(Post(b"body", {"x-mine": "x" + prefix + written}, ""))
    assert not other.is_signed(Post(b"body", {"x-signature": prefix + written}, ""))


def test_a_short_secret_is_none() -> None:
    with pytest.raises(UsageError, match=r"ingest.receivers.it.secret: it must have at least 8"):
        made(kind="hmac", secret={"value": "short"})
