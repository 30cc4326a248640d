"""The made-up call centre: teams, groups, agents, campaigns, own numbers.

Owns who belongs where, as arrays indexed by agent and by number. What they do is ``traffic``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.errors import UsageError

Int64 = npt.NDArray[np.int64]

NUMBERS_PER_CAMPAIGN = 20
CAMPAIGNS_MAX = 10
AGENTS_PER_GROUP = 12
GROUPS_PER_TEAM = 4
TEAMS_MAX = 8
AGENTS_MAX = 100_000
NUMBERS_MAX = 1_000_000

_PREFIXES = (
    # Type, prefix and how many digits follow; all E.164.
    ("local", "+8621", 8, 50_000_000),
    ("mobile", "+86186", 8, 10_000_000),
    ("virtual", "+86170", 8, 20_000_000),
    ("400", "+86400", 7, 8_000_000),
    ("95", "+8695", 6, 130_000),
)


@dataclass(frozen=True, slots=True)
class Centre:
    """Names by index, and the index of each one's place in the organisation."""

    agents: pl.Series
    groups: pl.Series
    teams: pl.Series
    campaigns: pl.Series
    numbers: pl.Series
    number_types: pl.Series
    agent_group: Int64
    agent_team: Int64
    agent_campaign: Int64
    number_campaign: Int64

    def pools(self) -> dict[str, list[str]]:
        """Numbers by campaign, as ``pools:`` in the configuration wants them."""
        return {
            campaign: self.numbers.gather(np.flatnonzero(self.number_campaign == index)).to_list()
            for index, campaign in enumerate(self.campaigns)
        }


def build_centre(agents: int, numbers: int) -> Centre:
    """A centre with so many agents and numbers; the rest of its shape follows.

    Agents and numbers are dealt to the campaigns in turn, so that each has its share of both.

    Raises:
        UsageError: there is nobody to call, nothing to call from, or more than fits in memory.
    """
    if not 1 <= agents <= AGENTS_MAX or not 1 <= numbers <= NUMBERS_MAX:
        bounds = f"agents must be 1 to {AGENTS_MAX} and numbers 1 to {NUMBERS_MAX}"
        msg = f"{bounds}; got {agents} and {numbers}"
        raise UsageError(msg)
    groups = -(-agents // AGENTS_PER_GROUP)
    teams = min(TEAMS_MAX, -(-groups // GROUPS_PER_TEAM))
    campaigns = max(1, min(CAMPAIGNS_MAX, numbers // NUMBERS_PER_CAMPAIGN, agents))
    agent, number = np.arange(agents), np.arange(numbers)
    group = agent // AGENTS_PER_GROUP
    return Centre(
        agents=_names("agent-", agents, 4),
        groups=_names("group-", groups, 2),
        teams=_names("team-", teams),
        campaigns=_names("campaign-", campaigns),
        numbers=pl.Series([_number(index) for index in range(numbers)]),
        number_types=pl.Series([_PREFIXES[_kind(index)][0] for index in range(numbers)]),
        agent_group=group,
        agent_team=group * teams // groups,
        agent_campaign=agent % campaigns,
        number_campaign=number % campaigns,
    )


def _names(prefix: str, count: int, width: int = 1) -> pl.Series:
    return pl.Series([f"{prefix}{index + 1:0{width}d}" for index in range(count)])


def _kind(index: int) -> int:
    # Half are local, a fifth mobile, the rest shared.
    return (0, 0, 0, 0, 0, 1, 1, 2, 3, 4)[index // CAMPAIGNS_MAX % 10]


def _number(index: int) -> str:
    _, prefix, digits, base = _PREFIXES[_kind(index)]
    return f"{prefix}{base + index:0{digits}d}"
