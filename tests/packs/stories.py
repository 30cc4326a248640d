"""The shipped packs, and the stories of their rule tests through the product's own engine."""

from __future__ import annotations

from pathlib import Path

from monitor.replay import run_story as run
from monitor.site import Site, load_site

__all__ = ["PACKS", "run", "shipped"]

PACKS = Path(__file__).parents[2] / "rules"


def shipped() -> Site:
    """The pack as shipped, with the defaults of everything else."""
    return load_site(None, packs=[PACKS / "telemarketing"])
