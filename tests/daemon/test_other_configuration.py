"""A daemon that dies and comes back with other rules: what the old ones decided stands."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from monitor.clock import SystemClock
from monitor.decisions import Command
from monitor.running.bundle import TODAYS, bundled, site_before, unbundled
from monitor.secret import Secret
from monitor.site import load_site
from monitor.source.settings import KafkaSettings
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.cli.program import monitor
from tests.daemon.folder import FLAGGED, GOOD, RULES, Folder
from tests.daemon.running import Process, eventually, process
from tests.deploy.tools import free_port

UNFLAGGED = {**RULES, "rules": [rule for rule in RULES["rules"] if rule["id"] != "flagged"]}


def commands(folder: Folder) -> list[tuple[str, str]]:
    """Action and number of every command, oldest first."""
    with Store.open(StoreSettings(path=folder.store), SystemClock(), daemon=False) as store:
        found: list[Command] = store.history.commands(limit=100)
    return [(each.action, each.number) for each in sorted(found, key=lambda c: c.at_ms)]


def die(running: Process) -> None:
    assert running.process is not None
    os.kill(running.pid, signal.SIGKILL)
    running.process.wait(60)


@pytest.mark.parametrize("how", ["restart", "reload"])
def test_a_suspension_by_a_rule_that_is_gone_stands_and_can_be_ended(
    tmp_path: Path, how: str
) -> None:
    folder = Folder(
        tmp_path,
        checkpoint={"every": "1h"},
        telephony={"kind": "log"},
        exporter={"port": free_port()},
    )
    with process(folder) as running:
        running.ready()
        folder.call(GOOD, count=3)
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended")
        if how == "reload":
            folder.write(None, UNFLAGGED)
            os.kill(running.pid, signal.SIGHUP)
            eventually(lambda: running.status()["totals"]["reloads"].get("ok"), "reloaded")
            assert running.standing() == {FLAGGED: "suspended"}
        die(running)
        folder.write(None, UNFLAGGED)
        running.start().ready()
        assert running.standing() == {FLAGGED: "suspended"}
        assert commands(folder) == [("suspend", FLAGGED)], "and telephony is told nothing new"
        if how == "restart":
            (finished,) = running.logged("finished_before")
            assert running.logged("started")[0]["config"] == finished["config"]
            assert running.logged("started")[-1]["config"] != finished["config"]
            assert not running.logged("closing_failed"), "of a worker that never began"
        done = monitor("numbers", "resume", FLAGGED, "--why", "cleared", "-c", folder.path)
        assert done.status == 0, done.err
        eventually(lambda: running.standing() == {}, "back in service")
        assert commands(folder) == [("suspend", FLAGGED), ("resume", FLAGGED)]
        die(running)
        folder.write(None, RULES)
        running.start().ready()
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended again")
        assert commands(folder)[2:] == [("suspend", FLAGGED)], "with an id of its own"


# --- what is kept of a configuration --------------------------------------------------------------


def site_in(root: Path, **sections: Any) -> Folder:
    folder = Folder(root, **sections)
    folder.write()
    return folder


def test_a_bundle_judges_as_the_site_it_was_made_of(tmp_path: Path) -> None:
    over = {"rules": {"hangup": {"levels": {"crit": {"above": "61%", "clear": "40%"}}}}}
    folder = site_in(tmp_path / "then", override=over, time={"tick": "1s"})
    site = load_site(folder.path)
    other = site_in(tmp_path / "now", store={"path": "elsewhere.db"})
    today = load_site(other.path)
    bundle = bundled(site)
    folder.write(None, UNFLAGGED)  # what becomes of the files does not matter
    back = unbundled(bundle, today=today, known_as="abc")
    assert back.rules == site.rules
    assert back.indicators == site.indicators
    assert back.hash == "abc"
    for name in type(site.config).model_fields:
        whose = today if name in TODAYS else site
        if name not in {"packs", "rules_dir"}:
            assert getattr(back.config, name) == getattr(whose.config, name), name


def test_a_bundle_of_the_embedded_defaults() -> None:
    site = load_site(None)
    back = unbundled(bundled(site), today=site, known_as=site.hash)
    assert (back.rules, back.indicators) == (site.rules, site.indicators)


def test_no_secret_is_in_a_bundle(tmp_path: Path) -> None:
    hidden = "correct-horse-battery"
    login = {"mechanism": "PLAIN", "username": "u", "password": {"value": hidden}}
    source = {"kind": "kafka", "bootstrap": "b:9092", "topics": ["calls"]}
    folder = site_in(
        tmp_path,
        source={**source, "security": {"sasl": login}},
        store={"url": {"value": f"postgresql://u:{hidden}@h/d"}},
    )
    site = load_site(folder.path)
    assert isinstance(site.config.source, KafkaSettings)
    assert site.config.store.url == Secret(value=SecretStr(f"postgresql://u:{hidden}@h/d"))
    assert hidden not in str(bundled(site))


def test_a_site_that_cannot_be_had_is_none(tmp_path: Path) -> None:
    today = load_site(site_in(tmp_path).path)
    bundle = bundled(today)
    assert site_before({"config": "x"}, today) is None
    broken = {**bundle, "config": "version: 99\n"}
    assert site_before({"config": "x", "site": broken}, today) is None
    found = site_before({"config": "x", "site": bundle}, today)
    assert found is not None
    assert found.hash == "x"
