"""How fast the console is with 5 000 agents and 500 alerts an hour: real daemon, real browser.

``python -m bench.console``. The daemon runs in a process of its own, by the clock, on the shipped
pack and a file that grows by 200 calls a second of 5 000 agents; every 7.2 s a carrier flags a
number. A browser that has signed in opens pages again and again, and then watches the board: how
long from a page's request to its first paint and until all of it is loaded, how long a page takes
to be put in place anew, and how long from the event until its alert pops up. The last holds
``out_of_order`` (1 s) and what is left of a tick (5 s).
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from bench.report import Report, arguments, tell
from tests.console.browsing import chromium, context_of, sign_in, web_section
from tests.deploy.tools import free_port

AGENTS, RATE = 5_000, 200
ALERT_EVERY_S = 7.2
PAGES = {
    "board, teams": "/",
    "board, agents": "/?by=agent",
    "alerts": "/alerts?show=all",
    "one agent": "/scope?by=agent&name=agent-0001",
    "numbers": "/numbers",
}
_CONFIG: dict[str, Any] = {
    "version": 1,
    "packs": ["telemarketing"],
    "telephony": {"kind": "log"},
    "logs": {"level": "error"},
    "pools": {"defaults": {"max_fraction": "100%", "min_left": 0}},
    "numbers": {"rate": "100000/1h"},
}


def main() -> None:
    """Run and report."""
    parser = arguments("bench.console", __doc__)
    parser.add_argument("--alerts", type=int, default=40, help="that are watched")
    parser.add_argument("--opened", type=int, default=20, help="times that each page is opened")
    given = parser.parse_args()
    report = Report("console", given)
    alerts, opened = (6, 4) if given.quick else (given.alerts, given.opened)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        found = _measured(Path(name), alerts, opened)
    head = ("ms", "n", "median", "p95", "longest")
    report.table(head, [[label, *_row(values)] for label, values in found.items()])
    report.keep({"agents": AGENTS, "events a second": RATE, "found": found})


def _row(values: list[float]) -> list[str]:
    ranked = sorted(values)
    p95 = ranked[min(len(ranked) - 1, round(0.95 * len(ranked)))]
    shown = (statistics.median(ranked), p95, ranked[-1])
    return [str(len(ranked)), *(f"{value:,.0f}" for value in shown)]


def _measured(folder: Path, alerts: int, opened: int) -> dict[str, list[float]]:
    with _daemon(folder) as (base, events), sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = context_of(program).new_page()
        sign_in(page, base)
        found: dict[str, list[float]] = {}
        with _traffic(events) as flagged:
            _await_agents(page, base)
            for label, path in PAGES.items():
                tell(f"{label}: opening")
                painted, loaded = zip(
                    *(_opened(page, f"{base}/console{path}") for _ in range(opened)), strict=True
                )
                found[f"{label}: first paint"] = list(painted)
                found[f"{label}: loaded"] = list(loaded)
            page.goto(f"{base}/console/")
            tell("watching alerts")
            found["event → alert pops up"] = _watched(page, flagged, alerts)
            found["board put in place anew"] = _refreshed(page)
        program.close()
        return found


@contextmanager
def _daemon(folder: Path) -> Iterator[tuple[str, Path]]:
    """The daemon's process: where its console is, and the file it follows."""
    events, port = folder / "events.jsonl", free_port()
    events.touch()
    config = _CONFIG | {
        "source": {"kind": "files", "paths": [str(events)], "follow": True,
                   "bookmarks": str(folder / "files")},
        "store": {"path": str(folder / "monitor.db"), "checkpoints": str(folder / "checkpoints")},
        "exporter": {"port": 0},
        "web": web_section(port=port),
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", "run", "-c", str(path), "--no-live"],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"MONITOR_BENCH": "1"},
    )
    base = f"http://127.0.0.1:{port}"
    try:
        _await(lambda: httpx.get(f"{base}/signin").status_code == 200, "the interface")
        yield base, events
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def _traffic(path: Path) -> Iterator[list[tuple[str, float]]]:
    """Calls that end now, and numbers that are flagged: each number, and when."""
    over, flagged = threading.Event(), list[tuple[str, float]]()
    thread = threading.Thread(target=_append, args=(path, over, flagged))
    thread.start()
    try:
        yield flagged
    finally:
        over.set()
        thread.join()


