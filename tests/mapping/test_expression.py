"""The language of mappings: what it means on records of any shape."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.errors import ExpressionError
from monitor.mapping.expression import Names, compiled
from monitor.mapping.functions import BrokenValueError

RECORD: dict[str, Any] = {
    "n": 7,
    "half": 7.5,
    "seven": "7",
    "empty": "",
    "yes": True,
    "name": "PJSIP/john-doe-0001",
    "in": {"from": "+1 (555) 010"},
    "list": [{"a": 1}, {"a": 2}],
    "json": '{"cause":16}',
    "day": "2026-11-29 09:30:00",
}
SITE = {"zone": "Asia/Shanghai", "nothing": ""}


def value(text: str, record: dict[str, Any] | None = None) -> Any:
    return compiled(text, Names(site=SITE)).run(RECORD if record is None else record, {})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("n", 7),
        ("record.n", 7),
        ("record['in']['from']", "+1 (555) 010"),
        ("list[1].a", 2),
        ("list[-1].a", 2),
        ("list[2].a", None),
        ("list.a", None),
        ("n.a.b[3]", None),
        ("empty", None),
        ("nowhere", None),
        ("site.zone", "Asia/Shanghai"),
        ("site.nothing", None),
        ("-n", -7),
        ("n + seven", 14),
        ("n / 0", None),
        ("nowhere + 1", None),
        ("n == seven", True),
        ("n == 'seven'", False),
        ("n != '8'", True),
        ("yes == true", True),
        ("yes == 1", False),
        ("6 < n <= half", True),
        ("nowhere == 1", None),
        ("not nowhere == 1", None),
        ("nowhere is null and n is not null", True),
        ("nowhere == 1 or yes", True),
        ("nowhere == 1 and not yes", False),
        ("nowhere == 1 and yes", None),
        ("seven in [7, 8]", True),
        ("n not in ['7']", False),
        ("nowhere in [1]", None),
        ("'a' if yes else 'b'", "a"),
        ("'a' if nowhere == 1 else 'b'", "b"),
        ("null if yes else 'b'", None),
        ("first(nowhere, empty, n)", 7),
        ("first(nowhere)", None),
        ("joined(n, '-', half, yes)", "7-7.5true"),
        ("joined(n, nowhere)", None),
        ("text(n)", "7"),
        ("number('-1.5e2')", -150.0),
        ("before(name, '/')", "PJSIP"),
        ("before(name, '#')", "PJSIP/john-doe-0001"),
        ("after(name, '/')", "john-doe-0001"),
        ("after(name, '#')", None),
        ("before_last(after(name, '/'), '-')", "john-doe"),
        ("before_last('john', '-')", "john"),
        ("starts_with(name, 'PJSIP')", True),
        ("contains(name, 'doe')", True),
        ("lower('STOP')", "stop"),
        ("international(record['in']['from'])", "+1555010"),
        ("unescaped('%2B86%201')", "+86 1"),
        ("parsed(json).cause", 16),
        ("time('2026-11-29T09:30:00+08:00')", 1_795_915_800_000),
        ("time(1795915800000)", 1_795_915_800_000),
        ("unix('1795915800')", 1_795_915_800_000),
        ("unix(1795915800.1234)", 1_795_915_800_123),
        ("micros('1795915800000999')", 1_795_915_800_000),
        ("local(day, site.zone)", 1_795_915_800_000),
        ("local('2026-11-29T09:30:00+08:00', 'UTC')", 1_795_915_800_000),
        ("local(nowhere, 'UTC')", None),
        # Of the hour that comes twice, the first.
        ("local('2026-11-01 01:30:00', 'America/New_York')", 1_793_511_000_000),
        ("mail('Sun, 29 Nov 2026 09:30:00 +0800')", 1_795_915_800_000),
        ("(time('2026-11-29T09:30:02Z') - time('2026-11-29T09:30:00Z')) / 1000", 2.0),
    ],
)
def test_what_it_means(text: str, wanted: Any) -> None:
    got = value(text)
    assert got == wanted
    assert type(got) is type(wanted)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name + 1", "wrong_type"),
        ("name < 1", "wrong_type"),
        ("yes + 1", "wrong_type"),
        ("n and yes", "wrong_type"),
        ("not name", "wrong_type"),
        ("'a' if n else 'b'", "wrong_type"),
        ("text(list)", "wrong_type"),
        ("number(day)", "wrong_type"),
        ("international(yes)", "wrong_type"),
        ("parsed(name)", "not_json"),
        ("time(day)", "bad_time"),
        ("time(half)", "bad_time"),
        ("unix(day)", "bad_time"),
        ("local(name, 'UTC')", "bad_time"),
        ("mail(day)", "bad_time"),
        ("mail('Sun, 29 Nov 2026 09:30:00 -0000')", "bad_time"),
        ("unix(huge)", "bad_time"),
    ],
)
def test_what_a_record_does_not_hold_is_said_without_its_own_words(text: str, reason: str) -> None:
    with pytest.raises(BrokenValueError) as caught:
        value(text, {**RECORD, "huge": 1e300})
    assert caught.value.reason == reason
    assert "john" not in str(caught.value)


def test_numbers_beyond_a_double_are_null() -> None:
    assert value("a * a", {"a": 1e200}) is None
    assert value("a * 1", {"a": 10**400}) is None


@pytest.mark.parametrize(
    "text",
    [
        "lambda: 1",
        "[a for a in b]",
        "__import__('os')",
        "a.b()",
        "f'{a}'",
        "a[b]",
        "a[1:2]",
        "a[true]",
        "site",
        "site.zon",
        "1e16",
        "a = b",
        "a && b",
        "",
        "   ",
        "a == null",
        "a in b",
        "a in [b]",
        "a is 1",
        "text()",
        "text(a, b)",
        "text(x=a)",
        "local(a, b)",
        "local(a, 'Nowhere')",
        "local(a, site.nothing)",
        "not " * 40 + "a",
        "a" * 3_000,
        "a +" * 500 + " a",
        "{a: b}",
        "a @ b",
        "b'a'",
        "...",
    ],
)
def test_nothing_else_is_in_it(text: str) -> None:
    with pytest.raises(ExpressionError):
        compiled(text, Names(site=SITE))


def test_what_let_stands_for_counts_where_it_is_used() -> None:
    names, sizes = Names(), []
    for step in range(6):
        before = f"l{step - 1}" if step else "a"
        made = compiled(f"{before} + {before}", names)
        sizes.append(made.size)
        names = Names(let={**names.let, f"l{step}": made})
    assert sizes == [3, 9, 21, 45, 93, 189]
    with pytest.raises(ExpressionError, match="too many parts"):
        compiled("l5 + l5 + l5", names)
