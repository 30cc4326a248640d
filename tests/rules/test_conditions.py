"""Exact comparisons and message templates, against the plainest of oracles."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.rules.conditions import Bounds, Limit
from monitor.rules.levels import Level
from monitor.rules.message import Template
from monitor.rules.ports import Int64
from tests.rules.fakes import rule

bounds = st.fractions(-5, 5, max_denominator=10**6)
scales = st.sampled_from([1, 1000])


def sides(limit: Limit, hits: Int64, of: Int64) -> list[int]:
    """-1, 0 or 1 where the value is below, on or above the bound."""
    a, b = limit.sides(hits, of)
    return [(x > y) - (x < y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]


@given(
    pairs=st.lists(st.tuples(st.integers(-(10**15), 10**15), st.integers(1, 10**15)), max_size=5),
    bound=bounds,
    scale_hits=scales,
    scale_of=scales,
)
def test_sides_are_those_of_exact_fractions(
    pairs: list[tuple[int, int]], bound: Fraction, scale_hits: int, scale_of: int
) -> None:
    limit = Limit.at(bound, scale_hits=scale_hits, scale_of=scale_of)
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    values = [Fraction(hits * scale_of, of * scale_hits) for hits, of in pairs]
    expected = [(value > bound) - (value < bound) for value in values]
    assert sides(limit, table[:, 0], table[:, 1]) == expected


def test_beyond_int64_nothing_wraps_around() -> None:
    limit = Limit.at(Fraction(1, 3), scale_hits=1000, scale_of=1)
    of = np.array([3 * 10**15] * 3, dtype=np.int64)
    hits = np.array([10**18 - 1, 10**18, 10**18 + 1], dtype=np.int64)
    assert sides(limit, hits, of) == [-1, 0, 1]


def test_counts_need_no_look_at_their_size_and_sums_do() -> None:
    bound = Fraction(30, 100)
    assert Limit.at(bound, scale_hits=1, scale_of=1).fits
    assert not Limit.at(bound, scale_hits=1000, scale_of=1).fits
    assert not Limit.at(Fraction(1, 10**4), scale_hits=1, scale_of=1).fits
    assert not Limit.at(Fraction(-(10**4)), scale_hits=1, scale_of=1).fits


def test_a_level_without_a_threshold_has_no_bounds() -> None:
    with pytest.raises(ValueError, match="no bounds"):
        Bounds.of(Level(), scale_hits=1, scale_of=1)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{value}", "0.3333"),
        ("{value:%}", "33.33%"),
        ("{value:.1%}", "33.3%"),
        ("{value:.2f}", "0.33"),
        ("{hits:d}/{of:,}", "1200/3,600.0"),
        ("{hits}", "1200"),
        ("{number} {{{level}}}", "+1 {crit}"),
        ("{missing}", "–"),
        ("", ""),
    ],
)
def test_templates_show_figures_as_asked(template: str, expected: str) -> None:
    values: dict[str, Any] = {
        "value": 1 / 3,
        "hits": 1200.0,
        "of": 3600.0,
        "number": "+1",
        "level": "crit",
        "missing": None,
    }
    assert Template.parse(template).fill(values) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "}",
        "{}",
        "{0}",
        "{a.b}",
        "{a[0]}",
        "{a!r}",
        "{number:>9}",
        "{value:99f}",
        "{x:{y}}",
        3,
        "x" * 2_001,
    ],
)
def test_templates_take_nothing_but_plain_fields(template: object) -> None:
    with pytest.raises(ValidationError):
        rule(message={"en": template})
