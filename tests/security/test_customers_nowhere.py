"""A customer's number in every event and every table of the store, and then a search.

No answer of an interface to a role that may not see customers holds it, nor the log, nor a metric.
"""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor import logs
from monitor.clock import SystemClock
from monitor.decisions import Alert, Decision, derive_id
from monitor.people.desk import PeopleDesk
from monitor.store.audit import Deed
from monitor.store.metadata import METADATA
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.daemon.folder import GOOD, INDICATORS, RULES, Folder, now_ms
from tests.daemon.running import Threaded, eventually, threaded
from tests.interface.callers import shown
from tests.interface.expected import ENDPOINTS, PLACES
from tests.interface.serving import ROLES, tokens
from tests.store.made import alert, change, list_action, listing, manual, order, refusal

CUSTOMER = "+8613977712345"
OPAQUE = "c-6140-zhang.san"
"""One who is no telephone number."""
DIGITS = re.compile(rf"139[\s-]?7771[\s-]?2345|{re.escape(OPAQUE)}")
SAID = f"asked by {CUSTOMER}, or 139 7771 2345, on 2026-11-30 at 09:15"
"""What people may write."""
NOBODYS = {
    "meta": "versions and checkpoints of numbers",
    "floors": "offsets",
    "episodes": "ids",
    "users": "their own names",
    "sessions": "their own names",
    "routing": "who is on duty",
    "tellings": "ids",
    "outbox": "ids, and what receivers answered",
}
"""Tables that no customer can be in."""
ENDLESS = {"/api/v1/live"}
RULE_BY_CUSTOMER = {
    "id": "customer",
    "indicator": "hangups",
    "by": "customer",
    "levels": {"warn": {"above": "50%", "clear": "40%"}},
    "window": "10s",
    "evidence": {"method": "raw", "min_of": 5},
    "no_data": "hold",
    "notify": {"route": "people"},
    "message": {"en": "{customer} hangs up {value:%}"},
}
TRIED = {**RULE_BY_CUSTOMER, "id": "tried", "status": "shadow"}


@pytest.fixture(scope="module")
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.configure(level="debug", stream=stream, json=True)
    yield stream
    logs.configure()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, log: io.StringIO
) -> Iterator[tuple[Threaded, Path]]:
    assert log is not None
    root = tmp_path_factory.mktemp("customers")
    web = {"enabled": True, "port": 0, "tokens": tokens(), "rate": "100000/1m"}
    folder = Folder(root, web=web, logs={"level": "debug"})
    (hangups,) = INDICATORS["indicators"]
    by = {**hangups, "by": [*hangups["by"], "customer"]}
    folder.write(
        {**INDICATORS, "indicators": [by]},
        {**RULES, "rules": [*RULES["rules"], RULE_BY_CUSTOMER, TRIED]},
    )
    with threaded(folder) as daemon:
        folder.call(GOOD, bad=True, count=8, customer=CUSTOMER)
        folder.call(GOOD, bad=True, count=8, customer=OPAQUE)
        folder.append({"type": "call.ended", "customer": CUSTOMER, "number": CUSTOMER * 99})
        rules = ("customer", "tried")  # the latter in shadow
        eventually(
            lambda: min(len(daemon.alerts(rule)) for rule in rules) >= 2, "alerts of each customer"
        )
        _plant(folder.store)
        daemon.ticks_on()
        yield daemon, folder.store


