"""A few rules on a few events, through the product's own engine: who is told what, and when.

The cases are worked by hand in the files beside this one: dates, counts and results stand in their
comments. Rules are written there too, as small as the limit they are about.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from monitor.decisions import Alert, Decision
from monitor.replay import replay_engine
from monitor.site import load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource

NEW_YORK = ZoneInfo("America/New_York")
LONDON = ZoneInfo("Europe/London")
PARIS = ZoneInfo("Europe/Paris")
SHANGHAI = ZoneInfo("Asia/Shanghai")
Event = dict[str, Any]


def at(clock: str, zone: ZoneInfo) -> int:
    """``2026-11-02 15:00`` on the clocks of ``zone``, in ms since 1970 UTC."""
    return round(datetime.fromisoformat(clock).replace(tzinfo=zone).timestamp() * 1000)


def call(clock: str, zone: ZoneInfo, **fields: Any) -> Event:
    """An outbound call that begins then, and is over ten seconds later."""
    started = at(clock, zone)
    event = {"type": "call.ended", "direction": "outbound", "outcome": "no_answer"}
    return {**event, "started_at": started, "time": started + 10_000, **fields}


def told(
    indicators: str, rules: str, events: Sequence[Event], *, config: str = "version: 1\n"
) -> list[Alert]:
    """The alerts that begin, in order; the two texts are the files' lists."""
    with tempfile.TemporaryDirectory() as made:
        pack = Path(made) / "law"
        pack.mkdir()
        (pack / "indicators.yaml").write_text(f"version: 1\nindicators:\n{indicators}")
        (pack / "rules.yaml").write_text(f"version: 1\nrules:\n{rules}")
        site = load_site(None, packs=[pack], text=config)
    partition = Partition("calls", 0)
    source = MemorySource([partition])
    in_order = sorted(events, key=lambda event: int(event["time"]))
    encode = msgspec.json.Encoder().encode
    records = [encode({"id": f"e{place}", **event}) for place, event in enumerate(in_order)]
    source.append(partition, records)
    source.finish()
    source.start({}, None)
    decisions: list[Decision] = []
    engine = replay_engine(site, source, decisions.append)
    engine.run_to_end()
    assert not engine.stats.rejects, engine.stats.rejects
    return [each for each in decisions if isinstance(each, Alert) and each.state == "firing"]


def when(alert: Alert, zone: ZoneInfo) -> str:
    """The tick at which it began, on the clocks of ``zone``."""
    moment = datetime.fromtimestamp(alert.at_ms / 1000, tz=zone)
    return str(moment.replace(tzinfo=None))


RULE = """
  - id: {id}
    indicator: {id}
    by: {by}
    levels: {{crit: {{{level}}}}}
    window: {window}
    evidence: {{method: raw}}
    no_data: resolve
    notify: {{route: operations}}
"""


def rule(name: str, *, by: str, level: str, window: str) -> str:
    """A rule that tells operations as soon as the figure is beyond the limit."""
    return RULE.format(id=name, by=by, level=level, window=window)
