"""The two readings agree: what the columns accept, the strict decoder accepts with equal values."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.catalogue import EVENT_TYPES, FIELDS, FieldType, Kind, columns_for
from monitor.events.columns import ROW, ColumnDecoder
from monitor.events.settings import RecordLimits
from monitor.events.strict import Fault, StrictDecoder
from tests.events.hostile import corpus, good
from tests.events.plain import plain

pytestmark = pytest.mark.untraced

LIMITS = RecordLimits(record_bytes="2kB", depth=5, string_chars=40, key_chars=20)
COLUMNS = columns_for(FIELDS)
TYPES = frozenset(EVENT_TYPES) - {"deal.lost"}
FAST = ColumnDecoder(COLUMNS, TYPES, LIMITS)
STRICT = StrictDecoder(COLUMNS, TYPES, LIMITS)


def check(records: Sequence[bytes]) -> int:
    """Hold the promise for a batch; returns how many the columns accepted."""
    read = FAST.decode(records)
    frame, left = plain(read), read.left
    rows = frame[ROW].to_list()
    assert sorted([*rows, *left.tolist()]) == list(range(len(records)))
    for row, *values in frame.iter_rows():
        verdict = STRICT.decode(records[row])
        assert not isinstance(verdict, Fault), (records[row], verdict)
        # repr tells -0.0 from 0.0 and 1 from 1.0.
        assert repr(verdict) == repr(tuple(values)), records[row]
    return len(rows)


TIMES = (
    '"2026-11-22T09:00:00+08:00"',
    '"2026-11-22T01:00:00.5Z"',
    '"2026-11-22T01:00:00.1234567890Z"',
    '"2026-02-30T01:00:00Z"',
    '"2026-11-22T01:00:60Z"',
    '"2026-11-22T24:00:00Z"',
    '"2000-01-01T07:59:59.999+08:00"',
    '"2000-01-01T08:00:00+08:00"',
    '"2099-12-31T23:59:59.999Z"',
    '"2100-01-01T00:00:00Z"',
    '"1795309200000"',
    "1795309200000",
    "946684799999",
    "946684800000",
    "4102444799999",
    "4102444800000",
    "1795309200000.0",
    "1.7953092e12",
    "-1795309200000",
    "17953092000000",
)
ODD = (
    "null", "true", "false", "0", "1", "-0", "-0.0", "1.0", "2e2", "1e999", "NaN", "01", "-1",
    "86400", "86400.1", "5", "5.0001", "1000", "9223372036854775807", "9223372036854775808",
    "9" * 45, "1e-400", "0.1", "[]", "{}", '[{"id":1}]', '""', '"1"', '"true"', '"answered"',
    '"a"', '"a\\u0000"', '"\\u001f"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u738b"', '"a\\nb"',
    '"\\/"', '"\\""', '"\\\\"', '" : "', '"{["', '"王芳王芳王芳王芳王芳王芳"', '"' + "a" * 20 + '"',
    '"' + "a" * 21 + '"', '"' + "王" * 20 + '"', '"' + "a" * 41 + '"', "[[[[1]]]]", "[[[[[1]]]]]",
)  # fmt: skip
SPACES = ("", "", "", " ", "  ", "\t", "\r", " \t ")


def fitting(field: FieldType) -> st.SearchStrategy[str]:
    """JSON text that fits the field, mostly."""
    if field.values:
        return st.sampled_from([f'"{value}"' for value in field.values])
    if field.kind is Kind.TIME:
        return st.sampled_from(TIMES)
    if field.kind is Kind.BOOL:
        return st.sampled_from(["true", "false"])
    if field.kind is Kind.INT:
        return st.integers(int(field.low), int(field.high)).map(str)
    if field.is_ranged:
        return st.floats(field.low, field.high).map(repr)
    return st.text(max_size=12).map(lambda text: json.dumps(text, ensure_ascii=False))


@st.composite
def pairs(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(("id", "type", "time", "specversion", "data", "zzz", *FIELDS)))
    key = f'"{name}"'
    if draw(st.integers(0, 20)) == 0:
        at = draw(st.integers(0, len(name) - 1))
        key = f'"{name[:at]}\\u{ord(name[at]):04x}{name[at + 1 :]}"'
    known = name in FIELDS and draw(st.integers(0, 3)) > 0
    value = draw(fitting(FIELDS[name]) if known else st.sampled_from(TIMES + ODD))
    before, after = draw(st.sampled_from(SPACES)), draw(st.sampled_from(SPACES))
    return f"{key}{before}:{after}{value}"


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Mostly whole records with odd fields, in any order, some keys twice."""
    kind = draw(st.sampled_from(["call.ended", "deal.lost", "zzz.happened", "call.rated"]))
    body = [
        f'"id":"h-{draw(st.integers(0, 99))}"',
        f'"type":"{kind}"',
        f'"time":{draw(st.sampled_from(TIMES[:2] + TIMES[11:12]) | st.sampled_from(TIMES))}',
        *draw(st.lists(pairs(), max_size=5)),
    ]
    order = draw(st.permutations(body)) if draw(st.booleans()) else body
    text = draw(st.sampled_from(SPACES)) + "{" + ",".join(order) + "}"
    return (text + draw(st.sampled_from(SPACES))).encode("utf-8", "surrogatepass")


