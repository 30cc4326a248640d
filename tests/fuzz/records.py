"""Mutated records, each a function of (seed, number), and what must hold of every one.

Owns the mutations and the check: no record raises, the fast and the strict reading agree on what
both accept, and the whole decoder comes to the same verdicts however the records are batched.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np

from monitor.events.batch import REJECT_REASONS
from monitor.events.catalogue import EVENT_TYPES, FIELDS, Kind, columns_for
from monitor.events.columns import ROW, ColumnDecoder
from monitor.events.decode import Decoder
from monitor.events.settings import EventSettings, RecordLimits
from monitor.events.strict import Fault, StrictDecoder
from monitor.source.base import Fetched, Partition
from tests.events.hostile import AT_MS, corpus
from tests.events.plain import plain

CHUNK = 1_000
"""Records that go through the whole decoder together."""
_LIMITS = RecordLimits(record_bytes="8kB", depth=8, string_chars=60, key_chars=40)
_TYPES = frozenset(EVENT_TYPES) - {"deal.lost"}
_FIELDS = frozenset(FIELDS)
_COLUMNS = columns_for(_FIELDS)
_FAST = ColumnDecoder(_COLUMNS, _TYPES, _LIMITS)
_STRICT = StrictDecoder(_COLUMNS, _TYPES, _LIMITS)
_BATCH = {"accepted": 50, "refused": 25, "torn": 250}
"""A record that polars refuses takes its neighbours along: small batches show it more of them, and
most where the question is whether it takes what the strict reading refuses."""

Mutation = Callable[[bytes, random.Random], bytes]

_PIECES = [bytes([byte]) for byte in b'"\\:,{}[] \t\r\n0159-+.eEntf\x00\x1f\x7f\x80\xc3\xff'] + [
    b'"id":', b'"agent":1', b"null", b"\\u", b"\\ud8", b"\xef\xbb\xbf", b"\n\n", b"//", b'"time":',
]  # fmt: skip
_UNICODE = (
    "\\ud800", "\\udc00\\ud800", "\\ud83d\\ude00", "\\u0000", "\u202e", "\ufeff", "\u0301", "王芳",
    "😀", "\u2028", "\u0085", "\x7f", "\\u001f", "ß", "\ufffd", "\U0010ffff", "\u200d", "\u00a0",
)  # fmt: skip
_NUMBERS = (
    "0", "-0", "-0.0", "1.0", "2e2", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "01", "+1",
    ".5", "5.", "0x10", "1_000", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809",
    "1e-400", "86400", "86400.1", "5.0001", "1e308", "1e309", "9" * 45, "0." + "3" * 60, "1E5",
    "null",
    "true", '"1"', "1795309200000.0", "18446744073709551616",
)  # fmt: skip
_TIMES = (
    '"2026-11-22T09:00:00+08:00"', '"2026-11-22T01:00:00.5Z"', '"2026-11-22T01:00:00.1234567890Z"',
    '"2026-02-30T01:00:00Z"', '"2026-11-22T01:00:60Z"', '"2026-11-22T24:00:00Z"', '"2026-11-22"',
    '"2026-11-22T01:00:00"', '"2026-11-22t01:00:00z"', '"2026-11-22 01:00:00Z"',
    '"2026-11-22T01:00:00+99:99"', '"1999-12-31T23:59:59.999Z"', '"2000-01-01T00:00:00Z"',
    '"2099-12-31T23:59:59.999Z"', '"2100-01-01T00:00:00Z"', '"٢٠٢٦-11-22T01:00:00Z"',
    "946684800000",
    "946684799999", "4102444799999", "4102444800000", "1795309200000", '"1795309200000"', "-1",
    "1e12",
    '" 2026-11-22T01:00:00Z"', '"2026-11-22T01:00:00Z "', '"2026-W47-7T01:00:00Z"', "[]", '""',
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, "", " ", "1", "a" * 40, "a" * 41, "王" * 40, "a" * 61, [],
    {}, [[]],
    {"id": 1}, [{"a": [1]}], "answered", "call.ended", 2**63, -(2**63), 1e300, "a\nb", "\x1f",
    ' " : ',
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_TIME = re.compile(rb'"(?:time|started_at|answered_at)":("[^"]*"|[^,}]*)')


@cache
def pool() -> tuple[bytes, ...]:
    """What is mutated: the small hostile records, and a whole record of each type."""
    hostile = [one.value for one in corpus() if len(one.value) < 2_000]
    return (*hostile, *(_whole(name, n) for n in range(2) for name in EVENT_TYPES))


def make(seed: int, number: int) -> bytes:
    """Record ``number`` of ``seed``."""
    chance = random.Random(f"records {seed} {number}")
    record = chance.choice(pool())
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        (mutate,) = chance.choices(_MUTATIONS, cum_weights=_WEIGHTS)
        record = mutate(record, chance)
    return record


def check(records: Sequence[bytes]) -> int:
    """Hold the promises for one chunk; returns how many the fast reading took.

    Raises:
        AssertionError: a promise is broken; the record is in the text.
    """
    verdicts = [_STRICT.decode(record) for record in records]
    alike: dict[str, list[int]] = {kind: [] for kind in _BATCH}
    for at, (record, verdict) in enumerate(zip(records, verdicts, strict=True)):
        alike[_kind(record, verdict)].append(at)
    fast = 0
    for kind, places in alike.items():
        for begin in range(0, len(places), _BATCH[kind]):
            few = places[begin : begin + _BATCH[kind]]
            fast += _agree([records[at] for at in few], [verdicts[at] for at in few])
    _whole_decoder(records, verdicts)
    return fast


def _kind(record: bytes, verdict: object) -> str:
    if not isinstance(verdict, Fault):
        return "accepted"
    try:
        msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "torn"
    return "refused"


def _agree(records: Sequence[bytes], verdicts: Sequence[Any]) -> int:
    read = _FAST.decode(records)
    frame, left = plain(read), read.left
    rows = frame[ROW].to_list()
    assert sorted([*rows, *left.tolist()]) == list(range(len(records))), records
    for row, *values in frame.iter_rows():
        verdict = verdicts[row]
        assert not isinstance(verdict, Fault), (records[row], verdict)
        # repr tells -0.0 from 0.0 and 1 from 1.0.
        assert repr(verdict) == repr(tuple(values)), records[row]
    return len(rows)


def _whole_decoder(records: Sequence[bytes], verdicts: Sequence[Any]) -> None:
    """A decoder made anew each time: what it remembers of numbers must not matter either."""
    decoder = Decoder(_FIELDS, _TYPES, EventSettings(limits=_LIMITS))
    offsets = np.arange(len(records))
    fetched = Fetched(
        Partition("fuzz", 0),
        offsets=offsets,
        timestamps=np.full(len(records), AT_MS),
        append_time=False,
        values=list(records),
        next_position=len(records),
    )
    decoded = decoder.decode(fetched)
    refused = {reject.offset: reject for reject in decoded.rejects}
    accepted = dict(
        zip(decoded.frame["offset"].to_list(), decoded.frame.iter_rows(named=True), strict=True)
    )
    assert len(refused) + len(accepted) == len(records)
    for offset, (record, verdict) in enumerate(zip(records, verdicts, strict=True)):
        if isinstance(verdict, Fault):
            reject = refused[offset]
            assert (reject.reason, reject.value) == (verdict.reason, record), record
            assert reject.reason in REJECT_REASONS
        else:
            row = accepted[offset]
            assert (row["id"], row["type"], row["time"]) == verdict[:3], record
            for column, value in zip(_COLUMNS, verdict[3:], strict=True):
                if column.name not in {"number", "customer"}:  # made E.164 afterwards
                    assert repr(row[column.name]) == repr(value), record


def _whole(name: str, number: int) -> bytes:
    """A good record of a type with every field it has."""
    fields = ("number", "customer", "agent", "group", "team", "campaign", *EVENT_TYPES[name].fields)
    body: dict[str, Any] = {"id": f"f-{number}", "type": name, "time": AT_MS + number}
    for field in fields:
        kind = FIELDS[field]
        value: Any = f"{field}-{number}"
        if kind.values:
            value = kind.values[number % len(kind.values)]
        elif kind.kind is Kind.TIME:
            value = "2026-11-22T09:00:00.250+08:00" if number else AT_MS
        elif kind.kind is Kind.BOOL:
            value = bool(number)
        elif kind.is_ranged:
            value = int(kind.low) + 1
        body[field] = value
    body |= {"number": "+862150000001", "customer": "139 1234 5678"} if number else {}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


# Mutations: bytes in, bytes out, never an error.


def _bytes(record: bytes, chance: random.Random) -> bytes:
    data = bytearray(record)
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(data))
        data[at : at + chance.choice((0, 0, 1, 1, 4))] = chance.choice(_PIECES)
    return bytes(data)


def _bits(record: bytes, chance: random.Random) -> bytes:
    data = bytearray(record)
    for _ in range(chance.randint(1, 4) if data else 0):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _splice(record: bytes, chance: random.Random) -> bytes:
    other = chance.choice(pool())
    return record[: chance.randint(0, len(record))] + other[chance.randint(0, len(other)) :]


def _unicode(record: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(record))
    return record[:at] + chance.choice(_UNICODE).encode() + record[at:]


def _number(record: bytes, chance: random.Random) -> bytes:
    found = list(_NUMBER.finditer(record))
    if not found:
        return record
    spot = chance.choice(found)
    return record[: spot.start()] + chance.choice(_NUMBERS).encode() + record[spot.end() :]


def _time(record: bytes, chance: random.Random) -> bytes:
    found = list(_TIME.finditer(record))
    if not found:
        return record
    spot = chance.choice(found)
    return record[: spot.start(1)] + chance.choice(_TIMES).encode() + record[spot.end(1) :]


def _structure(record: bytes, chance: random.Random) -> bytes:
    """Another value, key or order; a key twice; a CloudEvent around it."""
    try:
        body = json.loads(record)
    except (ValueError, RecursionError):
        return record
    if not isinstance(body, dict) or not body:
        return record
    pairs = list(body.items())
    at = chance.randrange(len(pairs))
    key, value = pairs[at]
    match chance.randrange(7):
        case 0:
            pairs[at] = (key, chance.choice(_ODD))
        case 1:
            pairs.insert(chance.randint(0, len(pairs)), (key, chance.choice(_ODD)))
        case 2:
            pairs[at] = (chance.choice((*FIELDS, "specversion", "data", "", "Id", " id")), value)
        case 3:
            del pairs[at]
        case 4:
            chance.shuffle(pairs)
        case 5:
            moved = dict(pairs[at:])
            pairs = [*pairs[:at], ("specversion", "1.0"), ("data", moved)]
        case _:
            pairs.append((chance.choice(list(FIELDS)), chance.choice(_ODD)))
    ascii_only, spaced = chance.random() < 0.5, chance.random() < 0.2
    colon = chance.choice((": ", " : ", ":\t")) if spaced else ":"
    shown = (f"{json.dumps(k)}{colon}{json.dumps(v, ensure_ascii=ascii_only)}" for k, v in pairs)
    return ("{" + ",".join(shown) + "}").encode("utf-8", "surrogatepass")


def _nesting(record: bytes, chance: random.Random) -> bytes:
    """Deeper, about where the limit is or far beyond it; sometimes never closed."""
    deep = chance.choice((1, 6, 7, 8, 9, 40, 1_500))
    start, end = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    closing = end * (deep if chance.random() < 0.9 else deep - 1)
    inner = start * deep + b"1" + closing
    if record.startswith(b"{") and chance.random() < 0.8:
        return b'{"z":' + inner + b"," + record[1:]
    return start * deep + record + closing


_MUTATIONS: tuple[Mutation, ...] = (
    _bytes, _bits, _splice, _unicode, _number, _time, _structure, _nesting,
)  # fmt: skip
_WEIGHTS = tuple(accumulate((3, 1, 1, 3, 4, 3, 6, 1)))
