"""Answers that are large, or asked for again and again: compressed, and not sent twice.

Owns gzip and entity tags. What is compressed holds nothing secret beside what the caller sent, so
that its length tells a stranger nothing (BREACH).
"""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

from fastapi import Request, Response

from monitor.exporter.pages import GZIP_BYTES_MIN, accepts_gzip

_LEVEL = 4
JSON = "application/json"


def tag(*parts: object) -> str:
    """A weak entity tag of what an answer depends on."""
    told = "\x1f".join(map(str, parts))
    return f'W/"{hashlib.blake2b(told.encode(), digest_size=9).hexdigest()}"'


def unchanged(request: Request, etag: str) -> Response | None:
    """The whole answer, where the caller has it already."""
    shown = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if etag in shown:
        return Response(status_code=304, headers=_headers(etag))
    return None


def packed(
    request: Request, content: Any, *, etag: str = "", media_type: str = JSON, status: int = 200
) -> Response:
    """The answer; ``content``: bytes, text, or what becomes JSON."""
    if isinstance(content, bytes):
        body = content
    elif isinstance(content, str):
        body = content.encode()
    else:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    headers = _headers(etag) if etag else {}
    headers["vary"] = "Accept-Encoding"
    if len(body) >= GZIP_BYTES_MIN and accepts_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, _LEVEL, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(body, status, headers=headers, media_type=media_type)


def _headers(etag: str) -> dict[str, str]:
    return {"etag": etag, "cache-control": "private, no-cache"}
