"""The corpus of hostile records, for the decoder's tests and for end-to-end ones.

Small records stand byte for byte in ``corpus/<what becomes of it>/<name>.json``; what is too large
for a file is made here. Accepted ones happened at ``AT_MS``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
AT_MS = 1_795_309_200_000
"""2026-11-22T09:00:00+08:00, give or take a second."""
ACCEPTED = "accepted"
BY_TOPIC = {"not_allowed"}
"""Decided by where a record stands, not by what it holds: tests/security."""
BY_WATERMARK = frozenset({"from_the_future", "too_late"})
"""Well-formed: the decoder takes them, the watermark refuses them."""


@dataclass(frozen=True)
class Hostile:
    """A record and what must become of it."""

    name: str
    value: bytes
    expected: str
    """A reason of ``REJECT_REASONS``, or ``ACCEPTED``."""

    @property
    def decodes(self) -> bool:
        return self.expected == ACCEPTED or self.expected in BY_WATERMARK


def good(number: int, *, at_ms: int = AT_MS, **fields: object) -> bytes:
    """A plain good record, to stand around the hostile ones."""
    body = {"id": f"good-{number}", "type": "call.ended", "time": at_ms, "talk_s": 12.5, **fields}
    return json.dumps(body).encode()


def _large() -> list[Hostile]:
    start = b'{"id":"h-large","type":"call.ended","time":1795309200000'
    brackets = 200_000
    return [
        Hostile("ten_megabytes", start + b',"z":"' + b"z" * 10_000_000 + b'"}', "too_large"),
        Hostile("ten_megabytes_of_nothing", b" " * 10_000_000, "too_large"),
        Hostile("one_byte_too_large", (start + b"}").ljust(1_000_001), "too_large"),
        Hostile("as_large_as_allowed", (start + b"}").ljust(1_000_000), ACCEPTED),
        Hostile(
            "deep_arrays", start + b',"z":' + b"[" * brackets + b"]" * brackets + b"}", "too_deep"
        ),
        Hostile("deep_objects", b'{"a":' * brackets, "too_deep"),
        Hostile("deep_and_never_closed", b"[" * 900_000, "too_deep"),
        Hostile(
            "deep_past_the_strict_parser",
            start + b',"z":' + b"[" * 1_200 + b"]" * 1_200 + b"}",
            "too_deep",
        ),
        Hostile("endless_integer_time", start[:-13] + b"9" * 100_000 + b"}", "out_of_range"),
        Hostile("endless_fraction", start + b',"talk_s":0.' + b"1" * 500_000 + b"}", ACCEPTED),
        Hostile("endless_exponent", start + b',"talk_s":1e' + b"9" * 10_000 + b"}", "not_finite"),
        Hostile(
            "many_keys",
            start + b"".join(b',"k%d":%d' % (i, i) for i in range(50_000)) + b"}",
            ACCEPTED,
        ),
        Hostile("many_duplicates", start + b',"agent":"a"' * 50_000 + b"}", ACCEPTED),
        Hostile(
            "backslashes", start + b',"agent":"' + b"\\\\" * 400_000 + b'"}', "over_long_string"
        ),
        Hostile("colons", start + b',"z":"' + b" : " * 300_000 + b'"}', ACCEPTED),
    ]


def corpus() -> list[Hostile]:
    """Every hostile record, in a fixed order; over a hundred, some of several megabytes."""
    small = [
        Hostile(path.stem, path.read_bytes(), path.parent.name)
        for path in sorted(CORPUS.glob("*/*.json"))
    ]
    return small + _large()
