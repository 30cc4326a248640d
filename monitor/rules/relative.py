"""Bounds that move: against a scope's own past, or against the others.

Owns the little language of ``above: "3 * baseline(7d, same_hour)"`` and its limits. What the calls
give is ``past``'s and ``peers``'s.

============================  ====================================================================
``baseline(7d, same_hour)``   median of the value at the end of the same hour of the past 7 days
``spread(7d, same_hour)``     their median absolute deviation from that, a robust standard deviation
``ago(7d)``                   the value at the end of the same hour 7 days ago
``peer_quantile(group, 20%)`` the quantile of the value among the scopes of the same group
============================  ====================================================================

Hours are local with a third argument, ``baseline(7d, same_hour, Asia/Shanghai)``, else UTC's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from monitor.events.batch import DIMENSIONS
from monitor.events.catalogue import ZONES
from monitor.indicators.findings import near
from monitor.rules.fields import fault
from monitor.units import Threshold

LEAST_DAYS = 5
"""Of the past days at least so many must have a value, or the bound is silent."""
DAYS_MAX = 60
LEAST_PEERS = 5
"""Scopes of the group with data, or the bound is silent."""
TERMS_MAX = 6

_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_TERM = re.compile(rf"(?:({_NUMBER})\s*\*\s*)?([a-z_]+)\(([^()]*)\)(?:\s*\*\s*({_NUMBER}))?")
_HINT = "3 * baseline(7d, same_hour), ago(7d), peer_quantile(group, 20%)"


@dataclass(frozen=True, slots=True)
class Past:
    """``baseline``, ``spread`` or ``ago`` over so many days, by the hours of ``zone``."""

    what: str
    days: int
    zone: str


@dataclass(frozen=True, slots=True)
class PeerQuantile:
    """The ``share`` quantile among the scopes with the same value of ``dimension``."""

    dimension: str
    share: Fraction


Call = Past | PeerQuantile


@dataclass(frozen=True, slots=True)
class Relative:
    """A sum of calls, each with a factor."""

    text: str
    terms: tuple[tuple[Fraction, Call], ...]

    def __str__(self) -> str:
        """As it is written in YAML."""
        return self.text

    @property
    def calls(self) -> tuple[Call, ...]:
        """What it is made of."""
        return tuple(call for _, call in self.terms)

    @classmethod
    def parse(cls, text: str) -> Relative:
        """The bound that YAML wrote as ``text``.

        Raises:
            PydanticCustomError: it is not in the language.
        """
        terms: list[tuple[Fraction, Call]] = []
        rest, sign = text.strip(), Fraction(1)
        if rest.startswith("-"):
            rest, sign = rest[1:].lstrip(), Fraction(-1)
        while True:
            match = _TERM.match(rest)
            if match is None or len(terms) == TERMS_MAX or (match[1] and match[4]):
                message = f"'{text}' is not a bound"
                raise fault(message, _HINT)
            factor = Fraction(match[1] or match[4] or 1)
            terms.append((sign * factor, _call(match[2], match[3])))
            rest = rest[match.end() :].lstrip()
            if not rest:
                return cls(text, tuple(terms))
            if rest[0] not in "+-":
                message = f"'{text}': expected + or -, not '{rest}'"
                raise fault(message, _HINT)
            sign = Fraction(1 if rest[0] == "+" else -1)
            rest = rest[1:].lstrip()


def _call(name: str, arguments: str) -> Call:
    given = [each.strip() for each in arguments.split(",")]
    match name, given:
        case (("baseline" | "spread"), [days, "same_hour", *zone]) if len(zone) < 2:
            return Past(name, _days(days, LEAST_DAYS), _zone(zone))
        case "ago", [days, *zone] if len(zone) < 2:
            return Past(name, _days(days, 1), _zone(zone))
        case "peer_quantile", [dimension, share]:
            return PeerQuantile(_dimension(dimension), _share(share))
        case (("baseline" | "spread" | "ago" | "peer_quantile"), _):
            usage = next(each for each in _USAGE if each.startswith(name))
            message = f"{name}({arguments}) has other arguments"
            raise fault(message, usage)
    message = f"{name}(…) is not known"
    raise fault(message, near(name, ["baseline", "spread", "ago", "peer_quantile"]) or _HINT)


_USAGE = (
    "baseline(7d, same_hour)",
    "spread(7d, same_hour)",
    "ago(7d)",
    "peer_quantile(group, 20%)",
)


def _days(text: str, least: int) -> int:
    match = re.fullmatch(r"([0-9]{1,3})d", text)
    days = int(match[1]) if match else 0
    if not least <= days <= DAYS_MAX:
        message = f"'{text}' is not a number of days from {least} to {DAYS_MAX}"
        raise fault(message, "7d")
    return days


def _zone(given: list[str]) -> str:
    zone = given[0] if given else "UTC"
    if zone not in ZONES:
        message = f"no time zone '{zone}'"
        raise fault(message, "an IANA name such as Asia/Shanghai")
    return zone


def _dimension(text: str) -> str:
    if text not in DIMENSIONS:
        message = f"no dimension '{text}'"
        raise fault(message, near(text, DIMENSIONS))
    return text


def _share(text: str) -> Fraction:
    share = Threshold.parse(text)
    if not share.is_share or not 0 < share < 1:
        message = f"'{text}' is not a quantile"
        raise fault(message, "20%")
    return Fraction(share)


class _Written:
    """A threshold or a bound that moves, told apart by its brackets."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        fixed = handler.generate_schema(Threshold)

        def read(value: Any, threshold: core_schema.ValidatorFunctionWrapHandler) -> Any:
            if isinstance(value, Relative):
                return value
            if isinstance(value, str) and "(" in value:
                return Relative.parse(value)
            return threshold(value)

        return core_schema.no_info_wrap_validator_function(
            read, fixed, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        fixed: dict[str, Any] = Threshold.__get_pydantic_json_schema__(schema, handler)
        moves = {"type": "string", "pattern": r"\(", "examples": list(_USAGE)}
        return {**fixed, "anyOf": [*fixed["anyOf"], moves]}


WRITTEN = _Written()
