from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from monitor.scorecards.evaluate import evaluate
from monitor.scorecards.figures import Figure, Sums, laid_over
from monitor.scorecards.people import Employment, People
from monitor.scorecards.report import Sheet, Statement
from tests.scorecards.made import card, period, sums

POOL: dict[str, Any] = {
    "id": "bonus",
    "pays": True,
    "pool": {"by": "team", "amount": "deals * 10", "weight": "deals"},
}


def of(sheet: Sheet, person: str, team: str | None = None) -> Statement:
    return next(
        each for each in sheet.statements if each.person == person and team in {None, each.team}
    )


def test_who_is_employed_and_did_nothing_has_a_statement() -> None:
    people = People({"zoe": (Employment("zoe", "Zoe", "red"),)})
    sheet = evaluate(card(), sums(), people)
    mine = of(sheet, "zoe")
    assert mine.total == 0
    assert mine.who == "Zoe (zoe)"
    assert mine.team == "red"


def test_the_last_team_has_all_of_who_changes_teams() -> None:
    made = sums(amy=("blue", {"deals": 3}), bob=("red", {"deals": 1}))
    made.people["amy", ""].teams = ("red", "blue")
    sheet = evaluate(card(lines=[POOL]), made)
    assert of(sheet, "amy").remarks == ("worked in red, blue: all of it counts for blue",)
    assert {pool.of: pool.amount for pool in sheet.pools} == {"blue": 30, "red": 10}


def test_statements_are_split_where_the_card_says_so() -> None:
    made = Sums(period())
    made.standing("amy", "red").figures["deals"] = Figure(Fraction(12))
    made.standing("amy", "blue").figures["deals"] = Figure(Fraction(3))
    tiers = {"t": {"steps": [{"from": 0, "rate": 1}, {"from": 10, "rate": 2}]}}
    lines = [{"id": "pay", "formula": "whole(t, deals) * each", "pays": True}, POOL]
    sheet = evaluate(card(team_changes="split", tiers=tiers, lines=lines), made)
    assert of(sheet, "amy", "red").total == 12 * 2 * 10 + 120
    assert of(sheet, "amy", "blue").total == 3 * 10 + 30
    assert sheet.by_person() == {"amy": 240 + 120 + 30 + 30}


def test_the_table_of_people_says_the_last_team_of_a_period() -> None:
    rows = (
        Employment("amy", "", "red", "junior", last=date(2026, 10, 14)),
        Employment("amy", "", "blue", "senior", first=date(2026, 10, 15)),
    )
    profiles = [{"id": "junior", "match": {"role": "junior"}, "parameters": {"each": 5}}]
    people = People({"amy": rows})
    mine = of(evaluate(card(profiles=profiles), sums(amy=("red", {"deals": 3})), people), "amy")
    assert (mine.team, mine.role, mine.profile) == ("blue", "senior", "default")
    assert mine.total == 30
    mine = of(
        evaluate(card(profiles=profiles), sums("2026-09", amy=("red", {"deals": 3})), people), "amy"
    )
    assert mine.profile == "junior"
    assert mine.total == 15


def test_profiles_match_by_all_that_they_say() -> None:
    profiles: list[dict[str, Any]] = [
        {"id": "one", "match": {"person": "amy", "team": "blue"}, "parameters": {"each": 1}},
        {"id": "two", "match": {"person": ["amy", "bob"]}, "parameters": {"each": 2}},
        {"id": "three", "match": {"tenure_below": 3}, "parameters": {"each": 3}},
    ]
    people = People({"cai": (Employment("cai", joined=date(2026, 9, 1)),)})
    made = sums(amy=("red", {"deals": 1}), cai=("red", {"deals": 1}), dan=("red", {"deals": 1}))
    sheet = evaluate(card(profiles=profiles), made, people)
    found = {each.person: each.profile for each in sheet.statements}
    assert found == {"amy": "two", "cai": "three", "dan": "default"}


