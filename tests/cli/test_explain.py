"""``monitor explain`` on recorded events, and on the store and the log of a daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.decisions import Alert, Figures
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.cli.conftest import Left
from tests.cli.program import monitor
from tests.daemon.folder import NUMBER, RULES, Folder, now_ms
from tests.daemon.running import eventually, threaded
from tests.store.made import alert

pytestmark = pytest.mark.usefixtures("folder")

CUSTOMER = "+8613912345678"


@pytest.fixture
def fired(decided: list[dict[str, Any]]) -> dict[str, Any]:
    """An alert of the recorded events."""
    return next(line for line in decided if line["kind"] == "alert" and line["level"] == "crit")


def explain(*arguments: str | Path) -> dict[str, Any]:
    done = monitor("explain", *arguments, "--json")
    assert done.status == 0, done.err
    found: dict[str, Any] = done.json
    return found


@pytest.fixture
def shipped(folder: Folder) -> None:
    """The shipped pack, by which the recorded events were decided."""
    folder.config = {"version": 1, "store": folder.config["store"]}
    folder.write()


@pytest.mark.usefixtures("shipped")
def test_an_alert_of_recorded_events(recorded: Path, fired: dict[str, Any]) -> None:
    told = explain(fired["id"], "--from", recorded, "--records", "5")
    assert (told["alert"], told["rule"], told["at"]) == (fired["id"], fired["rule"], fired["at"])
    assert (told["hits"], told["of"]) == (fired["hits"], fired["of"])
    assert (told["complete"], told["bad"]) == (True, fired["hits"])
    assert {each["dimension"] for each in told["common"]} >= {"agent", "customer"}
    assert len(told["records"]) == 5
    lines = recorded.read_bytes()
    for record in told["records"]:
        original = json.loads(lines[record["offset"] :].partition(b"\n")[0])
        assert original["type"] == record["type"] == "call.ended"
        assert original["number"] == fired["scope"]["number"]
        assert original["customer"] != record["customer"]
        assert "…" in record["customer"]
    assert explain(fired["episode"][:8], "--from", recorded)["at"] <= fired["at"]


@pytest.mark.usefixtures("shipped")
def test_for_people(recorded: Path, fired: dict[str, Any]) -> None:
    done = monitor("explain", fired["id"], "--from", recorded, "--records", "3")
    assert done.status == 0
    assert f"{fired['rule']} {fired['scope']['number']}" in done.out
    assert f"{fired['hits']:.0f} bad records of {fired['of']:.0f}" in done.out
    assert f"records, newest first (3 of {fired['hits']:.0f}):" in done.out
    assert "nothing is named: chance does as much in more than 1% of such alerts" in done.out
    assert "no longer holds" not in done.out


@pytest.mark.usefixtures("shipped")
def test_customers_are_shown_to_those_who_ask(recorded: Path, fired: dict[str, Any]) -> None:
    arguments = (fired["id"], "--from", recorded)
    masked, whole = explain(*arguments), explain(*arguments, "--show-customers")
    events = {json.loads(line).get("customer") for line in recorded.read_text().splitlines()}
    assert not events & {record["customer"] for record in masked["records"]}
    assert events >= {record["customer"] for record in whole["records"]}


def calls() -> Iterator[dict[str, Any]]:
    """At one moment, so that one tick sees them: half of them agent 9's, all of those bad."""
    both = {"type": "call.ended", "time": now_ms(), "team": "team-1", "campaign": "spring"}
    for n in range(24):
        number = {"number": NUMBER.format(n % 4)}
        mine = {"agent": "agent-9", "customer": CUSTOMER, "hangup_by": "customer"}
        other = {"agent": f"agent-{n % 3}", "customer": f"c{n}"}
        yield both | number | mine
        yield both | number | other | {"hangup_by": "customer" if n < 2 else "agent"}


