"""Where a request comes from: which address, and which page.

Owns what headers are believed. A request that a browser sends because another site says so is told
by ``Sec-Fetch-Site``, and where a browser does not send that, by ``Origin``.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import MutableMapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final
from urllib.parse import parse_qsl

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FORM: Final = "application/x-www-form-urlencoded"
_FORM_FIELDS_MAX: Final = 50
_HOPS_MAX: Final = 20
_V6_SITE_BITS: Final = 64

Scope = MutableMapping[str, Any]


def header(scope: Scope, name: bytes) -> str:
    """The one header of that name; none, or several, are none."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def address_of(scope: Scope, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """Where a request comes from: the last hop that is no proxy of ours."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    hops = [
        hop.strip()
        for key, value in scope["headers"]
        if key == b"x-forwarded-for"
        for hop in value.decode("latin-1").split(",")
    ][-_HOPS_MAX:]
    while hops and _within(address, proxies):
        try:
            address = str(ipaddress.ip_address(hops.pop()))
        except ValueError:
            break  # whoever wrote that is the last one we know
    return address


def site_of(address: str) -> str:
    """What counts as one address: of IPv6, the 64 bits that one customer of a provider has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], _V6_SITE_BITS), strict=False))


def from_elsewhere(scope: Scope, public_url: str | None) -> bool:
    """Whether another site's page sent it, or a browser that does not say."""
    said = header(scope, b"sec-fetch-site")  # no page can set it
    if said:
        return said != "same-origin"
    own = public_url or f"{scope.get('scheme', 'http')}://{header(scope, b'host').lower()}"
    return header(scope, b"origin").lower() != own


def brings(scope: Scope, body: bytes, token: str) -> bool:
    """Whether it brings the token along, as a header or as a field of the form."""
    shown = header(scope, b"x-csrf-token") or form_of(scope, body).get("csrf_token", "")
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode()) and bool(token)


def form_of(scope: Scope, body: bytes) -> dict[str, str]:
    """The fields of a form; empty when it is none."""
    if header(scope, b"content-type").partition(";")[0].strip().lower() != FORM:
        return {}
    try:
        text = body.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS_MAX))
    except ValueError:
        return {}


def local_path(path: str, otherwise: str) -> str:
    """``path``, when it is one of this server and no way out of it."""
    fine = (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and path.isprintable()
        and path.isascii()
        and "\\" not in path
        and len(path) <= 2_000
    )
    return path if fine else otherwise


def _within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)
