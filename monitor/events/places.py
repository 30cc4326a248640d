"""Where a customer is, as far as the telephone number and ``customer_tz`` tell.

Owns the tables, made once from the data of ``phonenumbers``: time zones by the longest prefix,
countries by calling code, states and provinces by North American area code. All of it works on
whole columns; nothing is remembered, so the answer is a function of the value alone.

A number tells where it was given out, not where it is carried: a moved mobile keeps its area code,
and ``customer_tz`` is how a producer says better. A prefix that may be in several zones (Russian
mobiles, toll-free numbers, area codes on a border) has all of them, and whoever asks must say what
that means. What is neither E.164 nor a token of such a number (``monitor.events.tokens``) is
nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
import phonenumbers
import polars as pl
from phonenumbers.tzdata import TIMEZONE_DATA

from monitor.events.area_codes import AREA_CODES
from monitor.events.catalogue import ZONES
from monitor.events.tokens import PLACED

Int32 = npt.NDArray[np.int32]

_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        # Countries that share a calling code with a larger one and have prefixes of their own.
        "AX": "35818",
        "BQ": "5993 5994 5997",
        "IM": "441624 447524 447624 4474576",
        "KZ": "77",
        "SJ": "4779",
        "TA": "2908",
        "VA": "3906698",
        # North America beyond the United States and Canada.
        "AG": "1268",
        "AI": "1264",
        "AS": "1684",
        "BB": "1246",
        "BM": "1441",
        "BS": "1242",
        "DM": "1767",
        "DO": "1809 1829 1849",
        "GD": "1473",
        "GU": "1671",
        "JM": "1658 1876",
        "KN": "1869",
        "KY": "1345",
        "LC": "1758",
        "MP": "1670",
        "MS": "1664",
        "PR": "1787 1939",
        "SX": "1721",
        "TC": "1649",
        "TT": "1868",
        "VC": "1784",
        "VG": "1284",
        "VI": "1340",
    }
)
_TELLS = rf"^(?:\+[1-9][0-9]{{6,14}}|{PLACED})$"


@dataclass(frozen=True, slots=True)
class _Prefixes:
    """A table by the longest prefix of the digits after the ``+``."""

    tables: tuple[tuple[int, pl.Series, pl.Series], ...]
    """(length, prefixes, what they stand for), the longest first."""

    @classmethod
    def of(cls, codes: Mapping[str, int]) -> Self:
        """From prefix to a code of at least 0."""
        by_length: dict[int, dict[str, int]] = {}
        for prefix, code in codes.items():
            by_length.setdefault(len(prefix), {})[prefix] = code
        return cls(
            tuple(
                (length, pl.Series(list(table)), pl.Series(list(table.values()), dtype=pl.Int32))
                for length, table in sorted(by_length.items(), reverse=True)
            )
        )

    def find(self, values: pl.Series) -> pl.Series:
        """The code of each value, null where there is none; shape of ``values``."""
        distinct = values.drop_nulls().unique()
        distinct = distinct.filter(distinct.str.contains(_TELLS))
        found = pl.Series([None], dtype=pl.Int32).new_from_index(0, len(distinct))
        for length, prefixes, codes in self.tables:
            cut = distinct.str.slice(1, length)
            fit = cut.replace_strict(prefixes, codes, default=None, return_dtype=pl.Int32)
            found = found.fill_null(fit)
        return values.replace_strict(distinct, found, default=None, return_dtype=pl.Int32)


@lru_cache(maxsize=1)
def _zones_by_prefix() -> tuple[_Prefixes, tuple[tuple[str, ...], ...]]:
    sets = tuple(sorted(set(TIMEZONE_DATA.values())))
    code = {zones: place for place, zones in enumerate(sets)}
    return _Prefixes.of({prefix: code[zones] for prefix, zones in TIMEZONE_DATA.items()}), sets


@lru_cache(maxsize=1)
def _areas() -> tuple[_Prefixes, pl.Series]:
    names = [area for area in AREA_CODES if "-" in area]
    codes = {
        f"1{digits}": place
        for place, area in enumerate(names)
        for digits in AREA_CODES[area].split()
    }
    return _Prefixes.of(codes), pl.Series(names)


@lru_cache(maxsize=1)
def _countries() -> tuple[_Prefixes, pl.Series]:
    prefixes = {
        str(calling): regions[0]
        for calling, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
        if regions != ("001",) and calling != 1  # satellites and freephone are of no country
    }
    for area, digits in AREA_CODES.items():
        prefixes |= {f"1{each}": area[:2] for each in digits.split()}
    for country, digits in _ELSEWHERE.items():
        prefixes |= dict.fromkeys(digits.split(), country)
    names = sorted(set(prefixes.values()))
    codes = {prefix: names.index(country) for prefix, country in prefixes.items()}
    return _Prefixes.of(codes), pl.Series(names)


def country(numbers: pl.Series) -> pl.Series:
    """ISO 3166 country each E.164 number was given out in; null for what is none, or of none.

    Countries that share a calling code and have no prefix of their own count as the largest of
    them: Jersey as GB, Mayotte as RE. North American numbers without a place (800, 900) have none.
    """
    prefixes, names = _countries()
    return names.gather(prefixes.find(numbers).cast(pl.UInt32))


def area(numbers: pl.Series) -> pl.Series:
    """State or province by ISO 3166-2, such as US-FL; null beyond the US and Canada."""
    prefixes, names = _areas()
    return names.gather(prefixes.find(numbers).cast(pl.UInt32))


@lru_cache(maxsize=1)
def _shortest() -> pl.DataFrame:
    """By what a number tells, the shortest digits that tell the same."""
    tables = (_zones_by_prefix()[0], _countries()[0], _areas()[0])
    digits = {each for one in tables for _, prefixes, _ in one.tables for each in prefixes}
    told = _told(pl.Series(sorted(digits, key=lambda each: (len(each), each))), as_token=True)
    return told.unique(_TOLD, keep="first", maintain_order=True)


_TOLD = ("zones", "country", "area")


def _told(values: pl.Series, *, as_token: bool) -> pl.DataFrame:
    asked = "#" + values + ":" + "0" * 32 if as_token else values
    tables = (_zones_by_prefix()[0], _countries()[0], _areas()[0])
    columns = [table.find(asked).alias(name) for name, table in zip(_TOLD, tables, strict=True)]
    return pl.DataFrame([values.alias("digits"), *columns])


def telling(numbers: pl.Series) -> pl.Series:
    """The fewest digits that tell of each number all that this module tells of it.

    The same for all numbers of which the same is told, so they say nothing more; empty for what is
    no number, or of no known place.
    """
    told = _told(numbers, as_token=False).drop("digits")
    found = told.join(_shortest(), on=_TOLD, how="left", nulls_equal=True, maintain_order="left")
    return found["digits"].fill_null("")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The time zones that each of some customers may be in."""

    code: Int32
    """One a row, an index of ``zones``; -1 where nothing is known."""
    zones: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, customers: pl.Series, given: pl.Series) -> Self:
        """By ``given`` (``customer_tz``) where it is there, and else by the customer's number."""
        prefixes, sets = _zones_by_prefix()
        code = prefixes.find(customers)
        if given.null_count() < len(given):
            told = given.replace_strict(_NAMES, _PLACES, default=None, return_dtype=pl.Int32)
            code = (told + len(sets)).fill_null(code)
        return cls(code.fill_null(-1).to_numpy(), (*sets, *_ALONE))


_NAMES = pl.Series(ZONES)
_PLACES = pl.Series(np.arange(len(ZONES), dtype=np.int32))
_ALONE = tuple((zone,) for zone in ZONES)
