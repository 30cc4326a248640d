"""The door of the interface: who is let in, and what it takes at most."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.errors import SecretError, UsageError
from monitor.web.application import Admin, Operator, Part
from monitor.web.settings import WebSettings, revealed
from tests.broker.certificates import Authority
from tests.interface.serving import Served, bearer, serving, settings

HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "server": "monitor",
}


EVERYWHERE = "::"


class Body(BaseModel):
    why: str


router = APIRouter()
hooks = APIRouter()


@router.get("/operator")
def as_operator(caller: Operator) -> str:
    return caller.name


@router.get("/admin")
def as_admin(caller: Admin) -> str:
    return caller.name


@router.post("/echo")
def echo(_caller: Operator, body: Body) -> str:
    return body.why


@router.get("/broken")
def broken() -> str:
    raise RuntimeError("secret words")


@hooks.post("/{name}")
async def hook(name: str, request: Request) -> str:
    return f"{name} {len(await request.body())} {request.app.state.greeting}"


PARTS = (
    Part(router, "/api/v1/test"),
    Part(hooks, "/ingest", {"greeting": "hello"}, checks_itself=True),
)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(*PARTS) as made:
        yield made


def test_a_token_says_who_asks(served: Served) -> None:
    answer = served.ask("/api/v1/self", "operator")
    shared = {"language": "zh", "zone": "Asia/Shanghai"}
    shown = {"via": "token", "csrf_token": None}
    assert answer.json() == {
        "name": "a-operator",
        "role": "operator",
        "teams": None,
        **shared,
        **shown,
    }
    supervisor = served.ask("/api/v1/self", "supervisor").json()
    assert (supervisor["role"], supervisor["teams"]) == ("supervisor", ["north"])
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_strangers_are_answered_alike(served: Served) -> None:
    wrong = [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {bearer('admin')['Authorization'].split()[1]}"},
        {"Authorization": bearer("admin")["Authorization"][:-1]},
        {"Authorization": bearer("admin")["Authorization"] + "x"},
        {"Authorization": "Bearer " + "x" * 1_000},
    ]
    for path in ("/api/v1/self", "/api/v1/nothing", "/", "/ingest", "/api/v1/openapi.json"):
        answers = [served.client.get(path, headers=head) for head in wrong]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert answers[0].headers["www-authenticate"] == 'Bearer realm="monitor"'
        assert answers[0].headers["content-type"] == "application/problem+json"
        assert {name: answers[0].headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    ("role", "operator", "admin"),
    [
        ("viewer", 403, 403),
        ("supervisor", 403, 403),
        ("operator", 200, 403),
        ("admin", 200, 200),
    ],
)
def test_a_role_may_what_the_ones_below_may(
    served: Served, role: str, operator: int, admin: int
) -> None:
    assert served.ask("/api/v1/test/operator", role).status_code == operator
    answer = served.ask("/api/v1/test/admin", role)
    assert answer.status_code == admin
    if admin == 403:
        assert answer.json()["detail"] == "the token may not do this: it needs the role admin"


def test_faults_are_problems_that_quote_nothing(served: Served) -> None:
    private = "+8613912345678"
    missing = served.ask(f"/api/v1/{private}")
    method = served.ask("/api/v1/self", method="DELETE")
    wrong = served.ask("/api/v1/test/echo", "operator", "POST", json={"why": {"x": private}})
    with capture_logs() as logs:
        failed = served.ask("/api/v1/test/broken")
    answers = (missing, method, wrong, failed)
    assert [answer.status_code for answer in answers] == [404, 405, 422, 500]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
        assert answer.json()["type"] == "about:blank"
        assert private not in answer.text
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert wrong.json()["errors"] == [
        {"at": "body.why", "message": "Input should be a valid string"}
    ]
    assert "secret" not in failed.text
    assert served.counts["500"] == 1
    assert [line["event"] for line in logs] == ["web_request_failed"]


def test_a_part_that_checks_itself_is_asked_without_a_token(served: Served) -> None:
    assert served.client.post("/ingest/bird", content=b"abc").json() == "bird 3 hello"


def test_more_than_the_rate_is_told_when_to_come_back() -> None:
    clock = ManualClock()
    with serving(*PARTS, clock=clock, rate="3/1m") as served:
        codes = [served.ask("/api/v1/self").status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        answer = served.ask("/api/v1/self")
        assert answer.headers["retry-after"] == "20"
        assert served.ask("/api/v1/self", "admin").status_code == 200  # has its own
        strangers = [served.client.get("/api/v1/self").status_code for _ in range(4)]
        assert strangers == [401, 401, 401, 429]
        clock.advance(20_000)
        assert served.ask("/api/v1/self").status_code == 200
        assert served.ask("/api/v1/self").status_code == 429


def chunks(of: int, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * of


@pytest.mark.parametrize("path", ["/api/v1/test/echo", "/ingest/bird"])
def test_a_body_beyond_the_bound_is_refused(path: str) -> None:
    with serving(*PARTS, body_max="1KiB") as served:
        said = served.ask(path, "operator", "POST", content=b"x" * 1_025)
        assert said.status_code == 413
        with suppress(ConnectionError):
            unsaid = served.ask(path, "operator", "POST", content=chunks(1_000, 2))
            assert unsaid.status_code == 413
        assert served.ask("/ingest/bird", method="POST", content=b"x" * 1_024).status_code == 200


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_a_trickling_request_is_cut_off_at_its_deadline() -> None:
    with serving(timeout="1s") as served, served.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert read_all(connection) == b""
        assert served.counts["overdue"] == 1


def test_a_trickling_body_is_told_so() -> None:
    with serving(*PARTS, timeout="1s") as served, served.connect() as connection:
        connection.sendall(b"POST /ingest/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nxx")
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_one_connection_too_many_is_told_to_come_back() -> None:
    with serving(connections=1) as served, served.connect() as first:
        first.sendall(b"GET /api")
        with served.connect() as second:
            answer = read_all(second)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer


def test_what_is_no_http_is_answered_and_not_quoted() -> None:
    with serving() as served, served.connect() as connection:
        connection.sendall(b"GET /<script>alert(1)</script> x HTTP/1.1\r\n\r\n")
        answer = read_all(connection).decode().lower()
    assert answer.startswith("http/1.1 400 ")
    assert "script" not in answer
    assert all(f"{name}: {text}" in answer for name, text in HEADERS.items())


def test_behind_a_certificate(tmp_path: Path) -> None:
    pair = Authority(tmp_path / "ca").issue("server")
    tls = {name: pair.tls()[name] for name in ("cert_file", "key_file")}
    with serving(tls=tls) as served:
        answer = served.ask("/api/v1/self")
        assert answer.status_code == 200
        assert "strict-transport-security" in answer.headers
    with pytest.raises(UsageError, match=r"web\.tls"), serving(tls={"cert_file": "/nowhere"}):
        pass


def test_an_address_in_use_is_said() -> None:
    with serving() as served, pytest.raises(UsageError, match="cannot listen"):
        serving(port=served.server.port).__enter__()


def test_the_interface_describes_itself(served: Served) -> None:
    document = served.ask("/api/v1/openapi.json").json()
    assert "/api/v1/self" in document["paths"]
    assert served.client.get("/docs").status_code == 401
    assert served.ask("/docs").status_code == 404


def test_off_and_on_this_machine_by_default() -> None:
    assert not WebSettings().enabled
    assert WebSettings().host == "127.0.0.1"


def test_plain_http_beyond_this_machine_must_be_asked_for() -> None:
    with pytest.raises(ValidationError, match="tokens would be in clear"):
        settings(host=EVERYWHERE)
    assert settings(host=EVERYWHERE, plain=True).plain


@pytest.mark.parametrize(
    ("tokens", "error", "said"),
    [
        ({"a": {"value": "short"}}, UsageError, "16 to 512"),
        ({"a": {"value": "with a space in it"}}, UsageError, "printable"),
        ({"a": {"env": "NOT_SET_AT_ALL"}}, SecretError, "NOT_SET_AT_ALL"),
        ({"a": {"value": "x" * 16}, "b": {"value": "x" * 16}}, UsageError, "the same token"),
    ],
)
def test_tokens_that_cannot_serve(
    tokens: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        revealed(settings(tokens=tokens))
