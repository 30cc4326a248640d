"""Refusals of one kind at one tick are told as one when they are many."""

from __future__ import annotations

import pytest

from monitor.decisions import Refusal
from monitor.numbers.summary import ALONE_MAX, summed
from tests.numbers.made import START_MS, Table, numbers, order, want


def refusal(number: str, guard: str = "max_fraction", pool: str = "a") -> Refusal:
    return Refusal(START_MS, f"id-{number}", number, guard, "full", pool, "r", f"e-{number}")


@pytest.mark.parametrize("size", [0, 1, ALONE_MAX])
def test_a_few_are_told_one_by_one(size: int) -> None:
    few = [refusal(number) for number in numbers(size)]
    assert summed(few) == few


def test_one_more_makes_them_one() -> None:
    names = numbers(ALONE_MAX + 1)
    (one,) = summed([refusal(number) for number in names])
    assert (one.number, one.episode, one.guard) == ("", "", "max_fraction")
    assert one.detail == f"{len(names)} numbers, {names[0]} among them: full"


def test_kinds_are_kept_apart_and_in_order() -> None:
    many = [refusal(number) for number in numbers(9)]
    other = [refusal("x", "min_left"), refusal("y", pool="b")]
    told = summed([many[0], other[0], *many[1:], other[1]])
    assert [(each.number, each.guard, each.pool) for each in told] == [
        ("", "max_fraction", "a"),
        ("x", "min_left", "a"),
        ("y", "max_fraction", "b"),
    ]


def test_the_desk_sums_up_once_and_tries_all_again() -> None:
    table = Table({"a": {"numbers": numbers(20)}}, rate="100/1m")
    wants = [want(number) for number in numbers(20)]
    first = table.step(wants)
    assert (len(first.commands), [each.number for each in first.refusals]) == (2, [""])
    assert table.step(wants[2:]).refusals == []
    assert table.desk.counts()["wanted"] == 18
    back = table.step(wants[2:], manual=[order("freeze")])
    assert [(each.number, each.guard) for each in back.refusals] == [("", "frozen")]
