"""Signing in through an identity provider, and everything that may be wrong with what it says."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import ValidationError

from monitor.web import oidc, passwords
from monitor.web import provider as asking
from monitor.web.person import OidcSettings
from monitor.web.settings import WebSettings
from tests.interface.browser import CHEAP, NOW, Browser, Site, site
from tests.interface.provider import CLIENT, SECRET, Claims, Provider, provider

ROLES = [
    {"group": "cc-north", "role": "supervisor", "teams": ["north"]},
    {"group": "cc-south", "role": "supervisor", "teams": ["south"]},
    {"group": "cc-all", "role": "viewer"},
    {"group": "cc-ops", "role": "operator"},
]
STRANGER = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture
def there() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture
def here(tmp_path: Path, there: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(passwords, "PARAMETERS", CHEAP)
    with site(tmp_path, public_url="http://monitor.example", oidc=settings(there)) as made:
        yield made


def settings(there: Provider, **more: Any) -> dict[str, Any]:
    return {
        "issuer": there.issuer,
        "client_id": CLIENT,
        "client_secret": {"value": SECRET},
        "roles": ROLES,
        "timeout": "2s",
        **more,
    }


def leave(browser: Browser, there: str = "/console/numbers") -> str:
    """To the provider; returns where."""
    answer = browser.client.get("/signin/oidc", params={"next": there})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def back(browser: Browser, said: dict[str, str]) -> httpx.Response:
    return browser.client.get("/signin/oidc/callback", params=said)


def through(browser: Browser, there: Provider) -> httpx.Response:
    return back(browser, there.authorize(leave(browser)))


def test_somebody_signs_in_through_the_provider(here: Site, there: Provider) -> None:
    browser = here.browser()
    assert "127.0.0.1" in browser.get("/signin?lang=en").text  # the button says through whom
    answer = through(browser, there)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/numbers")
    told = browser.self().json()
    assert (told["name"], told["role"], told["teams"]) == ("lin.wei", "supervisor", ["north"])
    assert told["via"] == "oidc"
    ((_, deed),) = here.store.audit.deeds()
    assert (deed.who, deed.via, deed.action, deed.result) == ("lin.wei", "oidc", "sign in", 303)
    assert browser.post("/signout").status_code == 303
    assert browser.self().status_code == 401
    # The provider is asked for its places and keys once.
    assert through(browser, there).status_code == 303
    assert there.asked.count("/keys") == 1


def changed(**claims: Any) -> Callable[[Claims], Claims]:
    return lambda said: {name: text for name, text in (said | claims).items() if text is not ...}


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"groups": ["cc-south", "cc-north"]}, ("supervisor", ["north", "south"])),
        ({"groups": ["cc-all", "cc-ops", "cc-north"]}, ("operator", None)),
        ({"groups": "cc-all"}, ("viewer", [])),
        ({"groups": ["cc-all", 7, None]}, ("viewer", [])),
        ({"locale": "en-GB", "zoneinfo": "Europe/London"}, ("supervisor", ["north"])),
        ({"locale": "xx", "zoneinfo": "Mars"}, ("supervisor", ["north"])),
        ({"aud": [CLIENT, "other"], "azp": CLIENT}, ("supervisor", ["north"])),
    ],
)
def test_groups_are_roles(here: Site, there: Provider, claims: Claims, told: Any) -> None:
    there.claims = changed(**claims)
    browser = here.browser()
    assert through(browser, there).status_code == 303
    said = browser.self().json()
    assert (said["role"], said["teams"]) == told
    known = claims.get("locale") == "en-GB"
    zone = "Europe/London" if known else "Asia/Shanghai"
    assert (said["language"], said["zone"]) == ("en" if known else "zh", zone)


@pytest.mark.parametrize("groups", [[], "nobody", None, ..., {"cc-ops": True}, 7])
def test_whoever_has_no_role_is_told_so(here: Site, there: Provider, groups: Any) -> None:
    there.claims = changed(groups=groups)
    browser = here.browser()
    answer = through(browser, there)
    assert answer.status_code == 403
    assert "您在此没有任何权限" in answer.text
    assert browser.self().status_code == 401
    ((_, deed),) = here.store.audit.deeds()
    assert (deed.who, deed.target) == ("", "lin.wei")


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def by_hand(algorithm: str, claims: Claims, signature: Callable[[bytes], bytes]) -> str:
    head = {"alg": algorithm, "kid": "one"}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return f"{signed}.{encoded(signature(signed.encode()))}"


def unsigned(claims: Claims) -> str:
    return by_hand("none", claims, lambda _: b"")


def shared_secret(there: Provider) -> Callable[[Claims], str]:
    """Signed with the public key as if it were a secret of both."""
    key = there.key.as_pem(private=False)
    return lambda claims: by_hand("HS256", claims, lambda text: hmac.digest(key, text, "sha256"))


def with_its_own_key(claims: Claims) -> str:
    """By a stranger, who sends the key along."""
    head = {"alg": "RS256", "kid": "one", "jwk": STRANGER.as_dict(private=False)}
    return jwt.encode(head, claims, STRANGER)


WRONG: dict[str, Callable[[Provider], Any]] = {
    "nonce": lambda p: setattr(p, "claims", changed(nonce="another")),
    "no nonce": lambda p: setattr(p, "claims", changed(nonce=...)),
    "audience": lambda p: setattr(p, "claims", changed(aud="another")),
    "audience among others": lambda p: setattr(p, "claims", changed(aud=["x", CLIENT], azp="x")),
    "no audience": lambda p: setattr(p, "claims", changed(aud=...)),
    "issuer": lambda p: setattr(p, "claims", changed(iss="https://evil.example")),
    "no issuer": lambda p: setattr(p, "claims", changed(iss=...)),
    "expired": lambda p: setattr(p, "claims", changed(exp=NOW // 1000 - 61)),
    "no end": lambda p: setattr(p, "claims", changed(exp=...)),
    "from the future": lambda p: setattr(p, "claims", changed(iat=NOW // 1000 + 600)),
    "token hash": lambda p: setattr(p, "claims", changed(at_hash="AAAA")),
    "no name": lambda p: setattr(p, "claims", changed(preferred_username=...)),
    "name of nothing": lambda p: setattr(p, "claims", changed(preferred_username=" ")),
    "name with a line": lambda p: setattr(p, "claims", changed(preferred_username="a\nb")),
    "no name but a list": lambda p: setattr(p, "claims", changed(preferred_username=["a"])),
    "name of a token": lambda p: setattr(p, "claims", changed(preferred_username="a-admin")),
    "name of a user": lambda p: setattr(p, "claims", changed(preferred_username="zhao")),
    "alg none": lambda p: setattr(p, "signed", unsigned),
    "shared secret": lambda p: setattr(p, "signed", shared_secret(p)),
    "key of a stranger": lambda p: setattr(p, "signed", lambda c: p.sign(c, STRANGER)),
    "key sent along": lambda p: setattr(p, "signed", with_its_own_key),
    "key unknown": lambda p: setattr(p, "signed", lambda c: p.sign(c, kid="two")),
    "no token": lambda p: setattr(p, "signed", lambda _: "not.a.token"),
    "a number": lambda p: setattr(p, "signed", lambda _: 7),
    "no": lambda p: p.answers.update({"/token": (400, {"error": "invalid_grant"})}),
    "a list": lambda p: p.answers.update({"/token": (200, [])}),
    "no JSON": lambda p: p.answers.update({"/token": (200, b"<html>")}),
    "broken": lambda p: p.answers.update({"/token": (500, {})}),
    "elsewhere": lambda p: p.answers.update({"/token": (302, {})}),
    "endless": lambda p: p.answers.update({"/token": (200, b" " * (asking.ANSWER_BYTES_MAX + 1))}),
    "keys broken": lambda p: p.answers.update({"/keys": (200, {"keys": [{"kty": "?"}]})}),
    "keys away": lambda p: p.answers.update({"/keys": (503, {})}),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_signs_nobody_in(
    here: Site, there: Provider, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    here.add("zhao", "viewer")
    WRONG[what](there)
    browser = here.browser()
    answer = through(browser, there)
    assert answer.status_code in {403, 502}, what
    assert "monitor-session" not in str(answer.headers.get_list("set-cookie"))
    assert here.store.sessions.count() == 0
    ((_, deed),) = here.store.audit.deeds()
    assert deed.detail.startswith("oidc: ")
    assert "eyJ" not in deed.detail + answer.text + "".join(capsys.readouterr())
    assert SECRET not in deed.detail + answer.text


def test_a_state_counts_once_and_in_its_own_browser(here: Site, there: Provider) -> None:
    one, two = here.browser(), here.browser()
    said = there.authorize(leave(one))
    leave(two)
    assert back(two, said).status_code == 403  # somebody is to be signed in as another
    assert back(one, said).status_code == 403  # and it is used up
    said = there.authorize(leave(one))
    assert back(one, said).status_code == 303
    assert back(one, {**said, **there.authorize(leave(two))}).status_code == 403
    assert back(here.browser(), {"state": "", "code": "x"}).status_code == 403
    assert back(here.browser(), {}).status_code == 403


def test_nobody_comes_back_after_ten_minutes(here: Site, there: Provider) -> None:
    browser = here.browser()
    said = there.authorize(leave(browser))
    here.clock.advance(600_001)
    assert back(browser, said).status_code == 403


def test_a_provider_that_says_who_it_is_must_say_so(here: Site, there: Provider) -> None:
    there.says_issuer = True
    browser = here.browser()
    assert through(browser, there).status_code == 403
    said = there.authorize(leave(browser))
    assert back(browser, {**said, "iss": "https://evil.example"}).status_code == 403
    said = there.authorize(leave(browser))
    assert back(browser, {**said, "iss": there.issuer}).status_code == 303
    said = there.authorize(leave(browser))
    assert back(browser, {"state": said["state"], "error": "access_denied"}).status_code == 403


def test_the_way_back_stays_here(here: Site, there: Provider) -> None:
    browser = here.browser()
    said = there.authorize(leave(browser, "https://evil.example/"))
    assert back(browser, said).headers["location"] == "/console/"


def test_a_new_key_is_found(here: Site, there: Provider) -> None:
    browser = here.browser()
    assert through(browser, there).status_code == 303
    there.key = RSAKey.generate_key(2048, {"kid": "two"})
    there.published = [there.key]
    assert through(browser, there).status_code == 403  # asked half a minute ago
    here.clock.advance(31_000)
    assert through(browser, there).status_code == 303
    assert there.asked.count("/keys") == 2


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": None},
    ],
)
def test_a_provider_that_is_described_wrongly(
    here: Site, there: Provider, document: dict[str, Any]
) -> None:
    path = "/.well-known/openid-configuration"
    there.answers[path] = (200, {**there.get(path)[1], **document})
    browser = here.browser()
    assert browser.get("/signin/oidc").status_code == 502
    del there.answers[path]
    assert through(browser, there).status_code == 303  # once it is mended


def test_so_many_are_under_way(
    here: Site, there: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "UNDER_WAY_MAX", 2)
    browsers = [here.browser() for _ in range(3)]
    said = [there.authorize(leave(browser)) for browser in browsers]
    codes = [back(b, s).status_code for b, s in zip(browsers, said, strict=True)]
    assert codes == [403, 303, 303]


def test_sessions_end_when_groups_mean_something_else(tmp_path: Path, there: Provider) -> None:
    url = "http://monitor.example"
    with site(tmp_path, public_url=url, oidc=settings(there)) as here:
        browser = here.browser()
        assert through(browser, there).status_code == 303
        ident = browser.client.cookies["monitor-session"]
    for roles, status in ((ROLES, 200), (ROLES[:1], 401)):
        with site(tmp_path, public_url=url, oidc=settings(there, roles=roles)) as here:
            browser = here.browser(cookies={"monitor-session": ident})
            assert browser.self().status_code == status


def test_without_a_provider(tmp_path: Path) -> None:
    with site(tmp_path) as here:
        browser = here.browser()
        for path in ("/signin/oidc", "/signin/oidc/callback"):
            assert browser.get(path).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://provider.example"},
        {"issuer": "ftp://provider.example"},
        {"issuer": "https://provider.example/?x=1"},
        {"roles": []},
        {"roles": [{"group": "g", "role": "supervisor"}]},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    good = {"issuer": "https://provider.example", "client_id": "x", "roles": ROLES}
    OidcSettings.model_validate(good)
    with pytest.raises(ValidationError):
        OidcSettings.model_validate(good | wrong)
    with pytest.raises(ValidationError, match="oidc needs public_url"):
        WebSettings.model_validate({"oidc": good})