def _append(path: Path, over: threading.Event, flagged: list[tuple[str, float]]) -> None:
    draw = random.Random(1)  # noqa: S311 - traffic, no secret
    due, made, next_flag = time.monotonic(), 0, time.monotonic() + 5
    with path.open("ab", buffering=0) as file:
        while not over.wait(max(0.0, due - time.monotonic())):
            due += 0.1
            now_ms = time.time_ns() // 1_000_000
            lines = []
            for _ in range(RATE // 10):
                made += 1
                lines.append(_call(draw, made, now_ms))
            if time.monotonic() >= next_flag:
                next_flag += ALERT_EVERY_S
                number = f"+8621{70_000_000 + len(flagged)}"
                told = {"type": "number.flagged", "id": f"f{made}", "time": now_ms}
                lines.append(told | {"number": number, "campaign": "campaign-1", "by": "carrier"})
                flagged.append((number, time.time()))
            file.write("".join(json.dumps(line) + "\n" for line in lines).encode())


def _call(draw: random.Random, made: int, now_ms: int) -> dict[str, Any]:
    # Everybody has called once before anybody is drawn.
    agent = made if made <= AGENTS else draw.randrange(1, AGENTS + 1)
    group = (agent - 1) // 12
    return {
        "type": "call.ended", "id": f"c{made}", "call_id": f"c{made}", "time": now_ms,
        "agent": f"agent-{agent:04}", "group": f"group-{group + 1:02}",
        "team": f"team-{group // 53 + 1}", "campaign": f"campaign-{agent % 10 + 1}",
        "number": f"+8621{50_000_000 + draw.randrange(2_000)}",
        "customer": f"+86138{draw.randrange(10**8):08}", "direction": "outbound",
        "outcome": "answered" if draw.random() < 0.4 else "no_answer",
        "hangup_by": "customer" if draw.random() < 0.2 else "agent",
        "talk_s": draw.randrange(5, 300),
    }  # fmt: skip


def _await_agents(page: Page, base: str) -> None:
    """Until the board knows them all."""
    tell("waiting until every agent has called")
    asked = f"{base}/api/v1/board?by=agent&limit=1"

    def known() -> bool:
        told: dict[str, Any] = page.request.get(asked).json()
        return int(told["total"]) >= AGENTS if "total" in told else False

    _await(known, "all agents", 120)


def _opened(page: Page, address: str) -> tuple[float, float]:
    """Milliseconds from the request to the first paint, and until all of it was there."""
    page.goto(address, wait_until="load")
    painted = "() => performance.getEntriesByName('first-contentful-paint').length"
    _await(lambda: page.evaluate(painted), "a first paint")
    return tuple(
        page.evaluate(
            "() => [performance.getEntriesByName('first-contentful-paint')[0].startTime,"
            " performance.getEntriesByType('navigation')[0].loadEventEnd]"
        )
    )


def _watched(page: Page, flagged: list[tuple[str, float]], alerts: int) -> list[float]:
    """Milliseconds from an event's being written to its pop-up, of so many alerts."""
    begin, found = len(flagged), list[float]()
    while len(found) < alerts:
        _await(lambda: len(flagged) > begin + len(found), "a number is flagged", 30)
        number, at_s = flagged[begin + len(found)]
        page.locator(".toast", has_text=number).first.wait_for(timeout=60_000)
        found.append((time.time() - at_s) * 1_000)
    return found


def _refreshed(page: Page) -> list[float]:
    """Milliseconds of each time that the board was fetched while it was watched."""
    found: list[float] = page.evaluate(
        "() => performance.getEntriesByType('resource')"
        ".filter(each => each.initiatorType === 'fetch' && each.name.endsWith('/console/'))"
        ".map(each => each.duration)"
    )
    return found or [float("nan")]


def _await(holds: Any, what: str, timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while True:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > until:
            msg = f"{what}: not within {timeout_s:.0f} s"
            raise TimeoutError(msg)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
