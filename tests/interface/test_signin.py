"""Signing in with a password: sessions, their ends, and what stands in a thief's way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from monitor.errors import StoreError, UsageError
from monitor.store.accounts import SESSIONS_OF_ONE_MAX, Sessions
from monitor.store.audit import Audit
from monitor.web import passwords, signin
from monitor.web.application import Part, Viewer
from monitor.web.headers import PAGE_HEADERS
from monitor.web.passwords import Passwords, unfit
from monitor.web.sessions import digest_of
from tests.interface.browser import CHEAP, PASSWORD, SAME, Browser, Site, site
from tests.interface.serving import TEAM, TOKENS
from tests.store.made import CUSTOMER

HOUR = 3_600_000
router = APIRouter()


@router.post("/act")
def act(caller: Viewer) -> str:
    return caller.name


PARTS = (Part(router, "/api/v1/test"),)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PARAMETERS", CHEAP)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, *PARTS) as made:
        made.add()
        yield made


def signed_in(here: Site, name: str = "lin") -> Browser:
    browser = here.browser()
    assert browser.sign_in(name).status_code == 303
    return browser


def test_a_person_signs_in_and_is_somebody(here: Site) -> None:
    browser = here.browser()
    answer = browser.sign_in(next="/api/v1/self?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/api/v1/self?x=1")
    cookie, form = answer.headers.get_list("set-cookie")
    assert cookie.startswith("monitor-session=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200")
    assert form.startswith("monitor-form=; ")
    told = browser.self().json()
    assert told.pop("csrf_token")
    assert told == {
        "name": "lin",
        "role": "supervisor",
        "teams": [TEAM],
        "language": "zh",
        "zone": "Asia/Shanghai",
        "via": "password",
    }
    # Neither the password nor the id is in the store.
    ident = browser.client.cookies["monitor-session"]
    assert here.store.sessions.find(digest_of(ident)) is not None
    everything = b"".join(p.read_bytes() for p in here.store.settings.path.parent.glob("*.db*"))
    assert ident.encode() not in everything
    assert PASSWORD.encode() not in everything


def test_the_page_is_in_the_readers_language_and_loads_nothing_from_elsewhere(here: Site) -> None:
    browser = here.browser()
    chinese = browser.get("/signin", **{"accept-language": "fr, zh-CN;q=0.9, en;q=0.8"})
    assert '<html lang="zh">' in chinese.text
    assert "用户名" in chinese.text
    english = browser.get("/signin?lang=en&next=//evil.example/")
    assert '<html lang="en">' in english.text
    assert "evil" not in english.text
    assert {name: english.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS
    assert "<script" not in english.text
    assert "style=" not in english.text
    style = browser.get("/signin/style.css")
    assert style.headers["content-type"].startswith("text/css")
    assert style.headers["cache-control"] == "public, max-age=300"


def test_a_browser_is_sent_to_sign_in_and_back(here: Site) -> None:
    browser = here.browser()
    sent = browser.get("/console/?team=a%20b")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/signin?next=%2Fconsole%2F%3Fteam%3Da%2520b"
    assert browser.self().status_code == 401  # programs are told so


@pytest.mark.parametrize(
    ("name", "password"),
    [("lin", "wrong"), ("nobody", PASSWORD), ("", ""), ("lin", "x" * 300), ("a-admin", PASSWORD)],
)
def test_whoever_may_not_is_answered_alike(here: Site, name: str, password: str) -> None:
    here.store.users.change("lin", lambda user: user)
    browser = here.browser()
    answer = browser.sign_in(name, password, lang="en")
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert "monitor-session" not in answer.headers.get("set-cookie", "")
    ((_, deed),) = here.store.audit.deeds()
    assert (deed.who, deed.action, deed.result, deed.address) == ("", "sign in", 401, "127.0.0.1")
    assert deed.target == ("lin" if name == "lin" else "")


def test_a_user_without_a_password_cannot_sign_in(here: Site) -> None:
    here.store.users.change("lin", lambda user: replace(user, hash=""))
    assert here.browser().sign_in(password="").status_code == 401


def test_whoever_is_not_known_costs_as_much_as_whoever_is(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Passwords()
    compared: list[str] = []
    inner = made._hasher.verify

    class Counting:
        hash = staticmethod(made._hasher.hash)

        @staticmethod
        def verify(kept: str, password: str) -> bool:
            compared.append(kept)
            return inner(kept, password)

    monkeypatch.setattr(made, "_hasher", Counting())
    known = made.hash(PASSWORD)
    assert [made.right(each, "wrong") for each in (known, None, "", "no hash")] == [False] * 4
    assert made.right(known, PASSWORD)
    assert not made.right(None, "nobody's password")
    parameters = [kept.rpartition("$")[0].rpartition("$")[0] for kept in compared]
    assert len(compared) == 6
    assert parameters[0] == parameters[1] == parameters[2]


def test_many_tries_wait_longer_and_longer(here: Site) -> None:
    browser = here.browser()
    for _ in range(5):
        assert browser.sign_in(password="wrong").status_code == 401
    waits = []
    for _ in range(4):
        answer = browser.sign_in()  # the right one, too
        assert answer.status_code == 429
        waits.append(int(answer.headers["retry-after"]))
        here.clock.advance(1_000 * waits[-1])
        assert browser.sign_in(password="wrong").status_code == 401
    assert waits == [1, 2, 4, 8]
    assert here.browser().sign_in("wang", "wrong").status_code == 401  # others do not wait
    here.clock.advance(16_000)
    assert browser.sign_in().status_code == 303
    assert here.browser().sign_in(password="wrong").status_code == 401  # and it begins anew


def test_an_address_that_tries_many_names_waits(here: Site) -> None:
    browser = here.browser()
    codes = [browser.sign_in(f"user{n}", "wrong").status_code for n in range(21)]
    assert codes == [401] * 20 + [429]
    assert here.browser().sign_in().status_code == 429


def test_a_session_ends_when_nobody_asks_and_at_last_anyway(here: Site) -> None:
    browser = signed_in(here)
    for _ in range(11):
        here.clock.advance(HOUR)
        assert browser.self().is_success
    here.clock.advance(HOUR)
    assert browser.self().status_code == 401  # twelve hours
    browser = signed_in(here)
    here.clock.advance(2 * HOUR - 1)
    assert browser.self().is_success
    here.clock.advance(2 * HOUR)
    assert browser.self().status_code == 401
    assert here.store.sessions.count() == 0


@pytest.mark.parametrize("what", ["removed", "role", "teams", "password"])
def test_a_session_ends_when_its_person_changes(here: Site, what: str) -> None:
    browser = signed_in(here)
    if what == "removed":
        assert here.store.users.remove("lin")
        here.add()
    else:
        changes: dict[str, Any] = {
            "role": {"role": "viewer"},
            "teams": {"teams": ("south",)},
            "password": {"version": 1},
        }
        here.store.users.change("lin", lambda user: replace(user, **changes[what]))
    assert browser.self().status_code == 401
    here.store.users.change("lin", lambda user: replace(user, language="en"))
    again = signed_in(here)
    here.store.users.change("lin", lambda user: replace(user, language="zh"))
    assert again.self().json()["language"] == "zh"


def test_signing_in_again_is_another_session(here: Site) -> None:
    browser = signed_in(here)
    first = browser.client.cookies["monitor-session"]
    assert browser.sign_in().status_code == 303
    assert browser.client.cookies["monitor-session"] != first
    assert here.store.sessions.find(digest_of(first)) is None


def test_signing_out_here_and_everywhere(here: Site) -> None:
    one, two, three = (signed_in(here) for _ in range(3))
    ident = one.client.cookies["monitor-session"]
    answer = one.post("/signout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    one.client.cookies.set("monitor-session", ident)
    assert one.self().status_code == 401  # the old id is worth nothing
    assert two.post("/signout", data={"everywhere": "1"}).status_code == 303
    assert three.self().status_code == 401
    assert here.store.sessions.count() == 0


def test_so_many_sessions_of_one_person(here: Site) -> None:
    first = signed_in(here)
    here.clock.advance(1)
    for _ in range(SESSIONS_OF_ONE_MAX):
        assert here.browser().sign_in().status_code == 303
    assert here.store.sessions.count() == SESSIONS_OF_ONE_MAX
    assert first.self().status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SAME, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "here"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_what_another_sites_page_sends_is_refused(
    here: Site, headers: dict[str, str], status: int
) -> None:
    browser = signed_in(here)
    token = browser.self().json()["csrf_token"]
    sent = {name: here.base if text == "here" else text for name, text in headers.items()}
    ask = browser.client.post
    assert ask("/api/v1/test/act", headers={**sent, "x-csrf-token": token}).status_code == status
    # The token alone, or where from alone, is not enough.
    assert ask("/api/v1/test/act", headers=sent).status_code == 403
    assert ask("/api/v1/test/act", headers={**sent, "x-csrf-token": "0" * 64}).status_code == 403
    other = signed_in(here).self().json()["csrf_token"]
    assert ask("/api/v1/test/act", headers={**sent, "x-csrf-token": other}).status_code == 403
    form = ask("/api/v1/test/act", headers=sent, data={"csrf_token": token})
    assert form.status_code == status
    # A program's token needs neither, and counts before a cookie.
    bearer = {"authorization": f"Bearer {TOKENS['viewer']}"}
    assert ask("/api/v1/test/act", headers=bearer).json() == "a-viewer"
    wrong = {"authorization": "Bearer wrong"}
    assert ask("/api/v1/test/act", headers={**sent, **wrong}).status_code == 401


def test_another_sites_page_cannot_sign_somebody_in(here: Site) -> None:
    browser = here.browser()
    assert browser.sign_in(headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert browser.sign_in(csrf_token="0" * 64).status_code == 403
    assert here.browser().sign_in(csrf_token=browser.form()).status_code == 403


def test_where_people_go_after_signing_in_is_here(here: Site) -> None:
    for there in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nx: y", "é"):
        answer = here.browser().sign_in(next=there)
        assert answer.headers["location"] == "/console/"


def test_what_people_do_is_written_down(here: Site) -> None:
    browser = signed_in(here)
    assert browser.post("/api/v1/test/act").is_success
    assert browser.client.post("/api/v1/test/act").status_code == 403
    assert here.served.ask("/api/v1/test/act", "admin", "POST").is_success
    assert here.served.ask(f"/api/v1/test/nothing/{CUSTOMER}", "admin", "POST").status_code == 404
    here.served.ask("/api/v1/test/act", "admin")  # changes nothing: not allowed, not written down
    shown = [(d.who, d.role, d.via, d.action, d.result) for _, d in here.store.audit.deeds()]
    assert shown == [
        ("a-admin", "admin", "token", "POST /api/v1/test/no…/+8613…78", 404),
        ("a-admin", "admin", "token", "POST /api/v1/test/act", 200),
        ("lin", "supervisor", "password", "POST /api/v1/test/act", 403),
        ("lin", "supervisor", "password", "POST /api/v1/test/act", 200),
        ("lin", "supervisor", "password", "sign in", 303),
    ]


def test_a_weaker_hash_is_made_anew(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = here.store.users.find("lin")
    monkeypatch.setattr(passwords, "PARAMETERS", {**CHEAP, "time_cost": 2})
    desk = next(
        route
        for route in (here.served.server._server.config.app._inner.state.signin,)  # type: ignore[union-attr]
    )
    monkeypatch.setattr(desk, "passwords", Passwords())
    browser = signed_in(here)
    after = here.store.users.find("lin")
    assert before is not None
    assert after is not None
    assert "t=2" in after.hash != before.hash
    assert browser.self().is_success
    assert here.browser().sign_in().status_code == 303


def test_users_of_the_configuration(tmp_path: Path) -> None:
    hashed = Passwords().hash(PASSWORD)
    zhao = {"role": "operator", "language": "en", "password_hash": {"value": hashed}}
    with site(tmp_path, users={"zhao": zhao}) as here:
        here.add("zhao", "viewer")  # the store's comes second
        told = signed_in(here, "zhao").self().json()
        assert (told["role"], told["teams"], told["language"]) == ("operator", None, "en")
    wrong = {"role": "viewer", "password_hash": {"value": "x"}}
    with (
        pytest.raises(UsageError, match=r"web\.users\.zhao"),
        site(tmp_path, users={"zhao": wrong}),
    ):
        pass


def test_so_many_comparisons_wait(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "_WAITING_MAX", 0)
    browser = here.browser()
    for _ in range(6):  # none of them counts as a failure
        assert browser.sign_in().status_code == 503
    monkeypatch.setattr(signin, "_WAITING_MAX", 20)
    assert browser.sign_in().status_code == 303


def test_an_open_page_keeps_no_session_alive(here: Site) -> None:
    browser = signed_in(here)
    refresh, asked = ({"x-fragment": each} for each in ("refresh", "asked"))
    here.clock.advance(HOUR // 2)
    assert browser.get("/api/v1/self", **asked).status_code == 200  # that is use
    here.clock.advance(HOUR)
    assert browser.get("/api/v1/self", **refresh).status_code == 200
    assert browser.get("/api/v1/live").status_code == 404  # no such part here
    here.clock.advance(HOUR - 1)
    assert browser.get("/api/v1/self", **refresh).status_code == 200
    here.clock.advance(1)  # two hours since, the shipped `session.idle`
    assert browser.get("/api/v1/self", **refresh).status_code == 401


def test_a_store_that_is_away_is_told(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = signed_in(here)

    def away(*_arguments: object) -> None:
        raise StoreError("store /secret/place: it is away")

    monkeypatch.setattr(Sessions, "seen", away)
    here.clock.advance(HOUR)
    assert browser.self().is_success  # it cannot be written, and may be read
    monkeypatch.setattr(Sessions, "find", away)
    answer = browser.self()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "secret" not in answer.text
    monkeypatch.setattr(Audit, "add", away)
    assert here.served.ask("/api/v1/test/act", "admin", "POST").is_success  # the log has it


def test_behind_something_that_encrypts(tmp_path: Path) -> None:
    with site(
        tmp_path, *PARTS, public_url="https://Monitor.example/", proxies=["127.0.0.0/8"]
    ) as here:
        here.add()
        browser = here.browser()
        page = browser.get("/signin")
        assert page.headers["set-cookie"].startswith("__Host-monitor-form=")
        assert page.headers["set-cookie"].endswith("; Secure")
        assert "strict-transport-security" in page.headers
        kept = page.headers["set-cookie"].partition(";")[0]
        token = page.text.partition('csrf_token" value="')[2][:64]
        sent = {
            "cookie": kept,
            "origin": "https://monitor.example",
            "x-forwarded-for": "198.51.100.9, 203.0.113.7, 127.0.0.3",
        }
        data = {"name": "lin", "password": PASSWORD, "csrf_token": token}
        assert browser.client.post("/signin", data=data, headers=sent).status_code == 303
        ((_, deed),) = here.store.audit.deeds()
        assert deed.address == "203.0.113.7"


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short", "12 to 256"),
        ("x" * 300, "12 to 256"),
        ("the word lin in it", "the user's name"),
        ("ababababababab", "five different"),
        (PASSWORD, ""),
    ],
)
def test_what_a_password_must_be_like(password: str, fault: str) -> None:
    assert fault in unfit("Lin", password)
    assert bool(fault) == bool(unfit("Lin", password))
