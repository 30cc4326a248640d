"""Static files: each under a name that says what is in it, compressed once, kept by browsers.

Owns the names. A file that has changed has another name, so a browser never asks twice for one.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_IMPORT = re.compile(rb'(from\s+|import\s+)"\./([a-z-]+\.js)"')
_URL = re.compile(rb'url\("([a-z/.0-9-]+)"\)')
_KINDS = {
    ".woff2": "font/woff2",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_LICENCES = (".LICENSE",)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    packed: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them."""

    by_name: Mapping[str, Asset]
    """By the name with its hash."""
    names: Mapping[str, str]
    """That name by the file's own."""


@cache
def assets() -> Assets:
    """Read once."""
    root = files("monitor.console") / "static"
    found = dict(_walk(root, ""))
    names: dict[str, str] = {}
    made: dict[str, Asset] = {}

    def add(name: str) -> str:
        if name in names:
            return names[name]
        body = found[name]
        if name.endswith(".js"):  # what it imports has a name of its own
            body = _IMPORT.sub(
                lambda hit: hit[1] + b'"./' + add(hit[2].decode()).encode() + b'"', body
            )
        if name.endswith(".css"):
            body = _URL.sub(lambda hit: b'url("' + add(hit[1].decode()).encode() + b'")', body)
        stem, _, ending = name.rpartition("/")[2].rpartition(".")
        names[name] = f"{stem}.{hashlib.blake2b(body, digest_size=6).hexdigest()}.{ending}"
        made[names[name]] = Asset(body, gzip.compress(body, 9, mtime=0), _kind(name))
        return names[name]

    for name in sorted(found):
        add(name)
    return Assets(made, names)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif not entry.name.endswith(_LICENCES):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _kind(name: str) -> str:
    ending = name[name.rindex(".") :]
    guessed = _KINDS.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
