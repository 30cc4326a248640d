"""Mapped records in the daemon's path: offsets, order, and what else is untouched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.events.decode import Decoder
from monitor.events.settings import EventSettings
from monitor.mapping.decoder import MappedDecoder
from monitor.mapping.load import loads_mapping
from monitor.source.base import Fetched, Partition
from monitor.windows.watermark import TimeSettings, Watermarks

T = 1_795_915_800_000
MAPPING = """\
version: 1
name: mine
about: A test.
when: skip is null
events:
  - type: call.ended
    each: {call: calls}
    id: call.id
    time: call.at
    fields: {call_id: call.id, outcome: call.end, number: call.number}
    required: [outcome]
"""


def decoders(topic: str = "pbx.*", **events: Any) -> tuple[Decoder, MappedDecoder]:
    settings = EventSettings.model_validate(events)
    inner = Decoder(frozenset({"outcome"}), frozenset({"call.ended"}), settings)
    mapper = loads_mapping(MAPPING, Path("mine.yaml")).mapper
    return inner, MappedDecoder(inner, [(topic, mapper)])


def fetched(topic: str, *values: bytes | None, first: int = 40) -> Fetched:
    offsets = np.arange(first, first + len(values), dtype=np.int64)
    return Fetched(
        Partition(topic, 3), offsets, offsets + T, append_time=True, values=values,
        next_position=first + len(values),
    )  # fmt: skip


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "at": T, "end": "answered", **more}


def raw(*calls: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"calls": list(calls), **more}).encode()


def test_the_events_of_a_record_have_its_offset_and_stamp() -> None:
    _, decoder = decoders()
    records = (raw(call("a"), call("b")), None, raw(skip=1), raw(call("c")))
    decoded = decoder.decode(fetched("pbx.one", *records))
    assert decoded.partition == Partition("pbx.one", 3)
    assert decoded.frame["id"].to_list() == ["a", "b", "c"]
    assert decoded.frame["offset"].to_list() == [40, 40, 43]
    assert decoded.timestamps.to_list() == [40 + T, 40 + T, 43 + T]
    assert (decoded.append_time, decoded.tombstones, decoded.unmapped) == (True, 1, 1)
    assert decoded.rejects == []


def test_dead_letters_are_the_records_as_they_came() -> None:
    _, decoder = decoders()
    broken = raw(call("a"), call("b", end="gone"), call("c", end=None))
    decoded = decoder.decode(fetched("pbx.one", b"{", broken))
    assert decoded.frame["id"].to_list() == ["a"]
    assert [(each.offset, each.reason) for each in decoded.rejects] == [
        (40, "not_json"),
        (41, "out_of_range"),
        (41, "missing_field"),
    ]
    assert [each.value for each in decoded.rejects] == [b"{", broken, broken]
    assert decoded.rejects[2].detail == "mapping mine, line 10: outcome of call.ended is missing"


def test_types_that_a_topic_may_not_bring_are_refused_all_the_same() -> None:
    _, decoder = decoders(allow={"call.ended": ("calls",)})
    record = raw(call("a"))
    (reject,) = decoder.decode(fetched("pbx.one", record)).rejects
    assert (reject.reason, reject.value, reject.offset) == ("not_allowed", record, 40)
    assert reject.detail.startswith("mapping mine: call.ended is not taken from topic pbx.one")


def test_a_topic_without_a_mapping_is_decoded_as_ever() -> None:
    inner, decoder = decoders()
    event = json.dumps({"id": "e", "type": "call.ended", "time": T}).encode()
    batch = fetched("calls", event, None, b"[]")
    mapped, plain = decoder.decode(batch), inner.decode(batch)
    assert mapped.frame.equals(plain.frame)
    assert mapped.rejects == plain.rejects


def test_a_batch_of_nothing_but_what_is_passed_over() -> None:
    _, decoder = decoders()
    decoded = decoder.decode(fetched("pbx.one", raw(skip=1)))
    assert (decoded.frame.height, decoded.unmapped) == (0, 1)


@pytest.mark.parametrize("again", [False, True])
def test_what_the_wall_clock_refuses_of_a_record_it_refuses_again(*, again: bool) -> None:
    """Two events of one record, one of the future: both are refused, now and later."""
    _, decoder = decoders()
    record = raw(call("now"), call("then", at=T + 3_600_000))
    batch = fetched("pbx.one", raw(call("first")), record)
    decoded = decoder.decode(batch)
    decoded.append_time = False
    marks = Watermarks(TimeSettings())
    if again:
        marks.expect((), [(batch.partition, 41)])
    placed = marks.place(decoded, wall_ms=None if again else T, resumed_at=0, raw=lambda _: record)
    assert placed.frame["id"].to_list() == ["first"]
    assert [each.offset for each in placed.rejects] == [41, 41]
    assert placed.refused_by_clock == ([] if again else [41])
