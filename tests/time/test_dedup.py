from __future__ import annotations

import itertools
from unittest.mock import patch

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.windows.dedup import Dedup, unpacked

TICK, LATENESS = 5, 20
SPAN = 25
"""One generation: lateness in whole ticks, plus one."""


def released(rows: list[tuple[str, int]]) -> pl.DataFrame:
    data = [(name, "call.ended", tick) for name, tick in rows]
    schema = {"id": pl.String, "type": pl.String, "tick": pl.Int64}
    return pl.DataFrame(data, schema=schema, orient="row")


def oracle(rows: list[tuple[str, int]]) -> list[bool]:
    """True where a row is kept: its id was not kept in this generation or the one before."""
    kept: list[bool] = []
    last: dict[str, int] = {}
    for name, tick in rows:
        generation = tick // SPAN
        seen = name in last and generation - last[name] <= 1
        kept.append(not seen)
        if not seen:
            last[name] = generation
    return kept


ordered = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 60).map(lambda n: n * TICK)), max_size=40
).map(lambda rows: sorted(rows, key=lambda row: row[1]))


@settings(deadline=None)
@given(rows=ordered, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_equals_the_oracle_for_any_split(rows: list[tuple[str, int]], cuts: list[int]) -> None:
    with patch("monitor.windows.dedup.CHUNK_IDS", 3):
        split_and_restored(rows, cuts)


def split_and_restored(rows: list[tuple[str, int]], cuts: list[int]) -> None:
    dedup = Dedup(lateness_ms=LATENESS, tick_ms=TICK)
    got: list[tuple[str, int]] = []
    dropped = 0
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in itertools.pairwise(edges):
        if start == end:
            continue
        unique = dedup.apply(released(rows[start:end]))
        dedup.make_room()
        got += unique.frame.select("id", "tick").rows()
        dropped += unique.duplicates.height
        again = Dedup(lateness_ms=LATENESS, tick_ms=TICK)
        again.restore(dedup.snapshot())
        dedup = again
    assert got == [row for row, keep in zip(rows, oracle(rows), strict=True) if keep]
    assert dropped == len(rows) - len(got)


def test_remembered_for_lateness_and_forgotten_in_the_end() -> None:
    for gap, duplicate in ((LATENESS, True), (SPAN, True), (2 * SPAN, False)):
        dedup = Dedup(lateness_ms=LATENESS, tick_ms=TICK)
        dedup.apply(released([("a", 20)]))
        assert (dedup.apply(released([("a", 20 + gap)])).duplicates.height == 1) is duplicate


def test_at_the_cap_rows_are_kept_counted_and_nothing_grows() -> None:
    dedup = Dedup(lateness_ms=LATENESS, tick_ms=TICK, limit=3)
    unique = dedup.apply(released([(name, 5) for name in "abcde"]))
    assert unique.frame.height == 5
    assert unique.uncertain == 2
    assert len(dedup) == 3
    again = dedup.apply(released([("a", 10), ("e", 10)]))
    assert again.frame["id"].to_list() == ["e"]
    assert again.uncertain == 1


def test_a_snapshot_packs_what_came_since_the_last_alone() -> None:
    dedup = Dedup(lateness_ms=LATENESS, tick_ms=TICK)
    with patch("monitor.windows.dedup.CHUNK_IDS", 4):
        dedup.apply(released([(f"a{n}", 5) for n in range(10)]))
        first = dedup.snapshot()["current"]
        dedup.apply(released([(f"b{n}", 10) for n in range(3)]))
        second = dedup.snapshot()["current"]
        restored = Dedup(lateness_ms=LATENESS, tick_ms=TICK)
        restored.restore(dedup.snapshot())
        third = restored.snapshot()["current"]
        assert dedup.snapshot()["current"] == second, "the same, while nothing comes"
    assert [len(unpacked(part.content())) for part in first] == [4, 4, 2]
    assert [len(unpacked(part.content())) for part in second] == [4, 4, 4, 1]
    assert first[:2] == second[:2], "not packed again"
    assert third == second, "nor after a restart"


def test_the_table_grows_between_loads_and_not_in_the_next_one() -> None:
    dedup = Dedup(lateness_ms=LATENESS, tick_ms=TICK, limit=24_000)

    def load(count: int) -> None:
        dedup.apply(released([(f"{len(dedup)}-{n}", 0) for n in range(count)]))
        dedup.make_room()

    load(1_000)
    sizes = []
    for _ in range(24):
        before = dedup._current._known._slots
        dedup.apply(released([(f"{len(dedup)}-{n}", 0) for n in range(1_000)]))
        assert dedup._current._known._slots is before
        dedup.make_room()
        sizes.append(len(dedup._current._known._slots))
    assert sizes[-1] > sizes[0]
    assert len(dedup) == 24_000
    load(1_000)
    # Three quarters of it are the cap, and so there is no room for more: there is none to come.
    assert len(dedup._current._known._slots) == sizes[-1] == 2**15


def test_at_the_cap_batches_do_not_matter() -> None:
    rows = [(name, 5) for name in "aabccdbdcae"] + [(name, 10) for name in "adz"]
    whole = Dedup(lateness_ms=LATENESS, tick_ms=TICK, limit=2).apply(released(rows))
    dedup = Dedup(lateness_ms=LATENESS, tick_ms=TICK, limit=2)
    parts = [dedup.apply(released([row])) for row in rows]
    kept = [name for part in parts for name in part.frame["id"].to_list()]
    assert whole.frame["id"].to_list() == kept == list("abccddcedz")
    assert whole.uncertain == sum(part.uncertain for part in parts) == 8
    assert whole.uncertain_ticks == [5, 10]
