"""Does what funnels and traffic do, and fails where that compiles anything after ``warm``.

Run: ``python -m tests.compiled.found {funnel,traffic} FOLDER``. It needs a process of its own, as
what another test had compiled would be found too; ``test_warm`` starts it.
"""

from __future__ import annotations

import copy
import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

from monitor import compiled
from monitor.clock import SystemClock
from monitor.replay import replay_engine
from monitor.simulate.pacing import to_file
from monitor.simulate.simulation import simulate
from monitor.site import load_site
from monitor.source.files import FileSource
from monitor.source.kafka_whole import WholePartitionRecords
from monitor.source.settings import FilesSettings
from monitor.store.state import pack
from monitor.warm import warm
from tests.indicators.made import T0, TICK, load, made, row, run
from tests.source.batches import Record, batch, rows_of_ours, told

FUNNEL = """
  - id: path
    kind: funnel
    entity: customer
    within: 1h
    steps: {sent: {on: sms.sent}, opened: {on: sms.opened}}
    by: [team]
    windows: [30m, {calendar: day, tz: UTC}]
"""


def main() -> None:
    """Compile beforehand, do it, and compare."""
    what, folder = sys.argv[1:]
    warm()
    before = signatures()
    assert sum(before.values()) > 10
    if what == "funnel":
        funnel()
    else:
        traffic(Path(folder))
    late = [name for name, kinds in signatures().items() if kinds > before[name]]
    if late:
        sys.exit(f"compiled only when it was wanted: {', '.join(late)}")


def signatures() -> dict[str, int]:
    """How many times each function was compiled, for how many kinds of arguments."""
    found: dict[str, int] = {}
    for module in pkgutil.iter_modules(compiled.__path__):
        members: dict[str, Any] = vars(importlib.import_module(f"monitor.compiled.{module.name}"))
        for name, member in members.items():
            if hasattr(member, "signatures"):
                found[f"{module.name}.{name}"] = len(member.signatures)
    return found


def funnel() -> None:
    """What no pack that is on by default has."""
    figures, end = made(FUNNEL), T0 + 86_400_000
    opened = row(end, "sms.opened", team="x", customer="c")
    late = row(end - 1_000, "sms.sent", team="x", customer="c", eff=end)
    load(figures, [row(end - 2_000, "sms.opened", team="x", customer="c")])
    run(figures, end)
    load(figures, [opened, late])
    run(figures, end + TICK)
    state = copy.deepcopy(figures.snapshot())
    assert pack(state).size > 0
    figures = made(FUNNEL)
    figures.restore(state)
    figures.evict({})
    run(figures, end + 2 * 86_400_000)
    figures.evict({})


def traffic(folder: Path) -> None:
    """A replay with the shipped packs, and a batch of Kafka's."""
    file = folder / "events.jsonl"
    to_file(
        simulate(
            "number-going-bad", start_ms=1_795_309_200_000, duration_ms=300_000, rate=20.0, seed=1
        ),
        file,
    )
    source = FileSource(FilesSettings(kind="files", paths=(str(file),)), SystemClock())
    engine = replay_engine(load_site(None), source, lambda _decision: None)
    source.start({}, None)
    engine.run_to_end()
    source.close()
    assert sum(engine.stats.records.values()) > 5_000
    told(WholePartitionRecords, batch([Record(0, 0, None, b"value")], codec=1), rows=rows_of_ours)


if __name__ == "__main__":
    main()
