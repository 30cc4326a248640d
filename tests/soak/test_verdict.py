"""The verdict of a soak can be bad."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.report import OUTCOMES, table
from tests.soak.verdict import ZERO, Verdict, decided, out_of_order

WELL = Verdict(seconds=10, rate=100, seed=1, events=1_000, events_per_s=100, notices_repeated=3)
WELL.repeats_allowed = 3


def test_it_is_good_only_under_all_of_the_load_with_no_more_repeats_than_were_under_way() -> None:
    assert WELL.good
    assert not replace(WELL, repeats_allowed=2).good
    assert not replace(WELL, events_per_s=90).good
    assert not replace(WELL, requests=9, requests_meanwhile=4).good


@pytest.mark.parametrize("name", ZERO)
def test_one_of_what_must_not_be_makes_it_bad(name: str) -> None:
    verdict = replace(WELL, notes={})
    verdict.count(name, ["x"])
    assert not verdict.good
    assert verdict.notes == {name: ["x"]}


def test_the_table_tells_of_all_that_must_not_be() -> None:
    assert {name for _, name in OUTCOMES} == set(ZERO)
    verdict = replace(WELL, commands_repeated=7, faults={"kill -9": 2})
    assert "| commands twice on the topic | 7 | 0 |" in table(verdict)
    assert "| kill -9 | 2 |" in table(verdict)


def test_an_order_is_wrong_for_one_key_only() -> None:
    decided = {"a1": "a", "b1": "b", "a2": "a", "a3": "a", "b2": "b"}
    assert out_of_order(["b1", "b2", "a1", "a2", "a3"], decided) == set()
    assert out_of_order(["a1", "a2", "a1", "a3"], decided) == set(), "a repeat is no new word"
    assert out_of_order(["a1", "a3", "a2", "b1"], decided) == {"a"}


def test_a_notice_may_come_again_without_its_remark_and_with_nothing_else_changed() -> None:
    first = b'{"id": "1", "value": 0.5, "common": {"bad": 7}}'
    assert decided(first) == decided(b'{"value": 0.5, "id": "1"}')
    assert decided(first) != decided(b'{"id": "1", "value": 0.6, "common": {"bad": 7}}')
