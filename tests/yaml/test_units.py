"""Durations, shares, thresholds, rates and sizes: exact values, clear refusals."""

from __future__ import annotations

import copy
import json
import pickle
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from monitor.units import (
    DURATION_MS_MAX,
    SIZE_BYTES_MAX,
    DurationMs,
    Rate,
    Share,
    Size,
    Threshold,
    format_duration,
    format_share,
    parse_duration,
    parse_share,
    spoken_duration,
)


class Units(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    duration: DurationMs = 5_000
    share: Share | None = None
    threshold: Threshold | None = None
    rate: Rate | None = None
    size: Size | None = None


def refusal(**values: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        Units.model_validate(values)
    (detail,) = caught.value.errors()
    return detail["msg"], detail["ctx"]["hint"]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0s", 0),
        ("250ms", 250),
        ("5s", 5_000),
        ("30m", 1_800_000),
        ("24h", 86_400_000),
        ("7d", 604_800_000),
        ("3660d", DURATION_MS_MAX),
    ],
)
def test_a_duration_is_a_whole_number_and_a_unit(text: str, ms: int) -> None:
    assert parse_duration(text) == ms
    assert Units.model_validate({"duration": text}).duration == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "m",
        "1.5h",
        "-5s",
        "5 s",
        "5S",
        "1h30m",
        "5s ",
        "٣s",
        "1:30",
        "3661d",
        "9" * 16 + "s",
    ],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|longer than ten years"):
        parse_duration(text)
    message, hint = refusal(duration=text)
    assert "duration" in message or "ten years" in message
    assert "30m" in hint


def test_a_duration_just_beyond_ten_years_is_refused_for_its_length() -> None:
    with pytest.raises(ValueError, match="longer than ten years"):
        parse_duration(f"{DURATION_MS_MAX + 1}ms")


def test_a_bare_number_names_the_mend() -> None:
    assert refusal(duration=30) == (
        "30 has no unit",
        'write "30s" if seconds are meant, "30m" …',
    )
    assert refusal(share=0.3) == ("0.3 is not a share", "write it as a percentage: 30%")
    assert refusal(share=1) == ("1 is not a share", "write it as a percentage: 100%")
    assert refusal(share=30) == ("30 is not a share", "write it as a percentage: 30%")
    assert refusal(size=10)[0] == "10 is not a size"
    assert refusal(rate=5) == ("5 is not a rate", 'write a count and a duration: "5/10m"')


@pytest.mark.parametrize("value", [True, None, [], {}, float("nan"), -1])
def test_other_kinds_are_no_duration(value: Any) -> None:
    assert "is not a duration" in refusal(duration=value)[0]


@given(st.integers(min_value=0, max_value=DURATION_MS_MAX))
def test_durations_round_trip(ms: int) -> None:
    text = format_duration(ms)
    assert parse_duration(text) == ms
    units = Units.model_validate({"duration": text})
    assert json.loads(units.model_dump_json())["duration"] == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0s"), (1, "1ms"), (1_000, "1s"), (90_000, "90s"), (5_400_000, "90m"), (86_400_000, "1d")],
)
def test_a_duration_is_shown_in_the_largest_exact_unit(ms: int, text: str) -> None:
    assert format_duration(ms) == text


def test_a_negative_duration_is_not_shown() -> None:
    with pytest.raises(ValueError, match="not negative"):
        format_duration(-1)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0%", Fraction(0)),
        ("0.5%", Fraction(1, 200)),
        ("30%", Fraction(3, 10)),
        ("33.3 %", Fraction(333, 1000)),
        ("100%", Fraction(1)),
    ],
)
def test_a_share_is_exact(text: str, share: Fraction) -> None:
    assert Units.model_validate({"share": text}).share == share


@pytest.mark.parametrize("text", ["-1%", "100.1%"])
def test_a_share_lies_between_nothing_and_all(text: str) -> None:
    assert "between 0% and 100%" in refusal(share=text)[0]


@pytest.mark.parametrize("value", ["30", "%", "30 percent", "1e2%", True, [], float("inf")])
def test_other_things_are_no_share(value: Any) -> None:
    assert "is not a share" in refusal(share=value)[0]
    if isinstance(value, str):
        with pytest.raises(ValueError, match="is not a share"):
            parse_share(value)


@given(st.decimals(min_value=0, max_value=100, places=6))
def test_shares_round_trip(percent: Any) -> None:
    share = parse_share(f"{percent:f}%")
    assert parse_share(format_share(share)) == share
    assert Units.model_validate({"share": format_share(share)}).share == share


def test_a_share_without_a_finite_decimal_is_shown_as_a_fraction() -> None:
    assert format_share(Fraction(1, 3)) == "100/3%"
    assert format_share(Fraction(-1, 200)) == "-0.5%"


