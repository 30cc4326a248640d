"""What is remembered of customers against a loop over rows, however rows are cut into frames."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.customers import DAY_MS, NEVER, Customers, read_for
from monitor.events.day_counts import business_days_between, days_between, hours_between
from monitor.events.settings import CustomerSettings
from tests.events.test_calling_hours import ms

SCHEMA = {
    "type": pl.String,
    "time": pl.Int64,
    "tick": pl.Int64,
    "customer": pl.String,
    "outcome": pl.String,
    "direction": pl.String,
    "talk_s": pl.Float64,
    "refused": pl.Boolean,
    "auto": pl.Boolean,
}
TICK = 5_000
KEPT = {
    "opted_out_at": None,
    "consented_at": None,
    "wrote_at": 31 * DAY_MS,
    "conversation_at": 31 * DAY_MS,
    "abandoned_at": 31 * DAY_MS,
}
Row = dict[str, Any]


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(SCHEMA) | row for row in rows], schema=SCHEMA)


def says(field: str, row: Row) -> bool:
    kind = row["type"]
    if field == "opted_out_at":
        refusal = kind in {"call.ended", "followup.logged", "message.received"}
        return kind == "sms.opted_out" or (refusal and bool(row.get("refused")))
    if field == "consented_at":
        return bool(kind == "sms.consented")
    if field == "wrote_at":
        return kind == "message.received" and not row.get("auto")
    if kind != "call.ended":
        return False
    if field == "conversation_at":
        return row.get("outcome") == "answered" and (row.get("talk_s") or 0) > 0
    return row.get("outcome") == "abandoned" and row.get("direction") == "outbound"


def takes_back(field: str, row: Row) -> bool:
    opposite = {"opted_out_at": "consented_at", "consented_at": "opted_out_at"}
    return field in opposite and says(opposite[field], row)


def by_hand(field: str, rows: Sequence[Row], limit: int) -> list[int | None]:
    """The contract, one row at a time."""
    table: dict[str, tuple[int, int]] = {}
    found: list[int | None] = []
    tick = None
    for row in rows:
        keep = KEPT[field]
        if row["tick"] != tick and len(table) > limit:
            full = table
            gone = {w for w, (yes, no) in full.items() if no > yes and no < row["tick"] - DAY_MS}
            if keep is not None:
                gone |= {who for who, both in full.items() if max(both) < row["tick"] - keep}
            if len(full) - len(gone) > limit:
                most = limit - limit // 4
                last = sorted(map(max, full.values()))[len(full) - most - 1]
                gone |= {who for who, both in full.items() if max(both) <= last}
            table = {who: both for who, both in full.items() if who not in gone}
        tick = row["tick"]
        who, time = row["customer"], row["time"]
        yes, no = table.get(who, (NEVER, NEVER)) if who is not None else (NEVER, NEVER)
        stands = yes > no or (yes == no != NEVER and field != "consented_at")
        at = yes if stands else None
        if at is not None and (at > time or (keep is not None and time - at > keep)):
            at = None
        found.append(at)
        if who is not None and says(field, row):
            table[who] = max(time, yes), no
        elif who is not None and takes_back(field, row):
            table[who] = yes, max(time, no)
    return found


rows_strategy: st.SearchStrategy[list[Row]] = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["call.ended", "sms.opted_out", "sms.consented", "message.received", "deal.won"]
            ),
            "customer": st.sampled_from([None, "a", "b", "c", "d", "e", "f"]),
            "outcome": st.sampled_from([None, "answered", "abandoned"]),
            "direction": st.sampled_from([None, "outbound", "inbound"]),
            "talk_s": st.sampled_from([None, 0.0, 12.0]),
            "refused": st.sampled_from([None, None, False, True]),
            "auto": st.sampled_from([None, False, True]),
            "late": st.sampled_from([0, 0, 1, 7_000]),
            "after": st.sampled_from([0, 0, 1, 4_000, 20 * DAY_MS]),
        }
    ),
    max_size=40,
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], list[int]]:
    """Rows in the order of release, some of them late, and where to cut."""
    rows: list[Row] = []
    eff = ms("2026-11-23T09:00:00Z")
    for drawn in draw(rows_strategy):
        eff += drawn.pop("after")
        time = eff - drawn.pop("late")
        rows.append({**drawn, "time": time, "tick": eff - eff % TICK + TICK})
    cuts = sorted(draw(st.sets(st.integers(0, len(rows)), max_size=4)) | {0, len(rows)})
    return rows, cuts


@pytest.mark.untraced
@pytest.mark.parametrize("limit", [1, 4, 1_000])
def test_any_split_equals_the_loop(limit: int) -> None:
    remembered = CustomerSettings.model_construct(remembered=limit)

    @settings(max_examples=150, deadline=None)
    @given(cases(), st.booleans())
    def holds(case: tuple[list[Row], list[int]], restarts: bool) -> None:
        rows, cuts = case
        customers = Customers(remembered)
        parts = []
        for start, end in itertools.pairwise(cuts):
            parts.append(customers.apply(frame(rows[start:end]), KEPT))
            if restarts:
                state = customers.snapshot()
                customers = Customers(remembered)
                customers.restore(state)
        got = pl.concat(parts) if parts else frame([])
        for field in KEPT if parts else ():
            assert got[field].to_list() == by_hand(field, rows, limit), field

    holds()


def test_past_the_limit_the_oldest_are_forgotten_at_the_next_tick() -> None:
    customers = Customers(CustomerSettings(remembered=100))
    out = [
        {"type": "sms.opted_out", "customer": f"c{number:03}", "time": number, "tick": TICK}
        for number in range(120)
    ]
    customers.apply(frame(out), ["opted_out_at"])
    assert customers.held == 120  # until the next tick
    asked = [{"type": "call.ended", "customer": f"c{n:03}", "time": 9_000} for n in (44, 45, 119)]
    found = customers.apply(frame([{**row, "tick": 2 * TICK} for row in asked]), ["opted_out_at"])
    assert found["opted_out_at"].to_list() == [None, 45, 119]
    assert customers.held == 75
    assert customers.forgotten == 45


def test_only_what_is_wanted_is_learnt() -> None:
    customers = Customers(CustomerSettings())
    rows = frame([{"type": "sms.opted_out", "customer": "a", "time": 1, "tick": TICK}])
    assert customers.apply(rows, ()).columns == rows.columns
    assert customers.held == 0
    assert customers.apply(rows, ["opted_out_at"]).columns == [*rows.columns, "opted_out_at"]
    assert customers.held == 1


def test_what_is_to_be_decoded() -> None:
    fields, types = read_for({"talk_s", "opted_out_at"})
    assert fields == {"talk_s", "refused"}
    assert {"sms.opted_out", "sms.consented"} < types
    assert read_for({"talk_s"}) == (frozenset({"talk_s"}), frozenset())


def between(first: str | None, last: str | None) -> tuple[Any, Any, Any]:
    one, other = (
        pl.Series([None if at is None else ms(at)], dtype=pl.Int64) for at in (first, last)
    )
    zone = "America/New_York"
    return (
        hours_between(one, other)[0],
        days_between(one, other, zone)[0],
        business_days_between(one, other, "US", zone)[0],
    )


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        # Sunday, 8 March 2026 has 23 hours in New York, Sunday, 1 November has 25.
        ("2026-03-07T12:00:00-05:00", "2026-03-08T12:00:00-04:00", (23, 1, 0)),
        ("2026-10-31T12:00:00-04:00", "2026-11-01T12:00:00-05:00", (25, 1, 0)),
        ("2026-11-02T23:59:59-05:00", "2026-11-03T00:00:00-05:00", (1 / 3600, 1, 1)),
        # Friday to Monday is one business day; Monday to the same Monday none.
        ("2026-11-06T10:00:00-05:00", "2026-11-09T10:00:00-05:00", (72, 3, 1)),
        ("2026-11-09T10:00:00-05:00", "2026-11-09T22:00:00-05:00", (12, 0, 0)),
        # Over Thanksgiving, Thursday 26 November: Wednesday to Friday is one.
        ("2026-11-25T10:00:00-05:00", "2026-11-27T10:00:00-05:00", (48, 2, 1)),
        ("2026-11-27T10:00:00-05:00", "2026-11-26T10:00:00-05:00", (-24, -1, -1)),
        (None, "2026-11-26T10:00:00-05:00", (None, None, None)),
        ("2026-11-26T10:00:00-05:00", None, (None, None, None)),
    ],
)
def test_how_long_it_is(first: str | None, last: str | None, expected: tuple[Any, ...]) -> None:
    found = between(first, last)
    assert found == tuple(None if each is None else pytest.approx(each) for each in expected)
