"""A little pack of one rule, a story of events, and the alert that comes of it, explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import yaml

from monitor.decisions import Alert
from monitor.explain.explain import Explanation, explain
from monitor.explain.gather import gather, replayed
from monitor.explain.question import ask
from monitor.replay import Past
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource

T0 = 1_795_309_200_000
"""2026-11-22 01:00 UTC, nine o'clock in Shanghai."""
CALLS = Partition("calls", 0)
Event = dict[str, Any]


def site(folder: Path, indicator: dict[str, Any], rule: dict[str, Any]) -> Site:
    """A pack with one indicator and one rule, with the defaults of everything else."""
    return with_rules(folder, indicator, {"r": rule})


def with_rules(folder: Path, indicator: dict[str, Any], rules: dict[str, dict[str, Any]]) -> Site:
    """A pack with one indicator and several rules, by their ids."""
    told = [{"id": name, "notify": {"route": "r"}, **rule} for name, rule in rules.items()]
    written = {
        "indicators": {"version": 1, "indicators": [indicator]},
        "rules": {"version": 1, "rules": told},
    }
    for name, document in written.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return load_site(None, packs=[folder])


def source(events: Sequence[Event], *, finished: bool = True) -> MemorySource:
    """The events as a log; each has an id and a time in seconds after ``T0``, ``at``."""
    made = MemorySource([CALLS])
    for number, event in enumerate(events):
        at = T0 + round(event["at"] * 1_000)
        whole = {"id": f"e{number}", "time": at} | event
        made.append(CALLS, [msgspec.json.encode(whole)], timestamp_ms=at)
    if finished:
        made.finish()
    return made


def explained(site: Site, events: Sequence[Event], *, show: int = 1_000) -> Explanation:
    """The first alert of the story."""
    alerts: list[Alert] = replayed(site, source(events), lambda alert: alert.state == "firing")
    question = ask(site, alerts[0])
    found = gather(site, question, source(events), Past())
    return explain(question, found, records=show, zone=ZoneInfo("Asia/Shanghai"))
