import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import ThreadingMixIn

import httpx
import pytest
from pydantic import ValidationError

from monitor.clock import ManualClock
from monitor.errors import UsageError
from monitor.exporter import status
from monitor.exporter.pages import accepts_gzip, prefers_openmetrics
from monitor.exporter.server import ExporterServer
from monitor.exporter.settings import ExporterSettings, is_loopback, read_token
from monitor.snapshot import Board, Snapshot, Unready
from monitor.stats import Stats
from tests import web
from tests.deploy.tools import await_true
from tests.exporter import sample

NOW = 1_763_776_800_000
TOKEN = "0123456789abcdef"
PROMETHEUS_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


class Served:
    def __init__(self, settings: ExporterSettings, environ: dict[str, str]) -> None:
        self.board = Board()
        self.clock = ManualClock(NOW)
        self.server = ExporterServer(self.board, settings, self.clock, environ)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.server.port}", timeout=10)

    def get(self, path: str, **headers: str | bytes) -> httpx.Response:
        return self.client.get(
            path,
            headers=[
                (name.encode(), text if isinstance(text, bytes) else text.encode())
                for name, text in headers.items()
            ],
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)


@contextmanager
def serving(environ: dict[str, str] | None = None, **settings: object) -> Iterator[Served]:
    made = Served(ExporterSettings.model_validate({"port": 0, **settings}), environ or {})
    made.server.start()
    try:
        yield made
    finally:
        made.server.stop()
        made.client.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as made:
        made.board.publish(sample.snapshot(NOW))
        yield made


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_metrics_as_text(served: Served) -> None:
    answer = served.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "Accept" in answer.headers["vary"]
    assert "\nmonitor_ready 1.0\n" in answer.text
    assert "\nprocess_resident_memory_bytes " in answer.text


def test_metrics_as_openmetrics_for_prometheus(served: Served) -> None:
    answer = served.get("/metrics", Accept=PROMETHEUS_ACCEPT)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (PROMETHEUS_ACCEPT, True),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0", True),
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=x", False),
        ("application/openmetrics-text;q=0.4,text/plain;q=0.5", False),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.5", True),
    ],
)
def test_negotiation(accept: str, wanted: bool) -> None:
    assert prefers_openmetrics(accept) is wanted


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip;q=0.0", False),
        ("identity", False),
        ("", False),
    ],
)
def test_compression_is_a_choice(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


def test_metrics_compressed(served: Served) -> None:
    with served.client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert b"\nmonitor_ready 1.0\n" in gzip.decompress(raw)
    plain = served.get("/metrics", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(raw) < len(plain.content) / 3


def test_small_bodies_are_not_compressed() -> None:
    with serving() as served:
        answer = served.get("/healthz", **{"Accept-Encoding": "gzip"})
        assert "content-encoding" not in answer.headers


def test_alive_and_ready(served: Served) -> None:
    assert (served.get("/healthz").status_code, served.get("/healthz").text) == (200, "ok\n")
    ready = served.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "unready": []})


def test_alive_but_not_ready_before_the_first_step() -> None:
    with serving() as served:
        assert served.get("/healthz").status_code == 200
        ready = served.get("/readyz")
        assert ready.status_code == 503
        assert [entry["reason"] for entry in ready.json()["unready"]] == ["starting"]
        assert served.get("/status").json()["ready"] is False
        assert "monitor_ready 0.0" in served.get("/metrics").text


def test_the_engines_reasons_are_shown(served: Served) -> None:
    warming = Unready("warming", "hangup_rate 24h is covered at 09:00")
    served.board.publish(Snapshot(wall_ms=NOW, stats=Stats(), unready=(warming,)))
    assert served.get("/readyz").json() == {
        "ready": False,
        "unready": [{"reason": "warming", "detail": "hangup_rate 24h is covered at 09:00"}],
    }
    assert served.get("/healthz").status_code == 200


