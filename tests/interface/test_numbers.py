"""Numbers over HTTP: the same orders as by command line, by the same path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.clock import ManualClock
from monitor.decisions import ManualAction, NumberChange
from monitor.numbers.asking import ACTS
from monitor.snapshot import Board
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from monitor.web import numbers_api, requested
from monitor.web.application import API, Part
from monitor.web.office import Office
from tests.daemon.folder import GOOD, Folder
from tests.daemon.running import Threaded, eventually, threaded
from tests.exporter import sample
from tests.interface.serving import Served, bearer, serving, tokens

NOW = 1_763_776_800_000


@contextmanager
def office_at(path: Path, *, limit: int = 1_000) -> Iterator[Served]:
    settings = StoreSettings(path=path / "monitor.db", max_requests=limit)
    board = Board()
    board.publish(sample.snapshot(NOW))
    office = Office(board, settings, "CN", ManualClock(NOW))
    parts = (
        Part(requested.router, f"{API}/requests", {"office": office}),
        Part(numbers_api.router, f"{API}/numbers"),
    )
    with serving(*parts) as served:
        yield served
    office.close()


def suspend(served: Served, number: str = GOOD, **more: Any) -> httpx.Response:
    body = {"why": "carrier asked", "for": "2h", **more.pop("body", {})}
    path = f"/api/v1/numbers/{number}/suspend"
    return served.ask(path, more.pop("role", "operator"), "POST", json=body, **more)


def test_pools_that_stand_still_are_listed_with_what_waits(tmp_path: Path) -> None:
    with office_at(tmp_path) as served:
        found = served.ask("/api/v1/numbers/incidents").json()["incidents"]
        assert [(each["kind"], each["pool"], each["waiting"]) for each in found] == [
            ("approval", "spring", 3),
            ("min_left", "winter", 1),
        ]
        assert (found[0]["ref"], found[0]["until"]) == ("0a1b2c3d", "2025-11-22T02:01:00Z")
        (winter,) = served.ask("/api/v1/numbers/incidents?pool=winter").json()["incidents"]
        assert (winter["ref"], winter["until"]) == ("", None)


def test_those_out_of_service_are_listed(tmp_path: Path) -> None:
    picture = sample.snapshot(NOW)
    with office_at(tmp_path) as served:
        found = served.ask("/api/v1/numbers").json()
        assert found["counts"] == dict(picture.numbers)
        assert [n["number"] for n in found["numbers"]] == [n.number for n in picture.standing]
        first = picture.standing[0]
        assert served.ask(f"/api/v1/numbers/{first.number}").json()["state"] == first.state
        assert served.ask("/api/v1/numbers/+8621599999").json()["state"] == "active"


def test_one_that_the_picture_has_no_room_for_is_told_by_its_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = replace(sample.snapshot(NOW), standing=())
    monkeypatch.setattr(sample, "snapshot", lambda _now: picture)
    row = NumberChange(
        at_ms=NOW,
        id="c1",
        number=GOOD,
        before="suspending",
        after="suspended",
        reason="applied",
        by="telephony",
        episode="",
        command_id="",
        until_ms=None,
        detail="",
    )
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), ManualClock(NOW)) as store:
        store.record(Recording(changes=[row]))
    with office_at(tmp_path) as served:
        assert served.ask("/api/v1/numbers").json()["left_out"] > 0
        assert served.ask(f"/api/v1/numbers/{GOOD}").json()["state"] == "suspended"


def test_a_request_waits_for_the_daemon(tmp_path: Path) -> None:
    with office_at(tmp_path) as served:
        assert suspend(served).status_code == 503  # no daemon has made a store yet
        Store.open(StoreSettings(path=tmp_path / "monitor.db"), ManualClock(NOW)).close()
        answer = suspend(served)
        assert answer.status_code == 202
        assert answer.json()["status"] == "waiting"
        again = served.ask(answer.headers["location"])
        assert again.json()["status"] == "waiting"
        assert served.ask(f"/api/v1/requests/{'0' * 32}").status_code == 404


def test_a_request_that_is_sent_again_counts_once(tmp_path: Path) -> None:
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), ManualClock(NOW)) as store:
        with office_at(tmp_path) as served:
            key = {"Idempotency-Key": "one"}
            first, second = suspend(served, headers=key), suspend(served, headers=key)
            assert first.json() == second.json()
            other = suspend(served, number="+862150000009", headers=key)
            assert other.status_code == 409
            assert suspend(served, headers=key, role="admin").json() != first.json()
        assert store.requests.waiting() == 2


def test_too_many_requests_are_told_to_come_back(tmp_path: Path) -> None:
    Store.open(StoreSettings(path=tmp_path / "monitor.db"), ManualClock(NOW)).close()
    with office_at(tmp_path, limit=1) as served:
        assert suspend(served).status_code == 202
        answer = suspend(served)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("+862150000001/suspend", {}),
        ("+862150000001/suspend", {"why": ""}),
        ("+862150000001/suspend", {"why": "x", "for": "soon"}),
        ("+862150000001/suspend", {"why": "x", "until": "2h"}),
        ("+862150000001/resume", {"why": "x", "for": "2h"}),
        ("%20/resume", {"why": "x"}),
        ("freeze", {"why": "x", "for": "2h"}),
    ],
)
def test_what_cannot_be_asked_for(tmp_path: Path, path: str, body: dict[str, str]) -> None:
    with office_at(tmp_path) as served:
        answer = served.ask(f"/api/v1/numbers/{path}", "admin", "POST", json=body)
        assert answer.status_code == 422, answer.text


def test_who_may_ask_for_what(tmp_path: Path) -> None:
    with office_at(tmp_path) as served:
        assert suspend(served, role="viewer").status_code == 403
        freeze = "/api/v1/numbers/freeze"
        assert served.ask(freeze, "operator", "POST", json={"why": "x"}).status_code == 403


def test_what_an_action_says_more_is_in_its_request(tmp_path: Path) -> None:
    settings = StoreSettings(path=tmp_path / "monitor.db")
    Store.open(settings, ManualClock(NOW)).close()
    with office_at(tmp_path) as served:
        undo = {"why": "taken back", "last": "30m", "pool": "spring"}
        left = served.ask("/api/v1/numbers/undo", "admin", "POST", json=undo).json()["request"]
        approval = {"why": "looked at ten", "name": " 5d0f "}
        approve = "/api/v1/numbers/approve"
        other = served.ask(approve, "admin", "POST", json=approval).json()["request"]
        nothing = served.ask(approve, "admin", "POST", json={"why": "x"})
        assert nothing.status_code == 422
    with Store.open(settings, ManualClock(NOW), daemon=False) as store:
        undone, approved = store.requests.find(left), store.requests.find(other)
    assert undone is not None
    assert approved is not None
    assert isinstance(undone.action, ManualAction)
    assert isinstance(approved.action, ManualAction)
    assert (undone.action.since_ms, undone.action.pool) == (NOW - 1_800_000, "spring")
    assert approved.action.ref == "5d0f"


def test_every_action_is_a_path(tmp_path: Path) -> None:
    with office_at(tmp_path) as served:
        paths = served.ask("/api/v1/openapi.json").json()["paths"]
    of_all = [path for path in paths if path.startswith("/api/v1/numbers/")]
    assert {path.rpartition("/")[2] for path in of_all} >= set(ACTS)


@contextmanager
def running(tmp_path: Path) -> Iterator[tuple[Folder, Threaded, httpx.Client]]:
    web = {"enabled": True, "port": 0, "tokens": tokens()}
    folder = Folder(tmp_path, web=web)
    with threaded(folder) as daemon:
        folder.call(GOOD)
        daemon.ready()
        url = f"http://127.0.0.1:{daemon.daemon.web_port}/api/v1"
        with httpx.Client(base_url=url, timeout=30, headers=bearer("admin")) as client:
            yield folder, daemon, client


def test_a_daemon_carries_them_out_and_says_who_asked(tmp_path: Path) -> None:
    with running(tmp_path) as (_, daemon, client):
        body = {"why": "carrier asked", "for": "2h"}
        done = client.post(f"/numbers/{GOOD}/suspend?wait=10", json=body)
        assert done.status_code == 200, done.text
        assert done.json()["change"]["by"] == "a-admin"
        eventually(
            lambda: client.get(f"/numbers/{GOOD}").json()["state"] == "suspended", "suspended"
        )
        assert client.get("/numbers").json()["numbers"][0]["number"] == GOOD
        assert daemon.commands(GOOD)[0].action == "suspend"
        assert client.post(f"/numbers/{GOOD}/resume?wait=10", json={"why": "x"}).is_success
        rows = client.get(f"/numbers/{GOOD}/history").json()["changes"]
        assert {row["by"] for row in rows} == {"a-admin", "telephony"}
        frozen = client.post("/numbers/freeze?wait=10", json={"why": "bad data"})
        assert frozen.json()["words"] == "done: suspensions by rules are frozen"
        refused = client.post("/numbers/nonsense/suspend?wait=10", json={"why": "x"})
        assert refused.status_code == 409
        assert refused.json()["status"] == "refused"