def test_a_line_of_other_profiles_is_nothing_to_lines_below() -> None:
    lines = [
        {"id": "extra", "formula": "100", "for": "new", "pays": True},
        {"id": "pay", "formula": "deals * each + extra", "pays": True},
    ]
    profiles = [{"id": "new", "match": {"person": "amy"}}]
    made = sums(amy=("red", {"deals": 1}), bob=("red", {"deals": 1}))
    sheet = evaluate(card(lines=lines, profiles=profiles), made)
    assert of(sheet, "amy").total == 210
    assert of(sheet, "bob").total == 10
    assert of(sheet, "bob").line("extra") is None


def test_what_has_no_evidence_is_null_and_said() -> None:
    figures = {
        "csat": {"value": {"mean": "score", "on": "call.rated"}},
        "low": {"value": {"min": "score", "on": "call.rated"}},
    }
    lines = [
        {"id": "service", "weighted": {"csat": "50%", "low": "50%"}},
        {"id": "pay", "formula": "service * 10", "pays": True},
    ]
    made = card(figures=figures, parameters={}, lines=lines)
    sheet = evaluate(made, sums(amy=("red", {}), bob=("red", {"csat": (9, 2)})))
    amy, bob = of(sheet, "amy"), of(sheet, "bob")
    assert [amy.total, bob.total] == [Fraction(0), Fraction(45)]
    pay = amy.line("pay")
    assert pay is not None
    assert pay.remark == "no value, for lack of evidence: counts as nothing"
    service = bob.line("service")
    assert service is not None
    assert service.working == "(csat 4.5 × 0.5) ÷ 0.5 [left out, without a value: low] = 4.5"


def test_otherwise_holds_where_nothing_was_given() -> None:
    figures = {"extra": {"given": "person", "otherwise": 7}}
    made = card(
        figures=figures, parameters={}, lines=[{"id": "pay", "formula": "extra", "pays": True}]
    )
    assert of(evaluate(made, sums(amy=("red", {}))), "amy").total == 7


def test_figures_given_for_a_team_and_for_all_are_everybodys() -> None:
    figures = {"coop": {"given": "team"}, "market": {"given": "company"}}
    lines = [{"id": "pay", "formula": "coalesce(coop, 0) + market", "pays": True}]
    made = sums(amy=("red", {}), bob=("blue", {}))
    made.teams["red"] = {"coop": Figure(Fraction(80))}
    made.company["market"] = Figure(Fraction(5))
    sheet = evaluate(card(figures=figures, parameters={}, lines=lines), made)
    assert of(sheet, "amy").total == 85
    assert of(sheet, "bob").total == 5


def test_weights_below_zero_count_as_none_and_it_is_said() -> None:
    figures = {"deals": {"given": "person"}}
    made = sums(amy=("red", {"deals": 5}), bob=("red", {"deals": -2}), cai=("red", {}))
    sheet = evaluate(card(figures=figures, lines=[POOL]), made)
    (pool,) = sheet.pools
    assert pool.amount == 30
    assert [share for _, _, share in pool.shares] == [30, 0, 0]
    assert of(sheet, "bob").remarks == (
        "bonus: the weight in the pool is -2, below zero: it counts as none",
    )
    assert "no value" in of(sheet, "cai").remarks[0]


def test_a_pool_that_nobody_has_a_weight_in_is_not_paid() -> None:
    pool = {**POOL, "pool": {"by": "company", "amount": "100", "weight": "deals"}}
    sheet = evaluate(card(lines=[pool]), sums(amy=("red", {"deals": 0})))
    assert sheet.total == 0
    assert sheet.pools[0].remark == "nobody has a weight above zero: it is not paid out"


def test_a_pool_without_evidence_is_nothing() -> None:
    figures = {"deals": {"value": {"count": "deal.won"}}, "coop": {"given": "team"}}
    pool = {**POOL, "pool": {"by": "team", "amount": "coop * 2"}}
    sheet = evaluate(card(figures=figures, lines=[pool]), sums(amy=("red", {"deals": 1})))
    assert sheet.pools[0].remark == "no amount, for lack of evidence"