def test_a_hung_engine_is_neither_alive_nor_ready(served: Served) -> None:
    served.clock.advance(60_000 - 400)
    assert served.get("/healthz").status_code == 200
    served.clock.advance(1)
    assert (served.get("/healthz").status_code, served.get("/healthz").text) == (503, "stalled\n")
    assert served.get("/readyz").json()["unready"][0]["reason"] == "stalled"
    assert 'monitor_unready{reason="stalled"} 1.0' in served.get("/metrics").text


def test_status_tells_the_whole_daemon_without_customers(served: Served) -> None:
    answer = served.get("/status")
    assert answer.headers["content-type"] == "application/json"
    shown = answer.json()
    assert shown["ready"] is True
    assert shown["watermark_delay_s"] == 2.0
    assert shown["lag"] == 18
    assert shown["partitions"][0] == {
        "topic": "calls",
        "partition": 0,
        "position": 100,
        "lag": 3,
        "watermark_delay_s": 1.5,
        "idle": False,
    }
    assert shown["numbers"] == {"active": 38, "wanted": 1, "suspended": 1}
    assert shown["standing"][0]["until"] == "2025-11-22T02:20:00Z"
    assert shown["standing"][1]["until"] is None
    assert shown["incidents_open"] == 2
    assert shown["incidents"][0] == {
        "kind": "approval",
        "pool": "spring",
        "since": "2025-11-22T01:59:00Z",
        "waiting": 3,
        "detail": "3 numbers wait",
        "ref": "0a1b2c3d",
        "until": "2025-11-22T02:01:00Z",
        "approved_by": "",
    }
    assert shown["incidents"][1]["until"] is None
    assert shown["checkpoint"] == {
        "saved": "2025-11-22T01:59:30Z",
        "age_s": 30.0,
        "size_bytes": 1_234_567,
        "written_bytes": 56_789,
    }
    assert shown["queues"][0]["oldest_s"] is None
    assert shown["queues"][1] == {"queue": "outbox", "length": 2, "limit": 10_000, "oldest_s": 1.0}
    assert shown["totals"]["commands"] == {"suspend/applied": 2, "suspend/issued": 3}
    assert shown["alerts_firing"] == 3
    assert shown["alerts"][0]["scope"] == {"number": sample.NUMBERS[7]}
    assert shown["alerts"][1]["scope"]["customer"] == "+8613…78"
    assert shown["alerts"][2]["scope"]["customer"] == "c-…"
    json.dumps(shown, allow_nan=False)


def test_the_index_links_to_the_rest(served: Served) -> None:
    answer = served.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    for path in ("/metrics", "/status", "/readyz", "/healthz"):
        assert f'href="{path}"' in answer.text


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/status", "/", "/nowhere"])
def test_head_is_get_without_a_body(served: Served, path: str) -> None:
    full = served.get(path, **{"Accept-Encoding": "identity"})
    head = served.client.head(path, headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content) == (full.status_code, b"")
    assert head.headers["content-type"] == full.headers["content-type"]
    if path != "/metrics":  # its length follows the process's own figures
        assert head.headers["content-length"] == str(len(full.content))


@pytest.mark.parametrize("path", ["/nowhere", "/metrics/", "/../etc/passwd", "//[", "/metrics%00"])
def test_unknown_paths(served: Served, path: str) -> None:
    with served.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert read_all(connection).startswith(b"HTTP/1.0 404 ")


def test_a_query_is_ignored(served: Served) -> None:
    assert served.get("/healthz?x=1").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    answer = served.client.request(method, "/metrics")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_rubbish_is_answered_and_forgotten(served: Served) -> None:
    for rubbish in (b"\x16\x03\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with served.connect() as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
    with served.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n")
        assert b" 431 " in read_all(connection)
    assert served.get("/healthz").status_code == 200


def test_a_token_is_asked_for_everything_but_healthz() -> None:
    with serving({"T": TOKEN}, token_env="T") as served:
        served.board.publish(sample.snapshot(NOW))
        assert served.get("/healthz").status_code == 200
        for path in ("/metrics", "/readyz", "/status", "/", "/nowhere"):
            refused = served.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, b"Bearer \xe9"):
            assert served.get("/metrics", Authorization=wrong).status_code == 401
        for right in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
            shown = served.get("/metrics", Authorization=right)
            assert shown.status_code == 200
        assert 'refused_requests_total{reason="unauthorized"} 10.0' in shown.text


