"""Loads of calls noted at once, against the same one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.numbers.desk import SWEEP_MS, NumberDesk
from monitor.numbers.members import Members
from monitor.numbers.pools import PoolBook
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from monitor.numbers.sightings import Sightings
from monitor.windows.ids import coded
from tests.numbers.made import HOUR_MS, MINUTE_MS, START_MS, order
from tests.whole import whole

Call = tuple[int, str | None, str | None, bool]
"""Tick, number, campaign, whether it is a call."""


def settings_of(numbers_max: int, **changes: Any) -> NumbersSettings:
    return NumbersSettings.model_validate({"numbers_max": numbers_max, "seen_for": "2h"} | changes)


def desk(numbers_max: int = 100, pools: dict[str, Any] | None = None, **changes: Any) -> NumberDesk:
    return NumberDesk(
        PoolsSettings.model_validate(pools or {}),
        settings_of(numbers_max, **changes),
        tick_ms=MINUTE_MS,
    )


def told(calls: Sequence[Call]) -> Sightings:
    ticks, numbers, campaigns, is_call = map(list, zip(*calls, strict=True))
    return Sightings(
        np.array(ticks),
        np.array(is_call),
        coded(pl.Series(numbers, dtype=pl.String)),
        coded(pl.Series(campaigns, dtype=pl.String)),
        hour_ms=SWEEP_MS,
    )


def load(mine: NumberDesk, calls: Sequence[Call]) -> None:
    seen = told(calls)
    while seen.next_tick is not None:
        mine.see(seen, seen.next_tick)


def one_by_one(mine: NumberDesk, calls: Sequence[Call]) -> None:
    for tick, number, campaign, is_call in calls:
        if is_call and number is not None:
            mine.observe(tick, number, campaign)


def state(mine: NumberDesk) -> Any:
    """What it knows; in which order is nobody's business. How many found it full is not in it, as
    that is told once an hour or at every tick."""
    found = whole(mine.snapshot())
    del found["book"]["overflowed"]
    return found, sorted(mine.book), [mine.book.standing(n, 0) for n in sorted(mine.book.names())]


CAMPAIGNS = st.one_of(st.none(), st.sampled_from(["a", "b", "unassigned"]))
MANY = st.integers(0, 40).map("c{}".format)
CALLS = st.tuples(
    st.integers(0, 400).map(lambda minute: START_MS + minute * MINUTE_MS),
    st.one_of(st.none(), st.sampled_from("123456789")),
    st.one_of(CAMPAIGNS, MANY),
    st.sampled_from([True, True, True, False]),
)


PLACE_FREED: list[Call] = [
    (START_MS, "3", "a", True),
    (START_MS + 4 * HOUR_MS, "4", None, True),
    (START_MS + 4 * HOUR_MS, "3", "a", True),
]
"""The place of one that lapsed is taken by the first that comes, whatever is known of it."""


@settings(deadline=None)
@example(PLACE_FREED, 3, [], "go on")
@given(
    st.lists(CALLS, max_size=120),
    st.sampled_from([3, 5, 100]),
    st.lists(st.integers(0, 120), max_size=6),
    st.sampled_from(["go on", "restore", "reload"]),
)
def test_a_load_comes_to_the_same_as_its_calls_one_by_one(
    calls: list[Call], numbers_max: int, cuts: list[int], between: str
) -> None:
    """However ticks are cut into loads, whatever happens between these, and when it is full."""
    calls.sort(key=lambda call: call[0])
    pools = {"a": {"numbers": ["1", "2"]}}
    mine, theirs = (desk(numbers_max, pools) for _ in range(2))
    ticks = sorted({call[0] for call in calls})
    ends = sorted({ticks[cut] for cut in cuts if cut < len(ticks)} | set(ticks[-1:]))
    begin = 0
    for end in ends:
        part = [call for call in calls if begin < call[0] <= end]
        begin = end
        load(mine, part)
        one_by_one(theirs, part)
        assert state(mine) == state(theirs)
        if between == "restore":
            again = desk(numbers_max, pools)
            again.restore(mine.snapshot())
            mine = again
        if between == "reload":
            for each in (mine, theirs):
                each.reconfigure(
                    PoolsSettings.model_validate({"a": {"numbers": [calls[-1][1] or "3"]}}),
                    settings_of(numbers_max),
                )
    assert state(mine) == state(theirs)


Order = tuple[int, str, str]


def at(minute: int, action: str, number: str) -> Order:
    return START_MS + minute * MINUTE_MS, action, number


def orders_of(minutes: int, numbers: str) -> st.SearchStrategy[Order]:
    actions = st.sampled_from(["suspend", "resume", "retire", "release"])
    return st.builds(at, st.integers(0, minutes), actions, st.sampled_from(numbers))


def dialled(**campaigns: str | None) -> list[Call]:
    """Calls of number 3, by minute: ``m2="a"``."""
    return [
        (START_MS + int(minute[1:]) * MINUTE_MS, "3", campaign, True)
        for minute, campaign in campaigns.items()
    ]


SEEN_WHILE_OUT = dialled(m0=None, m2="a", m4="a")
"""It is in the pool that it is out of until it calls again, back in service."""
STOOD_IN = dialled(m0="b", m2="b", m4="b")
"""Whoever stands in is in other pools meanwhile, whatever it dials for."""


@settings(deadline=None, max_examples=200)
@example(SEEN_WHILE_OUT, [at(1, "suspend", "3"), at(3, "resume", "3")], 100)
@example(STOOD_IN, [at(1, "retire", "1"), at(3, "release", "1")], 100)
@example(STOOD_IN, [at(1, "retire", "3"), at(3, "release", "3")], 100)
@given(
    st.lists(CALLS, max_size=60),
    st.lists(orders_of(400, "123456"), max_size=12),
    st.sampled_from([3, 100]),
)
def test_what_people_order_within_a_load_comes_to_the_same(
    calls: list[Call], orders: list[Order], numbers_max: int
) -> None:
    """A call that changes nothing may change something once its number is back, say."""
    calls.sort(key=lambda call: call[0])
    pools = {"a": {"numbers": ["1", "2"], "standby": ["3"]}}
    mine, theirs = (desk(numbers_max, pools, assume_applied=True) for _ in range(2))
    seen = told(calls) if calls else None
    for tick in sorted({call[0] for call in calls} | {each[0] for each in orders}):
        if seen is not None:
            mine.see(seen, tick)
        one_by_one(theirs, [call for call in calls if call[0] == tick])
        acts = [order(action, number) for when, action, number in orders if when == tick]
        for each in (mine, theirs):
            each.step(tick, [], [], [], acts)
        assert state(mine) == state(theirs)


def test_one_number_in_many_campaigns_at_one_tick() -> None:
    """The seventeenth is refused or takes the oldest one's place by the order of the log."""
    names = [f"c{number:02d}" for number in range(20)]
    first: list[Call] = [(START_MS, "1", "c19", True)]
    later: list[Call] = [(START_MS + HOUR_MS, "1", name, True) for name in names]
    for shuffled in (later, later[::-1], [*later[5:], *later[:5]]):
        mine, theirs = desk(), desk()
        for part in (first, shuffled):
            load(mine, part)
            one_by_one(theirs, part)
            assert state(mine) == state(theirs)


