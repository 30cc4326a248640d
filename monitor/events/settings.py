"""What a site may set about events: limits, phone numbers, organisation, tables, dead letters.

Owns the pydantic models of its part of ``config.yaml`` and their bounds, nothing that acts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import phonenumbers
from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.events.catalogue import EVENT_TYPES
from monitor.units import Size


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordLimits(_Settings):
    """Past these a record is a dead letter, whatever it holds."""

    record_bytes: Size = Field(default=1_000_000, gt=0)
    """Longer: ``too_large``; checked before anything is parsed."""
    depth: Annotated[int, Field(ge=2, le=200)] = 32
    """Objects and arrays within one another, the record itself being 1; deeper: ``too_deep``."""
    string_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 4_096
    """Characters of a text field; longer: ``over_long_string``."""
    key_chars: Annotated[int, Field(ge=1, le=4_096)] = 256
    """Characters of ``id``, ``type``, dimensions and ids, by which tables are keyed."""


class PhoneSettings(_Settings):
    """How ``number`` and ``customer`` become E.164."""

    region: str = "CN"
    """ISO 3166 country whose national numbers are meant when there is no country code."""
    cached: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """Distinct spellings remembered."""

    @field_validator("region")
    @classmethod
    def _known(cls, region: str) -> str:
        if region not in phonenumbers.SUPPORTED_REGIONS:
            msg = f"{region!r} is not a two-letter country with telephone numbers, such as CN"
            raise ValueError(msg)
        return region


class IdentitySettings(_Settings):
    """Whether spellings of a name are one customer."""

    names: bool = False
    """``Acme Ltd.``, ``ACME LTD`` and ``acme/ltd`` are one ``customer``; ids are left alone."""
    cached: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """Distinct values remembered."""


class OwnerSettings(_Settings):
    """How far back feedback finds its call, or the owner of its number."""

    numbers: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """Numbers whose last owner is remembered; past it the least recently used are forgotten."""
    calls: Annotated[int, Field(ge=1, le=50_000_000)] = 500_000
    """``call.*`` events remembered by their ``call_id``, the newest."""


class CustomerSettings(_Settings):
    """What is remembered of customers: who opted out, was spoken to, or left on the line."""

    remembered: Annotated[int, Field(ge=100, le=20_000_000)] = 1_000_000
    """Customers of each kind; past it those of longest ago are forgotten."""


class DeadLetterFile(_Settings):
    """Where dead letters are written when they do not go to a topic."""

    path: Path = Path("var/dead-letters.jsonl")
    file_bytes: Size = Field(default=50_000_000, gt=0)
    """Size at which a file is closed and the next begun."""
    files: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Files kept, the one being written included; the oldest goes."""


class EventSettings(_Settings):
    """The part ``events:`` of ``config.yaml``."""

    limits: RecordLimits = RecordLimits()
    phones: PhoneSettings = PhoneSettings()
    identity: IdentitySettings = IdentitySettings()
    owners: OwnerSettings = OwnerSettings()
    customers: CustomerSettings = CustomerSettings()
    dead_letters: DeadLetterFile = DeadLetterFile()
    organisation: dict[str, dict[str, tuple[str, ...]]] = {}
    """Team → group → agents."""
    allow: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    """Event type → the only topics (of a file source: paths) it is taken from, so that the right to
    write to a topic says who may flag a number; elsewhere it is a dead letter, ``not_allowed``.
    Types that are not named here are taken from every topic."""

    @field_validator("allow")
    @classmethod
    def _known_types(cls, allow: dict[str, Any]) -> dict[str, Any]:
        for name in allow:
            if name not in EVENT_TYPES:
                msg = f"there is no event type {name!r}"
                raise ValueError(msg)
        return allow

    @field_validator("organisation")
    @classmethod
    def _each_once(cls, teams: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        place: dict[str, str] = {}
        for team, groups in teams.items():
            for group, agents in groups.items():
                _claim(place, f"group {group!r}", f"team {team!r}")
                for agent in agents:
                    _claim(place, f"agent {agent!r}", f"group {group!r}")
        return teams


def _claim(place: dict[str, str], who: str, where: str) -> None:
    if who in place:
        msg = f"{who} stands twice: in {place[who]} and in {where}"
        raise ValueError(msg)
    place[who] = where
