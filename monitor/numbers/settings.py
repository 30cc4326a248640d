"""``pools:`` and ``numbers:`` of ``config.yaml``.

Owns names, units and defaults. The pools' members and their standing are ``pools``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from monitor.units import DurationMs, Rate, Share

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


class PoolSettings(BaseModel):
    """One pool; what it leaves out comes from ``defaults``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numbers: tuple[NumberText, ...] = ()
    max_fraction: Annotated[Share, AfterValidator(_some)] | None = None
    min_left: int | None = Field(default=None, ge=0, le=1_000_000)


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


class NumbersSettings(BaseModel):
    """``numbers:``: what holds for all pools together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Rate = Rate(20, 600_000)
    """So many suspensions by rules in any such period of event time, over all pools."""
    never: tuple[NumberText, ...] = ()
    """Numbers that are never suspended, by nobody: hotlines."""
    ttl_max: DurationMs = Field(default=86_400_000, gt=0)
    """The longest a growing ttl may become where the rule does not say."""
    heal_after: DurationMs = Field(default=86_400_000, gt=0)
    """So long in service without a suspension takes one step off the growth of the ttl."""
    ack_timeout: DurationMs = Field(default=60_000, gt=0)
    """Silence of telephony after a command that people are told of."""
    retry_pause: DurationMs = Field(default=30_000, gt=0)
    """Pause after telephony rejected a command; doubles with each rejection."""
    retry_pause_max: DurationMs = Field(default=600_000, gt=0)
    seen_for: DurationMs = Field(default=604_800_000, ge=3_600_000)
    """A number that is not listed leaves its pool after so long without traffic."""
    numbers_max: int = Field(default=200_000, ge=1, le=10_000_000)
    """Numbers known at once; a new one beyond it is counted and not suspended by rules."""
    reconcile_every: DurationMs = Field(default=300_000, ge=1_000, le=86_400_000)
    """How often telephony is asked what it blocks, where it can say; and at the start."""
    assume_applied: bool = False
    """Commands count as applied at once: for a telephony that does not acknowledge."""
