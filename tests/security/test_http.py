"""The exporter before hostile clients: what a browser, a stranger or a fuzzer can get out of it."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from monitor.exporter.settings import ExporterSettings, is_loopback
from tests import web
from tests.exporter import sample
from tests.exporter.test_server import NOW, TOKEN, read_all, serving

HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}


def test_by_default_only_this_machine_can_connect() -> None:
    assert is_loopback(ExporterSettings().host)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/metrics"), ("GET", "/status"), ("GET", "/no"), ("POST", "/")],
)
def test_every_answer_has_the_headers_that_bind_a_browser(method: str, path: str) -> None:
    with serving() as served:
        served.board.publish(sample.snapshot(NOW))
        answer = served.client.request(method, path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["server"] == "monitor"


def test_what_is_no_http_is_answered_with_the_same_headers_and_quotes_nothing() -> None:
    with serving() as served, served.connect() as connection:
        connection.sendall(b"GET /<script>alert(1)</script> x HTTP/1.1\r\n\r\n")
        answer = read_all(connection).decode().lower()
    assert answer.startswith(("http/1.0 400 ", "http/1.1 400 "))
    assert "script" not in answer
    assert all(f"{name}: {value}" in answer for name, value in HEADERS.items())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:9108", 200),
        ("localhost:9108", 200),
        ("LOCALHOST", 200),
        ("[::1]:9108", 200),
        ("attacker.example", 421),
        ("attacker.example:9108", 421),
        ("127.0.0.1.attacker.example", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1@attacker.example", 421),
        ("192.168.0.7", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_a_page_whose_name_was_bent_to_this_machine_reads_nothing(host: str, status: int) -> None:
    with serving() as served:
        served.board.publish(sample.snapshot(NOW))
        answer = served.get("/status", Host=host)
        assert answer.status_code == status
        assert ("alerts" in answer.text) == (status == 200)


def test_with_a_token_any_name_will_do() -> None:
    with serving({"T": TOKEN}, token_env="T") as served:
        served.board.publish(sample.snapshot(NOW))
        authorised = {"Host": "monitor.example", "Authorization": f"Bearer {TOKEN}"}
        assert served.get("/status", **authorised).status_code == 200
        assert served.get("/status", Host="monitor.example").status_code == 401


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def same(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr("monitor.exporter.pages.hmac.compare_digest", same)
    with serving({"T": TOKEN}, token_env="T") as served:
        assert served.get("/status", Authorization="Bearer x").status_code == 401
        assert served.get("/status", Authorization=f"Bearer {TOKEN}").status_code == 200
    assert compared == [(b"x", TOKEN.encode()), (TOKEN.encode(), TOKEN.encode())]


def test_a_thousand_torn_requests_leave_it_serving() -> None:
    chance = random.Random(1)
    whole = b"GET /status?a=b HTTP/1.1\r\nHost: localhost\r\nAccept: */*;q=0.5\r\nX: y\r\n\r\n"
    odd = [b"\x00", b"\r", b"\n", b"\r\n\r\n", b"\xff\xfe", b"%00", b" ", b":", b"HTTP/0.9", b"\t"]
    with serving() as served:
        served.board.publish(sample.snapshot(NOW))
        for _ in range(1_000):
            data = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                at = chance.randint(0, len(data))
                data[at : at + chance.choice((0, 1, 8))] = chance.choice(odd)
            with served.connect() as connection, suppress(ConnectionError):
                connection.sendall(bytes(data[: chance.randint(1, len(data))]))
                connection.shutdown(1)
                read_all(connection)
        assert served.get("/healthz").status_code == 200
        assert served.server.in_flight <= 1


def test_a_body_is_not_waited_for() -> None:
    with serving() as served:
        answer = web.post(
            f"http://127.0.0.1:{served.server.port}/status", content=b"x" * 100, timeout=10
        )
        assert answer.status_code == 405