def _plant(path: Path) -> None:
    clock = SystemClock()
    with Store.open(StoreSettings(path=path), clock, daemon=False) as store:
        told: list[Alert] = []
        decisions: list[Decision] = [refusal(now_ms(), detail=SAID)]
        for customer in (CUSTOMER, OPAQUE):
            scope = (("customer", customer), ("agent", "a-7"))
            message = {"en": f"{customer} was called again", "zh": f"再次致电 {customer}"}
            one = alert(now_ms(), scope=scope, message=message, episode=derive_id(customer))
            told.append(one)
            decisions += [
                one,
                order(now_ms(), scope=scope, rule=one.rule, episode=one.episode),
                listing(now_ms(), customer=customer, by="li"),
            ]
        changes = [change(now_ms(), detail=SAID, number=GOOD, by="li")]
        store.record(Recording(decisions, changes=changes))
        store.requests.put(list_action("0" * 32, CUSTOMER, OPAQUE, why=SAID))
        store.requests.put(manual("1" * 32, number=GOOD, why=SAID))
        store.journal.append("list", now_ms(), {"why": SAID}, key="planted")
        desk = PeopleDesk(store, clock)
        for one in told:
            desk.acknowledge(one.episode, "li", SAID)
        for customer in (CUSTOMER, OPAQUE):
            desk.silence({"customer": customer}, clock.now_ms() + 3_600_000, "li", SAID)
        store.audit.add(Deed(now_ms(), "li", "admin", "token", "", "read", CUSTOMER, 200, SAID))


def test_it_is_in_every_table(running: tuple[Threaded, Path]) -> None:
    _, path = running
    with closing(sqlite3.connect(path)) as connection:
        for table in METADATA.sorted_tables:
            rows = connection.execute(f"SELECT * FROM {table.name}").fetchall()
            held = DIGITS.search(str(rows)) is not None
            assert held != (table.name in NOBODYS), table.name


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_shows_it(running: tuple[Threaded, Path], role: str) -> None:
    daemon, stored = running
    episodes = [each.episode for each in daemon.alerts("customer")]
    with Store.open(StoreSettings(path=stored), SystemClock(), daemon=False) as store:
        episodes += [each.episode for each in store.history.alerts(rule=alert().rule)]
    base = f"http://127.0.0.1:{daemon.daemon.web_port}"
    assert len(set(episodes)) >= 4
    found: dict[str, Any] = {}
    with httpx.Client(base_url=base, headers=shown(role), timeout=30) as client:
        for ident, episode in zip(cycle(("0" * 32, "1" * 32)), sorted(set(episodes)), strict=False):
            places = {**PLACES, "number": GOOD, "ident": ident, "episode": episode, "rule": "tried"}
            for method, declared in ENDPOINTS:
                if method != "GET" or declared in ENDLESS:
                    continue
                path = declared.format_map(places)
                answer = client.get(path)
                assert answer.status_code < 500, path
                found[path] = answer.text + str(answer.headers)
    history = found[f"/api/v1/numbers/{GOOD}/history"]
    assert "on 2026-11-30 at 09:15" in history
    assert found["/api/v1/shadow/tried"].count('"customer":') == 2
    shows = {path for path, text in found.items() if DIGITS.search(text)}
    assert len(found) > 10
    if role == "admin":
        assert "/api/v1/do-not-call/export" in shows  # the search would find it
        assert "/api/v1/shadow/tried?customers=true" in shows
    else:
        assert not shows


def test_neither_log_nor_metrics_show_it(running: tuple[Threaded, Path], log: io.StringIO) -> None:
    daemon, _ = running
    base = f"http://127.0.0.1:{daemon.daemon.port}"
    with httpx.Client(base_url=base, timeout=30) as client:
        for path in ("/metrics", "/status", "/readyz", "/healthz"):
            assert not DIGITS.search(client.get(path).text), path
    written = log.getvalue()
    assert "web_listening" in written
    lines = [line for line in written.splitlines() if DIGITS.search(line)]
    assert not lines


@pytest.mark.parametrize(
    ("written", "shown_as"),
    [
        ("call +86 139 7771 2345 now", "call +86 …45 now"),
        ("139-7771-2345", "139-…45"),
        ("(0571) 8765-4321", "(057…21"),
        ("13977712345", "13977…45"),
        ("2026-11-30 09:15, 3 of 10 calls", "2026-11-30 09:15, 3 of 10 calls"),
        ("ids 12345", "ids 12345"),
    ],
)
def test_what_people_write_is_masked(written: str, shown_as: str) -> None:
    assert logs.mask_words(written) == shown_as
