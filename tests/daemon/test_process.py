"""The real program: from the first line to the last, through signals, kills and full disks."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.cli.program import monitor
from tests.daemon.folder import BAD, FLAGGED, GOOD, NUMBER, RULES, Folder, now_ms
from tests.daemon.running import PROGRAM, Process, eventually, process
from tests.delivery.doubles import Server, http_server
from tests.deploy.tools import free_port

BATCH = 32
"""Deliveries that a lane attempts before it settles them: what a kill can leave in flight."""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, exporter={"port": free_port()})


def decided(folder: Folder) -> list[dict[str, Any]]:
    """Every decision in the store, in the order made."""
    with Store.open(StoreSettings(path=folder.store), SystemClock(), daemon=False) as store:
        found: list[Decision] = [
            *store.history.alerts(limit=10_000),
            *store.history.commands(limit=10_000),
            *store.history.refusals(limit=10_000),
        ]
    return sorted((decision.to_json() for decision in found), key=lambda line: str(line["id"]))


def metrics(running: Process) -> str:
    """``/metrics``; empty when nobody answers."""
    answer = running.get("/metrics")
    return "" if answer is None else answer.text


def cli(folder: Folder, *arguments: str) -> list[dict[str, Any]]:
    """A command with ``--json``, line by line."""
    done = monitor(*arguments, "-c", folder.path, "--json")
    assert done.status == 0, done.err
    return done.lines


# --- a day in its life ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A daemon that has read a past and lives on."""
    folder = Folder(
        tmp_path_factory.mktemp("living"),
        exporter={"port": free_port()},
        pools={"defaults": {"max_fraction": "100%"}},
    )
    folder.write()
    folder.call(GOOD, count=4, time=now_ms() - 30_000)
    with process(folder) as running:
        yield running.ready()


def test_it_reads_the_past_and_then_what_is_appended(living: Process) -> None:
    read = eventually(lambda: living.status()["totals"]["records"], "the past")
    assert list(read.values()) == [4]
    living.folder.call(GOOD)
    eventually(lambda: list(living.status()["totals"]["records"].values()) == [5], "the present")
    expected = 'callcentre_events_total{outcome="accepted",type="call.ended"} 5.0'
    eventually(lambda: expected in metrics(living), "judged and counted")


def test_a_flagged_number_is_suspended_at_once_until_it_is_cleared(living: Process) -> None:
    folder = living.folder
    folder.flag()
    eventually(lambda: living.standing().get(FLAGGED) == "suspended", "suspended")
    (alert,) = [a for a in cli(folder, "alerts", "list") if a["state"] == "firing"][:1]
    assert (alert["rule"], alert["scope"]) == ("flagged", {"number": FLAGGED})
    listed = {entry["number"]: entry for entry in cli(folder, "numbers", "list")}
    assert (listed[FLAGGED]["state"], listed[FLAGGED]["rule"]) == ("suspended", "flagged")
    assert listed[FLAGGED]["until"] is None
    changes = cli(folder, "numbers", "history", FLAGGED)
    assert [(c["before"], c["after"], c["reason"]) for c in changes] == [
        ("suspending", "suspended", "applied"),
        ("wanted", "suspending", "admitted"),
        ("active", "wanted", "breach"),
    ]
    assert len({change["at"] for change in changes[1:]}) == 1, "in one tick"
    folder.flag(kind="number.cleared")
    eventually(lambda: FLAGGED not in living.standing(), "back in service")


def test_a_bad_number_rests_for_its_time(living: Process) -> None:
    folder = living.folder
    folder.call(BAD, bad=True, count=8)
    suspended = eventually(
        lambda: [e for e in cli(folder, "numbers", "list") if e["number"] == BAD and e["until"]],
        "suspended",
    )
    assert suspended[0]["rule"] == "hangup"
    eventually(lambda: BAD not in living.standing(), "its time is over")
    reasons = [change["reason"] for change in cli(folder, "numbers", "history", BAD)]
    assert "ttl_over" in reasons
    assert "admitted" in reasons


