"""The statistics against scipy, and against worlds in which nothing, or one thing, is wrong."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from scipy.stats import fisher_exact, hypergeom

from monitor.explain.chance import Comparison, compare, holm, tail


@given(st.integers(1, 3_000), st.data())
def test_the_tail_is_the_hypergeometric_s(rows: int, data: st.DataObject) -> None:
    marked, drawn = data.draw(st.integers(0, rows)), data.draw(st.integers(0, rows))
    least = data.draw(st.integers(max(0, drawn + marked - rows), min(marked, drawn)))
    expected = float(hypergeom.sf(least - 1, rows, marked, drawn))
    if least * rows <= drawn * marked:
        assert tail(least, marked, drawn, rows) == 1.0
    else:
        assert tail(least, marked, drawn, rows) == pytest.approx(expected, rel=1e-6, abs=1e-250)


@pytest.mark.parametrize(
    ("least", "marked", "drawn", "rows"),
    [(60, 200, 80, 1_000), (50_300, 100_000, 500_000, 1_000_000), (9, 9, 9, 1_000_000)],
)
def test_the_tail_is_fisher_s_exact_test(least: int, marked: int, drawn: int, rows: int) -> None:
    table = [[least, drawn - least], [marked - least, rows - drawn - marked + least]]
    expected = float(fisher_exact(table, alternative="greater").pvalue)
    assert tail(least, marked, drawn, rows) == pytest.approx(expected, rel=1e-6)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_by_its_definition(ps: list[float]) -> None:
    for p, found in zip(ps, holm(ps), strict=True):
        smaller = [other for other in ps if other <= p]
        steps = [min(1.0, sum(each >= other for each in ps) * other) for other in smaller]
        assert found == pytest.approx(max(steps))


DIMENSIONS = ("agent", "customer", "number")


def world(seed: int, *, bad_agent: float = 0.3, rows: int = 400) -> Comparison:
    """Calls of ten agents on six numbers to many customers; 30 % bad, of agent 3 ``bad_agent``."""
    random = np.random.default_rng(seed)
    agent, number = random.integers(0, 10, rows), random.integers(0, 6, rows)
    share = np.where(agent == 3, bad_agent, 0.3)
    frame = pl.DataFrame(
        {
            "agent": [f"a{each}" for each in agent],
            "number": [f"n{each}" for each in number],
            "customer": [f"c{each}" for each in random.integers(0, 300, rows)],
            "bad": random.random(rows) < share,
        }
    )
    bad = pl.col("bad")
    return compare(frame.filter(bad), frame.filter(~bad), DIMENSIONS, nested=True)


def test_one_bad_agent_across_numbers_is_named() -> None:
    named = [world(seed, bad_agent=0.9).named for seed in range(20)]
    found = [[(each.dimension, each.value) for each in each_named] for each_named in named]
    assert found.count([("agent", "a3")]) >= 19
    agent = world(0, bad_agent=0.9).common[0]
    assert agent.lift == pytest.approx(agent.share / agent.base_share)
    assert agent.share > 2 * agent.base_share
    assert agent.chance >= agent.p


def test_without_a_cause_hardly_anything_is_named() -> None:
    # At most 1 in 100 by the promise; of 600 more than 14 would be rarer than 1 in 1,000.
    assert sum(bool(world(seed).named) for seed in range(600)) <= 14


def test_every_dimension_says_its_most_common_value() -> None:
    found = world(1)
    assert {each.dimension for each in found.common} == set(DIMENSIONS)
    assert found.values > 200
    assert [each.chance for each in found.common] == sorted(each.chance for each in found.common)


def test_two_samples_are_compared_as_such() -> None:
    # Complaints are none of the calls: 8 of 10 are of agent a, and of the calls 20 of 100.
    bad = pl.DataFrame({"agent": ["a"] * 8 + ["b"] * 2})
    calls = pl.DataFrame({"agent": ["a"] * 20 + ["b"] * 80})
    (agent,) = compare(bad, calls, ["agent"], nested=False).common
    assert (agent.share, agent.base_share) == (0.8, 0.2)
    assert agent.lift == pytest.approx(4.0)
    expected = fisher_exact([[8, 2], [20, 80]], alternative="greater").pvalue
    assert agent.p == pytest.approx(float(expected))
    assert agent.chance == pytest.approx(2 * float(expected)), "two values were looked at"


def test_what_all_rows_have_says_nothing() -> None:
    bad, rest = pl.DataFrame({"agent": ["a", "a"]}), pl.DataFrame({"agent": ["a", None]})
    assert compare(bad, rest, ["agent"], nested=True) == Comparison((), 0)
    assert compare(bad, rest.clear(), ["agent"], nested=True) == Comparison((), 0)


def test_a_value_that_is_nowhere_else_has_no_finite_lift() -> None:
    bad, rest = pl.DataFrame({"agent": ["a", "b"]}), pl.DataFrame({"agent": ["b", "b"]})
    (agent,) = compare(bad, rest, ["agent"], nested=False).common
    assert (agent.value, agent.lift) == ("a", float("inf"))