@settings(max_examples=200, deadline=None)
@given(st.lists(records(), min_size=1, max_size=3))
def test_odd_records_in_batches(batch: list[bytes]) -> None:
    check(batch)


@settings(max_examples=100, deadline=None)
@given(st.lists(records(), min_size=1, max_size=2), st.randoms(use_true_random=False))
def test_torn_records(batch: list[bytes], chance: random.Random) -> None:
    check([mangle(record, chance) for record in batch])


PIECES = [bytes([byte]) for byte in b'"\\:,{}[] \t\r\n0159-+.eEntf\x00\x1f\x7f\x80\xc3\xff'] + [
    b'"id":', b'"agent":1', b"null", b"\\u", b"\\ud8", b"\xef\xbb\xbf", b"\n\n", b"//", b'"time":',
]  # fmt: skip


def mangle(record: bytes, chance: random.Random) -> bytes:
    """A few bytes put in, left out or exchanged."""
    data = bytearray(record)
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(data))
        data[at : at + chance.choice((0, 0, 1, 1, 4))] = chance.choice(PIECES)
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_many_torn_records_of_the_corpus(seed: int) -> None:
    chance = random.Random(seed)
    pool = [one.value for one in corpus() if len(one.value) < 2_000]
    pool += [
        good(number, agent=f"a-{number}", outcome="answered", need_captured=True, score=4)
        for number in range(len(pool))
    ]
    batch = [mangle(chance.choice(pool), chance) for _ in range(400)]
    batch += [chance.choice(pool) for _ in range(400)]
    chance.shuffle(batch)
    # In twos: one that polars refuses takes its neighbours along to the strict decoder.
    assert sum(check(batch[at : at + 2]) for at in range(0, len(batch), 2)) > 100


def test_good_records_do_not_need_the_strict_decoder() -> None:
    """Otherwise agreement would be cheap to have and dear to run."""
    batch = [good(number, agent=f"王-{number}", at_ms=1_795_309_200_000) for number in range(500)]
    batch += [
        good(number, customer="+8613912345678", outcome="busy").replace(
            b"1795309200000", b'"2026-11-22T09:00:00.250+08:00"'
        )
        for number in range(500)
    ]
    assert check(batch) == 1_000


@pytest.mark.parametrize("keys", [31, 32, 33, 64, 200])
def test_the_first_of_duplicate_keys_wins_in_large_records(keys: int) -> None:
    """A hash map takes over in polars' parser past 32 keys."""
    filler = ",".join(f'"k{index}":{index}' for index in range(keys))
    record = (
        f'{{"id":"h","type":"call.ended","time":1795309200000,"agent":"first",{filler},'
        '"agent":"second"}'
    ).encode()
    limits = RecordLimits(record_bytes="100kB")
    frame = plain(ColumnDecoder(COLUMNS, TYPES, limits).decode([record] * 50))
    assert frame["agent"].to_list() == ["first"] * 50
    verdict = StrictDecoder(COLUMNS, TYPES, limits).decode(record)
    assert not isinstance(verdict, Fault)
    assert "first" in verdict