def test_people_suspend_and_resume(living: Process) -> None:
    folder, number = living.folder, NUMBER.format(7)
    folder.call(number)
    done = monitor("numbers", "suspend", "+86 215 000 0007", "--why", "李 asked", "-c", folder.path)
    assert done.status == 0
    assert done.out == f"suspend {number}: done: {number} is suspending\n"
    eventually(lambda: living.standing().get(number) == "suspended", "suspended by hand")
    shown = monitor("numbers", "list", "-c", folder.path).out
    assert f"{number}  suspended" in shown
    assert "a person" in shown
    (first,) = cli(folder, "numbers", "history", number)[-1:]
    assert (first["reason"], first["detail"]) == ("manual_suspend", "李 asked")
    done = monitor("numbers", "resume", number, "--why", "done", "-c", folder.path)
    assert done.status == 0
    eventually(lambda: number not in living.standing(), "back")
    done = monitor("numbers", "suspend", number, "--why", "x", "--for", "1s", "-c", folder.path)
    assert done.status == 0
    eventually(
        lambda: "ttl_over" in [c["reason"] for c in cli(folder, "numbers", "history", number)],
        "back by itself",
    )
    eventually(lambda: number not in living.standing(), "back by itself")
    table = monitor("numbers", "history", number, "-c", folder.path).out.splitlines()
    assert table[0].split() == ["at", "number", "change", "by", "why"]
    assert sum(number in line and "manual_suspend" in line for line in table) == 2


def test_a_freeze_stops_rules_until_it_is_lifted(living: Process) -> None:
    folder, number = living.folder, NUMBER.format(8)
    done = monitor("numbers", "freeze", "--why", "3 a.m.", "-c", folder.path)
    assert (done.status, done.out.split(":")[0]) == (0, "freeze")
    eventually(lambda: living.status()["frozen"], "frozen")
    assert "suspensions by rules are frozen" in monitor("numbers", "list", "-c", folder.path).out
    assert "frozen" in monitor("status", "-c", folder.path).out
    folder.flag(number)
    eventually(lambda: living.standing().get(number) == "wanted", "wanted")
    done = monitor("numbers", "freeze", "--off", "--why", "understood", "-c", folder.path)
    assert (done.status, done.out.split(":")[0]) == (0, "unfreeze")
    eventually(lambda: living.standing().get(number) == "suspended", "suspended after all")
    changes = cli(folder, "numbers", "history", "--limit", "10000")
    assert [(c["reason"], c["detail"]) for c in changes if c["number"] == ""] == [
        ("unfreeze", "understood"),
        ("freeze", "3 a.m."),
    ]
    folder.flag(number, "number.cleared")
    eventually(lambda: number not in living.standing(), "back")


def test_its_state_for_people_and_programs(living: Process) -> None:
    folder = living.folder
    done = monitor("status", "-c", folder.path, "--json")
    assert done.status == 0
    document = done.json
    assert document["ready"] is True
    assert {rule["rule"] for rule in document["rules"]} == {"flagged", "hangup", "team"}
    text = monitor("status", "-c", folder.path).out
    for word in ("ready", "lag", "behind the clock", "outbox", "number"):
        assert word in text
    assert monitor("alerts", "list", "--firing", "-c", folder.path).status == 0
    assert "flagged" in monitor("alerts", "list", "-c", folder.path).out
    none = monitor("alerts", "list", "--since", "0s", "-c", folder.path)
    assert none.out == "no alerts in the last 0s\n"
    assert monitor("numbers", "history", "+862150009999", "-c", folder.path).out == (
        "nothing is known of +862150009999\n"
    )


def test_customers_are_masked_everywhere(living: Process) -> None:
    for text in (living.log(), json.dumps(living.status()), living.out.read_text(encoding="utf-8")):
        assert "13912345678" not in text


def test_what_people_type_wrong_is_told_them(living: Process) -> None:
    path = living.folder.path
    for arguments, words in (
        (("suspend", "", "--why", "x"), "say which"),
        (("resume", "  ", "--why", "x"), "say which"),
        (("suspend", GOOD), "Missing option '--why'"),
        (("suspend", GOOD, "--why", "x", "--for", "0s"), "no time"),
        (("suspend", GOOD, "--why", "x", "--for", "5"), "duration"),
        (("suspend", GOOD, "--why", "x", "--wait", "-1"), "--wait"),
    ):
        done = monitor("numbers", *arguments, "-c", path)
        assert done.status == 2, arguments
        assert words in " ".join(done.err.split()), arguments


def test_a_second_daemon_on_the_same_store_is_refused(living: Process, tmp_path: Path) -> None:
    other = Folder(tmp_path, exporter={"port": free_port()}, store=living.folder.config["store"])
    other.write()
    with process(other) as second:
        assert second.process is not None
        assert second.process.wait(60) == 2
        assert f"another daemon uses it (process {living.pid})" in second.log()
        assert "Traceback" not in second.log()
    assert living.status()["ready"]


