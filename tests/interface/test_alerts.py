"""Alerts over HTTP: the inbox, one alert, its records, and what people do about it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.decisions import Alert, Command, Refusal
from monitor.errors import UsageError
from monitor.people.desk import PeopleDesk
from monitor.store.outbox import PlannedDelivery
from monitor.store.routed import Routed, Told
from monitor.store.store import Recording, Store
from monitor.web.customers import masked
from tests.interface.reading import (
    CUSTOMER,
    NOW,
    NUMBER,
    Site,
    alert,
    picture,
    site_at,
    standing_of,
)
from tests.interface.serving import TEAM

OURS = alert(scope=(("team", TEAM),), rule="team-hangup")
THEIRS = alert(scope=(("team", "south"),), rule="team-hangup", level="warn")
PRIVATE = alert(
    scope=(("number", "+862150000001"), ("customer", CUSTOMER)),
    rule="redial",
    begun_ms=NOW - 90_000,
    message={"en": f"+862150000001 calls {CUSTOMER} again"},
)
OVER = alert(rule="old", begun_ms=NOW - 500_000)
ENDED = replace(OVER, id="f" * 32, at_ms=NOW - 400_000, state="resolved", reason="recovered")
SHADOW = alert(rule="tried", shadow=True)
ACTS = alert(rule="number-hangup", scope=NUMBER)
DONE = Command(
    NOW - 50_000, "c" * 32, "suspend", NUMBER[0][1], NOW + 60_000, "admitted", ACTS.rule,
    ACTS.episode, ACTS.figures, ACTS.evidence,
)  # fmt: skip
REFUSED = Refusal(
    NOW - 49_000, "d" * 32, NUMBER[0][1], "min_left", "one has to stay", "pool", ACTS.rule,
    ACTS.episode,
)  # fmt: skip
ALL = (OURS, THEIRS, PRIVATE, OVER, ENDED, SHADOW, ACTS, DONE, REFUSED)


def explained(found: Alert, records: int, whole_customers: bool) -> list[dict[str, Any]]:
    if found.rule != "team-hangup":
        raise UsageError("it has no records of its own")
    customer = CUSTOMER if whole_customers else "+8613…78"
    row = {"time": "2025-11-22T01:59:00Z", "type": "call.ended", "customer": customer}
    return [
        {"rule": found.rule, "bad": 1, "rest": 2, "complete": True, "common": [],
         "records": [row] * min(1, records)}
    ]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    shown = picture(alerts=tuple(map(standing_of, (OURS, THEIRS))))
    with site_at(tmp_path_factory.mktemp("alerts"), shown=shown, explain=explained) as made:
        made.record(*ALL)
        yield made


def listed(site: Site, query: str = "", role: str = "viewer") -> list[str]:
    found = site.ask(f"/api/v1/alerts?{query}", role).json()["alerts"]
    return [row["rule"] for row in found]


def post(site: Site, path: str, role: str, body: Any = None, **more: Any) -> Any:
    return site.ask(f"/api/v1/{path}", role, method="POST", json=body or {}, **more)


def test_the_inbox_by_state_level_and_team(site: Site) -> None:
    assert sorted(listed(site)) == ["number-hangup", "old", "redial", "team-hangup", "team-hangup"]
    assert listed(site, "state=resolved") == ["old"]
    assert listed(site, f"team={TEAM}") == ["team-hangup"]
    assert listed(site, "level=warn") == ["team-hangup"]
    assert listed(site, "shadow=true") == ["tried"]
    assert listed(site, "mine=true") == []
    whole = site.ask("/api/v1/alerts").json()
    assert whole["firing"] == {"crit": 1, "warn": 1}
    assert whole["next"] is None


def test_pages_of_the_inbox(site: Site) -> None:
    first = site.ask("/api/v1/alerts?limit=2").json()
    second = site.ask(f"/api/v1/alerts?limit=200&cursor={first['next']}").json()
    rules = [row["episode"] for row in [*first["alerts"], *second["alerts"]]]
    assert len(rules) == len(set(rules)) == 5
    assert site.ask("/api/v1/alerts?cursor=none-of-ours").status_code == 422


def test_customers_are_masked_below_admin(site: Site) -> None:
    for role in ("viewer", "supervisor", "operator", "admin"):
        for path in ("alerts", f"alerts/{PRIVATE.episode}"):
            assert CUSTOMER not in site.ask(f"/api/v1/{path}", role).text
            asked = site.ask(f"/api/v1/{path}?customers=true", role)
            assert asked.status_code == (200 if role == "admin" else 403)
            assert (CUSTOMER in asked.text) == (role == "admin")
    told = site.ask("/api/v1/audit?limit=10", "admin").json()
    read = [each for each in told["entries"] if each["action"] == "read customers in full"]
    assert [each["target"] for each in read] == [PRIVATE.episode, ""], "the newest first"


def test_one_alert_with_what_came_of_it(site: Site) -> None:
    found = site.ask(f"/api/v1/alerts/{ACTS.episode}").json()
    assert [each["id"] for each in found["commands"]] == [DONE.id]
    assert [each["detail"] for each in found["refusals"]] == ["one has to stay"]
    assert [each["state"] for each in found["course"]] == ["firing"]
    over = site.ask(f"/api/v1/alerts/{OVER.episode}").json()
    assert [each["reason"] for each in over["course"]] == ["breach", "recovered"]
    assert site.ask(f"/api/v1/alerts/{'0' * 32}").status_code == 404
    assert site.ask("/api/v1/alerts/not-one").status_code == 422


def test_the_records_behind_it(site: Site) -> None:
    (found,) = site.ask(f"/api/v1/alerts/{OURS.episode}/records").json()["explanations"]
    assert found["records"][0]["customer"] == "+8613…78"
    path = f"/api/v1/alerts/{OURS.episode}/records?customers=true"
    assert site.ask(path, "operator").status_code == 403
    assert CUSTOMER in site.ask(path, "admin").text
    none = site.ask(f"/api/v1/alerts/{ACTS.episode}/records")
    assert (none.status_code, none.json()["detail"]) == (409, "it has no records of its own")
    assert site.ask(f"/api/v1/alerts/{'0' * 32}/records").status_code == 404


def test_one_question_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*asked: Any) -> list[dict[str, Any]]:
        begun.set()
        go_on.wait(10)
        return explained(*asked)

    monkeypatch.setattr(site.room, "explain", slow)
    path = f"/api/v1/alerts/{OURS.episode}/records"
    answers: list[int] = []
    first = threading.Thread(target=lambda: answers.append(site.ask(path).status_code))
    first.start()
    assert begun.wait(10)
    busy = site.ask(path)
    go_on.set()
    first.join(10)
    assert (busy.status_code, answers) == (503, [200])


def test_where_nobody_reads_records(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.room, "explain", None)
    assert site.ask(f"/api/v1/alerts/{OURS.episode}/records").status_code == 409


def test_who_may_act_on_what(site: Site) -> None:
    body = {"note": "seen"}
    for role, ours, theirs in (
        ("viewer", 403, 403), ("supervisor", 200, 403), ("operator", 200, 200), ("admin", 200, 200),
    ):  # fmt: skip
        for episode, expected in ((OURS.episode, ours), (THEIRS.episode, theirs)):
            answer = post(site, f"alerts/{episode}/acknowledge", role, body)
            assert answer.status_code == expected, (role, episode)
    yours = {
        row["episode"]: row["yours"]
        for row in site.ask("/api/v1/alerts", "supervisor").json()["alerts"]
    }
    assert (yours[OURS.episode], yours[THEIRS.episode]) == (True, False)


def test_an_acknowledgement_is_kept_once_and_told(site: Site) -> None:
    before = site.room.hub.last
    key = {"headers": {"Idempotency-Key": "one"}}
    path = f"alerts/{ACTS.episode}/acknowledge"
    assert post(site, path, "operator", {"note": "I call them"}, **key).json() == {"new": True}
    assert post(site, path, "operator", {"note": "I call them"}, **key).json() == {"new": False}
    found = site.ask(f"/api/v1/alerts/{ACTS.episode}").json()
    assert found["handled"]["acknowledged_by"] == "a-operator"
    assert found["handled"]["holds"] is True
    assert [act["note"] for act in found["acts"]] == ["I call them"]
    assert [each.kind for each in site.room.hub.since(before) or []] == ["acted", "acted"]
    assert post(site, f"alerts/{'0' * 32}/acknowledge", "operator").status_code == 404
    assert "number-hangup" not in listed(site, "acknowledged=false&state=firing")


def test_an_alert_is_assigned_and_given_back(site: Site) -> None:
    path = f"alerts/{ACTS.episode}/assign"
    assert post(site, path, "operator", {"to": "a-viewer"}).status_code == 200
    assert listed(site, "mine=true") == ["number-hangup"]
    assert post(site, path, "operator", {"to": None}).status_code == 200
    assert listed(site, "mine=true") == []
    assert post(site, path, "operator", {"to": " "}).status_code == 422


def test_silences(site: Site) -> None:
    path = f"alerts/{PRIVATE.episode}/silence"
    assert post(site, path, "operator", {"for": "1h", "reason": " "}).status_code == 422
    made = post(site, path, "operator", {"for": "1h", "reason": "a drill"})
    assert made.status_code == 200
    assert made.json()["matchers"]["rule"] == ["redial"]
    assert CUSTOMER not in made.text
    assert CUSTOMER not in site.ask("/api/v1/silences").text
    with Store.open(site.settings, site.clock) as store:
        (kept,) = PeopleDesk(store, site.clock).silences()
    assert kept.matchers["customer"] == (CUSTOMER,)
    wide = {"matchers": {"team": "north*", "level": ["warn"]}, "for": "30m", "reason": "training"}
    assert post(site, "silences", "supervisor", wide).status_code == 403
    assert post(site, "silences", "operator", {**wide, "matchers": {}}).status_code == 422
    second = post(site, "silences", "operator", wide).json()
    standing = site.ask("/api/v1/silences").json()["silences"]
    assert {each["id"] for each in standing} == {kept.id, second["id"]}
    assert {each["yours"] for each in site.ask("/api/v1/silences").json()["silences"]} == {False}
    assert post(site, f"silences/{second['id']}/end", "viewer").status_code == 403
    assert post(site, f"silences/{second['id']}/end", "supervisor").status_code == 403
    assert post(site, f"silences/{second['id']}/end", "operator").json() == {"new": True}
    assert post(site, f"silences/{'0' * 32}/end", "operator").status_code == 404
    assert len(site.ask("/api/v1/silences").json()["silences"]) == 1


def test_a_supervisor_ends_its_own_silences_and_those_of_its_teams(site: Site) -> None:
    path = f"alerts/{OURS.episode}/silence"
    own = post(site, path, "supervisor", {"for": "1h", "reason": "a drill"}).json()
    assert own["yours"]
    quiet = {"for": "30m", "reason": "training"}
    ids = [
        post(site, "silences", "operator", {**quiet, "matchers": matchers}).json()["id"]
        for matchers in (
            {"team": TEAM, "rule": "team-*"}, {"team": [TEAM, "south"]}, {"team": "!south"},
            {"rule": "team-hangup"}, {"team": "n*"},
        )
    ]  # fmt: skip
    page = site.ask("/console/alerts", "supervisor").text
    assert page.count('data-act="end-silence"') == 2
    ended = [
        post(site, f"silences/{each}/end", "supervisor").status_code for each in (own["id"], *ids)
    ]
    assert ended == [200, 200, 403, 403, 403, 403]
    for each in ids:
        post(site, f"silences/{each}/end", "operator")


def test_who_was_told_and_what_silences_it(tmp_path: Path) -> None:
    with site_at(tmp_path) as made:
        made.room.packs = lambda: {OURS.rule: "quiet-pack"}
        with Store.open(made.settings, made.clock) as store:
            store.record(Recording([OURS, ACTS], deliveries=[
                PlannedDelivery(OURS.id, "sms-zhang", "k"), PlannedDelivery(ACTS.id, "mail", "k"),
            ]))  # fmt: skip
            held = Told(OURS.id, "night", OURS.episode, "held", "out_of_hours", "")
            told = Told(OURS.id, "floor", OURS.episode, "told", "", OURS.id)
            desk = PeopleDesk(store, made.clock)
            store.routing.keep(Routed(told=[held, told]))
            until_ms = NOW + 3_600_000
            desk.silence({"pack": "quiet-*", "team": TEAM}, until_ms, "lin", "a drill")
            desk.silence({"rule": "nothing-like-it"}, until_ms, "lin", "a drill")
        found = made.ask(f"/api/v1/alerts/{OURS.episode}").json()
        by_route = {each["route"]: each for each in found["told"]}
        assert (by_route["night"]["state"], by_route["night"]["cause"]) == ("held", "out_of_hours")
        assert by_route["floor"]["to"] == [{"receiver": "sms-zhang", "state": "queued"}]
        assert "" not in by_route  # the alert itself went by a route
        assert found["silenced_until"] == "2025-11-22T03:00:00Z"
        rows = {row["rule"]: row for row in made.ask("/api/v1/alerts").json()["alerts"]}
        assert rows[OURS.rule]["silenced_until"] == found["silenced_until"]
        assert rows[ACTS.rule]["silenced_until"] is None
        other = made.ask(f"/api/v1/alerts/{ACTS.episode}").json()
        assert other["runbook"] == "https://wiki.example.com/number-hangup"
        assert [each["to"][0]["receiver"] for each in other["told"]] == ["mail"]
        page = made.ask(f"/console/alerts/{OURS.episode}").text
        assert 'id="silenced"' in page
        assert "sms-zhang" in page
        assert "不在该路由的时段内" in page
        assert (
            "https://wiki.example.com/number-hangup</a>"
            in made.ask(f"/console/alerts/{ACTS.episode}").text
        )
        assert made.ask(f"/console/alerts/{OURS.episode}/toast").status_code == 204
        assert made.ask(f"/console/alerts/{ACTS.episode}/toast").status_code == 200


def test_the_inbox_is_there_before_the_first_picture(tmp_path: Path) -> None:
    with site_at(tmp_path) as made:
        made.record(OURS)
        made.board.stand_by()
        (row,) = made.ask("/api/v1/alerts").json()["alerts"]
        assert (row["team"], row["area"]) == (TEAM, "")


def test_a_short_customer_takes_no_figures_away() -> None:
    scope, texts = masked({"customer": "7", "team": "7"}, {"en": "7 again: 17 of 77"})
    assert (scope, texts) == ({"customer": "…", "team": "7"}, {"en": "… again: 17 of 77"})
