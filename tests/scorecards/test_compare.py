from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from scipy import stats

from monitor.scorecards.changes import differences, warnings
from monitor.scorecards.compare import backtest, parallel
from monitor.scorecards.evaluate import evaluate
from monitor.scorecards.forecast import forecast, t_below, t_quantile
from monitor.scorecards.report import Sheet
from tests.scorecards.made import BASE, card, sums

PROMOTION = [{"name": "618", "first": "2026-06-01", "last": "2026-06-20"}]


def sheets(per_deal: int, deals: dict[str, tuple[int, int]], **over: Any) -> list[Sheet]:
    made = card(parameters={"each": per_deal}, promotions=PROMOTION, **over)
    return [
        evaluate(made, sums(label, amy=("red", {"deals": a}), bob=("blue", {"deals": b})))
        for label, (a, b) in deals.items()
    ]


DEALS = {"2026-05": (10, 4), "2026-06": (50, 40), "2026-07": (6, 8)}


def test_old_and_new_are_compared_with_promotions_apart() -> None:
    lines = [{"id": "pay", "formula": "deals * each - 20", "pays": True}]
    found = backtest(list(zip(sheets(10, DEALS), sheets(12, DEALS, lines=lines), strict=True)))
    # May: amy 100 → 100, bob 40 → 28; July: amy 60 → 52, bob 80 → 76. June: 500 → 580, 400 → 460.
    assert found.ordinary is not None
    assert found.promotion is not None
    assert found.ordinary_totals is not None
    assert found.ordinary.mean == Fraction(0 - 12 - 8 - 4, 4)
    assert found.ordinary.largest.person == "amy"
    assert found.ordinary.largest.difference == 0
    assert (found.ordinary.smallest.person, found.ordinary.smallest.period) == ("bob", "2026-05")
    assert (found.ordinary.gain, found.ordinary.lose) == (0, 3)
    assert found.promotion.mean == 70
    assert found.promotion.gain == 2
    assert [gap.difference for gap in found.totals] == [-12, 140, -12]
    assert found.ordinary_totals.mean == -12
    assert [each.label for each in found.people] == ["bob", "amy"]
    assert [each.mean for each in found.people] == [-8, -4]
    document = found.to_json()
    assert document["ordinary"]["smallest"]["difference"] == "-12"
    assert document["totals"][1]["new"] == "1040"


def test_who_is_in_one_card_alone_is_paid_nothing_by_the_other() -> None:
    made = card()
    pairs = [(evaluate(made, sums()), evaluate(made, sums(amy=("red", {"deals": 1}))))]
    found = backtest(pairs)
    assert [gap.difference for gap in found.gaps] == [10]
    assert found.promotion is None
    assert found.to_json()["promotion"] is None


def test_who_takes_part_is_paid_the_higher() -> None:
    made = {"2026-05": (10, 4)}
    lines = [{"id": "pay", "formula": "deals * each + 20 if person == 'amy' else 0", "pays": True}]
    (old,), (new,) = sheets(10, made), sheets(10, made, lines=lines)
    run = parallel(old, new, ["amy", "bob"])
    assert {each.gap.person: each.paid for each in run.people} == {"amy": 120, "bob": 40}
    assert run.extra == 20
    assert run.total == 160
    run = parallel(old, new, ["bob"])
    assert {each.gap.person: each.paid for each in run.people} == {"amy": 100, "bob": 40}
    assert run.to_json()["people"][0]["takes_part"] is False


@pytest.mark.parametrize("freedom", [1, 2, 5, 11, 200])
@pytest.mark.parametrize("chance", [0.01, 0.3, 0.5, 0.9, 0.95, 0.995])
def test_students_t_is_that_of_scipy(freedom: int, chance: float) -> None:
    x = float(stats.t.ppf(chance, freedom))
    assert t_below(x, freedom) == pytest.approx(chance, abs=1e-12)
    assert t_quantile(chance, freedom) == pytest.approx(x, rel=1e-9, abs=1e-6)


def test_the_next_total_lies_in_an_interval() -> None:
    deals = {f"2026-{month:02}": (month, 5) for month in (1, 2, 3, 4, 5, 6, 7)}
    found = forecast(sheets(10, deals), budget=100)
    totals = [10 * (month + 5) for month in (1, 2, 3, 4, 5, 7)]
    mean = sum(totals) / 6
    error = float(stats.tstd(totals)) * (1 + 1 / 6) ** 0.5
    low, high = stats.t.interval(0.9, 5, loc=mean, scale=error)
    assert (found.mean, found.low, found.high) == pytest.approx((mean, low, high))
    assert found.over_budget == pytest.approx(1 - stats.t.cdf((100 - mean) / error, 5))
    assert found.left_out == (("2026-06", "promotion: 618"),)
    assert found.remarks == ()
    assert found.to_json()["used"][0] == {"period": "2026-01", "total": 60.0}


