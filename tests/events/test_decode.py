"""The door: shapes, order, types in use, bounds."""

from __future__ import annotations

import gzip
import json
import zlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.events.batch import DIMENSIONS, Decoded
from monitor.events.decode import PARTED_MAX, Decoder
from monitor.events.settings import EventSettings
from monitor.source.base import Fetched, Partition
from tests.events.hostile import AT_MS, corpus, good


def decoder(fields: str = "talk_s", types: str = "call.ended", **more: object) -> Decoder:
    return Decoder(
        frozenset(fields.split()), frozenset(types.split()), EventSettings.model_validate(more)
    )


def decode(made: Decoder, *values: bytes | None, first: int = 0) -> Decoded:
    offsets = np.arange(first, first + len(values), dtype=np.int64)
    return made.decode(
        Fetched(Partition("calls", 0), offsets, offsets - 1, append_time=False, values=values,
                next_position=first + len(values))
    )  # fmt: skip


ODDLY = decoder()


def event(**fields: object) -> bytes:
    return json.dumps({"id": "e", "type": "call.ended", "time": AT_MS, **fields}).encode()


def test_columns_are_typed_and_in_order() -> None:
    decoded = decode(decoder("wrap_s auto started_at outcome sip_code"), good(1))
    text = dict.fromkeys(DIMENSIONS, pl.String)
    assert dict(decoded.frame.schema) == {
        "id": pl.String,
        "type": pl.String,
        "time": pl.Int64,
        "offset": pl.Int64,
        **text,
        "call_id": pl.String,
        "outcome": pl.String,
        "started_at": pl.Int64,
        "wrap_s": pl.Float64,
        "sip_code": pl.Int64,
        "auto": pl.Boolean,
    }
    assert list(decoded.frame.columns)[:4] == ["id", "type", "time", "offset"]
    assert list(decoded.frame.columns)[-5:] == [
        "outcome",
        "started_at",
        "wrap_s",
        "sip_code",
        "auto",
    ]


@pytest.mark.parametrize("values", [(), (None,), (None, None), (b"{",), (b"",)])
def test_batches_without_a_row_have_the_same_columns(values: tuple[bytes | None, ...]) -> None:
    decoded = decode(decoder(), *values)
    assert decoded.frame.height == 0
    assert decoded.frame.schema == decode(decoder(), good(1)).frame.schema
    assert decoded.timestamps.dtype == pl.Int64
    assert decoded.tombstones == values.count(None)
    assert len(decoded.rejects) == len(values) - values.count(None)


def test_an_unknown_field_in_use_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError, match="talk_seconds"):
        decoder("talk_seconds")


def test_only_types_in_use_are_looked_into() -> None:
    rating = event(type="call.rated", talk_s="twelve", agent=7)
    assert decode(decoder(types="call.ended"), rating).frame["agent"].to_list() == [None]
    (reject,) = decode(decoder(types="call.rated"), rating).rejects
    assert (reject.reason, reject.detail) == ("wrong_type", "agent is a number, not text")


def test_call_events_are_always_looked_into() -> None:
    decoded = decode(decoder(types="complaint.filed"), event(agent="a", call_id="k"))
    assert decoded.frame.select("agent", "call_id").row(0) == ("a", "k")


def test_only_fields_in_use_are_looked_at() -> None:
    assert decode(decoder("talk_s"), event(wrap_s="long")).rejects == []
    assert decode(decoder("wrap_s"), event(wrap_s="long")).rejects[0].reason == "wrong_type"


def test_details_name_the_field_and_not_the_customer() -> None:
    for value in ("+8613912345678" * 30, ["+8613912345678"], "a\u0000+8613912345678"):
        (reject,) = decode(decoder(), event(customer=value)).rejects
        assert "customer" in reject.detail
        assert "139123" not in reject.detail


def test_a_time_zone_that_is_none_is_a_dead_letter() -> None:
    made = decoder("customer_tz")
    zones = ["Asia/Kolkata", "Eastern Standard Time", "", None, "asia/kolkata"]
    decoded = decode(made, *(event(id=str(i), customer_tz=zone) for i, zone in enumerate(zones)))
    assert decoded.frame["customer_tz"].to_list() == ["Asia/Kolkata", None, None]
    assert [(each.offset, each.reason, each.detail) for each in decoded.rejects] == [
        (offset, "out_of_range", "customer_tz is none of those there are") for offset in (1, 4)
    ]
    unused = decode(decoder(), event(customer_tz="Eastern Standard Time"))
    assert unused.frame.height == 1  # where nobody looks at it, nothing is refused for it


