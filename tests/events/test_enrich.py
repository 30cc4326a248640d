"""Owners against a loop over rows, however the rows are cut into frames."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.events import call_log
from monitor.events.batch import DIMENSIONS
from monitor.events.catalogue import CALL_TYPES, FEEDBACK_TYPES
from monitor.events.enrich import Owners
from monitor.events.settings import OwnerSettings

SCHEMA: dict[str, type[pl.DataType]] = {
    "id": pl.String,
    "type": pl.String,
    "call_id": pl.String,
    **dict.fromkeys(DIMENSIONS, pl.String),
    "tick": pl.Int64,
}
PLACE = ("agent", "group", "team")
OWNED = (*PLACE, "campaign", "number_type")
Row = dict[str, Any]


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(SCHEMA) | row for row in rows], schema=SCHEMA)


def fill(row: Row, known: Row, names: Sequence[str]) -> None:
    agrees = all(
        row[name] is None or known.get(name) is None or row[name] == known[name] for name in PLACE
    )
    for name in names:
        if row[name] is None and (agrees or name not in PLACE):
            row[name] = known.get(name)


def of_call(row: Row, said: Sequence[Row]) -> Row | None:
    """What the remembered call rows say of the row's call; None when it is not among them."""
    known: Row | None = None
    for one in said:
        if one["call_id"] is not None and one["call_id"] == row["call_id"]:
            known = (known or {}) | {name: one[name] for name in DIMENSIONS if one[name]}
    return known


def by_hand(rows: Sequence[Row], limits: OwnerSettings) -> list[Row]:
    """The contract, one row at a time."""
    said: list[Row] = []  # all call rows so far
    owners: OrderedDict[str | None, Row] = OrderedDict()
    out, tick = [], None
    for given_row in rows:
        row = dict.fromkeys(SCHEMA) | given_row
        if row["tick"] != tick and len(owners) > limits.numbers:
            while len(owners) > limits.numbers - limits.numbers // 4:
                owners.popitem(last=False)
        tick = row["tick"]
        if row["type"] in CALL_TYPES:
            said.append(row)
            if row["number"] is not None:
                last = owners.pop(row["number"], {})
                owners[row["number"]] = last | {name: row[name] for name in OWNED if row[name]}
        elif row["type"] in FEEDBACK_TYPES:
            known = of_call(row, said[-limits.calls :])
            if known is not None:
                fill(row, known, DIMENSIONS)
            else:
                fill(row, owners.get(row["number"], {}), OWNED)
        out.append(row)
    return out


rows_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                [*sorted(CALL_TYPES), *sorted(FEEDBACK_TYPES), "agent.state", "zzz.happened"]
            ),
            "call_id": st.sampled_from([None, "k1", "k2", "k3"]),
            "number": st.sampled_from([None, "+1", "+2", "+3", "+4", "+5", "+6"]),
            "number_type": st.sampled_from([None, "95"]),
            "customer": st.sampled_from([None, "c1", "c2"]),
            "agent": st.sampled_from([None, "a1", "a2"]),
            "group": st.sampled_from([None, "g1", "g2"]),
            "team": st.sampled_from([None, "t1"]),
            "campaign": st.sampled_from([None, "p1", "p2"]),
        }
    ),
    max_size=30,
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], list[int]]:
    """Rows in order, ticks ascending, and where to cut."""
    rows: list[Row] = [dict(row) for row in draw(rows_strategy)]
    tick = 0
    for number, row in enumerate(rows):
        tick += draw(st.sampled_from([0, 0, 0, 5_000]))
        row |= {"id": f"e{number}", "tick": tick}
    cuts = sorted(draw(st.sets(st.integers(0, len(rows)), max_size=4)) | {0, len(rows)})
    return rows, cuts


@pytest.mark.untraced
@pytest.mark.parametrize("chunk", [2, 16_384])
@pytest.mark.parametrize(("numbers", "calls"), [(1, 2), (4, 5), (200, 500)])
def test_any_split_equals_the_loop(
    numbers: int, calls: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_log, "CHUNK_ROWS", chunk)
    limits = OwnerSettings(numbers=numbers, calls=calls)

    @settings(max_examples=40, deadline=None)
    @given(cases(), st.booleans())
    def holds(case: tuple[list[Row], list[int]], restarts: bool) -> None:
        rows, cuts = case
        owners = Owners(limits)
        parts = []
        for start, end in itertools.pairwise(cuts):
            parts.append(owners.apply(frame(rows[start:end])))
            if restarts:
                state = owners.snapshot()
                owners = Owners(limits)
                owners.restore(state)
        got = pl.concat([frame([]), *parts])
        assert_frame_equal(got, frame(by_hand(rows, limits)))

    holds()


