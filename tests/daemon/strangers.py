"""Calls from random numbers through the real engine: ``python -m tests.daemon.strangers FOLDER``.

What a producer with rubbish in a field, or somebody who may write to the topic, can do: each call
from another number, never seen again. Run as a process of its own, whose memory is measured; what
is found goes to standard output as JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from monitor.clock import ManualClock
from monitor.decisions import Alert, Command, Decision, Listing, Notice, Order
from monitor.exporter.collector import SnapshotCollector
from monitor.exporter.exposition import Exposition
from monitor.publish import Around, Shots, picture
from monitor.replay import replay_engine
from monitor.site import Site, load_site
from monitor.snapshot import Board
from monitor.source.base import Fetched, Partition, Standing

START_MS = 1_795_305_600_000
HOUR_MS = 3_600_000
HOURS = 4
CALLS = Partition("calls", 0)
KNOWN = [f"+862150000{index:03}" for index in range(20)]
BAD = KNOWN[7]
BAD_FROM_MS, BAD_TO_MS = START_MS + 2 * HOUR_MS, START_MS + 3 * HOUR_MS
KNOWN_EVERY_MS = 20_000
CHUNK_MS = 60_000

INDICATORS: dict[str, Any] = {
    "version": 1,
    "indicators": [
        {
            "id": "hangups",
            "kind": "ratio",
            "hits": {"count": "call.ended", "where": "hangup_by == 'customer'"},
            "of": {"count": "call.ended"},
            "by": ["number", "team", ["number", "customer"]],
            "windows": ["10m", "30m"],
            "better": "lower",
        },
        {
            "id": "customers",
            "kind": "count",
            "value": {"distinct": "customer", "on": "call.ended"},
            "by": ["number", "team"],
            "windows": ["30m"],
            "better": "higher",
        },
        {
            "id": "longest",
            "kind": "mean",
            "value": {"max": "talk_s", "on": "call.ended"},
            "by": ["number"],
            "windows": ["30m"],
            "better": "higher",
        },
    ],
}
RULES: dict[str, Any] = {
    "version": 1,
    "rules": [
        {
            "id": "hangup",
            "indicator": "hangups",
            "by": "number",
            "levels": {"crit": {"above": "50%", "clear": "40%"}},
            "window": "10m",
            "evidence": {"method": "raw", "min_of": 20},
            "no_data": "hold",
            "notify": {"route": "people"},
            "message": {"en": "{number} hangs up {value:%}"},
            "action": {"suspend": {"ttl": "5m"}},
        }
    ],
}


def write_site(folder: Path, *, keys: int) -> Site:
    """A site with room for ``keys`` numbers, of which :data:`KNOWN` are listed."""
    pack = folder / "rules" / "strangers"
    pack.mkdir(parents=True)
    (pack / "indicators.yaml").write_text(yaml.safe_dump(INDICATORS), encoding="utf-8")
    (pack / "rules.yaml").write_text(yaml.safe_dump(RULES), encoding="utf-8")
    config = {
        "version": 1,
        "packs": ["strangers"],
        "limits": {"keys_per_scope": keys, "pairs_per_measure": keys, "ids": 500_000},
        "numbers": {"numbers_max": keys},
        "events": {"owners": {"numbers": keys, "calls": keys}, "phones": {"cached": keys}},
        "pools": {"ours": {"numbers": KNOWN}},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return load_site(path)


class Calls:
    """A finite source of calls in order of time; nothing of what was read is kept."""

    def __init__(self, strangers: int, seed: int = 1) -> None:
        """``strangers``: calls from random numbers, beside those of the known ones."""
        self._chunks = self._made(strangers, random.Random(seed))
        self._position = 0
        self._over = False
        self.seen = 0
        """Calls of strangers that were handed out."""

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Nothing to open."""

    def poll(
        self,
        max_records: int,  # noqa: ARG002 - the protocol's
        timeout_s: float,  # noqa: ARG002
        skip: AbstractSet[Partition] = frozenset(),  # noqa: ARG002
    ) -> list[Fetched]:
        """A minute of calls."""
        values = next(self._chunks, None)
        if values is None:
            self._over = True
            return []
        offsets = np.arange(self._position, self._position + len(values), dtype=np.int64)
        self._position += len(values)
        stamps = np.full(len(values), -1, dtype=np.int64)
        return [Fetched(CALLS, offsets, stamps, False, values, self._position)]

    def standings(self) -> Mapping[Partition, Standing]:
        """Read as far as it is there."""
        end = self._position + (not self._over)
        return {CALLS: Standing(self._position, end, complete=True)}

    def exhausted(self) -> bool:
        """All minutes were handed out."""
        return self._over

    def close(self) -> None:
        """Nothing to release."""

    def _made(self, strangers: int, rng: random.Random) -> Iterator[list[bytes]]:
        chunks = HOURS * HOUR_MS // CHUNK_MS
        for chunk in range(chunks):
            begin = START_MS + chunk * CHUNK_MS
            count = strangers * (chunk + 1) // chunks - strangers * chunk // chunks
            found = [
                (begin + rng.randrange(CHUNK_MS), f"+86{rng.randrange(10**11):011}", "team-9")
                for _ in range(count)
            ]
            for index, number in enumerate(KNOWN):
                times = range(begin + index * 100, begin + CHUNK_MS, KNOWN_EVERY_MS)
                found += [(time_ms, number, "team-1") for time_ms in times]
            self.seen += count
            yield [_call(*call) for call in sorted(found)]


