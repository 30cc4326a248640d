"""What is remembered of callers is bounded, and where they come from is not believed blindly."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from monitor.units import Rate
from monitor.web.access import Allowances, Caller
from monitor.web.lockout import FORGOTTEN_S, WAIT_S_MAX, Lockout
from monitor.web.origin import address_of, brings, form_of, local_path, site_of
from monitor.web.person import Role
from monitor.web.sessions import cookie_of

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def test_so_many_callers_are_counted() -> None:
    allowances = Allowances(Rate(1, 60_000), most=2)
    lin = Caller("lin", Role.VIEWER, via="password")
    assert allowances.take(lin, "", 0.0) == 0
    assert allowances.take(Caller("lin", Role.VIEWER), "", 0.0) == 0  # a token of that name
    assert allowances.take(lin, "", 0.0) > 0
    assert allowances.take(None, "192.0.2.1", 0.0) == 0
    assert allowances.take(None, "192.0.2.1", 0.0) > 0
    assert allowances.take(Caller("lin", Role.VIEWER), "", 0.0) == 0  # forgotten meanwhile


def test_whose_alerts_somebody_acts_on() -> None:
    north = frozenset({"north"})
    assert Caller("a", Role.SUPERVISOR, north).acts_on("north")
    assert not Caller("a", Role.SUPERVISOR, north).acts_on("south")
    assert not Caller("a", Role.SUPERVISOR, north).acts_on("")  # the company's
    assert Caller("a", Role.OPERATOR).acts_on("")
    assert not Caller("a", Role.VIEWER, north).acts_on("north")


def test_waits_grow_are_bounded_and_forgotten() -> None:
    lockout = Lockout(2, most=3)
    assert lockout.wait_s("a", 0.0) == 0
    for _ in range(40):
        lockout.tried("a", 0.0)
    assert lockout.wait_s("a", 0.0) == WAIT_S_MAX
    assert lockout.wait_s("a", 100.0) == WAIT_S_MAX - 100
    assert lockout.wait_s("a", FORGOTTEN_S) == 0
    lockout.tried("a", FORGOTTEN_S)
    assert lockout.wait_s("a", FORGOTTEN_S) == 0
    lockout.tried("b", 0.0)
    lockout.tried("b", FORGOTTEN_S)  # the first is too long ago
    assert lockout.wait_s("b", FORGOTTEN_S) == 0
    lockout.taken_back("nobody")
    for _ in range(3):
        lockout.tried("c", 0.0)
    lockout.taken_back("c")
    assert lockout.wait_s("c", 0.0) == 1
    for name in "defg":
        lockout.tried(name, 1.0)
    assert lockout.wait_s("c", 1.0) == 0  # the least recent are forgotten


def scope(client: str | None, *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "client": None if client is None else (client, 1),
        "headers": [(name.encode(), text.encode()) for name, text in headers],
    }


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),  # no proxy of ours says so
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9", "10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("testclient", ["203.0.113.9"], "testclient"),
        (None, ["203.0.113.9"], ""),
    ],
)
def test_where_a_request_comes_from(client: str | None, forwarded: list[str], address: str) -> None:
    made = scope(client, *(("x-forwarded-for", text) for text in forwarded))
    assert address_of(made, PROXIES) == address


def test_one_line_has_one_address() -> None:
    assert site_of("2001:db8:1:2:3:4:5:6") == site_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert site_of("192.0.2.1") == "192.0.2.1"
    assert site_of("nonsense") == "nonsense"
    assert site_of("") == ""


def test_a_form_is_one_by_its_type_and_has_so_many_fields() -> None:
    form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")
    assert form_of(scope(None, form), b"a=1&b=%E4%BD%A0") == {"a": "1", "b": "你"}
    assert form_of(scope(None), b"a=1") == {}
    assert form_of(scope(None, form), b"&".join([b"a=1"] * 51)) == {}
    assert form_of(scope(None, form), "é".encode()) == {}
    assert not brings(scope(None, form), b"csrf_token=", "")
    assert not brings(scope(None, ("x-csrf-token", "é")), b"", "a" * 64)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/console/?team=a", True),
        ("/", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/a\\b", False),
        ("https://evil.example", False),
        ("javascript:alert(1)", False),
        ("/a\nb", False),
        ("/" + "a" * 2_000, False),
        ("", False),
    ],
)
def test_a_path_of_this_server(path: str, kept: bool) -> None:
    assert local_path(path, "/else") == (path if kept else "/else")


def test_a_cookie_is_ours_by_its_look() -> None:
    ident = "a" * 43
    assert cookie_of(f"x=1; monitor-session={ident}", "monitor-session") == ident
    assert cookie_of(f"monitor-session={ident}", "other") == ""
    assert cookie_of("monitor-session=short", "monitor-session") == ""
    assert cookie_of(f"{'x' * 9_000}; monitor-session={ident}", "monitor-session") == ""
    assert cookie_of(f"a=\x00; monitor-session={ident}", "monitor-session") in {"", ident}