def test_a_port_in_use_is_said(living: Process, tmp_path: Path) -> None:
    other = Folder(tmp_path, exporter=living.folder.config["exporter"])
    other.write()
    with process(other) as second:
        assert second.process is not None
        assert second.process.wait(60) == 2
        port = living.folder.config["exporter"]["port"]
        assert f"monitor: exporter: cannot listen on 127.0.0.1:{port}: Address already in use" in (
            second.log()
        )
    assert not other.store.exists(), "nothing was begun"


# --- stopping and starting ------------------------------------------------------------------------


def test_sigterm_ends_it_soon_with_a_checkpoint_from_which_it_goes_on(folder: Folder) -> None:
    folder.call(BAD, bad=True, count=8, team="team-9")
    with process(folder) as running:
        running.ready()
        eventually(lambda: decided(folder), "decisions")
        started = time.monotonic()
        assert running.end() == 0
        assert time.monotonic() - started < 5
        assert running.logged("stopped")
    checkpoints = sorted((folder.root / "checkpoints").iterdir())
    assert checkpoints
    assert time.time() - checkpoints[-1].stat().st_mtime < 60
    before = decided(folder)
    with process(folder) as running:
        running.ready()
        (started_now,) = running.logged("started")[-1:]
        assert started_now["from_checkpoint"] is True
        assert running.status()["totals"]["records"] == {}, "nothing is read again"
        assert running.end(signal.SIGINT) == 0
    assert {line["id"] for line in before} <= {line["id"] for line in decided(folder)}


def test_sighup_reads_the_configuration_again(folder: Folder) -> None:
    with process(folder) as running:
        running.ready()
        before = running.status()["config"]
        folder.write(override={"rules": {"team": {"status": "off"}}}, logs={"level": "debug"})
        running.send(signal.SIGHUP)
        eventually(lambda: running.status()["config"] != before, "reloaded")
        assert {r["rule"]: r["status"] for r in running.status()["rules"]}["team"] == "off"
        folder.write(override={"rules": {"teams": {"status": "off"}}})
        running.send(signal.SIGHUP)
        refused = eventually(lambda: running.logged("reload_refused"), "refused")
        assert "no pack that is on has rule 'teams'" in refused[0]["detail"]
        folder.write(override={}, time={**folder.config["time"], "tick": "1s"})
        running.send(signal.SIGHUP)
        refused = eventually(lambda: running.logged("reload_refused")[1:], "refused again")
        assert refused[0]["detail"] == "restart to change time"
        assert running.status()["totals"]["reloads"] == {"ok": 1, "refused": 2}


@pytest.mark.parametrize("status", ["off", "shadow", "removed"])
def test_a_number_comes_back_when_its_rule_is_gone(folder: Folder, status: str) -> None:
    """Across the reload, and across a restart after it."""
    with process(folder) as running:
        running.ready()
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended")
        if status == "removed":
            folder.write(None, {**RULES, "rules": RULES["rules"][1:]})
        else:
            folder.write(override={"rules": {"flagged": {"status": status}}})
        running.send(signal.SIGHUP)
        (said,) = eventually(lambda: running.logged("rule_gone_numbers_wait"), "it is said")
        assert (said["rule"], said["until"]) == ("flagged", "number.cleared")
        assert running.end() == 0
        running.start().ready()
        assert running.standing() == {FLAGGED: "suspended"}
        folder.flag(kind="number.cleared")
        eventually(lambda: running.standing() == {}, "back in service")


def test_a_file_that_appears_later(folder: Folder) -> None:
    folder.events.unlink(missing_ok=True)
    with process(folder) as running:
        running.ready()
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED), "the first line counts")


def test_nobody_has_to_read_what_it_prints(folder: Folder) -> None:
    """The reader of its output goes away, and of its log too: it works on."""
    read, write = os.pipe()
    program = subprocess.Popen(
        [PROGRAM, "run", "-c", folder.path], stdout=write, stderr=write, cwd=folder.root
    )
    os.close(write)
    running = Process(folder)
    running.process = program
    try:
        running.ready()
        os.close(read)
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended")
        assert running.end() == 0
    finally:
        program.kill()
        program.wait()


# --- kills ----------------------------------------------------------------------------------------


def traffic(folder: Folder, rng: random.Random, step: int) -> None:
    """A few seconds' worth of everything."""
    for _ in range(rng.randrange(1, 6)):
        number = NUMBER.format(rng.randrange(1, 7))
        folder.call(
            number,
            bad=number == BAD or rng.random() < 0.3,
            count=rng.randrange(1, 4),
            team=f"team-{rng.randrange(2)}",
        )
    if step % 5 == 0:
        folder.flag(
            NUMBER.format(rng.randrange(1, 4)), rng.choice(["number.flagged", "number.cleared"])
        )


