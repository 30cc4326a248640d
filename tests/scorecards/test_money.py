from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.scorecards.money import Mode, grouped, rounded, shared, shown
from monitor.scorecards.working import Table

MODES: dict[Mode, str] = {
    "half_up": decimal.ROUND_HALF_UP,
    "half_even": decimal.ROUND_HALF_EVEN,
    "half_down": decimal.ROUND_HALF_DOWN,
    "up": decimal.ROUND_UP,
    "down": decimal.ROUND_DOWN,
    "ceiling": decimal.ROUND_CEILING,
    "floor": decimal.ROUND_FLOOR,
}
cents = st.decimals(-(10**9), 10**9, places=4, allow_nan=False)


@given(cents, st.integers(-3, 6), st.sampled_from(sorted(MODES)))
def test_rounding_is_that_of_decimal(value: Decimal, places: int, mode: Mode) -> None:
    wanted = value.quantize(Decimal(1).scaleb(-places), rounding=MODES[mode])
    assert rounded(Fraction(value), places, mode) == Fraction(wanted)


@given(
    st.integers(-(10**9), 10**9),
    st.lists(st.fractions(0, 100, max_denominator=50), min_size=1, max_size=30).filter(any),
)
def test_a_pool_is_paid_out_to_the_last_cent(amount: int, weights: list[Fraction]) -> None:
    money = Fraction(amount, 100)
    parts = shared(money, weights, 2)
    assert sum(parts) == money
    total = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - money * weight / total) < Fraction(1, 100)
        assert weight or not part


@given(st.lists(st.integers(1, 20), min_size=2, max_size=12), st.integers(0, 10**6))
def test_who_has_more_weight_never_gets_less(weights: list[int], cent: int) -> None:
    parts = shared(Fraction(cent, 100), [Fraction(each) for each in weights], 2)
    pairs = sorted(zip(weights, parts, strict=True))
    for (light, less), (heavy, more) in pairwise(pairs):
        assert light == heavy or less <= more


def test_shares_that_are_equal_go_by_the_order() -> None:
    assert shared(Fraction(100), [Fraction(1)] * 3, 2) == [
        Fraction("33.34"), Fraction("33.33"), Fraction("33.33"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "weights"), [("0.005", [1]), ("1", [0, 0]), ("1", [2, -1])], ids=str
)
def test_what_cannot_be_shared_is_refused(amount: str, weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"units|weights"):
        shared(Fraction(amount), [Fraction(each) for each in weights], 2)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)), min_size=1, max_size=8),
    st.booleans(),
    st.fractions(-10, 200, max_denominator=20),
    st.fractions(0, 50, max_denominator=20),
)
def test_more_is_never_paid_less_where_rates_do_not_fall(
    raw: list[tuple[int, int]],
    above: bool,
    x: Fraction,
    more: Fraction,
) -> None:
    starts = sorted({start for start, _ in raw})
    rates = sorted(rate for _, rate in raw)[: len(starts)]
    steps = tuple((Fraction(a), Fraction(b)) for a, b in zip(starts, rates, strict=True))
    table = Table(steps, above=above)
    marginal = [sum(size * rate for size, rate in table.pieces(at)) for at in (x, x + more)]
    whole = [at * table.rate(at) for at in (x, x + more)]
    assert table.rate(x) <= table.rate(x + more)
    assert marginal[0] <= marginal[1]
    assert whole[0] <= whole[1]
    inside = sum(size for size, _ in table.pieces(x))
    assert inside == max(Fraction(), x - starts[0])


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        ("1/3", None, "0.333333…"),
        ("5", None, "5"),
        ("-0.5", None, "-0.5"),
        ("1234.5", 2, "1234.50"),
        ("12345", -1, "12340"),
        ("-0.004", 2, "0.00"),
        ("3", 0, "3"),
        ("4", -1, "0"),
    ],
)
def test_figures_are_shown_in_decimals(value: str, places: int | None, text: str) -> None:
    assert shown(Fraction(value), places) == text


def test_thousands_are_grouped() -> None:
    assert grouped("-1234567.50") == "-1,234,567.50"
    assert grouped("12") == "12"
