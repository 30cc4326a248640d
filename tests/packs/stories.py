"""The shipped packs, and the stories of their rule tests through the product's own engine."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from monitor.replay import run_story as run
from monitor.rules.cases import CasesFile, RuleTest, load_cases
from monitor.site import Site, load_site
from monitor.strict_yaml import Loaded

__all__ = ["NAMES", "PACKS", "run", "shipped", "site_of", "stories_of"]

PACKS = Path(__file__).parents[2] / "rules"
NAMES = sorted(path.parent.name for path in PACKS.glob("*/indicators.yaml"))
"""The shipped packs."""


@cache
def site_of(name: str) -> Site:
    """One pack as shipped, with the defaults of everything else."""
    return load_site(None, packs=[PACKS / name])


@cache
def stories_of(name: str) -> Loaded[CasesFile]:
    """The stories of one pack."""
    return load_cases(PACKS / name / "rules.test.yaml", site_of(name).rules)


def cases_of(name: str) -> tuple[RuleTest, ...]:
    """Its stories, one by one."""
    return stories_of(name).value.tests


def shipped() -> Site:
    """The pack that is on by default."""
    return site_of("telemarketing")
