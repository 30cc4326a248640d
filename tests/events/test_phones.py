"""One number, one name."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.events.phones import FEW, Phones, normalise
from monitor.events.settings import PhoneSettings


@pytest.mark.parametrize(
    ("region", "written", "expected"),
    [
        ("IN", "(022)28952819", "+912228952819"),
        ("IN", "98453 94494", "+919845394494"),
        ("IN", "140 1234567", "+911401234567"),
        ("CN", "+862150000001", "+862150000001"),
        ("CN", "021-5000 0001", "+862150000001"),
        ("CN", "13912345678", "+8613912345678"),
        ("CN", "139 1234 5678", "+8613912345678"),
        ("CN", "8613912345678", "+8613912345678"),
        ("CN", "008613912345678", "+8613912345678"),
        ("CN", "+86 139-1234-5678", "+8613912345678"),
        ("CN", "4001234567", "+864001234567"),
        ("CN", "400-123-4567", "+864001234567"),
        ("CN", "95588", "95588"),
        ("CN", "10086", "10086"),
        ("CN", "100234", "100234"),
        ("CN", "1", "1"),
        ("CN", "c-13912345678", "c-13912345678"),
        ("CN", "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("CN", "(((((", "((((("),
        ("CN", "0" * 30, "0" * 30),
        ("US", "(415) 555-2671", "+14155552671"),
        ("DE", "+1 415 555 2671", "+14155552671"),
    ],
)
def test_spellings(region: str, written: str, expected: str) -> None:
    once = normalise(pl.Series([written]), region)
    assert once.to_list() == [expected]
    assert normalise(once, region).to_list() == [expected]  # idempotent


def test_nulls_and_strangers_keep_their_places() -> None:
    values = pl.Series([None, "13912345678", "opaque", "13912345678", "+8613912345678"])
    assert normalise(values, "CN").to_list() == [
        None,
        "+8613912345678",
        "opaque",
        "+8613912345678",
        "+8613912345678",
    ]


@given(st.lists(st.text("+(0123456789 ./-\xa0\n٣x", max_size=12) | st.none(), max_size=FEW))
def test_few_values_are_seen_as_many_are(texts: list[str | None]) -> None:
    few = pl.Series(texts, dtype=pl.String)
    many = pl.concat([few, pl.Series(["opaque"] * (FEW + 1))])
    assert normalise(few, "CN").to_list() == normalise(many, "CN").to_list()[: len(texts)]


def test_each_spelling_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    phones = Phones(PhoneSettings(region="CN", cached=10))

    def parse(spelling: str, _region: str) -> None:
        asked.append(spelling)

    monkeypatch.setattr("phonenumbers.parse", parse)
    monkeypatch.setattr("phonenumbers.is_valid_number", lambda _: False)
    frame = pl.DataFrame({"number": ["021 1", "021 1"], "customer": ["021 1", "021 2"]})
    for _ in range(3):
        assert phones.apply(frame).equals(frame)
    assert sorted(asked) == ["021 1", "021 2"]


def test_both_columns_are_normalised_and_nothing_else() -> None:
    frame = pl.DataFrame(
        {"number": ["13912345678"], "customer": ["13912345679"], "agent": ["139123"]}
    )
    assert Phones(PhoneSettings()).apply(frame).row(0) == (
        "+8613912345678",
        "+8613912345679",
        "139123",
    )


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(ValidationError, match="'XX' is not a two-letter country"):
        PhoneSettings(region="XX")
