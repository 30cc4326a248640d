"""What a scrape of 100 000 series costs, and by how much it delays a tick under load.

``python -m bench.scrape``. The daemon runs in a process of its own, by the clock, on a file that
grows by 20 000 events a second; it publishes and ticks once a second. Another process scrapes it
twice a second: not at all, as text, compressed, and by four scrapers at once. A tick's delay is the
time from its end plus ``out_of_order`` until it is judged.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.job import DISORDER_MS, Job, event_lines, write_pack
from bench.report import Report, arguments, tell
from monitor import logs, publish
from monitor.app import daemon as app
from monitor.app.engine import build_engine as build
from monitor.running import standing
from monitor.site import load_site

NUMBERS = 3_700
"""With agents, groups, teams and campaigns 4 242 keys, of 24 series each."""
DENSITY = 20_000
WARM_S = 15.0
"""Until every key has been seen and the compiled code is there."""
CHUNK_S = 0.05
SCRAPE_EVERY_S = 0.47
"""Not half a second, so that scrapes wander through the ticks."""
OUT_OF_ORDER_MS = 1_000
REQUIRED_S, REQUIRED_DELAY_MS, REQUIRED_SERIES = 1.0, 100.0, 100_000
_CONFIG = """\
version: 1
source: {{kind: files, paths: ["{folder}/calls.jsonl"], follow: true, bookmarks: {folder}/files}}
time: {{tick: 1s}}
rules_dir: {folder}
packs: [pack]
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
exporter: {{port: 0, keys_max: 100000, series_max: 200000}}
logs: {{level: error}}
"""


@dataclass(slots=True)
class Phase:
    """A stretch of time with so many scrapers."""

    name: str
    scrapers: int = 0
    packed: bool = False
    began_ms: float = 0.0
    ended_ms: float = 0.0
    seconds: list[float] = field(default_factory=list)
    """Of each scrape, from request to last byte."""
    size: int = 0
    series: int = 0
    delays_ms: list[float] = field(default_factory=list)
    publish_ms: list[float] = field(default_factory=list)
    """What the engine itself spends once a second on the picture."""


def main() -> None:
    """Run all phases and report, or be the daemon."""
    parser = arguments("bench.scrape", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each phase")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        _serve(given.serve)
        return
    report = Report("scrape", given)
    seconds = 10.0 if given.quick else given.seconds
    phases = [Phase("none"), Phase("text", 1), Phase("gzip", 1, packed=True), Phase("four", 4)]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        write_pack(folder / "pack")
        _run(folder, phases, seconds)
    report.table(*_table(phases))
    report.keep({"phases": [_plain(phase) for phase in phases]})


def _run(folder: Path, phases: list[Phase], seconds: float) -> None:
    (folder / "config.yaml").write_text(_CONFIG.format(folder=folder), encoding="utf-8")
    (folder / "calls.jsonl").touch()
    with _daemon(folder) as port, _traffic(folder / "calls.jsonl", WARM_S + 4 * seconds + 20):
        tell("warming up")
        time.sleep(WARM_S)
        for phase in phases:
            tell(f"scrapers: {phase.name}, {seconds:.0f} s")
            phase.began_ms = time.time() * 1_000
            until = time.monotonic() + seconds
            if phase.scrapers:
                with ThreadPoolExecutor(phase.scrapers) as pool:
                    for _ in range(phase.scrapers):
                        pool.submit(_scrape_until, port, phase, until)
            else:
                time.sleep(seconds)
            phase.ended_ms = time.time() * 1_000
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    for phase in phases:
        for at_ms, tick in told["ticks"]:
            if phase.began_ms <= at_ms <= phase.ended_ms:
                phase.delays_ms.append(at_ms - tick - OUT_OF_ORDER_MS)
        for at_ms, took_ms in told["published"]:
            if phase.began_ms <= at_ms <= phase.ended_ms:
                phase.publish_ms.append(took_ms)


@contextmanager
def _daemon(folder: Path) -> Iterator[int]:
    """The daemon's process; its port."""
    command = [sys.executable, "-m", "bench.scrape", "--serve", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _serve(folder: Path) -> None:
    """Be the daemon, and write down when each tick was judged and each picture published."""
    logs.configure(level="error")
    ticks: list[tuple[float, int]] = []
    published: list[tuple[float, float]] = []
    take = publish.picture

    def build_engine(*args: Any, **named: Any) -> Any:
        engine = build(*args, **named)
        engine.on_tick = lambda tick: ticks.append((time.time() * 1_000, tick))
        return engine

    def picture(*args: Any, **named: Any) -> Any:
        started = time.perf_counter()
        taken = take(*args, **named)
        published.append((time.time() * 1_000, (time.perf_counter() - started) * 1_000))
        return taken

    setattr(app, "build_engine", build_engine)  # noqa: B010 - from outside: they do not know of it
    setattr(standing, "picture", picture)  # noqa: B010
    daemon = app.Daemon(load_site(folder / "config.yaml"), path=folder / "config.yaml")
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop.set())
    thread = threading.Thread(target=_tell_port, args=(daemon,), daemon=True)
    thread.start()
    daemon.run()
    told = {"ticks": ticks, "published": published}
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