def test_ticks_that_are_known_already_are_not_told() -> None:
    mine = desk()
    calls = [(START_MS + tick, str(tick), "a", True) for tick in range(4)]
    seen = told(calls)
    seen.tell_again(START_MS + 1)
    mine.see(seen, START_MS + 2)
    assert (list(mine.book), seen.next_tick) == (["2"], START_MS + 3)
    assert (seen.over(START_MS + 2), seen.over(START_MS + 3)) == (False, True)


CLOSE_CALLS = st.tuples(
    st.integers(0, 80).map(lambda minute: START_MS + minute * MINUTE_MS),
    st.sampled_from("123"),
    CAMPAIGNS,
    st.just(True),
)
NAMED_LIKE_THE_POOL = dialled(m0="unassigned", m1="a", m2="unassigned")
CAME_BACK = dialled(m0=None, m2="a", m6="a")


@settings(deadline=None, max_examples=150)
@example(NAMED_LIKE_THE_POOL, [], 2)
@example(CAME_BACK, [at(1, "suspend", "3"), at(3, "resume", "3")], 4)
@example(CAME_BACK, [at(1, "retire", "3"), at(3, "release", "3")], 4)
@given(
    st.lists(CLOSE_CALLS, min_size=1, max_size=30),
    st.lists(orders_of(80, "123"), max_size=10),
    st.integers(0, 80),
)
def test_who_begins_in_the_middle_comes_to_the_same(
    calls: list[Call], orders: list[Order], minute: int
) -> None:
    """Told at every tick; by the load; and by a load of which the first part is known already."""
    calls.sort(key=lambda call: call[0])
    pools = {"a": {"numbers": ["1"], "standby": ["2"]}}
    mine, theirs, again = (desk(100, pools, assume_applied=True) for _ in range(3))
    known_to = START_MS + minute * MINUTE_MS
    seen, seen_again = told(calls), told(calls)
    seen_again.tell_again(known_to)
    for tick in sorted({call[0] for call in calls} | {each[0] for each in orders} | {known_to}):
        mine.see(seen, tick)
        one_by_one(theirs, [call for call in calls if call[0] == tick])
        both = [mine, theirs]
        if tick > known_to:
            again.see(seen_again, tick)
            both.append(again)
        for each in both:
            acts = [order(action, number) for when, action, number in orders if when == tick]
            each.step(tick, [], [], [], acts)
        assert state(mine) == state(theirs)
        if tick == known_to:
            again.restore(theirs.snapshot())
        elif tick > known_to:
            assert state(again) == state(theirs)