def _call(time_ms: int, number: str, team: str) -> bytes:
    bad = (number == BAD and BAD_FROM_MS <= time_ms < BAD_TO_MS) or team == "team-9"
    return (
        f'{{"id":"{number}-{time_ms}","type":"call.ended","time":{time_ms},"number":"{number}",'
        f'"customer":"+86139{time_ms % 100_000_000:08}","team":"{team}","direction":"outbound",'
        f'"outcome":"answered","hangup_by":"{"customer" if bad else "agent"}","talk_s":42}}'
    ).encode()


@dataclass
class Found:
    """What a run led to."""

    read: int = 0
    decisions: list[list[str]] = field(default_factory=list)
    """Time, id and what was decided about whom."""
    keys_most: int = 0
    keys_least: int = 0
    """Living keys of the scope of numbers, over the second half."""
    keys_limit: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    """Entries of every other table at the end, the largest there was."""
    metrics: list[str] = field(default_factory=list)
    """Lines of ``/metrics`` about keys and the bucket."""
    unready: list[str] = field(default_factory=list)
    rss_tenth: int = 0
    rss_end: int = 0
    took_s: float = 0.0


def run(site: Site, strangers: int) -> Found:
    """Replay so many calls of strangers among those of the known numbers."""
    found, begun = Found(), time.monotonic()
    source, clock = Calls(strangers), ManualClock(START_MS)
    sizes: Counter[str] = Counter()

    def tell(decision: Decision) -> None:
        if isinstance(decision, Alert):
            what = f"{decision.state} {dict(decision.scope)}"
        else:
            number = "" if isinstance(decision, Order | Listing | Notice) else decision.number
            what = f"{type(decision).__name__} {number}"
            what += f" {decision.action}" if isinstance(decision, Command) else ""
        found.decisions.append([str(decision.at_ms), decision.id, what])

    engine = replay_engine(site, source, tell, clock=clock)
    table = engine.judges.indicators.key_tables()["number",]
    living: list[int] = []

    def look(_tick: int) -> None:
        living.append(len(table))
        sizes["ids"] = max(sizes["ids"], len(engine.dedup))
        sizes["numbers"] = max(sizes["numbers"], len(engine.judges.desk.book))
        sizes["owners"] = max(sizes["owners"], engine.owners.owners_held)
        for name, (entries, _) in engine.judges.indicators.fullest().items():
            sizes[name] = max(sizes[name], entries)

    engine.on_tick = look
    while not source.exhausted():
        found.read += engine.step()
        if not found.rss_tenth and source.seen >= strangers // 10:
            found.rss_tenth = rss()
    engine.finish()
    found.rss_end = rss()
    half = living[len(living) // 2 :]
    found.keys_most, found.keys_least, found.keys_limit = max(living), min(half), table.limit
    found.sizes = dict(sizes)
    found.metrics, found.unready = _told(engine, site, clock)
    found.took_s = time.monotonic() - begun
    return found


def _told(engine: Any, site: Site, clock: ManualClock) -> tuple[list[str], list[str]]:
    """The lines of ``/metrics`` that matter here, and why the daemon would not be ready."""
    board = Board()
    exporter = site.config.exporter
    board.publish(
        picture(
            engine,
            site.indicators,
            exporter,
            around=Around(),
            shots=Shots(),
            pending_limit=1_000_000,
        )
    )
    said = Exposition(board, SnapshotCollector(board, exporter, clock), exporter).text().decode()
    wanted = ("monitor_keys{", "monitor_key_overflow_rows_total{")
    lines = [
        line for line in said.splitlines() if line.startswith(wanted) or 'bucket="other"' in line
    ]
    unready = [] if board.latest is None else [each.reason for each in board.latest.unready]
    return lines, unready


def rss() -> int:
    """Resident memory, bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run once with strangers and once without."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--strangers", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=10_000)
    arguments = parser.parse_args()
    site = write_site(arguments.folder, keys=arguments.keys)
    with_them, alone = run(site, arguments.strangers), run(site, 0)
    json.dump({"with": asdict(with_them), "alone": asdict(alone)}, sys.stdout)


if __name__ == "__main__":
    main()
