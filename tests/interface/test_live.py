"""Live events: what is told, to whom, and how a stream ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.decisions import Alert
from monitor.snapshot import AlertStanding, Board, NumberStanding, Unready
from monitor.web import live_api
from monitor.web.live import EVENTS_MAX, SINGLE_MAX, Hub, Watching
from monitor.web.tables import Desk
from monitor.web.trends import Trends
from tests.daemon.running import eventually
from tests.interface.reading import AGENT, CUSTOMER, NOW, Site, alert, picture, site_at, standing_of
from tests.interface.serving import bearer

CUSTOMERS = (("number", "+862150000001"), ("customer", CUSTOMER))


class Looked:
    """A hub that is told by pictures, without a thread."""

    def __init__(self) -> None:
        self.board, self.hub = Board(), Hub("boot")
        self.feed: list[Alert] = []
        self.watching = Watching(self.board, Trends(2**20), self.hub, Desk(), lambda: self.feed)

    def told(self, shown: Any) -> list[tuple[str, Any]]:
        before = self.hub.last
        self.board.publish(shown)
        self.watching.look()
        return [(e.kind, json.loads(e.data)) for e in self.hub.since(before) or []]


def firing(*episodes: str, level: Any = "crit", scope: Any = AGENT) -> tuple[AlertStanding, ...]:
    return tuple(
        replace(standing_of(alert(scope=scope)), episode=each, level=level) for each in episodes
    )


def test_alerts_come_change_and_end() -> None:
    looked = Looked()
    assert [kind for kind, _ in looked.told(picture(alerts=()))] == ["board"]
    (kind, data), (_, board) = looked.told(picture(alerts=firing("e1", level="warn")))
    assert (kind, data["new"], data["state"], data["team"]) == ("alert", True, "firing", "team-1")
    assert (board["alerts"], board["crit"]) == (1, 0)
    (_, worse), _ = looked.told(picture(alerts=firing("e1")))
    assert (worse["new"], worse["worse"], worse["level"]) == (False, True, "crit")
    (_, better), _ = looked.told(picture(alerts=firing("e1", level="warn")))
    assert (better["new"], better["worse"]) == (False, False)
    (_, over), _ = looked.told(picture(alerts=()))
    assert (over["state"], over["new"]) == ("resolved", False)
    assert looked.told(picture(alerts=())) == []


def test_an_alert_that_is_over_before_anybody_looked_is_told_once() -> None:
    looked = Looked()
    brief = alert()
    looked.told(picture(alerts=()))
    looked.told(picture(alerts=(), wall_ms=NOW + 1))  # what was decided before is known now
    looked.feed = [brief, alert(state="resolved", at_ms=NOW)]
    ((kind, data),) = looked.told(picture(alerts=(), wall_ms=NOW + 2))
    assert (kind, data["new"], data["episode"]) == ("alert", True, brief.episode)
    assert looked.told(picture(alerts=(), wall_ms=NOW + 3)) == []


def test_a_customer_is_masked() -> None:
    looked = Looked()
    looked.told(picture(alerts=()))
    told = looked.told(picture(alerts=firing("e1", scope=CUSTOMERS)))
    assert CUSTOMER not in json.dumps(told)


def test_a_storm_is_one_event() -> None:
    looked = Looked()
    looked.told(picture(alerts=()))
    storm = firing(*(f"e{i}" for i in range(SINGLE_MAX + 1)))
    many = {"count": SINGLE_MAX + 1, "loud": {"team-1": SINGLE_MAX + 1}}
    assert looked.told(picture(alerts=storm))[0] == ("alerts", many)
    over = {"count": SINGLE_MAX + 1, "loud": {}}  # nothing that anybody need hear
    assert looked.told(picture(alerts=()))[0] == ("alerts", over)


def test_numbers_change_their_state() -> None:
    looked = Looked()
    looked.told(picture(standing=()))
    out = NumberStanding("+86210", "suspended", NOW, NOW + 60_000, "rule")
    (kind, data), _ = looked.told(picture(standing=(out,)))
    assert (kind, data["state"], data["until"]) == ("number", "suspended", "2025-11-22T02:01:00Z")
    assert looked.told(picture(standing=()))[0][1]["state"] == "active"
    ready = looked.told(picture(standing=(), unready=(Unready("source"),)))
    assert ready[0][1]["ready"] is False


def test_whoever_comes_back_misses_nothing_or_is_told_so() -> None:
    hub = Hub("boot")
    for n in range(5):
        hub.tell("board", {"n": n})
    assert [each.number for each in hub.since("boot-3") or []] == [4, 5]
    assert hub.since("boot-5") == []
    for other in ("boot-6", "older-3", "", "boot-x", "boot--1"):
        assert hub.since(other) is None, other
    for n in range(EVENTS_MAX):
        hub.tell("board", {"n": n})
    assert hub.since("boot-4") is None
    assert len(hub.since("boot-5") or []) == EVENTS_MAX


def test_a_look_that_fails_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked()
    monkeypatch.setattr("monitor.web.live.LOOK_S", 0.01)
    failures = iter([ValueError("once")])

    def add(_picture: object) -> bool:
        for failure in failures:
            raise failure
        return True

    monkeypatch.setattr(looked.watching._trends, "add", add)
    looked.board.publish(picture())
    looked.watching.start()
    looked.board.publish(picture(alerts=()))
    eventually(lambda: looked.hub.last != "boot-0", "an event")
    looked.watching.stop()
    looked.watching.stop()


# --- the stream ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_at(tmp_path_factory.mktemp("live"), timeout="1s") as made:
        yield made


class Stream:
    """One that is read in a thread."""

    def __init__(self, site: Site, **headers: str) -> None:
        self.lines: list[str] = []
        self.ended = threading.Event()
        self._client = httpx.Client(timeout=20)
        port = site.served.server.port
        self._request = self._client.stream(
            "GET", f"http://127.0.0.1:{port}/api/v1/live", headers={**bearer("viewer"), **headers}
        )
        self.response = self._request.__enter__()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self.lines.extend([])
            for line in self.response.iter_lines():
                self.lines.append(line)
        except (httpx.HTTPError, httpx.StreamError):
            pass
        self.ended.set()

    def wait(self, text: str) -> str:
        found: str = eventually(
            lambda: next((line for line in self.lines if text in line), ""), text, 15
        )
        return found

    def close(self) -> None:
        self.response.close()
        self._thread.join(5)
        self._client.close()


def test_events_reach_a_stream_and_it_outlives_the_timeout(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_api, "HEARTBEAT_S", 0.2)
    stream = Stream(site)
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    stream.wait("event: hello")
    stream.wait("still here")
    site.publish(picture(alerts=firing("e77")))
    data = json.loads(stream.wait('"e77"').removeprefix("data: "))
    assert data["new"]
    # Longer than web.timeout, after which any other answer is cut off.
    seen = len(stream.lines)
    eventually(lambda: len(stream.lines) > seen + 12, "heartbeats", 15)
    assert not stream.ended.is_set()
    last = next(line for line in stream.lines if line.startswith("id: ")).removeprefix("id: ")
    stream.close()
    eventually(lambda: site.room.hub.readers == 0, "the reader to be gone", 10)
    again = Stream(site, **{"Last-Event-ID": last})
    again.wait('"e77"')
    again.close()
    anew = Stream(site, **{"Last-Event-ID": "older-7"})
    anew.wait("event: reset")
    anew.close()


def test_so_many_streams_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_api, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(live_api, "STREAMS_OF_ONE_MAX", 1)
    stream = Stream(site)
    stream.wait("hello")
    refused = site.ask("/api/v1/live")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    stream.close()
    eventually(lambda: site.room.streams["a-viewer"] == 0, "the place to be free", 10)


def test_one_that_takes_nothing_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_api, "TAKEN_WITHIN_S", 0.2)
    connection = site.served.connect()
    token = bearer("viewer")["Authorization"]
    request = f"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
    connection.sendall(request.encode())
    eventually(lambda: site.room.hub.readers == 1, "the reader", 10)

    def flooded() -> bool:
        for _ in range(200):
            site.room.hub.tell("board", {"filler": "x" * 10_000})
        return site.room.hub.readers == 0

    eventually(flooded, "the reader to be cut off", 20)
    connection.close()


def test_a_session_that_is_over_ends_the_stream(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_api, "HEARTBEAT_S", 0.05)
    over = threading.Event()

    def holding(_request: object, _caller: object) -> Any:
        async def holds() -> bool:
            return not over.is_set()

        return holds

    monkeypatch.setattr(live_api, "_holding", holding)
    stream = Stream(site)
    stream.wait("still here")
    over.set()
    assert stream.ended.wait(10)
    stream.close()


def test_a_stream_ends_with_the_server(tmp_path: Path) -> None:
    with site_at(tmp_path) as site:
        stream = Stream(site)
        stream.wait("hello")
    assert stream.ended.wait(10)
    stream.close()
