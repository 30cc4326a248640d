"""Where a number was given out: our tables against the library they come from."""

from __future__ import annotations

import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneNumberType, geocoder, timezone
from phonenumbers.geodata import GEOCODE_DATA

from monitor.events.area_codes import AREA_CODES
from monitor.events.catalogue import ZONES
from monitor.events.places import Whereabouts, area, country

NONE = pl.Series([None], dtype=pl.String)


def zones(number: str, given: str | None = None) -> tuple[str, ...]:
    where = Whereabouts.of(pl.Series([number]), pl.Series([given], dtype=pl.String))
    return where.zones[where.code[0]] if where.code[0] >= 0 else ()


def examples() -> list[str]:
    """A number of each kind of each country, as the library gives them."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                found.append(text)
    return found


def test_zones_are_those_of_the_library() -> None:
    numbers = examples()
    assert len(numbers) > 400
    for number in numbers:
        parsed = phonenumbers.parse(number)
        theirs = timezone.time_zones_for_number(parsed)
        if phonenumbers.is_number_geographical(parsed):
            assert zones(number) == tuple(theirs), number
        else:  # the library looks at the calling code alone: a mobile of Antigua is anywhere
            assert set(zones(number)) <= set(theirs), number
            assert zones(number), number


def test_every_zone_is_one_that_clocks_can_be_read_in() -> None:
    where = Whereabouts.of(NONE, NONE)
    noon = pl.Series([1_795_996_800_000]).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    for zone in sorted({zone for known in where.zones for zone in known} | set(ZONES)):
        assert noon.dt.convert_time_zone(zone).dt.hour()[0] in range(24)


# Larger neighbours with the same calling code: these have no prefix of their own.
ALSO = {
    "GG": "GB",
    "JE": "GB",
    "CC": "AU",
    "CX": "AU",
    "EH": "MA",
    "YT": "RE",
    "BL": "GP",
    "MF": "GP",
}


def test_countries_are_those_of_the_library() -> None:
    for number in examples():
        theirs = phonenumbers.region_code_for_number(phonenumbers.parse(number))
        assert country(pl.Series([number]))[0] == ALSO.get(theirs or "", theirs or ""), number


def test_area_codes_are_where_the_library_has_them() -> None:
    ours = {code: place for place, codes in AREA_CODES.items() for code in codes.split()}
    assert sum(len(codes.split()) for codes in AREA_CODES.values()) == len(ours)
    theirs = {prefix[1:4] for prefix in GEOCODE_DATA if prefix[0] == "1" and len(prefix) >= 4}
    missing = {
        code
        for code in theirs - set(ours)
        if country(pl.Series([f"+1{code}5550100"]))[0] not in {"US", "CA", None}
    }
    assert theirs - set(ours) - missing == set(), "area codes that the table does not have"
    for number, state in (
        ("+13055550100", "US-FL"),
        ("+14055550100", "US-OK"),
        ("+15095550100", "US-WA"),
        ("+12025550100", "US-DC"),
        ("+12125550100", "US-NY"),
        ("+14165550100", "CA-ON"),
        ("+18685550100", None),
        ("+18005550100", None),
        ("+8613800138000", None),
        ("C-1", None),
    ):
        assert area(pl.Series([number]))[0] == state


@pytest.mark.parametrize("code", ["305", "206", "405", "646", "714", "416"])
def test_a_state_is_what_the_library_says_of_it(code: str) -> None:
    names = {"305": "Florida", "206": "Washington State", "405": "Oklahoma", "646": "New York",
             "714": "California", "416": "Ontario"}  # fmt: skip
    said = geocoder.description_for_number(phonenumbers.parse(f"+1{code}5550100"), "en")
    assert said == names[code]


def test_a_given_zone_goes_before_the_numbers() -> None:
    assert zones("+13055550100") == ("America/New_York",)
    assert zones("+13055550100", "America/Chicago") == ("America/Chicago",)
    assert zones("C-1", "Asia/Tokyo") == ("Asia/Tokyo",)
    assert zones("C-1") == ()
    assert len(zones("+18005550100")) > 20  # toll-free: anywhere in North America


def test_an_answer_depends_on_the_value_alone() -> None:
    numbers = ["+13055550100", None, "C-1", "+8613800138000", "+13055550100"]
    column = pl.Series(numbers, dtype=pl.String)
    assert country(column).to_list() == ["US", None, None, "CN", "US"]
    assert country(column.reverse()).to_list() == ["US", "CN", None, None, "US"]
    assert country(column.head(0)).to_list() == []
    assert area(NONE).to_list() == [None]
