"""A configuration that changes: while the daemon runs, and between two of its lives."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import StoreError
from monitor.store.checkpoint import Saved, ShelvedCheckpoints
from tests.daemon.folder import BAD, GOOD, INDICATORS, RULES, Folder, now_ms
from tests.daemon.running import Threaded, eventually, threaded

LONG_TALKS: dict[str, Any] = {
    "id": "long_talks",
    "kind": "ratio",
    "hits": {"count": "call.ended", "where": "wrap_s > 20"},
    "of": {"count": "call.ended"},
    "by": ["group"],
    "windows": ["2s"],
    "better": "higher",
}
FEW_LONG: dict[str, Any] = {
    "id": "few-long",
    "indicator": "long_talks",
    "by": "group",
    "levels": {"warn": {"below": "90%"}},
    "window": "2s",
    "evidence": {"method": "raw", "min_of": 1},
    "no_data": "resolve",
}


def with_new_rule() -> tuple[dict[str, Any], dict[str, Any]]:
    """A pack with an indicator on a field that nothing looked at before."""
    indicators, rules = copy.deepcopy(INDICATORS), copy.deepcopy(RULES)
    indicators["indicators"].append(LONG_TALKS)
    rules["rules"].append(FEW_LONG)
    return indicators, rules


def without(rule: str) -> dict[str, Any]:
    return {**RULES, "rules": [entry for entry in RULES["rules"] if entry["id"] != rule]}


def calls(running: Threaded) -> float:
    """Of the team within the last minute, as far as it is shown."""
    found = [f for f in running.picture.figures if f.by == ("team",) and f.window == "1m"]
    return float(found[0].of.sum()) if found else 0.0


def covered(running: Threaded, indicator: str) -> bool:
    found = [f.covered for f in running.picture.figures if f.indicator == indicator]
    return bool(found) and all(found)


@pytest.fixture
def slow(tmp_path: Path) -> Folder:
    """Rows wait for more than a second before they are judged."""
    return Folder(tmp_path, time={"tick": "500ms", "out_of_order": "1s", "idle_after": "1500ms"})


def test_a_good_one_takes_effect_and_what_is_unchanged_goes_on(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        folder.call(GOOD, count=3)
        eventually(lambda: calls(running) == 3, "figures")
        before = running.picture.config_hash
        folder.write(*with_new_rule())
        assert running.reload() == "ok"
        running.ticks_on()
        assert running.picture.config_hash != before
        assert [rule.rule for rule in running.picture.rules][-1] == "few-long"
        # The window that was there is as full as it was; the new one has only begun.
        assert covered(running, "hangups")
        assert not covered(running, "long_talks")
        eventually(lambda: covered(running, "long_talks"), "the new window is covered")
        folder.call(GOOD, wrap_s=1)
        eventually(lambda: running.alerts("few-long"), "the new rule fires")
        assert running.alerts("few-long")[0].figures.of == 1


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_rows_read_for_the_old_rules_do_not_speak_for_the_new(slow: Folder, how: str) -> None:
    running = Threaded(slow)
    running.ready()
    slow.call(GOOD, count=3, wrap_s=60)
    eventually(lambda: running.picture.partitions[0].position > 0, "rows read")
    eventually(lambda: running.picture.queues[0].length == 3, "rows wait")
    slow.write(*with_new_rule())
    if how == "reload":
        assert running.reload() == "ok"
    else:
        running.stop()
        running = Threaded(slow)
    # Nothing comes any more: rows without the new rule's column are all there is to judge.
    eventually(lambda: running.picture.queues[0].length == 0, "rows judged")
    assert running.alerts("few-long") == []
    assert not covered(running, "long_talks")
    running.stop()
    assert running.failure is None


def test_a_restart_with_the_same_files_keeps_what_it_knew(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        folder.call(GOOD, count=3)
        eventually(lambda: calls(running) == 3, "figures")
    with threaded(folder) as running:
        running.ready()
        assert covered(running, "hangups")
        assert calls(running) == 3


@pytest.mark.parametrize("tick", ["700ms", "1s", "1100ms", "100ms"])
def test_a_restart_with_another_tick(folder: Folder, tick: str) -> None:
    with threaded(folder) as running:
        running.ready()
        folder.call(GOOD, count=3)
        eventually(lambda: calls(running) == 3, "figures")
    folder.call(BAD, bad=True, count=3)
    indicators = copy.deepcopy(INDICATORS)
    indicators["indicators"][0]["windows"] = ["7700ms", "77s"]
    rules = [{**rule, "window": "7700ms"} if "window" in rule else rule for rule in RULES["rules"]]
    if tick in {"700ms", "1100ms"}:
        folder.write(indicators, {"version": 1, "rules": rules})
    folder.write(time={**folder.config["time"], "tick": tick})
    with threaded(folder) as running:
        running.ready()
        for _ in range(3):
            folder.call(BAD, bad=True, count=2)
            running.ticks_on()
        assert running.picture.rules[1].states["warming"] > 0


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_the_episode_of_a_rule_that_is_gone_ends(folder: Folder, how: str) -> None:
    folder.write(None, {**RULES, "rules": [{**RULES["rules"][2], "no_data": "hold"}]})
    running = Threaded(folder)
    running.ready()
    folder.call(BAD, bad=True, count=8)
    eventually(lambda: running.alerts("team"), "an alert")
    folder.write(None, without("team"))
    if how == "reload":
        assert running.reload() == "ok"
    else:
        running.stop()
        running = Threaded(folder)
    eventually(
        lambda: running.alerts("team") and running.alerts("team")[-1].state == "resolved", "the end"
    )
    assert running.alerts("team")[-1].reason == "rule_changed"
    running.stop()
    assert running.failure is None


def test_a_broken_one_is_refused_and_changes_nothing(folder: Folder, tmp_path: Path) -> None:
    with threaded(folder) as running:
        running.ready()
        before = running.picture
        rules = copy.deepcopy(RULES)
        rules["rules"][1]["indicator"] = "hangup"
        folder.write(None, rules)
        assert running.reload() == "refused"
        folder.path.write_text("version: 1\nsource: {", encoding="utf-8")
        assert running.reload() == "refused"
        folder.path.unlink()
        assert running.reload() == "refused"
        running.ticks_on()
        assert running.picture.config_hash == before.config_hash
        assert [rule.rule for rule in running.picture.rules] == ["flagged", "hangup", "team"]
        folder.call(BAD, bad=True, count=8)
        eventually(lambda: running.commands(BAD), "the old rules go on")
    said = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "rules.yaml:19:14: hangup: " in said
    assert "config.yaml:2:" in said


def test_one_that_no_checkpoint_can_be_written_for_is_refused(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart the rule that was taken away would judge what came since."""
    save = ShelvedCheckpoints.save
    full = [True]

    def refuses(checkpoints: ShelvedCheckpoints, state: dict[str, Any]) -> Saved:
        if full:
            raise StoreError("no space left on device")
        return save(checkpoints, state)

    with threaded(folder) as running:
        running.ready()
        monkeypatch.setattr(ShelvedCheckpoints, "save", refuses)
        folder.write(None, without("hangup"))
        assert running.reload() == "refused"
        assert [rule.rule for rule in running.picture.rules] == ["flagged", "hangup", "team"]
        full.clear()
        assert running.reload() == "ok"
        folder.call(BAD, bad=True, count=8)
        running.ticks_on()
    with threaded(folder) as running:
        running.ready()
        running.ticks_on()
        assert not running.commands(BAD)
    assert "no checkpoint can be written" in (tmp_path / "log.txt").read_text(encoding="utf-8")