def test_a_daemon_s_alert_names_the_agent(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        folder.append(*calls())
        (fired, *_) = eventually(lambda: running.alerts("team"), "the alert")
        assert monitor("explain", fired.id).status == 0, "while it runs"
    told = explain(fired.id[:10])
    assert (told["hits"], told["of"], told["complete"]) == (26, 48, True)
    named = [(each["dimension"], each["value"]) for each in told["common"] if each["named"]]
    assert named == [("agent", "agent-9"), ("customer", "+8613…78")]
    assert told["common"][0]["share"] == pytest.approx(24 / 26, abs=1e-6)
    done = monitor("explain", fired.id)
    assert "named: agent agent-9, customer +8613…78" in done.out
    assert CUSTOMER not in done.out

    folder.events.write_text("")
    gone = monitor("explain", fired.id)
    assert gone.status == 1
    assert "the alert saw 26 of 48, the log gives 0 of 0 now" in gone.out
    assert "give other files with --from" in gone.out


def test_a_log_that_begins_later_says_so(folder: Folder, left: Left) -> None:
    at_ms = SystemClock().now_ms() // 200 * 200
    figures = Figures(value=0.8, hits=8.0, of=10.0, window="1m")
    fired = alert(at_ms, rule="team", scope=(("team", "team-1"),), figures=figures)
    left.record(fired)
    folder.append(
        {"type": "call.ended", "time": at_ms - 2_000, "team": "team-1", "hangup_by": "customer"}
    )
    done = monitor("explain", fired.id)
    assert "the log no longer holds all of the window: it begins at " in done.out


def stored(folder: Folder, *alerts: Alert) -> None:
    settings = StoreSettings(path=folder.store, checkpoints=folder.root / "checkpoints")
    with Store.open(settings, SystemClock()) as store:
        store.record(Recording(alerts))


MORE: list[dict[str, Any]] = [
    {
        "id": "idle", "absent": {"count": "call.ended"}, "for": "10m", "by": "agent",
        "while": "state != 'offline'", "levels": {"warn": {}}, "no_data": "resolve",
        "notify": {"route": "people"},
    },
    {
        "id": "both", "all_of": ["hangup", "team"], "by": "number", "levels": {"crit": {}},
        "notify": {"route": "people"},
    },
]  # fmt: skip


def replayed(folder: Folder, path: Path) -> dict[str, dict[str, Any]]:
    """The first alert of each rule."""
    folder.write(rules=RULES | {"rules": [*RULES["rules"], *MORE]})
    done = monitor("replay", "--from", path, "--format", "json")
    assert done.status == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    alerts = [line for line in lines if line["kind"] == "alert"]
    return {line["rule"]: line for line in reversed(alerts)}


@pytest.fixture
def story(folder: Folder) -> Path:
    """An agent who makes calls, then none for an hour while another one goes on; a bad number."""
    start = 1_795_309_200_000
    path = folder.root / "story.jsonl"
    events: list[dict[str, Any]] = [
        {"type": "agent.state", "time": start + n * 1_000, "agent": f"agent-{n}", "state": "ready"}
        for n in range(2)
    ]
    for n in range(60):
        call = {"type": "call.ended", "time": start + 60_000 * n, "agent": f"agent-{n > 3:d}"}
        many = 20 if n == 30 else 1
        more = {"number": NUMBER.format(2), "team": "team-1", "hangup_by": "customer"}
        events += [call | more | {"customer": CUSTOMER} for _ in range(many)]
    path.write_text(
        "".join(json.dumps({"id": f"e{n}"} | each) + "\n" for n, each in enumerate(events))
    )
    return path


def test_silence_shows_what_was_heard_before(folder: Folder, story: Path) -> None:
    idle = replayed(folder, story)["idle"]
    told = explain(idle["id"], "--from", story)
    assert (told["complete"], told["hits"], told["rest"]) == (True, 600.0, 0)
    assert [each["type"] for each in told["records"]] == ["call.ended"] * 4 + ["agent.state"]
    done = monitor("explain", idle["id"], "--from", story)
    assert "5 records of this scope before it fell silent" in done.out
    assert "named" not in done.out


def test_a_rule_on_others_shows_what_they_saw(folder: Folder, story: Path) -> None:
    alerts = replayed(folder, story)
    told = explain(alerts["both"]["id"], "--from", story)
    assert {each["rule"] for each in told["parts"]} == {"hangup", "team"}
    assert all(each["complete"] for each in told["parts"])
    done = monitor("explain", alerts["both"]["id"], "--from", story)
    assert "rests on:" in done.out
    assert "bad records of" in done.out


def test_what_is_refused_says_why(folder: Folder) -> None:
    def refused(*arguments: str) -> str:
        done = monitor("explain", *arguments)
        assert (done.status, done.out) == (2, "")
        return done.err

    assert "'team' is no id of an alert: 4 to 32 of 0-9 and a-f" in refused("team")
    assert "there is none: has the daemon run with this configuration?" in refused("abcd")
    stored(folder, alert(1_000, rule="gone"), alert(2_000, rule="gone"))
    assert "no alert begins with 0000 in the store" in refused("0000")
    one, other = ("abcd" + n + "e" * 27 for n in "01")
    episode = "abab" + "0" * 28
    stored(
        folder,
        alert(3_000, id=one, rule="gone", episode=episode),
        alert(4_000, id=other, rule="gone", episode=episode, state="resolved"),
        alert(5_000, id="abab1" + "0" * 27, rule="other"),
    )
    assert "rule gone is not in the configuration" in refused("abcd1")
    assert "rule gone is not in the configuration" in refused("abcd"), "both of one episode"
    assert "several alerts begin with abab: abcd0eeeeeee, abcd1eeeeeee, abab1000" in refused("abab")
    assert "rule other is not in the configuration" in refused("abab1")