WENT_OUT = dialled(m0=None, m3="a", m6="a")


@settings(deadline=None, max_examples=150)
@example(WENT_OUT, [at(4, "suspend", "3")], 1, 5)
@example(WENT_OUT, [at(2, "suspend", "3"), at(4, "resume", "3")], 1, 5)
@example(STOOD_IN, [at(1, "retire", "3"), at(3, "release", "3")], 0, 3)
@given(
    st.lists(CLOSE_CALLS, min_size=1, max_size=30),
    st.lists(orders_of(80, "123"), max_size=10),
    st.integers(0, 40),
    st.integers(0, 80),
)
def test_a_rebuild_knows_where_numbers_were_seen(
    calls: list[Call], orders: list[Order], seen_minute: int, kept_minute: int
) -> None:
    """Who was seen is kept now and then, all else later; the calls between are read again."""
    calls.sort(key=lambda call: call[0])
    # Nobody stands in: that may go unnoticed where it begins and ends between two checkpoints.
    pools = {"a": {"numbers": ["1"]}}
    live, again = (desk(100, pools, assume_applied=True) for _ in range(2))
    kept_at = START_MS + max(seen_minute, kept_minute) * MINUTE_MS
    seen_at, seen, retired = START_MS + seen_minute * MINUTE_MS, None, None
    told_again = told(calls)
    ticks = {call[0] for call in calls} | {each[0] for each in orders} | {seen_at, kept_at}
    for tick in sorted(ticks):
        one_by_one(live, [call for call in calls if call[0] == tick])
        acts = [order(action, number) for when, action, number in orders if when == tick]
        live.step(tick, [], [], [], acts)
        if tick > kept_at:
            again.put_right()
            again.see(told_again, tick)
            again.step(tick, [], [], [], acts)
            assert state(again) == state(live)
            continue
        now = live.snapshot()
        as_of = now["swept_ms"], now["book"]["retired"]
        if tick == seen_at or (seen is not None and as_of != retired):
            seen_at, seen, retired = tick, now["book"]["seen"], as_of
        if tick == kept_at:
            again.restore({**now, "book": {**now["book"], "seen": seen}})
            again.expect(now["seen_of"], kept_at)
            told_again.tell_again(seen_at)
            for between in sorted(each for each in ticks if seen_at < each <= kept_at):
                again.see(told_again, between)


def test_who_was_given_up_after_it_was_last_kept_who_was_seen_is_in_no_pool() -> None:
    mine = desk(pools={"b": {"numbers": ["9"]}}, assume_applied=True)
    mine.observe(START_MS, "3", "a")
    mine.step(START_MS, [], [], [], [])
    seen = mine.snapshot()["book"]["seen"]
    mine.step(START_MS + MINUTE_MS, [], [], [], [order("retire", "3")])
    after = mine.snapshot()
    rebuilt = desk(pools={"b": {"numbers": ["9"]}}, assume_applied=True)
    rebuilt.restore({**after, "book": {**after["book"], "seen": seen}})
    for each in (mine, rebuilt):
        assert (each.book.pools_of("3"), each.book.names(), len(each.book)) == ((), ["b"], 2)


def test_the_ids_of_numbers_that_lapsed_go_to_others_within_a_load() -> None:
    mine, theirs = desk(), desk()
    first: list[Call] = [(START_MS, number, "a", True) for number in "123"]
    hours = [(5, "4", "b"), (5, "1", "b"), (9, "2", "a"), (9, "4", "a"), (13, "4", "a")]
    later: list[Call] = [(START_MS + hour * HOUR_MS, n, c, True) for hour, n, c in hours]
    for part in (first, [*first, *later]):
        shifted = [(tick + MINUTE_MS, *rest) for tick, *rest in part]
        load(mine, shifted)  # type: ignore[arg-type]
        one_by_one(theirs, shifted)  # type: ignore[arg-type]
        assert state(mine) == state(theirs)
    assert list(mine.book) == ["4"]


def test_names_of_pools_do_not_pile_up() -> None:
    """A number that is in another campaign each hour for years."""
    members = Members()
    members.put("2", {"stays": 1})
    for number in range(5_000):
        members.put("1", {f"c{number}": number})
    assert members.get("1") == {"c4999": 4_999}
    assert members.get("2") == {"stays": 1}
    assert members.sizes() == {"c4999": 1, "stays": 1}
    assert len(members._names) < 2_000


@pytest.mark.parametrize("count", [1_024, 1_025, 2_048, 2_049])
def test_numbers_of_as_many_campaigns_come_back(count: int) -> None:
    book, other = (PoolBook(PoolsSettings(), numbers_max=10_000) for _ in range(2))
    for number in range(count):
        book.join(f"+86{number:09d}", f"campaign-{number}", START_MS)
    other.restore(book.snapshot())
    assert {number: other.pools_of(number) for number in other} == {
        number: book.pools_of(number) for number in book
    }
    assert len(list(other)) == count