def test_numbers_and_organisation_are_completed() -> None:
    made = decoder(organisation={"t1": {"g1": ["a1"]}}, phones={"region": "CN"})
    row = decode(made, event(number="021-50000001", customer="13912345678", agent="a1")).frame
    assert row.select("number", "customer", "group", "team").row(0) == (
        "+862150000001",
        "+8613912345678",
        "g1",
        "t1",
    )


@pytest.mark.parametrize(("size", "reasons"), [(200, []), (201, ["too_large"])])
def test_the_size_limit_itself_is_allowed(size: int, reasons: list[str]) -> None:
    made = decoder(limits={"record_bytes": "200B"})
    decoded = decode(made, good(1).ljust(size))
    assert [reject.reason for reject in decoded.rejects] == reasons


@pytest.mark.parametrize(("depth", "reasons"), [(4, []), (5, ["too_deep"])])
@pytest.mark.parametrize("inner", ["[", '{"a":'])
def test_the_depth_limit_itself_is_allowed(depth: int, inner: str, reasons: list[str]) -> None:
    made = decoder(limits={"depth": 4})
    close = "]" if inner == "[" else "}"
    value = inner * (depth - 1) + "1" + close * (depth - 1)
    flat = b'{"id":"e","type":"call.ended","time":1795309200000,"z":[1],"y":{},"x":[],"w":[[]]}'
    record = b'{"id":"e","type":"call.ended","time":1795309200000,"z":' + value.encode() + b"}"
    decoded = decode(made, record, flat)
    assert [reject.reason for reject in decoded.rejects] == reasons


@pytest.mark.parametrize("around", [0, 3, 100, 1_000])
def test_one_bad_record_costs_no_other(around: int) -> None:
    values = [good(number) for number in range(around)]
    values.insert(around // 2, b'{"id":NaN}')
    decoded = decode(decoder(), *values, first=40)
    assert [(one.offset, one.reason) for one in decoded.rejects] == [
        (40 + around // 2, "not_finite")
    ]
    assert decoded.frame["id"].to_list() == [f"good-{number}" for number in range(around)]


def test_a_packed_batch_is_not_unpacked() -> None:
    """Polars unpacks what begins with the magic of gzip: a small record could become terabytes."""
    packed = [gzip.compress(good(1)), zlib.compress(good(1))]
    for value in packed:
        assert [one.reason for one in decode(decoder(), value, good(2)).rejects] == ["not_utf8"]


SMALL = [one.value for one in corpus() if len(one.value) < 2_000]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*SMALL, None, *(good(n) for n in range(50))]), max_size=40),
    st.integers(0, 40),
)
def test_how_records_are_cut_into_batches_does_not_matter(
    values: list[bytes | None], cut: int
) -> None:
    made = decoder("talk_s outcome")
    whole = decode(made, *values)
    parts = [decode(made, *values[:cut]), decode(made, *values[cut:], first=min(cut, len(values)))]
    assert_frame_equal(whole.frame, pl.concat(part.frame for part in parts))
    assert whole.rejects == [reject for part in parts for reject in part.rejects]
    assert whole.tombstones == sum(part.tombstones for part in parts)


def written(kind: str, place: int) -> bytes:
    if kind == "rotten":
        return b"{"
    if kind == "plain":
        return event(agent=f"a{place}", talk_s=place)
    return event(agent=f"a{place}")[:-1] + b', "talk_s":%de0}' % place


@given(
    st.lists(
        st.sampled_from(["plain", "plain", "plain", "spelled oddly", "rotten"]),
        max_size=6 * PARTED_MAX,
    )
)
def test_rows_of_both_readers_stand_in_the_order_of_offsets(kinds: list[str]) -> None:
    """Few of the second one part the frame, many are put in order with it."""
    records = [written(kind, place) for place, kind in enumerate(kinds)]
    decoded = decode(ODDLY, *records, first=5)
    good = [place for place, kind in enumerate(kinds) if kind != "rotten"]
    rotten = [place for place, kind in enumerate(kinds) if kind == "rotten"]
    assert decoded.frame["offset"].to_list() == [5 + place for place in good]
    assert decoded.frame["agent"].to_list() == [f"a{place}" for place in good]
    assert decoded.frame["talk_s"].to_list() == good
    assert decoded.timestamps.to_list() == [4 + place for place in good]
    assert [reject.offset for reject in decoded.rejects] == [5 + place for place in rotten]
