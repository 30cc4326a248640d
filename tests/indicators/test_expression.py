"""The language of ``where``: what it takes, what it refuses and where, and what it means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from monitor.errors import ExpressionError
from monitor.indicators.expression import conjuncts, fields_of, parse_where
from monitor.indicators.predicate import passes, to_polars
from monitor.indicators.tree import (
    Calculate,
    Call,
    Compare,
    Constant,
    Field,
    Hour,
    In,
    IsNull,
    Junction,
    Node,
    Not,
)
from monitor.strict_yaml.expressions import DEPTH_MAX, LENGTH_MAX, NODES_MAX

CALL = ("call.ended",)
Row = dict[str, Any]
PARIS: Row = {"customer": "+33145550100"}

SCHEMA = {
    "outcome": pl.String,
    "hangup_by": pl.String,
    "agent": pl.String,
    "customer": pl.String,
    "customer_tz": pl.String,
    "talk_s": pl.Float64,
    "ring_s": pl.Float64,
    "sip_code": pl.Int64,
    "need_captured": pl.Boolean,
    "sms_preheated": pl.Boolean,
    "started_at": pl.Int64,
    "time": pl.Int64,
}


def frame(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in SCHEMA}, schema=SCHEMA)


def taken(text: str, row: Row) -> bool:
    (found,) = frame(row).select(passes(parse_where(text, CALL)).alias("x"))["x"].to_list()
    assert isinstance(found, bool)
    return found


# --- meaning ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "row", "passed"),
    [
        ("outcome == 'answered'", {"outcome": "answered"}, True),
        ("outcome == 'answered'", {"outcome": "busy"}, False),
        ("outcome == 'answered'", {}, False),
        ("not outcome == 'answered'", {"outcome": "busy"}, True),
        ("not (outcome == 'answered')", {}, False),
        ("outcome != 'answered'", {}, False),
        ("outcome is null", {}, True),
        ("outcome is null", {"outcome": "busy"}, False),
        ("not (outcome is null)", {}, False),
        ("outcome is not null", {"outcome": "busy"}, True),
        ("need_captured", {"need_captured": True}, True),
        ("need_captured", {"need_captured": False}, False),
        ("need_captured", {}, False),
        ("not need_captured", {}, False),
        ("not need_captured", {"need_captured": False}, True),
        ("need_captured == false", {"need_captured": False}, True),
        ("need_captured or talk_s > 1", {"talk_s": 2.0}, True),
        ("not (need_captured and talk_s > 1)", {"talk_s": 1.0}, True),
        ("not (need_captured and talk_s > 1)", {"talk_s": 2.0}, False),
        ("not (need_captured or talk_s > 1)", {"talk_s": 1.0}, False),
        ("talk_s < 30", {"talk_s": 29.999}, True),
        ("talk_s < 30", {"talk_s": 30.0}, False),
        ("talk_s <= 30", {"talk_s": 30.0}, True),
        ("talk_s > 30", {"talk_s": 30.0}, False),
        ("talk_s >= 30", {"talk_s": 30.0}, True),
        ("10 <= talk_s < 30", {"talk_s": 10.0}, True),
        ("10 <= talk_s < 30", {"talk_s": 30.0}, False),
        ("outcome in ['busy', 'failed']", {"outcome": "failed"}, True),
        ("outcome in ['busy', 'failed']", {}, False),
        ("outcome not in ['busy', 'failed']", {"outcome": "answered"}, True),
        ("outcome not in ['busy', 'failed']", {}, False),
        ("sip_code in [603, 608]", {"sip_code": 603}, True),
        ("sip_code in (603, 608)", {"sip_code": 607}, False),
        ("talk_s / ring_s > 1", {"talk_s": 3.0, "ring_s": 2.0}, True),
        ("talk_s / ring_s > 1", {"talk_s": 3.0, "ring_s": 0.0}, False),
        ("not (talk_s / ring_s > 1)", {"talk_s": 3.0, "ring_s": 0.0}, False),
        ("talk_s / ring_s is null", {"talk_s": 3.0, "ring_s": 0.0}, True),
        ("talk_s + ring_s == 5", {"talk_s": 3.0, "ring_s": 2.0}, True),
        ("talk_s - ring_s * 2 == -1", {"talk_s": 3.0, "ring_s": 2.0}, True),
        ("-talk_s == -3", {"talk_s": 3.0}, True),
        ("sip_code == 200.0", {"sip_code": 200}, True),
        ("talk_s" + " * 1e15" * 20 + " < 9e14", {"talk_s": 0.0}, True),
        ("talk_s" + " * 1e15" * 20 + " is null", {"talk_s": 1e10}, True),
        ("1 / (talk_s" + " * 1e15" * 20 + ") is null", {"talk_s": 1e10}, True),
        # 2026-03-29 01:30 UTC is 03:30 in Berlin: clocks have just gone forward.
        ("hour(time, 'Europe/Berlin') == 3", {"time": 1_774_747_800_000}, True),
        ("hour(time, 'Asia/Kathmandu') == 7", {"time": 1_774_747_800_000}, True),
        ("hour(started_at, 'UTC') < 9", {}, False),
        ("hour(started_at, 'UTC') is null", {}, True),
        # 2026-03-29 01:30 UTC is 03:30 in Paris, a Sunday, and Saturday, 20:30 in Chicago.
        ("within_hours(time, 'Sun 3:30-3:31')", {**PARIS, "time": 1_774_747_800_000}, True),
        ("within_hours(time, '3:00-3:30')", {**PARIS, "time": 1_774_747_800_000}, False),
        ("not within_hours(time, '3:00-3:30')", {**PARIS, "time": 1_774_747_800_000}, True),
        ("not within_hours(time, '3:00-3:30')", {"time": 1_774_747_800_000}, False),
        ("within_hours(time, '3:00-3:30') is null", {"time": 1_774_747_800_000}, True),
        ("within_hours(started_at, '0:00-24:00') is null", PARIS, True),
        (
            "within_hours(time, '20:30-21:00')",
            {**PARIS, "customer_tz": "America/Chicago", "time": 1_774_747_800_000},
            True,
        ),
        ("is_holiday(time, 'FR')", {**PARIS, "time": 1_774_747_800_000}, False),
        ("is_holiday(time, 'FR')", {**PARIS, "time": 1_798_761_600_000}, True),  # 1 January 2027
        ("country(customer) == 'FR'", PARIS, True),
        ("country(customer) == 'FR'", {"customer": "C-1"}, False),
        ("area(customer) in ['US-FL', 'US-OK']", {"customer": "+13055550100"}, True),
        ("area(customer) is null", PARIS, True),
        ("true", {}, True),
        ("need_captured == True", {"need_captured": True}, True),
        ("not true", {}, False),
    ],
)  # fmt: skip
def test_meaning(text: str, row: Row, passed: bool) -> None:
    assert taken(text, row) is passed


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "offset", "message", "hint"),
    [
        ("", 0, "empty condition", "leave `where` out"),
        ("   ", 0, "empty condition", ""),
        ("talk_x < 30", 0, "call.ended has no field talk_x", "did you mean talk_s?"),
        ("score > 3", 0, "call.ended has no field score", ""),
        ("  talk_s < 'a'", 11, "compares a number with a text", ""),
        ("talk_s < 30 and outcome == 1", 27, "compares a text with a number", ""),
        ("outcome == 'answred'", 11, "outcome is never 'answred'", "did you mean 'answered'?"),
        ("'answred' == outcome", 0, "outcome is never 'answred'", "did you mean 'answered'?"),
        ("outcome in ['busy', 'zzz']", 20, "outcome is never 'zzz'", "it is one of answered, "),
        ("outcome < 'busy'", 0, "`<` needs numbers", "=="),
        ("outcome", 0, "this is a text, not a condition", "compare it"),
        ("talk_s", 0, "this is a number, not a condition", "compare it"),
        ("talk_s and need_captured", 0, "this is a number, not true or false", ""),
        ("need_captured + 1 > 2", 0, "this is true or false, not a number", ""),
        ("talk_s == null", 10, "nothing equals null", "is null"),
        ("null == talk_s", 0, "nothing equals null", "is null"),
        ("talk_s == None", 10, "nothing equals null", "is null"),
        ("null and true", 0, "null stands only after `is`", "is null"),
        ("talk_s is 3", 10, "`is` goes with null only", "=="),
        ("talk_s in 3", 10, "`in` needs a list of values", "in ['a', 'b']"),
        ("talk_s in []", 10, "`in` needs a list of values", ""),
        ("talk_s in [ring_s]", 11, "a list holds values, not fields", ""),
        ("talk_s in [1, 'a']", 14, "compares a number with a text", ""),
        ("len(agent) > 3", 0, "the only functions are area, ", ""),
        ("agent.upper() == 'A'", 0, "the only functions are area, ", ""),
        ("hour(time) == 3", 0, "hour takes a time field and a time zone", ""),
        ("hour(time, 'UTC', fold=1) == 3", 0, "hour takes a time field and a time zone", ""),
        ("hour(talk_s, 'UTC') == 3", 5, "talk_s is not a time", "hour(time"),
        ("within_hours(time)", 0, "not how within_hours is called", "within_hours(started_at, '"),
        ("within_hours(time, hours='8:00-9:00')", 0, "not how within_hours is called", ""),
        ("within_hours('8:00-9:00', time)", 13, "within_hours takes a time here", ""),
        ("within_hours(talk_s, '8:00-9:00')", 13, "talk_s is not a time", "within_hours("),
        ("within_hours(scored_at, '8:00-9:00')", 13, "call.ended has no field scored_at", ""),
        ("within_hours(time, 8)", 19, "within_hours takes a quoted text here", ""),
        ("within_hours(time, '8-21')", 19, "'8-21' is neither days", "'Mon-Fri 8:00-21:00'"),
        ("is_holiday(time, 'XX')", 17, "no public holidays are known of 'XX'", "FR-57"),
        ("country(agent) == 'US'", 8, "agent is not number or customer", "country(customer)"),
        ("area(customer) == 1", 18, "compares a text with a number", ""),
        ("within_hours(time, '8:00-9:00') + 1 > 0", 0, "this is true or false, not a number", ""),
        ("hour(time, 'Asia/Shangai') == 3", 11, "no time zone 'Asia/Shangai'", "Asia/Shanghai"),
        ("hour(time, '../etc') == 3", 11, "no time zone '../etc'", "as in"),
        ("talk_s ** 2 > 3", 0, "not in the language of `where`", "fields, values"),
        ("talk_s // 2 > 3", 0, "not in the language of `where`", ""),
        ("~need_captured", 0, "not in the language of `where`", ""),
        ("[x for x in agent]", 0, "not in the language of `where`", ""),
        ("(lambda: 1)()", 0, "the only functions are area, ", ""),
        ("agent[0] == 'a'", 0, "not in the language of `where`", ""),
        ("f'{agent}' == 'a'", 0, "not in the language of `where`", ""),
        ("b'a' == agent", 0, "not in the language of `where`", ""),
        ("need_captured if true else false", 0, "not in the language of `where`", ""),
        ("talk_s = 3", 7, "cannot be read", "`==` compares"),
        ("talk_s < 3 && need_captured", 12, "cannot be read", "`and`"),
        ("talk_s <", 8, "cannot be read", ""),
        ("  (talk_s", 2, "'(' was never closed", ""),
        ("talk_s > 9e999", 9, "a number beyond all reason", ""),
        ("talk_s > 1000000000000001", 9, "a number beyond all reason", ""),
        ("agent == '客户' and talk_x < 3", 18, "call.ended has no field talk_x", ""),
        ("agent == 'a\x00'", 11, "a null character", ""),
    ],
)  # fmt: skip
def test_refusals_name_place_and_mend(text: str, offset: int, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_where(text, CALL)
    assert message in str(refused.value)
    assert refused.value.offset == offset
    assert hint in refused.value.hint


def test_numbers_up_to_the_limit_are_taken() -> None:
    assert parse_where("talk_s > 1000000000000000", CALL)


def nested(depth: int) -> str:
    return "not " * (depth - 1) + "need_captured"


def test_depth_is_bounded() -> None:
    assert parse_where(nested(DEPTH_MAX), CALL)
    with pytest.raises(ExpressionError, match="too deeply nested"):
        parse_where(nested(DEPTH_MAX + 1), CALL)


def test_size_is_bounded() -> None:
    with pytest.raises(ExpressionError, match="longer than 2000 characters"):
        parse_where(" " * (LENGTH_MAX + 1), CALL)
    listed = "sip_code in [" + "1," * (NODES_MAX - 2) + "]"
    assert len(listed) <= LENGTH_MAX
    assert parse_where(listed.replace(",]", "]"), CALL)
    with pytest.raises(ExpressionError, match="too many parts"):
        parse_where("sip_code in [" + "1," * (NODES_MAX - 1) + "]", CALL)


@pytest.mark.parametrize("text", ["(" * 900 + "1" + ")" * 900, "-" * 1_900 + "1", "not " * 480])
def test_nothing_breaks_the_parser(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_where(text, CALL)


def test_the_compiled_expression_grows_with_the_text_and_no_faster() -> None:
    terms = "talk_s" + " + 1" * (DEPTH_MAX - 2) + " > 1"
    lists = "need_captured"
    for _ in range(DEPTH_MAX - 3):
        lists = f"({lists} in [true, false])"
    for text in (terms, lists):
        assert len(str(to_polars(parse_where(text, CALL)))) < 100 * len(text)


def test_a_field_of_any_of_the_types_will_do() -> None:
    assert parse_where("auto or talk_s > 1", ("call.ended", "message.sent"))
    with pytest.raises(ExpressionError, match=r"call\.ended, message\.sent has no field score"):
        parse_where("score > 3", ("message.sent", "call.ended"))


def test_a_line_break_counts_as_a_blank() -> None:
    assert parse_where("talk_s > 1\n  and\tring_s > 2", CALL) == parse_where(
        "talk_s > 1 and ring_s > 2", CALL
    )


def test_fields_and_conjuncts() -> None:
    node = parse_where(
        "(outcome == 'busy' and talk_s + 1 > ring_s) and not (agent is null)"
        " and hour(started_at, 'UTC') in [1] and sip_code in [2]",
        CALL,
    )
    assert fields_of(node) == {"outcome", "talk_s", "ring_s", "agent", "started_at", "sip_code"}
    assert parse_where("talk_s + 1 > ring_s", CALL) in conjuncts(node)
    assert len(conjuncts(node)) == 5
    assert conjuncts(None) == frozenset()
    called = parse_where("not within_hours(started_at, '8:00-9:00')", CALL)
    assert fields_of(called) == {"started_at", "customer", "customer_tz"}
    assert fields_of(parse_where("country(number) == 'CN'", CALL)) == {"number"}
    either = parse_where("need_captured or agent is null", CALL)
    assert conjuncts(either) == {either}


# --- the compiled expression against plain Python -------------------------------------------------

NUMBERS = ("talk_s", "ring_s", "sip_code")
CHOICES: Mapping[str, st.SearchStrategy[Any]] = {
    "outcome": st.sampled_from(["answered", "busy", "failed"]),
    "hangup_by": st.sampled_from(["customer", "agent"]),
    "agent": st.sampled_from(["a", "b", "answered"]),
    "talk_s": st.sampled_from([0.0, -0.0, 0.1, 0.2, 0.30000000000000004, 30.0, 86_400.0]),
    "ring_s": st.sampled_from([0.0, 0.1, 0.3, 30.0]),
    "sip_code": st.sampled_from([0, 1, 30, 603]),
    "need_captured": st.booleans(),
    "sms_preheated": st.booleans(),
    "started_at": st.sampled_from([0, 1_774_747_800_000, 1_774_744_199_999, 1_774_744_200_000]),
    "time": st.sampled_from([1_774_747_800_000, 1_795_996_799_999]),
}
rows = st.fixed_dictionaries(
    {name: (values if name == "time" else st.none() | values) for name, values in CHOICES.items()}
)
numbers: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(NUMBERS),
        st.sampled_from(["0", "0.1", "0.3", "30", "-1", "1e15"]),
        st.sampled_from(["hour(time, 'Europe/Berlin')", "hour(started_at, 'Asia/Kathmandu')"]),
        st.builds("({} {} {})".format, numbers, st.sampled_from("+-*/"), numbers),
        st.builds("(-{})".format, numbers),
    )
)
texts = st.sampled_from(["outcome", "hangup_by", "agent"])
conditions: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["need_captured", "sms_preheated", "true", "false"]),
        st.builds(
            "({} {} {})".format,
            numbers,
            st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
            numbers,
        ),
        st.builds("({} < {} <= {})".format, numbers, numbers, numbers),
        st.builds("({} {} agent)".format, texts, st.sampled_from(["==", "!="])),
        st.builds("({} {} 'answered')".format, st.just("outcome"), st.sampled_from(["==", "!="])),
        st.builds("({} {} [0, 0.1, 30])".format, numbers, st.sampled_from(["in", "not in"])),
        st.builds("(agent {} ['a', 'c'])".format, st.sampled_from(["in", "not in"])),
        st.builds(
            "({} {})".format,
            st.one_of(numbers, texts, conditions),
            st.sampled_from(["is null", "is not null"]),
        ),
        st.builds("({} {} {})".format, conditions, st.sampled_from(["==", "!="]), conditions),
        st.builds("({} {} {})".format, conditions, st.sampled_from(["and", "or"]), conditions),
        st.builds("(not {})".format, conditions),
    )
)

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: bool(one == other),
    "!=": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


def calculated(op: str, left: Any, right: Any) -> float | None:
    if left is None or right is None or (op == "/" and right == 0):
        return None
    left, right = float(left), float(right)
    result = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "/": left / right if right else math.nan,
    }[op]
    return result if math.isfinite(result) else None


def junction(op: str, parts: list[bool | None]) -> bool | None:
    decisive = op == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def value(node: Node, row: Row) -> Any:  # noqa: C901, PLR0911 - a case for each node
    match node:
        case Field():
            return row[node.name]
        case Constant():
            return node.value
        case Call():  # tests/events/test_calling_hours.py
            raise NotImplementedError
        case Hour():
            at = row[node.field]
            if at is None:
                return None
            utc = datetime.fromtimestamp(at / 1000, tz=UTC)
            return utc.astimezone(ZoneInfo(node.zone)).hour
        case Calculate():
            return calculated(node.op, value(node.left, row), value(node.right, row))
        case Compare():
            left, right = value(node.left, row), value(node.right, row)
            return None if left is None or right is None else _COMPARE[node.op](left, right)
        case In():
            left = value(node.left, row)
            return None if left is None else left in node.values
        case IsNull():
            return value(node.operand, row) is None
        case Not():
            operand = value(node.operand, row)
            return None if operand is None else not operand
        case Junction():
            return junction(node.op, [value(part, row) for part in node.parts])


@pytest.mark.untraced
@settings(max_examples=300, deadline=None)
@given(conditions, st.lists(rows, min_size=1, max_size=8))
def test_compiled_expressions_equal_plain_python(text: str, given_rows: list[Row]) -> None:
    try:
        node = parse_where(text, CALL)
    except ExpressionError as refused:  # only the bounds may be broken by these
        assert "too" in str(refused) or "longer" in str(refused)  # noqa: PT017
        return
    found = frame(*given_rows).select(to_polars(node).alias("x"), passes(node).alias("passes"))
    meant = [value(node, row) for row in given_rows]
    # A literal alone is one row to polars; it means the same for all.
    assert len(found) == len(meant) or not fields_of(node)
    assert found["x"].to_list() == meant[: len(found)]
    assert found["passes"].to_list() == [each is True for each in meant[: len(found)]]
