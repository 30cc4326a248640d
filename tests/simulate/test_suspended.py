"""What the shipped pack makes of the traffic: the planted numbers are suspended, and no others."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Command, Decision
from monitor.replay import replay_engine
from monitor.simulate.pacing import to_file
from monitor.simulate.simulation import Simulation
from monitor.site import SHIPPED_PACKS, load_site
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from tests.simulate.made import MINUTE_MS, START_MS, made


def suspended(simulation: Simulation, folder: Path) -> set[str]:
    """Numbers that an engine on defaults and ``rules/telemarketing`` suspends."""
    path = folder / "events.jsonl"
    to_file(simulation, path)
    settings = FilesSettings(kind="files", paths=(str(path),), bookmarks=folder / "bookmarks")
    clock = ManualClock(START_MS)
    source = FileSource(settings, clock)
    decisions: list[Decision] = []
    site = load_site(None, packs=[SHIPPED_PACKS / "telemarketing"])
    with closing(source):
        source.start({}, None)
        replay_engine(site, source, decisions.append, clock=clock).run_to_end()
    commands = [item for item in decisions if isinstance(item, Command) and not item.shadow]
    return {command.number for command in commands if command.action == "suspend"}


pytestmark = [pytest.mark.slow, pytest.mark.untraced]

SIZE: dict[str, Any] = {"rate": 20.0, "duration_ms": 60 * MINUTE_MS, "numbers": 60}


@pytest.mark.parametrize(
    "scenario",
    ["normal-day", "number-going-bad", "bad-agent", "flagged-number", "late-and-duplicate"],
)
def test_the_planted_numbers_and_no_others(scenario: str, tmp_path: Path) -> None:
    simulation = made(scenario, **SIZE)
    assert suspended(simulation, tmp_path) == set(simulation.truth.should_suspend)


def test_a_wave_costs_its_campaign_no_more_than_the_guards_allow(tmp_path: Path) -> None:
    simulation = made("complaint-wave", **{**SIZE, "rate": 30.0})
    out = suspended(simulation, tmp_path)
    assert out <= set(simulation.truth.may_suspend)
    assert len(simulation.truth.may_suspend) == 20
    assert len(out) == 2, "a tenth of the pool, though all of it is bad"
