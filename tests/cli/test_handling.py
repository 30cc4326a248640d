"""``monitor alerts inbox|ack|assign|silence|…`` and ``monitor route``: people's side, by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from monitor.clock import SystemClock
from monitor.decisions import Alert
from monitor.store.routed import Routed, Told
from tests.cli.conftest import Left
from tests.cli.program import monitor
from tests.daemon.folder import Folder
from tests.store.made import alert, refusal

CUSTOMER = "+8613912345678"
OPAQUE = "c-123456"


def made(minutes_ago: int = 0, **changes: object) -> Alert:
    at_ms = SystemClock().now_ms() - minutes_ago * 60_000
    return alert(at_ms - at_ms % 1000, **changes)


def test_the_inbox_and_what_people_do_about_it(left: Left) -> None:
    first = made(5, scope=(("team", "T1"), ("customer", CUSTOMER)), message={})
    second = made(1, rule="r2", level="warn")
    assert monitor("alerts", "inbox").out == "the inbox is empty\n"
    left.record(first, second)
    done = monitor("alerts", "inbox")
    assert done.out.index(second.episode[:8]) < done.out.index(first.episode[:8])
    assert CUSTOMER not in done.out
    assert monitor("alerts", "ack", first.episode[:8], "--note", "called").status == 0
    assert monitor("alerts", "assign", first.id, "--to", "li").out.endswith("assigned to li\n")
    rows = monitor("alerts", "inbox", "--team", "T1", "--json").lines
    assert [(r["episode"], r["acknowledged"], r["note"]) for r in rows] == [
        (first.episode, True, "called")
    ]
    assert rows[0]["assigned_to"] == "li"
    assert rows[0]["scope"]["customer"] != CUSTOMER
    (left_over,) = monitor("alerts", "inbox", "--unacknowledged", "--json").lines
    assert left_over["rule"] == "r2"
    assert "li" in monitor("alerts", "inbox", "--rule", first.rule, columns=160).out
    assert monitor("alerts", "assign", first.id, "--nobody").out.endswith("to nobody\n")
    what = [line["what"] for line in monitor("alerts", "acts", "--json").lines]
    assert what == ["assign", "assign", "acknowledge"]
    assert "note=called" in monitor("alerts", "acts").out
    assert "… and more" in monitor("alerts", "inbox", "--limit", "1").out


def test_what_got_worse_since_somebody_acknowledged_it_says_so(left: Left) -> None:
    warn = made(5, level="warn")
    left.record(warn)
    monitor("alerts", "ack", warn.id)
    left.record(made(1, since_ms=warn.at_ms, episode=warn.episode, level="crit"))
    assert "before it got worse" in monitor("alerts", "inbox").out


def test_silences_by_hand(left: Left) -> None:
    left.record()
    assert monitor("alerts", "silences").out == "nothing is silenced\n"
    matchers = ("rule=line-*", "rule=x", f"customer={CUSTOMER}", f"customer={OPAQUE}")
    begun = monitor("alerts", "silence", *matchers, "--for", "2h", "--why", "works")
    assert re.fullmatch(r"[0-9a-f]{8}: silenced until .*Z\n", begun.out)
    assert monitor(
        "alerts", "silence", "team=!T1", "--until", "2099-01-01T00:00", "--why", "x"
    ).err.startswith("monitor: a silence ends within 90 days")
    shown = monitor("alerts", "silences")
    assert "rule=line-* or x" in shown.out
    told = shown.out + "".join(
        monitor("alerts", *what).out
        for what in (("silences", "--json"), ("acts",), ("acts", "--json"))
    )
    assert "customer=+8613…78 or c-…" in told
    assert CUSTOMER not in told
    assert OPAQUE not in told
    assert monitor("alerts", "unsilence", begun.out[:8]).out.endswith("ended\n")
    assert monitor("alerts", "unsilence", begun.out[:8]).out.endswith("it was over already\n")
    (over,) = monitor("alerts", "silences", "--over", "--json").lines
    assert over["ended_by"] == over["by"]
    assert monitor("alerts", "silences", "--json").out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ack", "3f"), "is no id"),
        (("ack", "3f9cffff"), "no alert is called"),
        (("assign", "3f9cffff"), "say whose it is"),
        (("silence", "rule", "--for", "1h", "--why", "x"), "is not NAME=PATTERN"),
        (("silence", "rule=x", "--why", "x"), "say how long"),
        (("silence", "rule=x", "--for", "1h", "--why", " "), "say why"),
        (("unsilence", "7d"), "0 silences begin with"),
    ],
)
def test_what_is_not_meant_is_refused(left: Left, arguments: tuple[str, ...], said: str) -> None:
    left.record()
    done = monitor("alerts", *arguments)
    assert done.status == 2
    assert said in done.err


def test_nobody_has_done_anything(left: Left) -> None:
    left.record()
    assert monitor("alerts", "acts").out == "nobody has done anything\n"


# --- monitor route --------------------------------------------------------------------------------

DELIVERY = {
    "receivers": {
        name: {"type": "webhook", "url": f"http://127.0.0.1/{name}"}
        for name in ("ding-zhang", "sms-zhang", "ding-li")
    },
    "people": {
        "zhang": {"receivers": ["ding-zhang"], "crit": ["sms-zhang"]},
        "li": {"receivers": ["ding-li"]},
    },
    "rotations": {
        "floor": {"people": ["zhang", "li"], "begins": "2026-11-30", "tz": "Asia/Shanghai"}
    },
    "routing": [
        {
            "name": "office",
            "match": {"level": "crit"},
            "hours": {"tz": "Asia/Shanghai", "from": "09:00", "to": "18:00"},
            "to": ["floor"],
            "group_by": ["team"],
            "escalate": [{"after": "15m", "to": ["li"]}],
            "repeat": {"every": "1h"},
        },
        {
            "name": "held",
            "match": {"team": "T9"},
            "hours": {"tz": "Asia/Shanghai", "from": "09:00", "to": "18:00"},
            "otherwise": "hold",
            "to": ["zhang"],
        },
        {"name": "nobody", "match": {"team": "T8"}, "to": []},
    ],
}


@pytest.fixture
def routed(folder: Folder) -> None:
    path = folder.root / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["delivery"] = DELIVERY
    # Dates are dates in YAML, not texts.
    text = yaml.safe_dump(config, allow_unicode=True).replace("'2026-11-30'", "2026-11-30")
    Path(path).write_text(text)


def route(*arguments: str, at: str = "2026-11-30T10:00+08:00") -> list[str]:
    done = monitor("route", "--rule", "hangup", "--at", at, *arguments)
    assert done.err == ""
    return done.out.splitlines()


@pytest.mark.usefixtures("routed")
def test_who_would_hear_and_why_not() -> None:
    rows = route("--scope", "team=T1")
    again = "again after 1h without news, unacknowledged"
    assert rows[1:] == [
        "● office takes it",
        "    after 30s, with others alike in team: zhang by ding-zhang, sms-zhang (floor's turn)",
        "    15m later, unacknowledged: li by ding-li",
        f"    {again}: zhang by ding-zhang, sms-zhang (floor's turn)",
        "    from 2026-11-30T10:00:00Z, unacknowledged: nobody",
        "○ held does not match: team is T1, not T9",
        "○ nobody does not match: team is T1, not T8",
        "○ default is not looked at: a route before it takes the alert",
    ]
    assert route("--scope", "team=T9")[6] == (
        "○ held is not looked at: a route before it takes the alert"
    )
    night = route("--scope", "team=T9", at="2026-11-30T20:00+08:00")
    assert night[1] == "○ office is out of its hours until 2026-12-01T01:00:00Z"
    assert night[2] == "● held takes it, and holds it until its hours begin"
    assert night[3].startswith("    at 2026-12-01T01:00:00Z: zhang by")
    warn = route("--scope", "team=T2", "--level", "warn")
    assert warn[1] == "○ office does not match: level is warn, not crit"
    assert warn[-2:] == ["● default takes it", "    at once: nobody, log alone"]
    done = monitor("route", "--rule", "hangup", "--scope", "team=T2", "--level", "warn")
    assert done.status == 1


@pytest.mark.usefixtures("routed")
def test_nobody_hears(left: Left) -> None:
    left.record()
    done = monitor("route", "--rule", "hangup", "--scope", "team=T8", "--level", "warn")
    assert done.status == 1
    assert "● nobody takes it, and tells nobody" in done.out
    monitor("alerts", "silence", "rule=hang*", "--for", "1h", "--why", "works")
    done = monitor("route", "--rule", "hangup", "--scope", "team=T1", "--json")
    assert done.status == 1
    assert done.json["silenced"]["id"]
    assert "silenced until" in monitor("route", "--rule", "hangup").out


@pytest.mark.usefixtures("routed")
def test_who_would_hear_of_a_refusal() -> None:
    rows = route("--scope", "team=T1", "--refusal", "brake", "--level", "warn")
    assert "kind=refusal" in rows[0]
    assert "guard=brake" in rows[0]
    assert "level=crit" in rows[0], "of no single number"
    assert rows[1] == "● office takes it"
    warn = ("--scope", "number=+8621", "--level", "warn", "--refusal")
    assert "level=warn" in route(*warn, "min_left")[0]
    assert "level=crit" in route(*warn, "telephony_silent")[0]


@pytest.mark.usefixtures("routed")
def test_of_a_refusal_that_there_was(left: Left) -> None:
    first = made(1, level="warn", scope=(("team", "T8"),))
    told = refusal(first.at_ms, episode=first.episode, rule="hangup")
    wave = refusal(first.at_ms + 1, episode="", number="", guard="brake", rule="hangup")
    left.record(first, told, wave)
    done = monitor("route", told.id[:12])
    assert done.status == 1
    assert "● nobody takes it" in done.out, "as bad as its alert, and of its team"
    assert "team=T8" in done.out
    done = monitor("route", wave.id, "--at", "2026-11-30T10:00+08:00")
    assert "● office takes it" in done.out
    assert monitor("alerts", "ack", wave.id[:12]).out == f"{wave.id[:8]}: acknowledged\n"
    assert monitor("alerts", "acts", "--json").lines[0]["about"] == wave.id


@pytest.mark.usefixtures("routed")
def test_of_an_alert_it_says_what_became_of_it(left: Left) -> None:
    first = made(1, scope=(("customer", CUSTOMER),))
    left.record(first)
    with left.open() as store:
        told = Told(first.id, "office", first.episode, "held", "silenced", "")
        store.routing.keep(Routed(told=[told]))
    done = monitor("route", first.episode[:10], "--at", "2026-11-30T10:00+08:00")
    assert done.status == 0
    assert done.out.splitlines()[-1].endswith("office: silenced")
    shown = monitor("route", first.id, "--json").json
    assert shown["told"][0]["cause"] == "silenced"
    assert CUSTOMER not in str(shown) + done.out


@pytest.mark.usefixtures("routed")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name an alert, or say which rule"),
        (("abcd", "--rule", "hangup"), "name an alert, or say which rule"),
        (("--rule", "hangup", "--scope", "team"), "a scope is NAME=VALUE"),
        (("abcd", "--refusal", "brake"), "--refusal goes with --rule"),
        (("--rule", "hangup", "--refusal", "brakes"), "Did you mean 'brake'?"),
        (("--rule", "hangupp"), "Did you mean 'hangup'?"),
        (("--rule", "hangup", "--level", "bad"), "'bad' is not one of warn, crit"),
    ],
)
def test_a_question_that_is_none_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = monitor("route", *arguments)
    assert done.status == 2
    assert said in " ".join(re.sub(r"[│\n]", " ", done.err).split())