def _tell_port(daemon: app.Daemon) -> None:
    while daemon.port is None:
        time.sleep(0.01)
    print(daemon.port, flush=True)


@contextmanager
def _traffic(path: Path, seconds: float) -> Iterator[None]:
    """Events that are appended when they happen; made before the first."""
    made = Job("live", round(seconds * DENSITY), DENSITY, numbers=NUMBERS, start_ms=0)
    tell(f"making {made.events:,} events")
    start_ms = round(time.time() * 1_000 + made.events / 100_000 * 1_000 + 3_000)
    live = Job(made.name, made.events, DENSITY, numbers=NUMBERS, start_ms=start_ms)
    lines = event_lines(live)
    size = round(CHUNK_S * DENSITY)
    chunks = [
        ("\n".join(lines[first : first + size]) + "\n").encode()
        for first in range(0, len(lines), size)
    ]
    over = threading.Event()
    thread = threading.Thread(target=_append, args=(path, chunks, start_ms / 1_000, over))
    thread.start()
    over.wait(max(0.0, start_ms / 1_000 - time.time()))
    try:
        yield
    finally:
        over.set()
        thread.join()


def _append(path: Path, chunks: list[bytes], start_s: float, over: threading.Event) -> None:
    with path.open("ab", buffering=0) as file:
        for number, chunk in enumerate(chunks):
            # In the order of arrival the events are this much later than they happened, on average.
            due = start_s + (number + 1) * CHUNK_S + DISORDER_MS / 2_000
            if over.wait(max(0.0, due - time.time())):
                return
            file.write(chunk)


def _scrape_until(port: int, phase: Phase, until: float) -> None:
    while time.monotonic() < until:
        next_s = time.monotonic() + SCRAPE_EVERY_S
        started = time.perf_counter()
        body = _get(port, packed=phase.packed)
        phase.seconds.append(time.perf_counter() - started)
        phase.size = len(body)
        if not phase.packed and not phase.series:
            phase.series = body.count(b"\n") - body.count(b"\n#")
        time.sleep(max(0.0, next_s - time.monotonic()))


def _get(port: int, *, packed: bool) -> bytes:
    """``/metrics`` with a bare socket, so that the client costs next to nothing."""
    with socket.create_connection(("127.0.0.1", port), 30) as link:
        encoding = "gzip" if packed else "identity"
        head = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: {encoding}\r\n\r\n"
        link.sendall(head.encode())
        parts = []
        while part := link.recv(1 << 20):
            parts.append(part)
    answer = b"".join(parts)
    head_end = answer.index(b"\r\n\r\n")
    assert b" 200 " in answer[:20], answer[:200]
    return answer[head_end + 4 :]


def _table(phases: list[Phase]) -> tuple[list[str], list[list[str]]]:
    quiet = max(phases[0].delays_ms)
    lines: tuple[tuple[str, Callable[[Phase], str]], ...] = (
        ("series", lambda p: f"{p.series:,}" if p.series else "–"),
        ("scrapes", lambda p: str(len(p.seconds))),
        ("scrape, median s", lambda p: _seconds(statistics.median, p.seconds)),
        ("scrape, worst s", lambda p: _seconds(max, p.seconds)),
        ("body, MB", lambda p: f"{p.size / 1e6:.1f}"),
        ("ticks", lambda p: str(len(p.delays_ms))),
        ("tick delay, median ms", lambda p: f"{statistics.median(p.delays_ms):.0f}"),
        ("tick delay, worst ms", lambda p: f"{max(p.delays_ms):.0f}"),
        ("more than without, ms", lambda p: f"{max(p.delays_ms) - quiet:.0f}"),
        ("publish, median ms", lambda p: f"{statistics.median(p.publish_ms):.1f}"),
        ("publish, worst ms", lambda p: f"{max(p.publish_ms):.1f}"),
    )
    rows = [[label, *(told(phase) for phase in phases)] for label, told in lines]
    return ["scrapers", *(phase.name for phase in phases)], rows


def _seconds(of: Any, values: list[float]) -> str:
    return f"{of(values):.3f}" if values else "–"


def _plain(phase: Phase) -> dict[str, Any]:
    return {
        "scrapers": phase.name,
        "series": phase.series,
        "bytes": phase.size,
        "scrape_s": [round(each, 4) for each in phase.seconds],
        "tick_delay_ms": [round(each, 1) for each in phase.delays_ms],
        "publish_ms": [round(each, 2) for each in phase.publish_ms],
    }


if __name__ == "__main__":
    main()