def hold(served: Served) -> socket.socket:
    """A connection that has sent half a request, and has its thread."""
    connection = served.connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\n")
    await_true(lambda: served.server.in_flight == 1, "the request is under way")
    return connection


def test_one_request_too_many_is_told_to_come_back() -> None:
    with serving(threads=1) as served, hold(served) as first:
        served.board.publish(sample.snapshot(NOW))
        busy = served.get("/healthz")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        first.sendall(b"\r\n")
        assert read_all(first).endswith(b"ok\n")
        await_true(lambda: served.get("/healthz").status_code == 200, "the slot is free again")
        assert served.server.collector.refused["busy"] >= 1


def test_a_trickling_request_is_cut_off_at_its_deadline() -> None:
    # The clock is moved, not waited for: 10 s of silence would be a slow test.
    with serving(threads=1, timeout="10s") as served, hold(served) as slow:
        served.clock.advance(9_000)
        slow.sendall(b"x: ")
        served.clock.advance(1_001)
        assert read_all(slow) == b""
        assert served.server.collector.refused["overdue"] == 1
        await_true(lambda: served.get("/healthz").status_code == 200, "the slot is free again")


def test_stopping_cuts_off_what_is_under_way() -> None:
    with serving() as served, hold(served) as waiting:
        served.server.stop()
        assert read_all(waiting) == b""
        served.server.stop()
        with pytest.raises(httpx.TransportError):
            served.get("/healthz")


def test_a_server_that_never_started_stops() -> None:
    made = Served(ExporterSettings(port=0), {})
    made.server.stop()


def test_a_page_that_cannot_be_made_is_a_500(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(status, "document", broken)
    assert served.get("/status").status_code == 500
    assert served.get("/healthz").status_code == 200


def test_without_a_thread_the_connection_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(ThreadingMixIn, "process_request", none_left)
        with served.connect() as connection:
            assert read_all(connection) == b""
    assert served.get("/healthz").status_code == 200


def test_the_port_in_use_is_named() -> None:
    with serving() as served:
        again = ExporterSettings(port=served.server.port)
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{served.server.port}"):
            Served(again, {})


def test_ipv6_loopback() -> None:
    with serving(host="::1") as served:
        assert web.get(f"http://[::1]:{served.server.port}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the point of the test
        ("::", False),
        ("10.0.0.1", False),
        ("monitor.example", False),
    ],
)
def test_beyond_loopback_needs_a_token(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    if loopback:
        ExporterSettings(host=host)
        return
    with pytest.raises(ValidationError, match="set token_file or token_env"):
        ExporterSettings(host=host)
    ExporterSettings(host=host, token_env="T")
    ExporterSettings(host=host, token_file=Path("t"))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"scopes": ["customer"]}, "personal data"),
        ({"scopes": ["colour"]}, "not a dimension"),
        ({"token_env": "A", "token_file": "b"}, "exclude each other"),
        ({"timeout": 5}, "has no unit"),
        ({"port": 65_536}, "less than or equal"),
        ({"threads": 0}, "greater than or equal"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_settings_refuse(settings: dict[str, object], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        ExporterSettings.model_validate(settings)


def test_the_token_comes_from_file_or_environment(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert read_token(ExporterSettings(token_file=path), {}) == TOKEN
    assert read_token(ExporterSettings(token_env="T"), {"T": TOKEN}) == TOKEN
    assert read_token(ExporterSettings(), {"T": TOKEN}) is None


def test_a_bad_token_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_token(ExporterSettings(token_file=tmp_path / "missing"), {})
    (tmp_path / "binary").write_bytes(b"\xff" * 20)
    with pytest.raises(UsageError, match="cannot read"):
        read_token(ExporterSettings(token_file=tmp_path / "binary"), {})
    for bad in ("", TOKEN[:-1], "0123456789 abcdef", "0123456789\u00e9bcdefg"):
        with pytest.raises(UsageError, match=r"\$T must hold at least 16 printable"):
            read_token(ExporterSettings(token_env="T"), {"T": bad})
