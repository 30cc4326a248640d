from __future__ import annotations

from fractions import Fraction

import pytest

from monitor.errors import ExpressionError
from monitor.scorecards.language import Names, Value, names_of, parse, tables_of, unguarded
from monitor.scorecards.working import Scope, Table, worked, written

NAMES = Names(
    {
        "deals": "number",
        "csat": "number",
        "csat.of": "number",
        "none": "number",
        "team": "text",
        "zero": "number",
    },
    frozenset({"steps"}),
)
SCOPE = Scope(
    {
        "deals": Fraction(12),
        "csat": Fraction(9, 2),
        "csat.of": Fraction(8),
        "none": None,
        "team": "red",
        "zero": Fraction(0),
    },
    {"steps": Table(((Fraction(0), Fraction(1)), (Fraction(10), Fraction(2))))},
    "half_up",
)


def value(text: str) -> Value:
    return worked(parse(text, NAMES), SCOPE)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("deals * 0.1", "6/5"),
        ("0.1 + 0.2", "3/10"),
        ("-deals + 2 - 3 / 4", "-43/4"),
        ("1 if team == 'red' else 2", "1"),
        ("1 if team in ['blue', 'green'] else 2", "2"),
        ("1 if team not in ['blue'] and not deals < 12 else 2", "1"),
        ("1 if 10 < deals <= 12 or none > 1 else 2", "1"),
        ("1 if none > 1 else 2", "2"),
        ("1 if none > 1 and deals > 0 else 2", "2"),
        ("1 if none is null else 2", "1"),
        ("1 if csat is not null else 2", "1"),
        ("none + 1", None),
        ("deals / zero", None),
        ("coalesce(none, deals / zero, 7)", "7"),
        ("coalesce(none, none)", None),
        ("min(deals, 3, 5) + max(1, csat)", "15/2"),
        ("abs(-3)", "3"),
        ("clamp(deals, 0, 10)", "10"),
        ("clamp(-1, 0, 10)", "0"),
        ("round(1.005, 2)", "101/100"),
        ("round(-1.005, 2)", "-101/100"),
        ("scale(csat, 4, 5, 0.8, 1.2)", "1"),
        ("scale(9, 4, 5, 0.8, 1.2)", "6/5"),
        ("scale(1, 4, 5, 0.8, 1.2)", "4/5"),
        ("scale(2, 5, 0, 0, 10)", "6"),
        ("scale(2, 3, 3, 0, 10)", None),
        ("step(steps, deals)", "2"),
        ("step(steps, -1)", "0"),
        ("whole(steps, deals)", "24"),
        ("marginal(steps, deals)", "14"),
        ("marginal(steps, -4)", "0"),
        ("csat.of", "8"),
        ("1 if true != false else 2", "1"),
    ],
)
def test_what_formulas_come_to(text: str, wanted: str | None) -> None:
    assert value(text) == (None if wanted is None else Fraction(wanted))


@pytest.mark.parametrize(
    ("text", "offset", "message", "hint"),
    [
        ("dels * 2", 0, "nothing is called dels", "did you mean deals?"),
        ("xyz", 0, "nothing is called xyz", "a figure, a parameter or a line above"),
        ("deals * team", 8, "this is a text, not a number", ""),
        ("deals > 3", 0, "this is true or false, not a number", ""),
        ("steps", 0, "steps is a table of tiers", "as in step(steps, deals)"),
        ("step(setps, deals)", 5, "no table of tiers setps", "did you mean steps?"),
        ("step(3, deals)", 5, "no table of tiers", "under tiers: there are steps"),
        ("step()", 0, "not how step is called", "step(table, x): the rate of the step"),
        ("step(steps)", 0, "not how step is called", "step(table, x): the rate of the step"),
        ("floor(deals)", 0, "no function floor", "there are step, whole"),
        ("coalesc(deals, 1)", 0, "no function coalesc", "did you mean coalesce?"),
        ("(1)(2)", 0, "no function of this kind", "there are step, whole"),
        ("min(deals, x=3)", 0, "not how min is called", "min(a, b, …)"),
        ("round(deals, csat)", 13, "places are a number from 0 to 6", ""),
        ("round(deals, 7)", 13, "places are a number from 0 to 6", ""),
        ("1 if team < 'a' else 2", 5, "`<` needs numbers", "use == or !="),
        ("1 if csat == null else 2", 13, "nothing equals null", "write `is null`"),
        ("1 if csat is 3 else 2", 13, "`is` goes with null only", "write `is null` or `==`"),
        ("1 if team in 'a' else 2", 13, "`in` needs a list of values", "write in ['a', 'b']"),
        ("null", 0, "null stands only after `is`", "write `is null`"),
        ("deals ** 2", 0, "not in the language of scorecards", "names, numbers"),
        ("True", 0, "not in the language of scorecards", "names, numbers"),
        ("1e20", 0, "a number beyond all reason", ""),
        ("0.1234567890123456", 0, "a number beyond all reason", ""),
        ("", 0, "empty formula", "as in deals * per_deal"),
        ("deals[0]", 0, "not in the language of scorecards", "names, numbers"),
    ],
)
def test_what_is_not_in_the_language_is_told_with_its_place(
    text: str, offset: int, message: str, hint: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, NAMES)
    assert str(caught.value) == message
    assert caught.value.offset == offset
    assert caught.value.hint.startswith(hint)


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(ExpressionError, match="too deeply nested"):
        parse("-" * 40 + "1", NAMES)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("(deals - 2) * 3", "(deals 12 − 2) × 3"),
        ("deals - (2 - 3)", "deals 12 − (2 − 3)"),
        (
            "1 if deals > 3 and team == 'red' else none",
            "1 if deals 12 > 3 and team 'red' == 'red' else none null",
        ),
        (
            "2 * (1 if not deals in [1, 2] else -csat)",
            "2 × (1 if not deals 12 in [1, 2] else −csat 4.5)",
        ),
        ("1 if csat is null or true else 0", "1 if csat 4.5 is null or true else 0"),
        ("step(steps, deals)", "step(steps, deals 12) [rate 2]"),
        ("marginal(steps, -1)", "marginal(steps, −1) [0]"),
        ("whole(steps, none)", "whole(steps, none null)"),
        ("max(deals, 1)", "max(deals 12, 1)"),
    ],
)
def test_formulas_are_shown_with_their_values(text: str, shown: str) -> None:
    assert written(parse(text, NAMES), SCOPE) == shown


def test_formulas_are_shown_without_values_too() -> None:
    assert written(parse("deals * step(steps, csat)", NAMES)) == "deals × step(steps, csat)"


def test_what_a_formula_reads_is_known() -> None:
    node = parse(
        "coalesce(csat, none) + marginal(steps, csat.of) if none is not null else none", NAMES
    )
    assert names_of(node) == {"csat", "none"}
    assert tables_of(node) == {"steps"}
    assert unguarded(node) == {"csat.of"}
    assert unguarded(parse("coalesce(csat, 1) + deals", NAMES)) == {"deals"}