def test_a_pool_joins_the_figures_of_its_members() -> None:
    figures = {
        "csat": {"value": {"mean": "score", "on": "call.rated"}},
        "best": {"value": {"max": "score", "on": "call.rated"}},
        "worst": {"value": {"min": "score", "on": "call.rated"}},
        "own": {"given": "person"},
    }
    amount = "csat * 100 + best * 10 + worst + own * 1000 + members + first"
    lines = [
        {"id": "first", "formula": "own * 10000"},
        {"id": "bonus", "pays": True, "pool": {"by": "company", "amount": amount}},
    ]
    made = sums(
        amy=("red", {"csat": (9, 2), "best": 5, "worst": 4, "own": 1}),
        bob=("red", {"csat": (2, 2), "best": 1, "worst": 1, "own": 2}),
    )
    sheet = evaluate(card(figures=figures, lines=lines, parameters={}), made)
    # mean (9 + 2) / 4; best 5; worst 1; own 3; members 2; first 30000
    assert sheet.pools[0].amount == 275 + 50 + 1 + 3000 + 2 + 30000


def test_a_charge_can_be_shared_too() -> None:
    pool = {**POOL, "pool": {"by": "company", "amount": "0 - 100"}}
    made = sums(amy=("red", {"deals": 1}), bob=("red", {"deals": 1}), cai=("red", {"deals": 1}))
    sheet = evaluate(card(lines=[pool]), made)
    assert sheet.total == -100
    assert of(sheet, "amy").total == Fraction("-33.34")


def test_floor_is_stronger_than_cap_and_the_total_has_both() -> None:
    lines = [{"id": "pay", "formula": "deals * each", "cap": "50", "floor": "60", "pays": True}]
    mine = of(evaluate(card(lines=lines), sums(amy=("red", {"deals": 9}))), "amy")
    assert mine.total == 60
    mine = of(
        evaluate(card(total={"cap": "deals * 100 / 3"}), sums(amy=("red", {"deals": -1}))), "amy"
    )
    assert mine.total == Fraction("-33.33")
    mine = of(evaluate(card(total={"cap": "33.333"}), sums(amy=("red", {"deals": 9}))), "amy")
    assert mine.total == Fraction("33.33")
    assert mine.remarks == ("total 90 → cap 33.333 → 33.33 (half_up)",)


def test_promotions_are_named() -> None:
    promotions = [{"name": "618", "first": "2026-10-31", "last": "2026-11-02"}]
    assert evaluate(card(promotions=promotions), sums()).promotions == ("618",)
    assert evaluate(card(promotions=promotions), sums("2026-09")).promotions == ()


def test_sums_by_hand_go_before_those_of_events() -> None:
    below = sums(amy=("red", {"deals": 3}), bob=("red", {"deals": 4}))
    above = sums(amy=("", {"deals": 5}))
    above.people["amy", ""].role = "senior"
    above.teams["red"] = {"coop": Figure(Fraction(1))}
    below.remarks.append("late")
    found = laid_over(below, above)
    assert found.people["amy", ""].figures["deals"].value == 5
    assert (found.people["amy", ""].team, found.people["amy", ""].role) == ("red", "senior")
    assert found.people["bob", ""].figures["deals"].value == 4
    assert below.people["amy", ""].figures["deals"].value == 3
    assert found.teams["red"]["coop"].value == 1
    assert found.remarks == ["late"]


def test_of_several_teams_a_row_without_one_is_the_last_ones() -> None:
    below = Sums(period())
    below.standing("amy", "red").figures["deals"] = Figure(Fraction(1))
    below.standing("amy", "blue").figures["deals"] = Figure(Fraction(2))
    found = laid_over(below, sums(amy=("", {"deals": 9})))
    assert {part: each.figures["deals"].value for part, each in found.people.items()} == {
        ("amy", "red"): 1,
        ("amy", "blue"): 9,
    }


def test_titles_are_in_the_language_asked_for() -> None:
    made = card(title={"en": "Made", "zh": "自制"})
    assert evaluate(made, sums(), language="zh").title == "自制"
    assert evaluate(made, sums()).title == "Made"
    assert evaluate(card(), sums()).title == "made"


def test_supervisors_json_has_their_teams_alone() -> None:
    made = sums(amy=("red", {"deals": 3}), bob=("blue", {"deals": 4}))
    found = evaluate(card(lines=[POOL]), made).to_json(teams=["red"])
    assert [each["person"] for each in found["statements"]] == ["amy"]
    assert [each["of"] for each in found["pools"]] == ["red"]
    assert found["total"] == "30"