def test_a_checkpoint_that_is_lost_brings_no_rule_back(folder: Folder, tmp_path: Path) -> None:
    """The one before it is of the old rules; they judge up to where the others had begun."""
    checkpoints, older = folder.root / "checkpoints", tmp_path / "older"
    with threaded(folder) as running:
        running.ready()
        folder.call(GOOD, count=3)
        running.ticks_on()
    shutil.copytree(checkpoints, older)
    with threaded(folder) as running:
        running.ready()
        folder.write(None, without("hangup"))
        assert running.reload() == "ok"
        folder.call(BAD, bad=True, count=8)
        running.ticks_on()
    shutil.rmtree(checkpoints)
    older.rename(checkpoints)
    with threaded(folder) as running:
        running.ready()
        running.ticks_on()
        assert not running.commands(BAD)
        assert not running.alerts("hangup")


@pytest.mark.parametrize(
    ("section", "value", "named"),
    [
        ("time", {"tick": "400ms"}, "time"),
        ("store", {"path": "elsewhere.db"}, "store"),
        ("telephony", {"kind": "none"}, "telephony"),
        ("dead_letters", {"topic": None}, "dead_letters"),
        ("limits", {"ids": 5_000}, "limits"),
        ("delivery", {"stale_after": "1m"}, "delivery.stale_after"),
        ("delivery", {"receivers": {"hook": {"type": "log"}}}, "delivery.receivers"),
    ],
)
def test_what_needs_a_restart_is_said_in_words(
    folder: Folder, tmp_path: Path, section: str, value: dict[str, Any], named: str
) -> None:
    with threaded(folder) as running:
        running.ready()
        routes = {"routes": {"people": {"receivers": ["log"]}}} if section == "delivery" else {}
        folder.write(None, without("team"), **{section: {**routes, **value}})
        assert running.reload() == "refused"
        assert [rule.rule for rule in running.picture.rules] == ["flagged", "hangup", "team"]
    said = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert f'"detail": "restart to change {named}"' in said


