"""``monitor shadow``: the command itself; what it counts is held in ``tests/shadow``."""

from __future__ import annotations

import pytest
import yaml

from monitor.clock import SystemClock
from tests.cli.conftest import Left
from tests.cli.program import monitor
from tests.daemon.folder import RULES, Folder
from tests.store.made import alert, command

NUMBER = "+862150000007"
HOUR = 3_600_000


@pytest.fixture
def now_ms() -> int:
    return SystemClock().now_ms()


def _into_shadow(folder: Folder) -> None:
    """The pack's rule on hang-ups, and no other, is in shadow."""
    (file,) = folder.root.rglob("rules.yaml")
    rules = yaml.safe_load(file.read_text())
    for rule in rules["rules"]:
        if rule["id"] == "hangup":
            rule["status"] = "shadow"
    file.write_text(yaml.safe_dump(rules, sort_keys=False))
    assert RULES["rules"]


def test_no_rule_is_in_shadow(left: Left) -> None:
    assert left
    done = monitor("shadow")
    assert done.status == 0
    assert done.out.startswith("no rule is in shadow")


def test_a_rule_that_is_not_there(left: Left) -> None:
    assert left
    done = monitor("shadow", "hangpu")
    assert done.status == 2
    assert "no rule 'hangpu'; in shadow are: none" in done.err


def test_people_see_what_it_would_have_done(folder: Folder, left: Left, now_ms: int) -> None:
    _into_shadow(folder)
    quiet = monitor("shadow")
    assert "it would have told nobody of anything" in quiet.out
    then = now_ms - 30 * HOUR
    first = alert(then, rule="hangup", shadow=True)
    other = alert(now_ms - HOUR, rule="hangup", shadow=True, scope=(("number", "+8621500008"),))
    left.record(
        first,
        command(then, rule="hangup", episode=first.episode, shadow=True, id="s1"),
        command(then + 2 * HOUR, rule="flagged", episode="x", id="c1"),
        command(then + 9 * HOUR, rule="flagged", episode="y", id="c2", number="+8621500009"),
        other,
    )
    done = monitor("shadow", "hangup", columns=160)
    assert done.status == 0, done.err
    for words in (
        "2 alerts (2 crit) on 2 scopes: 2 a week",
        "; 1 suspension",
        "1 of 2 taken out of service by others within 1d",
        "nothing happened after 0 of 2; 1 are too young to say",
        "missed: 1 number taken out of service by others",
        "suspended 2h later (flagged)",
        "too young to say",
    ):
        assert words in done.out, done.out
    (line,) = monitor("shadow", "--json").lines
    assert (line["rule"], line["episodes"], line["suspensions"]) == ("hangup", 2, 1)


def test_customers_are_masked(folder: Folder, left: Left, now_ms: int) -> None:
    _into_shadow(folder)
    scope = (("customer", "+8613912345678"),)
    left.record(alert(now_ms - 30 * HOUR, rule="hangup", shadow=True, scope=scope))
    for arguments in (["--json"], ["hangup"]):
        done = monitor("shadow", *arguments)
        assert "13912345678" not in done.out
    assert "(now active)" in monitor("shadow", "flagged").out
