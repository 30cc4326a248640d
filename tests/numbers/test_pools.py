"""Membership: the inventory, what traffic shows, and what is forgotten."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.numbers.pools import CAMPAIGNS_PER_NUMBER_MAX, PoolBook
from monitor.numbers.settings import PoolsSettings
from monitor.numbers.sightings import UNASSIGNED
from tests.numbers.made import numbers
from tests.whole import whole


def book(pools: dict[str, Any] | None = None, numbers_max: int = 100) -> PoolBook:
    return PoolBook(PoolsSettings.model_validate(pools or {}), numbers_max=numbers_max)


def test_a_listed_number_stays_where_it_is_listed() -> None:
    pools = book({"b": {"numbers": ["1", "2", "2"]}, "a": {"numbers": ["1"]}})
    assert pools.join("1", "c", 5)
    assert pools.pools_of("1") == ("a", "b")
    assert not pools.is_seen("1")
    assert pools.standing("b", 0).size == 2
    assert pools.standing("a", 0).size == 1
    assert pools.standing("c", 0).size == 0
    assert pools.names() == ["a", "b"]


def test_a_number_seen_joins_its_campaigns_and_leaves_the_unassigned() -> None:
    pools = book()
    pools.join("1", None, 5)
    assert pools.pools_of("1") == (UNASSIGNED,)
    pools.join("1", "b", 6)
    pools.join("1", "a", 7)
    pools.join("1", None, 8)
    assert pools.pools_of("1") == ("a", "b")
    assert pools.is_seen("1")
    assert pools.names() == ["a", "b"]
    assert "1" in pools
    assert "2" not in pools
    assert pools.pools_of("2") == ()


def test_a_campaign_called_unassigned_is_that_pool() -> None:
    pools = book()
    pools.join("1", UNASSIGNED, 5)
    assert pools.pools_of("1") == (UNASSIGNED,)


def test_guards_come_from_the_pool_and_else_from_the_defaults() -> None:
    pools = book({"defaults": {"max_fraction": "50%", "min_left": 4}, "a": {"min_left": 0}})
    a, other = pools.standing("a", 1), pools.standing("other", 0)
    assert (a.min_left, a.max_fraction, a.out) == (0, Fraction(1, 2), 1)
    assert (other.min_left, other.max_fraction) == (4, Fraction(1, 2))


def test_memberships_lapse_a_moment_after_the_cutoff() -> None:
    pools = book()
    pools.join("1", "a", 10)
    pools.join("1", "b", 20)
    pools.join("2", "a", 10)
    pools.join("3", "a", 10)
    pools.lapse(10, keep=())
    assert pools.standing("a", 0).size == 3
    pools.lapse(11, keep={"2"})
    assert pools.pools_of("1") == ("b",)
    assert pools.pools_of("2") == ("a",)
    assert "3" not in pools
    assert pools.standing("a", 0).size == 1


def test_no_campaign_keeps_the_known_ones_alive() -> None:
    pools = book()
    pools.join("1", "a", 10)
    pools.join("1", None, 30)
    pools.lapse(30, keep=())
    assert pools.pools_of("1") == ("a",)


def test_a_full_book_counts_and_says_so() -> None:
    pools = book({"a": {"numbers": ["1"]}}, numbers_max=2)
    assert pools.join("2", "a", 1)
    assert not pools.join("3", "a", 1)
    assert pools.join("2", "b", 1)
    assert pools.overflowed == 1
    assert list(pools) == ["1", "2"]


def test_a_number_is_in_so_many_campaigns_and_the_oldest_goes() -> None:
    pools = book()
    for index in range(CAMPAIGNS_PER_NUMBER_MAX + 1):
        pools.join("1", f"c{index:02d}", index)
    assert len(pools.pools_of("1")) == CAMPAIGNS_PER_NUMBER_MAX
    assert "c00" not in pools.pools_of("1")
    assert "c00" not in pools.names()


def test_numbers_are_normalised_as_events_are() -> None:
    settings = PoolsSettings.model_validate({"a": {"numbers": ["010 1"]}})
    pools = PoolBook(settings, normalise=lambda text: "+86" + text.replace(" ", "").lstrip("0"))
    assert pools.pools_of("+86101") == ("a",)


def test_a_new_inventory_takes_its_numbers_out_of_the_seen() -> None:
    pools = book()
    pools.join("1", "b", 1)
    pools.join("2", "b", 1)
    pools.reconfigure(PoolsSettings.model_validate({"a": {"numbers": ["1"]}}), numbers_max=100)
    assert pools.pools_of("1") == ("a",)
    assert pools.standing("b", 0).size == 1


JOINS = st.lists(
    st.tuples(st.sampled_from("123456"), st.sampled_from(["a", "b", "c", None]), st.integers(0, 9)),
    max_size=60,
)


@given(joins=JOINS, cutoff=st.integers(0, 10))
def test_sizes_are_always_the_members_counted(
    joins: list[tuple[str, str | None, int]], cutoff: int
) -> None:
    pools = book({"a": {"numbers": ["1", "2"]}}, numbers_max=5)
    for number, campaign, tick in joins:
        pools.join(number, campaign, tick)
    pools.lapse(cutoff, keep={"3"})
    again = book({"a": {"numbers": ["1", "2"]}}, numbers_max=5)
    again.restore(pools.snapshot())
    assert whole(again.snapshot()) == whole(pools.snapshot())
    for each in (pools, again):
        for name in ("a", "b", "c", UNASSIGNED):
            members = [number for number in each if name in each.pools_of(number)]
            assert each.standing(name, 0).size == len(members)
    assert len(pools) <= 5


@given(joins=JOINS, pictures=st.lists(st.booleans(), min_size=60), cutoff=st.integers(0, 10))
def test_pictures_in_between_say_the_same_as_one_at_the_end(
    joins: list[tuple[str, str | None, int]], pictures: list[bool], cutoff: int
) -> None:
    """When each number was last seen, too: by that it lapses."""
    often, once = book(), book()
    for place, (number, campaign, tick) in enumerate(joins):
        for each in (often, once):
            each.join(number, campaign, tick)
        if pictures[place]:
            often.snapshot()
        if place == len(joins) // 2:
            for each in (often, once):
                each.lapse(cutoff // 2, keep=())
    restored = book()
    restored.restore(often.snapshot())
    assert seen(restored) == seen(once)
    for each in (restored, once):
        each.lapse(cutoff, keep=())
    assert seen(restored) == seen(once)


def seen(pools: PoolBook) -> dict[str, dict[str, int]]:
    return whole(pools.snapshot())["seen"] or {}


def test_numbers_of_one_campaign_go_their_own_ways() -> None:
    """What they have in common is kept once."""
    pools = book()
    for number in "123":
        pools.join(number, "a", 10)
    pools.join("1", "b", 20)
    pools.join("2", None, 30)
    assert (pools.pools_of("1"), pools.pools_of("3")) == (("a", "b"), ("a",))
    pools.lapse(25, keep=())
    assert list(pools) == ["2"]
    assert pools.standing("a", 0).size == 1
    pools.join("2", "b", 30)
    pools.join("3", "a", 30)
    assert pools.pools_of("3") == ("a",)


def test_a_number_is_let_go_where_it_was_put_out() -> None:
    """Systems of telephony follow from pools: a pool that is lost is a number blocked for ever."""
    pools = book({"listed": {"numbers": ["2"]}})
    pools.join("1", "spring", 5)
    pools.retire("1", lambda _who: True)
    assert (pools.pools_of("1"), pools.dialled_for("1")) == ((), ("spring",))
    pools.reinstate("1")
    assert pools.pools_of("1") == ("spring",)
    assert pools.standing("spring", 0).size == 1
    pools.retire("2", lambda _who: True)
    pools.reinstate("2")
    assert pools.pools_of("2") == ("listed",)
    pools.is_out = lambda number: number == "3"
    pools.join("3", None, 6)
    pools.join("3", "spring", 7)
    assert pools.pools_of("3") == ("spring", UNASSIGNED)


def test_retiring_one_by_one_comes_to_what_reading_the_inventory_again_does() -> None:
    settings = {
        "spring": {"numbers": numbers(6), "standby": ["s1", "s2", "s3"]},
        "autumn": {"numbers": ["n003", "n004", "m1"], "standby": ["s2", "s4", "s1"]},
    }
    chance = random.Random(7)
    pools, retired = book(settings), list[str]()
    for number in ("t1", "t2", "s4"):
        pools.join(number, chance.choice(["spring", "winter"]), 5)
    for _ in range(300):
        known = [*pools]
        if not known or (retired and chance.random() < 0.5):
            pools.reinstate(retired.pop(chance.randrange(len(retired))))
        else:
            number = chance.choice(known)
            out = chance.choice(["s1", "s3", ""])
            pools.retire(number, lambda who, out=out: who != out)  # type: ignore[misc]
            retired.append(number)
        again = book(settings)
        again.restore(pools.snapshot())
        assert list(pools) == list(again)
        assert {n: pools.pools_of(n) for n in pools} == {n: again.pools_of(n) for n in again}
        assert pools.names() == again.names()
        for name in pools.names():
            assert pools.standing(name, 0) == again.standing(name, 0)


def test_a_whole_campaign_is_retired_in_a_time_that_grows_with_its_size() -> None:
    def passes(count: int) -> int:
        """Comparisons of the fit of standby numbers: what grew with the square of the size."""
        asked = 0

        def fit(_who: str) -> bool:
            nonlocal asked
            asked += 1
            return True

        own, others = numbers(count), numbers(count, "s")
        pools = book({"spring": {"numbers": own, "standby": others}})
        pools.reconfigure = None  # type: ignore[assignment, method-assign]  # nothing is read again
        assert [pools.retire(number, fit) for number in own] == others
        for number in reversed(own):
            pools.reinstate(number)
        assert list(pools) == sorted(own)
        return asked

    assert passes(2_000) == 2 * passes(1_000)