@pytest.mark.parametrize(
    ("value", "fraction", "is_share", "shown"),
    [
        ("30%", Fraction(3, 10), True, "30%"),
        ("0.5%", Fraction(1, 200), True, "0.5%"),
        ("150%", Fraction(3, 2), True, "150%"),
        (4.2, Fraction(21, 5), False, "4.2"),
        (2, Fraction(2), False, "2"),
        (-0.25, Fraction(-1, 4), False, "-0.25"),
        (1e-7, Fraction(1, 10**7), False, "0.0000001"),
    ],
)
def test_a_threshold_is_exact_and_knows_how_it_was_written(
    value: Any, fraction: Fraction, is_share: bool, shown: str
) -> None:
    threshold = Units.model_validate({"threshold": value}).threshold
    assert threshold == fraction
    assert threshold is not None
    assert threshold.is_share is is_share
    assert str(threshold) == shown
    assert repr(threshold) == f"Threshold({shown!r})"
    assert Threshold.parse(threshold) is threshold


@pytest.mark.parametrize("value", [True, "x", "0.3", [], float("nan"), float("inf"), {"a": 1}])
def test_other_things_are_no_threshold(value: Any) -> None:
    message, hint = refusal(threshold=value)
    assert "is not a threshold" in message
    assert "%" in hint


def test_a_threshold_stays_one_through_copies_and_dumps() -> None:
    units = Units.model_validate({"threshold": "30%", "rate": "5/10m", "size": "10MB"})
    for same in (
        copy.copy(units.threshold),
        copy.deepcopy(units).threshold,
        pickle.loads(pickle.dumps(units.threshold)),  # noqa: S301 - our own bytes
        Units.model_validate_json(units.model_dump_json(exclude_none=True)).threshold,
    ):
        assert same == Fraction(3, 10)
        assert same is not None
        assert same.is_share


@pytest.mark.parametrize(("text", "rate"), [("5/10m", (5, 600_000)), ("0/1h", (0, 3_600_000))])
def test_a_rate_is_a_count_in_a_time(text: str, rate: tuple[int, int]) -> None:
    parsed = Units.model_validate({"rate": text}).rate
    assert parsed == rate
    assert Rate.parse(parsed) is parsed


def test_a_rate_is_shown_as_written() -> None:
    assert str(Rate(5, 600_000)) == "5/10m"
    assert Units(rate=Rate(5, 600_000)).rate == (5, 600_000)


@pytest.mark.parametrize(
    "text", ["5", "5/10", "5/m", "-1/10m", "5/0s", "5/3661d", "1.5/1m", ["5/1m"]]
)
def test_other_things_are_no_rate(text: Any) -> None:
    message, hint = refusal(rate=text)
    assert re.search("is not a rate|no time at all|ten years", message)
    assert hint


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("1B", 1),
        ("500kB", 500_000),
        ("10MB", 10**7),
        ("1KiB", 1024),
        ("2GiB", 2 * 2**30),
    ],
)
def test_a_size_is_in_bytes(text: str, size: int) -> None:
    units = Units.model_validate({"size": text})
    assert units.size == size
    assert Units.model_validate_json(units.model_dump_json(exclude_none=True)) == units


@pytest.mark.parametrize("text", ["10", "10mb", "1.5MB", "-1B", "", True])
def test_other_things_are_no_size(text: Any) -> None:
    assert "is not a size" in refusal(size=text)[0]


def test_a_size_has_a_limit() -> None:
    assert Units.model_validate({"size": f"{SIZE_BYTES_MAX}B"}).size == SIZE_BYTES_MAX
    assert "beyond any machine" in refusal(size=f"{SIZE_BYTES_MAX + 1}B")[0]


def test_long_input_is_shown_shortened() -> None:
    message, _ = refusal(duration="x" * 1000)
    assert len(message) < 100


def test_the_json_schema_has_a_pattern_that_agrees_with_the_parser() -> None:
    properties = Units.model_json_schema()["properties"]
    duration = properties["duration"]["pattern"]
    assert re.search(duration, "30m")
    assert not re.search(duration, "30")
    share = properties["share"]["anyOf"][0]
    assert all(re.search(share["pattern"], example) for example in share["examples"])
    rate = properties["rate"]["anyOf"][0]
    assert all(Rate.parse(example) for example in rate["examples"])
    size = properties["size"]["anyOf"][0]
    assert all(Units.model_validate({"size": example}) for example in size["examples"])
    threshold = properties["threshold"]["anyOf"][0]
    assert all(Threshold.parse(example) for example in threshold["examples"])


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (65_000, "1m 5s"),
        (16_505_000, "4h 35m 5s"),
        (93_600_000, "1d 2h"),
        (1_500, "1s 500ms"),
    ],
)
def test_spoken_durations_are_exact(ms: int, text: str) -> None:
    assert spoken_duration(ms) == text


def test_no_spoken_duration_is_negative() -> None:
    with pytest.raises(ValueError, match="not negative"):
        spoken_duration(-1)