def test_few_periods_are_said_to_be_few() -> None:
    deals = {"2026-01": (1, 1), "2026-02": (2, 2), "2026-03": (3, 3)}
    found = forecast(sheets(10, deals))
    assert found.low is not None
    assert found.remarks[0].startswith("only 3 periods")
    found = forecast(sheets(10, dict(list(deals.items())[:2])), budget=10)
    assert (found.mean, found.low, found.over_budget) == (30, None, None)
    assert found.remarks == ("2 of at least 3 periods: a mean, and no interval",)
    found = forecast([evaluate(card(), sums())])
    assert (found.mean, found.left_out) == (None, (("2026-10", "nobody has a statement"),))
    assert found.to_json()["mean"] is None


def test_totals_that_are_all_the_same_have_no_width() -> None:
    deals = {f"2026-0{month}": (1, 1) for month in (1, 2, 3)}
    found = forecast(sheets(10, deals), budget=19)
    assert (found.low, found.high, found.over_budget) == (20, 20, 1)


# --- changes --------------------------------------------------------------------------------------


def told(over: dict[str, Any], against: dict[str, Any] | None = None) -> list[str]:
    old = None if against is None else card(**against)
    return [each.message for each in warnings(card(**over), old)]


def test_a_change_that_comes_too_early_is_warned_of() -> None:
    changes = [{"on": "2026-01-01", "what": "born"}, {"on": "2026-05-01", "what": "each 9 → 10"}]
    over: dict[str, Any] = {"changes": changes, "valid_from": "2026-07-01"}
    assert told(over) == [
        (
            "changed on 2026-07-01, after 2 months: the change before was on 2026-05-01, and"
            " 3 months should lie between"
        )
    ]
    assert told({**over, "valid_from": "2026-08-01"}) == []
    (problem,) = warnings(card(**over))
    assert problem.hint == "wait until 2026-08-01"
    assert problem.line > 1


def test_more_than_so_many_a_year_are_warned_of() -> None:
    changes = [{"on": f"2026-0{month}-01", "what": "x"} for month in (1, 2, 3, 4)]
    over = {"changes": changes, "valid_from": "2026-06-01", "pace": {"periods_between": 0}}
    assert told(over) == ["5 changes within a year, and at most 4 are planned"]
    assert told({**over, "valid_from": "2027-01-02"}) == []


def test_too_much_at_once_is_warned_of() -> None:
    new = {
        "parameters": {"each": 11, "more": 1},
        "lines": [{"id": "pay", "formula": "deals * each + more", "pays": True}],
        "valid_from": "2026-06-01",
        "changes": [{"on": "2026-01-01", "what": "born"}],
    }
    assert told(new, {}) == [
        (
            "3 things change at once, and at most 2 are planned: parameters each: changed;"
            " parameters more: added; lines pay: changed"
        )
    ]


def test_a_change_without_a_date_is_warned_of() -> None:
    assert told({"parameters": {"each": 11}}, {}) == [
        "it differs from the card valid from 2026-01-01, and is valid from then"
    ]
    found = told({"parameters": {"each": 11}, "valid_from": "2026-02-01"}, {})
    assert "the change of 2026-01-01 is not among its changes" in found
    assert found[0].startswith("changed on 2026-02-01, after 1 month:")


def test_titles_are_no_difference() -> None:
    lines = [{**BASE["lines"][0], "title": "Pay"}]
    assert differences(card(), card(lines=lines, title="New")) == []


def test_order_and_rounding_are_differences() -> None:
    a, b = ({"id": name, "formula": "deals", "pays": True} for name in "ab")
    found = differences(
        card(lines=[a, b]),
        card(lines=[b, a], rounding={"places": 0, "mode": "down"}, figures={
            "deals": {"value": {"count": "deal.won"}}, "x": {"given": "team"}}),
    )  # fmt: skip
    assert list(map(str, found)) == [
        "figures x: added", "lines: in another order", "rounding: changed",
    ]  # fmt: skip
    assert str(differences(card(lines=[a, b]), card(lines=[a]))[0]) == "lines b: removed"
