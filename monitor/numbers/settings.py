"""``pools:`` and ``numbers:`` of ``config.yaml``.

Owns names, units and defaults. The pools' members and their standing are ``pools``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from monitor.units import DurationMs, Rate, Share

RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
NumberText = Annotated[str, StringConstraints(min_length=1, max_length=64)]


def _some(value: Fraction) -> Fraction:
    if value == 0:
        # The formula lets one number of any pool go, so 0 % would promise what it does not hold.
        raise PydanticCustomError(
            "pool_share",
            "{fault}",
            {
                "fault": "0% would still let one number of the pool be suspended",
                "hint": "put the numbers on numbers.never instead",
            },
        )
    return value


class PoolDefaults(BaseModel):
    """The guards of a pool that says nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_fraction: Annotated[Share, AfterValidator(_some)] = Fraction(1, 10)
    """At most ``max(1, floor(max_fraction * pool))`` numbers are out of service by rules."""
    min_left: int = Field(default=0, ge=0, le=1_000_000)
    """So many numbers of the pool stay in service, whatever the rules want."""
    rate: Rate | None = None
    """So many suspensions by rules in any such period of event time."""
    brake_above: Annotated[Share, AfterValidator(_some)] | None = None
    """More of a pool of five or more that breach, may breach, or were lately suspended are a wave:
    no more are suspended, and people hear of it once."""
    brake_window: DurationMs = Field(default=3_600_000, gt=0)
    """Suspensions of so long ago, or less, belong to a wave."""
    approval: int | None = Field(default=None, ge=0, le=1_000_000)
    """When more numbers than this wait to be suspended, a person decides."""
    approval_for: DurationMs = Field(default=1_800_000, gt=0)
    """So long an approval may be given, and so long it holds once it is."""
    inhibited_by: tuple[RuleName, ...] = ()
    """Rules by campaign: while one fires for the pool's own at its severest level, none of its
    numbers is suspended."""


class PoolSettings(BaseModel):
    """One pool; what it leaves out comes from ``defaults``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numbers: tuple[NumberText, ...] = ()
    standby: tuple[NumberText, ...] = ()
    """In this order they take the place of a number that is retired; no members until then."""
    max_fraction: Annotated[Share, AfterValidator(_some)] | None = None
    min_left: int | None = Field(default=None, ge=0, le=1_000_000)
    rate: Rate | None = None
    brake_above: Annotated[Share, AfterValidator(_some)] | None = None
    brake_window: DurationMs | None = Field(default=None, gt=0)
    approval: int | None = Field(default=None, ge=0, le=1_000_000)
    approval_for: DurationMs | None = Field(default=None, gt=0)
    inhibited_by: tuple[RuleName, ...] | None = None


class PoolsSettings(BaseModel):
    """``pools:``: a pool by name, and ``defaults`` for all of them.

    A pool is named after the campaign that dials with it, so that a number seen in traffic and
    not listed joins the right one.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    defaults: PoolDefaults = PoolDefaults()
    __pydantic_extra__: dict[str, PoolSettings] = Field(init=False)

    @property
    def pools(self) -> Mapping[str, PoolSettings]:
        """The configured pools by name."""
        return self.__pydantic_extra__

    def guards_of(self, pool: str) -> dict[str, Any]:
        """What guards the pool, by name: its own values where it has any."""
        own = self.pools.get(pool)
        found: dict[str, Any] = {}
        for name in PoolDefaults.model_fields:
            value = None if own is None else getattr(own, name)
            found[name] = getattr(self.defaults, name) if value is None else value
        return found


class NumbersSettings(BaseModel):
    """``numbers:``: what holds for all pools together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Rate = Rate(20, 600_000)
    """So many suspensions by rules in any such period of event time, over all pools."""
    never: tuple[NumberText, ...] = ()
    """Numbers that are never suspended, by nobody: hotlines."""
    inventory: Path | None = None
    """A table of numbers beside those of ``pools``, as CSV: number, type, pool, owner, standby.
    `monitor numbers import` writes it; it is read at the start and by a reload."""
    ttl_max: DurationMs = Field(default=86_400_000, gt=0)
    """The longest a growing ttl may become where the rule does not say."""
    heal_after: DurationMs = Field(default=86_400_000, gt=0)
    """So long in service without a suspension takes one step off the growth of the ttl."""
    ack_timeout: DurationMs = Field(default=60_000, gt=0)
    """Silence of telephony after a command that people are told of."""
    retry_pause: DurationMs = Field(default=30_000, gt=0)
    """Pause after telephony rejected a command; doubles with each rejection."""
    retry_pause_max: DurationMs = Field(default=600_000, gt=0)
    undo_for: DurationMs = Field(default=3_600_000, ge=0)
    """So long rules leave a number alone whose suspension a person has undone."""
    seen_for: DurationMs = Field(default=604_800_000, ge=3_600_000)
    """A number that is not listed leaves its pool after so long without traffic."""
    numbers_max: int = Field(default=200_000, ge=1, le=10_000_000)
    """Numbers known at once; a new one beyond it is counted and not suspended by rules."""
    reconcile_every: DurationMs = Field(default=300_000, ge=1_000, le=86_400_000)
    """How often telephony is asked what it blocks, where it can say; and at the start."""
    assume_applied: bool = False
    """Commands count as applied at once: for a telephony that does not acknowledge."""