def in_flight(hook: Server, kills: list[int]) -> list[str]:
    """Ids sent twice although no kill explains it."""
    ids = [request.headers["Idempotency-Key"] for request in hook.requests]
    repeated = [found for found, count in Counter(ids).items() if count > 1]
    return [
        found
        for found in repeated
        if not any(found in ids[max(0, kill - BATCH) : kill] for kill in kills)
    ]


@pytest.mark.parametrize("seed", [1])
def test_killed_again_and_again_it_decides_what_it_would_have(folder: Folder, seed: int) -> None:
    rng = random.Random(seed)
    with http_server() as hook:
        folder.write(
            delivery={
                "receivers": {"hook": {"type": "webhook", "url": hook.url}},
                "routes": {"people": {"receivers": ["hook"]}},
                "commands": ["hook"],
                "backoff": {"base": "50ms", "max": "500ms"},
            },
            pools={"defaults": {"max_fraction": "100%"}},
        )
        running = Process(folder)
        kills: list[int] = []
        try:
            for life in range(4):
                running.start().ready()
                for step in range(rng.randrange(4, 9)):
                    traffic(folder, rng, step)
                    time.sleep(rng.random() * 0.4)
                if life < 3:
                    assert running.end(signal.SIGKILL) == -signal.SIGKILL
                    kills.append(len(hook.requests))
                    traffic(folder, rng, life)
            last = now_ms()
            eventually(lambda: running.status()["lag"] == 0, "all read")
            eventually(lambda: judged_to(folder) > last + 4_000, "all judged, and numbers back")
            eventually(lambda: not waiting(running), "all delivered")
            assert running.end() == 0
        finally:
            running.end(signal.SIGKILL)
        live = decided(folder)
        done = monitor(
            "replay",
            "--from",
            folder.events,
            "--journal",
            folder.store,
            "-c",
            folder.path,
            "--format",
            "json",
        )
        assert done.status == 0, done.err
        replayed = sorted(done.lines, key=lambda line: str(line["id"]))
        assert [line["id"] for line in live] == [line["id"] for line in replayed]
        assert live == replayed
        kinds = Counter((line["kind"], line.get("state", line.get("action"))) for line in live)
        assert kinds["command", "suspend"] > 0
        assert kinds["alert", "firing"] > 2
        sent = {request.headers["Idempotency-Key"] for request in hook.requests}
        assert sent == {line["id"] for line in live}, "each is told"
        assert in_flight(hook, kills) == []


def judged_to(folder: Folder) -> int:
    with sqlite3.connect(folder.store) as database:
        (found,) = database.execute("SELECT value FROM meta WHERE name = 'judged_to_ms'").fetchone()
    return int(found)


def waiting(running: Process) -> int:
    return sum(
        queue["length"] for queue in running.status()["queues"] if queue["queue"] == "outbox"
    )


# --- disks ----------------------------------------------------------------------------------------


def test_a_disk_that_refuses_is_said_waited_for_and_survived(folder: Folder) -> None:
    with process(folder) as running:
        running.err = folder.root / "err.txt"
        running.ready()
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (1_024, resource.RLIM_INFINITY))
        folder.flag()
        eventually(lambda: "store" in running.unready(), "not ready")
        assert "the disk" in running.unready()["store"]
        health = running.get("/healthz")
        assert health is not None
        assert health.status_code == 200, "a restart would not help"
        before = running.status()["taken"]
        eventually(lambda: running.status()["taken"] > before, "it says so all along")
        assert monitor("status", "-c", folder.path).status == 1
        judged = running.status()["tick"]
        eventually(lambda: running.status()["tick"] > judged, "it goes on judging")
        assert running.standing().get(FLAGGED) != "suspended", "not stored, so not sent"
        assert running.poll() is None
        resource.prlimit(
            running.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
        running.ready()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended after all")
        assert running.end() == 0
    ids = [line["id"] for line in decided(folder)]
    assert len(ids) == len(set(ids))


def test_a_damaged_store_is_said_and_left_alone(folder: Folder) -> None:
    folder.store.write_bytes(b"not a database, but somebody's file\n" * 100)
    before = folder.store.read_bytes()
    with process(folder) as running:
        assert running.process is not None
        assert running.process.wait(60) == 2
        assert f"monitor: store {folder.store}: it is damaged, or not a database" in running.log()
        assert "Traceback" not in running.log()
    assert folder.store.read_bytes() == before
