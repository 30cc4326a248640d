"""A record in, events out: choices, tables, and what is broken with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.catalogue import FIELDS
from monitor.events.decode import Decoder
from monitor.events.settings import EventSettings
from monitor.mapping.find import shipped
from monitor.mapping.load import load_mapping, loads_mapping
from monitor.mapping.mapper import EVENTS_OF_A_RECORD_MAX, Mapper
from monitor.source.base import Fetched, Partition

NOW = 1_795_915_800_000
HEAD = """\
version: 1
name: mine
about: A test.
settings: {zone: UTC}
let: {kind: lower(k)}
when: kind is not null
events:
  - type: call.ended
    each: {call: calls, leg: call.legs}
    let: {out: call.dir == 'out'}
    when: leg.keep
    id: joined(call.id, ':', leg.id)
    time: unix(leg.at)
    fields:
      number: call.to if out else call.own
      outcome:
        of: leg.end
        values: {OK: answered, '17': busy, NONE: null}
      hangup_by: {of: leg.by, values: {c: customer}, otherwise: system}
      talk_s: leg.talk
      sip_code: leg.sip
      need_captured: leg.need
    required: [outcome]
"""


def mapper(text: str = HEAD) -> Mapper:
    return loads_mapping(text, Path("mine.yaml")).mapper


def leg(**more: Any) -> dict[str, Any]:
    return {"id": 1, "keep": True, "at": NOW // 1000, "end": "OK", **more}


def record(*legs: dict[str, Any], **more: Any) -> dict[str, Any]:
    call = {"id": "c", "dir": "out", "to": "+1", "own": "+2", "legs": list(legs), **more}
    return {"k": "A", "calls": [call]}


def test_events_come_in_the_order_of_the_record() -> None:
    events, broken = mapper().map(record(leg(), leg(id=2, keep=False), leg(id=3, end=17)))
    assert broken == []
    assert [(each["id"], each["outcome"]) for each in events] == [
        ("c:1", "answered"),
        ("c:3", "busy"),
    ]
    assert events[0] == {
        "id": "c:1",
        "type": "call.ended",
        "time": NOW,
        "number": "+1",
        "outcome": "answered",
    }


def test_one_object_stands_for_a_list_of_one_and_nothing_for_none() -> None:
    one = record(leg())
    one["calls"] = one["calls"][0]
    assert len(mapper().map(one)[0]) == 1
    assert mapper().map({"k": "A"}) == ([], [])
    assert mapper().map({"calls": [{"legs": [leg()]}]}) == ([], [])


def test_values_take_the_kind_of_their_field() -> None:
    (event,), _ = mapper().map(record(leg(talk="3.5", sip="200", by="x", need=True)))
    assert (event["talk_s"], event["sip_code"]) == (3.5, 200)
    assert (event["hangup_by"], event["need_captured"]) == ("system", True)
    (event,), _ = mapper().map(record(leg(sip=486.0), to=15_550_100))
    assert (event["sip_code"], event["number"]) == (486, "15550100")
    assert isinstance(event["sip_code"], int)


def faults(**more: Any) -> list[tuple[str, int, str]]:
    events, broken = mapper().map(record(leg(), leg(id=9, **more)))
    assert [each["id"] for each in events] == ["c:1"], "the others count"
    return [(each.reason, each.line, each.what) for each in broken]


def test_a_broken_field_is_told_with_its_line() -> None:
    table = "outcome of call.ended is none of the values that the table has"
    assert faults(end="MAYBE") == [("out_of_range", 16, table)]
    assert faults(end="NONE") == [("missing_field", 16, "outcome of call.ended is missing")]
    assert faults(end=None) == [("missing_field", 16, "outcome of call.ended is missing")]
    assert faults(at="then")[0][:2] == ("bad_time", 13)
    assert faults(at=5)[0][:2] == ("bad_time", 13)
    assert faults(at=None) == [("missing_field", 13, "time of call.ended is missing")]
    assert faults(talk="long") == [("wrong_type", 20, "talk_s of call.ended is not a number")]
    assert faults(talk=-1) == [("out_of_range", 20, "talk_s of call.ended is not in 0 … 86400")]
    assert faults(sip=200.5)[0][:2] == ("wrong_type", 21)
    assert faults(need="yes")[0][:2] == ("wrong_type", 22)
    assert faults(keep="yes") == [("wrong_type", 11, "when is not true or false")]


def test_a_record_that_is_none_is_told_without_a_line() -> None:
    for raw, reason in ((b"{", "not_json"), (b"[]", "not_an_object"), (b"\xff", "not_utf8")):
        events, (broken,) = mapper().of_bytes(raw)
        assert (events, broken.reason) == ([], reason)
        assert broken.detail.startswith("mapping mine: ")
    _, (broken,) = mapper().map({"k": []})
    assert broken.detail == "mapping mine, line 6: when is a list or an object, not text"
    _, (broken,) = mapper().map({"k": "A", "calls": "none"})
    assert broken.detail == "mapping mine, line 9: call is neither list nor object"


def test_a_record_of_too_many_events_is_refused_as_a_whole() -> None:
    legs = [leg(id=number) for number in range(EVENTS_OF_A_RECORD_MAX)]
    events, broken = mapper().map(record(*legs))
    assert (len(events), broken) == (EVENTS_OF_A_RECORD_MAX, [])
    events, (fault,) = mapper().map(record(*legs, leg(id="more")))
    assert (events, fault.reason, fault.line) == ([], "too_large", 12)


def test_a_site_sets_what_the_file_lets_it() -> None:
    text = HEAD.replace("unix(leg.at)", "local(leg.at, site.zone)")
    zoned = loads_mapping(text, Path("mine.yaml"), {"zone": "Asia/Shanghai"}).mapper
    (event,), _ = zoned.map(record(leg(at="2026-11-29 09:30:00")))
    assert event["time"] == NOW


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FILES = {name: load_mapping(path).mapper for name, path in shipped().items()}
SAMPLES = {
    name: [
        json.loads(line)
        for file in sorted((Path("tests/fixtures/mappings") / name).glob("*.jsonl"))
        if not file.name.endswith((".events.jsonl", ".broken.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    for name in FILES
}


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A record of a shipped mapping with some values replaced by anything."""
    name = draw(st.sampled_from(sorted(FILES)))
    whole: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(SAMPLES[name]))))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = whole
        while isinstance(place, dict | list) and place:
            keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.integers(0, 5)) == 0:
                place[key] = draw(JSON)
                break
            place = place[key]
    return name, whole


@settings(max_examples=300, deadline=None)
@given(spoiled())
def test_whatever_a_record_holds_events_are_good_and_nothing_is_raised(
    made: tuple[str, dict[str, Any]],
) -> None:
    name, whole = made
    events, broken = FILES[name].map(whole)
    decoder = Decoder(
        frozenset(FIELDS) - {"source"}, frozenset(e["type"] for e in events), EventSettings()
    )
    values = [json.dumps(event).encode() for event in events]
    at = np.arange(len(values), dtype=np.int64)
    fetched = Fetched(Partition("t", 0), at, at, append_time=False, values=values, next_position=0)
    assert decoder.decode(fetched).rejects == []
    assert all(each.line > 0 and each.mapping == name for each in broken)
