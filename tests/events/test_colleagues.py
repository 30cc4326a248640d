"""Who else worked a customer, against a loop over rows, however rows are cut into frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.colleagues import KEEP_MS, TYPES, Colleagues
from monitor.events.customers import Customers, read_for
from monitor.events.settings import CustomerSettings

SCHEMA = {
    "type": pl.String,
    "time": pl.Int64,
    "tick": pl.Int64,
    "customer": pl.String,
    "agent": pl.String,
    "auto": pl.Boolean,
}
TICK = 5_000
DAY = 86_400_000
Row = dict[str, Any]


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(SCHEMA) | row for row in rows], schema=SCHEMA)


def by_hand(rows: Sequence[Row], limit: int) -> list[int | None]:
    """The contract, one row at a time."""
    last: dict[str, tuple[str, int, int | None]] = {}
    found: list[int | None] = []
    tick = None
    for row in rows:
        if row["tick"] != tick and len(last) > limit:
            full = last
            gone = {who for who, held in full.items() if held[1] < row["tick"] - KEEP_MS}
            if len(full) - len(gone) > limit:
                most = limit - limit // 4
                edge = sorted(held[1] for held in full.values())[len(full) - most - 1]
                gone |= {who for who, held in full.items() if held[1] <= edge}
            last = {who: held for who, held in full.items() if who not in gone}
        tick = row["tick"]
        customer, agent, time = row["customer"], row["agent"], row["time"]
        worked = last.get(customer)
        other = None
        if worked is not None and agent is not None:
            other = worked[2] if worked[0] == agent else worked[1]
        recent = other is not None and 0 <= time - other <= KEEP_MS
        found.append(other if recent else None)
        if None in {customer, agent} or row["type"] not in TYPES or row["auto"]:
            continue
        if worked is None or worked[0] == agent:
            last[customer] = agent, time, None if worked is None else worked[2]
        else:
            last[customer] = agent, time, worked[1]
    return found


rows_strategy: st.SearchStrategy[list[Row]] = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["message.sent", "customer.note", "quote.sent", "deal.won"]),
            "customer": st.sampled_from([None, "a", "b", "c", "d", "e", "f"]),
            "agent": st.sampled_from([None, "王芳", "x", "y"]),
            "auto": st.sampled_from([None, False, True]),
            "step": st.sampled_from([0, 1, 3_000, 40_000, 20 * DAY]),
            "late": st.sampled_from([0, 0, 2_000]),
        }
    ),
    max_size=40,
)


def placed(rows: Sequence[Row]) -> list[Row]:
    """In order, some of them late."""
    made, now = [], 1_800_000_000_000
    for row in rows:
        now += row["step"]
        rest = {name: value for name, value in row.items() if name in SCHEMA}
        made.append(rest | {"time": now - row["late"], "tick": now - now % TICK + TICK})
    return made


@given(rows=rows_strategy, cuts=st.lists(st.integers(1, 12)), limit=st.sampled_from([3, 4, 1000]))
@settings(max_examples=150, deadline=None)
def test_the_table_equals_a_loop_however_rows_are_cut(
    rows: list[Row], cuts: list[int], limit: int
) -> None:
    whole = placed(rows)
    table, found, first = Colleagues(limit), list[int | None](), 0
    for size in [*cuts, len(whole)]:
        part = whole[first : first + size]
        if part:
            found += table.apply(frame(part)).to_list()
            held = table.snapshot()
            table = Colleagues(limit)
            table.restore(held)
        first += size
    assert found == by_hand(whole, limit)


def test_it_is_one_of_the_fields_that_customers_are_known_by() -> None:
    fields, types = read_for({"other_agent_at"})
    assert fields == {"auto"}
    assert types == TYPES
    rows = [
        {"type": "customer.note", "time": 1_000, "tick": TICK, "customer": "c", "agent": "x"},
        {"type": "message.sent", "time": 2_000, "tick": TICK, "customer": "c", "agent": "y"},
    ]
    known = Customers(CustomerSettings())
    assert known.apply(frame(rows), {"other_agent_at"})["other_agent_at"].to_list() == [None, 1_000]
    again = Customers(CustomerSettings())
    again.restore(known.snapshot())
    late = frame([rows[0] | {"time": 3_000}])
    assert again.apply(late, {"other_agent_at"})["other_agent_at"].to_list() == [2_000]
    assert again.held == 1
