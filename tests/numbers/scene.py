"""A small centre through the real engine: events in, what is decided out, the desk to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.decisions import Ack, Alert, Command, Decision, ManualAction, Refusal
from monitor.engine import Engine, Input
from monitor.replay import Past, replay_engine
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource

T0 = 1_800_000_000_000
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
CALLS = Partition("calls", 0)

INDICATORS = """\
version: 1
indicators:
  - id: complaint_rate
    title: {en: Complaints}
    class: result
    kind: ratio
    hits: {count: complaint.filed}
    of: {count: call.ended}
    by: [number, agent, campaign, [number, agent]]
    windows: [1h]
    better: lower
  - id: hangup_rate
    title: {en: Hang-ups}
    class: result
    kind: ratio
    hits: {count: call.ended, where: "hangup_by == 'customer'"}
    of: {count: call.ended}
    by: [number, agent, campaign, [number, agent]]
    windows: [1h]
    better: lower
"""


def rule(name: str = "bad-number", **changes: Any) -> dict[str, Any]:
    """A rule that suspends a number of which every second call is hung up on."""
    made: dict[str, Any] = {
        "id": name,
        "title": {"en": name},
        "indicator": "hangup_rate",
        "by": "number",
        "levels": {"crit": {"above": "50%", "clear": "30%"}},
        "window": "1h",
        "evidence": {"method": "raw", "min_of": 10},
        "no_data": "hold",
        "notify": {"route": "operations"},
        "message": {"en": name},
        "action": {"suspend": {"ttl": "10m", "backoff": "double", "ttl_max": "24h"}},
    }
    made.update(changes)
    return {key: value for key, value in made.items() if value is not None}


def site_of(folder: Path, rules: Sequence[dict[str, Any]], **config: Any) -> Site:
    """A site of these rules; YAML is a superset of JSON."""
    pack = folder / "pack"
    pack.mkdir(exist_ok=True)
    (pack / "indicators.yaml").write_text(INDICATORS, encoding="utf-8")
    text = json.dumps({"version": 1, "rules": list(rules)})
    (pack / "rules.yaml").write_text(text, encoding="utf-8")
    return load_site(None, packs=[pack], text=json.dumps({"version": 1, **config}))


class Scene:
    """Events and orders of some hours, judged at once when :meth:`run` is called."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.events: list[dict[str, Any]] = []
        self.inputs: list[Input] = []
        self.decisions: list[Decision] = []
        self.engine: Engine | None = None

    def event(self, at: int, kind: str, **fields: Any) -> None:
        """Anything, at ``at`` ms after the beginning."""
        name = f"e{len(self.events)}"
        self.events.append({"id": name, "type": kind, "time": T0 + at, **fields})

    def call(self, at: int, number: str, *, bad: bool = False, **fields: Any) -> None:
        """A call that ended at ``at`` and lasted 20 s."""
        made: dict[str, Any] = {
            "number": number,
            "call_id": f"c{len(self.events)}",
            "direction": "outbound",
            "campaign": "a",
            "started_at": T0 + at - 20 * SECOND,
            "hangup_by": "customer" if bad else "agent",
        }
        self.event(at, "call.ended", **(made | fields))

    def calls(
        self, begin: int, end: int, every: int, number: str, share: float = 0.0, **fields: Any
    ) -> None:
        """Calls at a steady pace, of which ``share`` are bad, spread evenly."""
        for index, at in enumerate(range(begin, end, every)):
            bad = int((index + 1) * share) > int(index * share)
            self.call(at, number, bad=bad, **fields)

    def order(self, at: int, action: Any, number: str = "", **more: Any) -> None:
        """What a person wants, as of the tick after ``at``."""
        tick = -(-(T0 + at) // 5_000) * 5_000
        made: dict[str, Any] = {"id": f"m{len(self.inputs)}", "ttl_ms": None, "who": "mei"}
        what = ManualAction(action=action, number=number, **(made | {"why": "a test"} | more))
        self.inputs.append(Input(tick, what))

    def answer(self, at: int, command: str, status: Any = "applied") -> None:
        """What telephony says."""
        tick = -(-(T0 + at) // 5_000) * 5_000
        self.inputs.append(Input(tick, Ack(command, status, "", T0 + at)))

    def run(self, *, batch: int = 10_000, restart_at: int | None = None) -> Scene:
        """Judge all of it; every command counts as applied at once where the site says so.

        ``restart_at``: there another engine takes over from what the first one leaves.
        """
        self.decisions = []
        source = self._source(batch)
        source.start({}, None)
        self.engine = self._engine(source, batch, after=-1)
        if restart_at is not None:
            self.engine.last = (T0 + restart_at) // 5_000 * 5_000
            while not source.exhausted():
                self.engine.step()
            state, judged = self.engine.snapshot(), self.engine.judged
            source = self._source(batch)
            self.engine = self._engine(source, batch, after=judged)
            source.start(self.engine.restore(state), None)
        self.engine.run_to_end()
        return self

    def _source(self, batch: int) -> MemorySource:
        source, ordered = MemorySource([CALLS]), sorted(self.events, key=lambda e: e["time"])
        for start in range(0, len(ordered), batch):
            part = ordered[start : start + batch]
            source.append(CALLS, [json.dumps(each).encode() for each in part])
        source.finish()
        return source

    def _engine(self, source: MemorySource, batch: int, *, after: int) -> Engine:
        inputs = sorted(self.inputs, key=lambda each: each.tick)
        last = max((each["time"] for each in self.events), default=T0)
        past = Past(
            inputs=tuple(each for each in inputs if each.tick > after),
            judged_to=last // 5_000 * 5_000 + 5_000,
        )
        return replay_engine(self.site, source, self.decisions.append, past=past, at_once=batch)

    @property
    def desk(self) -> Any:
        """The number desk at the end."""
        assert self.engine is not None
        return self.engine.judges.desk

    def commands(self, action: str = "suspend") -> list[Command]:
        """Those that were sent, in order."""
        found = [each for each in self.decisions if isinstance(each, Command)]
        return [each for each in found if each.action == action and not each.shadow]

    def refusals(self, guard: str = "") -> list[Refusal]:
        """Those that people hear of."""
        found = [each for each in self.decisions if isinstance(each, Refusal)]
        return [each for each in found if guard in ("", each.guard)]

    def alerts(self, name: str = "") -> list[Alert]:
        """Those of one rule, or all."""
        found = [each for each in self.decisions if isinstance(each, Alert)]
        return [each for each in found if name in ("", each.rule)]


def since_ms(at_ms: int) -> int:
    """Of a decision, how long after the beginning."""
    return at_ms - T0


def numbers(count: int, prefix: str = "+8621500000") -> list[str]:
    """Telephone numbers."""
    return [f"{prefix}{index:02d}" for index in range(count)]
