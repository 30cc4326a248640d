"""The catalogue, and that models and JSON Schema say what the decoder does."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.events.batch import DIMENSIONS
from monitor.events.catalogue import (
    CALL_TYPES,
    EVENT_TYPES,
    FEEDBACK_TYPES,
    FIELDS,
    ON_EVERY_EVENT,
    Kind,
    columns_for,
    polars_dtype,
)
from monitor.events.decode import Decoder
from monitor.events.models import event_model
from monitor.events.schema import events_schema
from monitor.events.settings import EventSettings
from monitor.source.base import Fetched, Partition
from tests.events.hostile import Hostile, corpus

SCHEMA = jsonschema.Draft7Validator(events_schema())
DECODER = Decoder(frozenset(FIELDS), frozenset(EVENT_TYPES), EventSettings())


def reasons(*records: bytes) -> list[str]:
    offsets = np.arange(len(records), dtype=np.int64)
    decoded = DECODER.decode(
        Fetched(Partition("t", 0), offsets, offsets, append_time=False, values=records,
                next_position=len(records))
    )  # fmt: skip
    return [reject.reason for reject in decoded.rejects]


def test_every_type_of_the_contract_is_there() -> None:
    assert len(EVENT_TYPES) == 38
    assert {kind.topic for kind in EVENT_TYPES.values()} == {"calls", "sms", "messages", "crm"}
    assert {"call.ended", "call.started", "call.queued", "call.connected"} == CALL_TYPES
    assert {"complaint.filed", "number.flagged", "followup.logged"} <= FEEDBACK_TYPES


def test_fields_are_one_namespace_without_spares() -> None:
    used = {field for kind in EVENT_TYPES.values() for field in kind.fields}
    assert used | {*ON_EVERY_EVENT} == set(FIELDS)
    assert tuple(FIELDS)[: len(DIMENSIONS)] == DIMENSIONS


def test_ranges_and_values_stand_where_they_must() -> None:
    for field in FIELDS.values():
        assert bool(field.values) == (field.kind is Kind.ENUM or field.name == "customer_tz")
        assert (field.low < field.high) == field.is_ranged
        assert field.doc


def test_columns_come_in_catalogue_order_each_once() -> None:
    names = [field.name for field in columns_for(["wrap_s", "call_id", "team", "wrap_s"])]
    assert names == [*DIMENSIONS, "call_id", "wrap_s"]
    with pytest.raises(KeyError, match="talk"):
        columns_for(["talk"])


@pytest.mark.parametrize(
    ("field", "dtype"),
    [("talk_s", pl.Float64), ("score", pl.Float64), ("sip_code", pl.Int64), ("auto", pl.Boolean),
     ("started_at", pl.Int64), ("outcome", pl.String), ("agent", pl.String)],
)  # fmt: skip
def test_types_of_columns(field: str, dtype: type[pl.DataType]) -> None:
    assert polars_dtype(field) is dtype


def test_the_schema_is_draft_7() -> None:
    assert events_schema()["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(events_schema())
    assert set(EVENT_TYPES) < set(events_schema()["definitions"])


# What a schema cannot say: it sees neither bytes nor calendars, and takes 1.0 for an integer.
BEYOND = {"bad_time", "not_utf8", "not_finite", "too_deep", "too_large", "not_json"}
ALIKE = ("wins", "twice", "before_a_good_one", "for_integer", "_for_time", "endless_integer")
FOR_A_SCHEMA = [
    one
    for one in corpus()
    if one.expected not in BEYOND and not any(word in one.name for word in ALIKE)
]


@pytest.mark.parametrize("hostile", FOR_A_SCHEMA, ids=lambda one: one.name)
def test_the_schema_agrees_with_the_decoder(hostile: Hostile) -> None:
    assert SCHEMA.is_valid(json.loads(hostile.value)) == hostile.decodes


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 100_000), st.floats(-5, 100_000), st.text(max_size=6),
    st.sampled_from([value for field in FIELDS.values() for value in field.values[-8:]]),
    st.sampled_from(["2026-11-22T01:00:00Z", 1_795_309_200_000, "today", [], {}]),
)  # fmt: skip


@pytest.mark.untraced
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(EVENT_TYPES)), st.data())
def test_models_and_decoder_accept_the_same(name: str, data: st.DataObject) -> None:
    fields = (*ON_EVERY_EVENT, *EVENT_TYPES[name].fields)
    drawn = data.draw(st.dictionaries(st.sampled_from(fields), VALUES, max_size=4))
    event = {"id": "e", "type": name, "time": "2026-11-22T01:00:00Z", **drawn}
    said = {
        field: value
        for field, value in event.items()
        # Where text may stand, an empty one says nothing.
        if value != "" or not (FIELDS[field].is_text or FIELDS[field].kind is Kind.TIME)
    }
    try:
        event_model(name).model_validate(said)
    except ValidationError:
        accepted = False
    else:
        accepted = True
    assert accepted == (not reasons(json.dumps(event).encode())), event


def test_a_model_reads_time_as_milliseconds() -> None:
    event = event_model("call.ended").model_validate(
        {"id": "e", "type": "call.ended", "time": "2026-11-22T09:00:00+08:00", "talk_s": 3}
    )
    assert (event.time, event.model_dump()["talk_s"]) == (1_795_309_200_000, 3.0)
    with pytest.raises(ValidationError, match=r"call\.ended"):
        event_model("call.ended").model_validate({"id": "e", "type": "spend", "time": 0})