def call(number: str, **more: Any) -> Row:
    return {"type": "call.ended", "number": number, "tick": 0, **more}


def asked(owners: Owners, **row: Any) -> Row:
    return owners.apply(frame([{"tick": 0, **row}])).row(0, named=True)


def test_a_complaint_takes_everything_from_its_call() -> None:
    owners = Owners(OwnerSettings())
    everything: Row = {name: f"{name}-1" for name in DIMENSIONS}
    owners.apply(frame([call("+0", call_id="k") | everything]))
    complaint = asked(owners, type="complaint.filed", call_id="k")
    assert {name: complaint[name] for name in DIMENSIONS} == everything


def test_a_flag_takes_the_owner_and_no_customer() -> None:
    owners = Owners(OwnerSettings())
    owners.apply(frame([call("+1", agent="a", team="t", campaign="p", customer="c")]))
    flag = asked(owners, type="number.flagged", number="+1")
    assert (flag["agent"], flag["team"], flag["campaign"]) == ("a", "t", "p")
    assert flag["customer"] is None


def test_a_known_call_without_an_agent_does_not_blame_the_owner() -> None:
    owners = Owners(OwnerSettings())
    owners.apply(frame([call("+1", call_id="k1", agent="a"), call("+1", call_id="k2")]))
    complaint = asked(owners, type="complaint.filed", call_id="k2", number="+1")
    assert complaint["agent"] is None


def test_another_agent_named_keeps_group_and_team_out() -> None:
    owners = Owners(OwnerSettings())
    owners.apply(frame([call("+1", call_id="k", agent="a", group="g", team="t", campaign="p")]))
    rating = asked(owners, type="call.rated", call_id="k", agent="other")
    assert (rating["group"], rating["team"], rating["campaign"]) == (None, None, "p")


def test_feedback_does_not_see_what_comes_after_it() -> None:
    owners = Owners(OwnerSettings())
    flag = {"type": "number.flagged", "number": "+1", "tick": 0}
    out = owners.apply(frame([flag, call("+1", agent="a"), flag]))
    assert out["agent"].to_list() == [None, "a", "a"]


@pytest.mark.parametrize(("between", "agent"), [(9, "a"), (10, None)])
def test_a_call_is_forgotten_exactly_at_the_limit(between: int, agent: str | None) -> None:
    owners = Owners(OwnerSettings(calls=10))
    owners.apply(frame([call("+1", call_id="k", agent="a")]))
    owners.apply(frame([call("+2") for _ in range(between)]))
    assert asked(owners, type="call.rated", call_id="k")["agent"] == agent


def test_nothing_released_changes_nothing() -> None:
    owners = Owners(OwnerSettings(numbers=1))
    owners.apply(frame([call("+1"), call("+2")]))
    assert_frame_equal(owners.apply(frame([])), frame([]))


def test_the_tables_stay_bounded() -> None:
    limits = OwnerSettings(numbers=1_000, calls=5_000)
    owners = Owners(limits)
    for step in range(60):
        rows = [
            {**call(f"+{step}-{n}", call_id=f"k{step}-{n}"), "tick": step * 5_000}
            for n in range(1_000)
        ]
        owners.apply(frame(rows))
    assert owners.owners_held <= limits.numbers + 1_000
    assert owners.calls_held <= limits.calls + call_log.CHUNK_ROWS


def test_the_chunks_of_a_snapshot_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_log, "CHUNK_ROWS", 2)
    owners = Owners(OwnerSettings())
    owners.apply(frame([call("+1", call_id="k1"), call("+1", call_id="k2")]))
    (full,) = owners.snapshot()["calls"]["full"]
    owners.apply(frame([call("+1", call_id="k3")]))
    after = owners.snapshot()["calls"]
    assert after["full"] == [full]
    assert owners.snapshot()["calls"] == after