def test_routes_pools_and_silences_change_without_a_restart(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        recorder = running.daemon.recorder
        assert recorder is not None
        told: list[str] = []
        running.daemon.reloaded = lambda site: told.append(site.config.logs.level)
        folder.write(
            delivery={"routes": {}, "default": ["log"], "commands": []},
            numbers={"ack_timeout": "7s", "never": [BAD]},
            logs={"level": "warning"},
        )
        assert running.reload() == "ok"
        assert recorder.router.routes == frozenset()
        assert recorder.ack_timeout_ms == 7_000
        assert told == ["warning"]
        folder.call(BAD, bad=True, count=8)
        eventually(lambda: running.alerts("hangup"), "an alert")
        running.ticks_on()
        assert running.commands(BAD) == []


def test_a_reload_before_anything_was_read(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        folder.write(*with_new_rule())
        assert running.reload() == "ok"
        folder.append({"type": "call.ended", "group": "group-1", "wrap_s": 1, "time": now_ms()})
        # Nothing was missed, so nothing has to warm up.
        eventually(lambda: running.alerts("few-long"), "the rule fires")


def test_a_list_of_customers_nobody_may_call_is_read_again(tmp_path: Path) -> None:
    listed = tmp_path / "register.csv"
    listed.write_text("+8613800000000\n")
    rules = copy.deepcopy(RULES)
    rules["rules"].append(
        {
            "id": "nobody",
            "event": {"on": "call.ended", "where": "do_not_call"},
            "by": "number",
            "levels": {"crit": {}},
            "recovering": {"for": "1s"},
            "no_data": "hold",
            "notify": {"route": "people"},
        }
    )
    folder = Folder(tmp_path, do_not_call={"files": [str(listed)]})
    folder.write(INDICATORS, rules)
    with threaded(folder) as running:
        running.ready()
        folder.call(GOOD)
        eventually(lambda: calls(running) == 1, "figures")
        assert running.alerts("nobody") == []
        listed.write_text("+8613800000000\n139 1234 5678\n")
        assert running.reload() == "ok"
        folder.call(GOOD)
        eventually(lambda: running.alerts("nobody"), "the customer is on the list now")
        listed.unlink()
        assert running.reload() == "refused", "and the list that was read holds on"
        folder.call(BAD)
        eventually(lambda: len(running.alerts("nobody")) > 1, "still on it")
