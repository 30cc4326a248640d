"""Signing in and out with a browser: pages, local passwords, and the way to an identity provider.

Owns the routes below ``/signin`` and ``/signout``. A stranger learns nothing from an answer: a
wrong name, a wrong password and a user without one are answered alike, and as slowly.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from monitor.store.accounts import User
from monitor.web import passwords
from monitor.web.accounts import Account
from monitor.web.application import Viewer
from monitor.web.deeds import Note, note
from monitor.web.lockout import OF_ADDRESS_FREE, OF_NAME_FREE, Lockout
from monitor.web.office import office_of
from monitor.web.oidc import Oidc, Unknown
from monitor.web.origin import brings, form_of, from_elsewhere, local_path, site_of
from monitor.web.pages import HERE, TEXTS, Pages
from monitor.web.passwords import Passwords
from monitor.web.person import Language
from monitor.web.provider import OidcError
from monitor.web.sessions import Sessions, cookie_of, csrf_of, digest_of, new_id
from monitor.web.settings import WebSettings

AFTER: Final = "/console/"
"""Where whoever signed in goes, unless they wanted to go elsewhere."""
_FORM_S: Final = 3_600
_AT_ONCE: Final = 2
"""Comparisons of passwords; each takes 64 MiB for a moment."""
_WAITING_MAX: Final = 20
_NAME_CHARS_MAX: Final = 64


@dataclass(slots=True)
class Desk:
    """What the routes work with; under ``request.app.state.signin``."""

    settings: WebSettings
    sessions: Sessions
    pages: Pages
    oidc: Oidc | None = None
    passwords: Passwords = field(default_factory=Passwords)
    of_name: Lockout = field(default_factory=lambda: Lockout(OF_NAME_FREE))
    of_address: Lockout = field(default_factory=lambda: Lockout(OF_ADDRESS_FREE))
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _waiting: int = 0

    async def right(self, kept: str | None, password: str) -> bool | None:
        """Whether the password is the one; None: too many wait for an answer."""
        if self._waiting >= _WAITING_MAX:
            return None
        self._waiting += 1
        try:
            async with self._turns:
                return await run_in_threadpool(self.passwords.right, kept, password)
        finally:
            self._waiting -= 1


router = APIRouter(include_in_schema=False)
leaving = APIRouter(include_in_schema=False)


def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.signin
    return found


@router.get("")
async def form(request: Request, next: str = AFTER) -> Response:  # noqa: A002 - as it is written
    """The page."""
    desk = _desk(request)
    return _form(request, desk.pages.language_of(request), local_path(next, AFTER))


@router.get("/style.css")
async def style() -> FileResponse:
    """Of the page, until another base template brings its own."""
    return FileResponse(
        HERE / "static" / "signin.css",
        media_type="text/css",
        headers={"cache-control": "public, max-age=300"},
    )


@router.post("")
async def sign_in(request: Request) -> Response:
    """Name and password, from our own page alone."""
    desk = _desk(request)
    body = await request.body()
    fields = form_of(request.scope, body)
    name, password = fields.get("name", "").strip(), fields.get("password", "")
    there = local_path(fields.get("next", AFTER), AFTER)
    language = _language(fields.get("lang", ""), desk.pages.language_of(request))
    before = _before(request)
    if from_elsewhere(request.scope, desk.settings.public_url):
        return _form(request, language, there, "elsewhere", 403)
    if not before or not brings(request.scope, body, csrf_of(before)):
        return _form(request, language, there, "stale", 403)
    now_s = office_of(request).clock.monotonic_s()
    # Not the name itself: people type passwords into the wrong field.
    key, site = digest_of(name.lower()), site_of(request.scope["monitor.address"])
    wait_s = max(desk.of_name.wait_s(key, now_s), desk.of_address.wait_s(site, now_s))
    if wait_s:
        note(request, Note("sign in", detail="has to wait"))
        return _wait(request, language, there, wait_s)
    desk.of_name.tried(key, now_s)
    desk.of_address.tried(site, now_s)
    account = await _account(request, name)
    kept = None if account is None else account.user.hash
    fits = len(password) <= passwords.CHARS_MAX
    right = await desk.right(kept, password if fits else "")
    if right is None:
        desk.of_name.taken_back(key)
        desk.of_address.taken_back(site)
        return _form(request, language, there, "busy", 503)
    if account is None or not right or not fits:
        note(request, Note("sign in", target="" if account is None else name, detail="refused"))
        return _form(request, language, there, "wrong", 401, name=name[:_NAME_CHARS_MAX])
    desk.of_name.passed(key)
    desk.of_address.taken_back(site)
    account = await _as_strong_as_now(request, account, password)
    return await _signed_in(request, desk.sessions.of_account(account), account, there)


async def _account(request: Request, name: str) -> Account | None:
    if not 0 < len(name) <= _NAME_CHARS_MAX:
        return None
    accounts = _desk(request).sessions.accounts
    return await office_of(request).ask(lambda store: accounts.find(store, name))


async def _as_strong_as_now(request: Request, account: Account, password: str) -> Account:
    """The account, its password hashed anew where the parameters have risen since."""
    desk = _desk(request)
    if not account.stored or not desk.passwords.outdated(account.user.hash):
        return account
    before = account.user.hash
    hashed = await run_in_threadpool(desk.passwords.hash, password)

    def anew(user: User) -> User:
        return replace(user, hash=hashed) if user.hash == before else user

    changed = await office_of(request).ask(
        lambda store: store.users.change(account.user.name, anew)
    )
    return account if changed is None else replace(account, user=changed)


async def _signed_in(request: Request, made: Any, account: Account | None, there: str) -> Response:
    desk = _desk(request)
    old = request.scope.get("monitor.caller")
    if old is not None and old.session:  # it is another's from now on, or an older one of theirs
        await office_of(request).ask(lambda store: store.sessions.end(old.session))
    cookie = await desk.sessions.begin(office_of(request), made)
    session = made("", 0)
    caller = desk.sessions.accounts.caller(session, account, "")
    note(request, Note("sign in", detail=caller.via, caller=caller))
    answer = RedirectResponse(there, 303)
    answer.headers.append("set-cookie", cookie)
    answer.headers.append("set-cookie", desk.sessions.cookies.header("form", "", 0))
    return answer


@leaving.post("")
async def sign_out(caller: Viewer, request: Request) -> Response:
    """This browser, or with ``everywhere`` all of one's own."""
    desk = _desk(request)
    everywhere = form_of(request.scope, await request.body()).get("everywhere", "") == "1"
    if caller.session:
        office = office_of(request)
        if everywhere:
            await office.ask(lambda store: store.sessions.end_all(caller.name))
        else:
            await office.ask(lambda store: store.sessions.end(caller.session))
    note(request, Note("sign out", detail="everywhere" if everywhere else ""))
    answer = RedirectResponse("/signin", 303)
    answer.headers.append("set-cookie", desk.sessions.cookies.header("session", "", 0))
    answer.headers["clear-site-data"] = '"cache"'
    return answer


@router.get("/oidc")
async def to_provider(request: Request, next: str = AFTER) -> Response:  # noqa: A002
    """Send a browser to the identity provider."""
    desk = _desk(request)
    if desk.oidc is None:
        return _fault(request, "provider", 404)
    binding = new_id()
    try:
        url = await desk.oidc.begin(binding, local_path(next, AFTER))
    except OidcError as error:
        return _refused(request, error)
    answer = RedirectResponse(url, 303)
    answer.headers.append("set-cookie", desk.sessions.cookies.header("oidc", binding, 600))
    return answer


@router.get("/oidc/callback")
async def from_provider(request: Request) -> Response:
    """Take what the identity provider sent a browser back with."""
    desk = _desk(request)
    if desk.oidc is None:
        return _fault(request, "provider", 404)
    cookies = desk.sessions.cookies
    binding = cookie_of(request.headers.get("cookie", ""), cookies.name("oidc"))
    try:
        found = await desk.oidc.finish(dict(request.query_params), binding)
    except Unknown as error:
        note(request, Note("sign in", target=error.name, detail="oidc: has no role"))
        return _fault(request, "no_role", 403)
    except OidcError as error:
        return _refused(request, error)
    if desk.sessions.accounts.taken(found.name) or await _account(request, found.name):
        return _refused(request, OidcError("it names somebody whom this site knows itself"))
    made = desk.sessions.of_provider(
        found.name, found.role, found.teams, found.language, found.zone
    )
    answer = await _signed_in(request, made, None, found.there)
    answer.headers.append("set-cookie", cookies.header("oidc", "", 0))
    return answer


def _refused(request: Request, error: OidcError) -> Response:
    note(request, Note("sign in", detail=f"oidc: {error}"))
    return _fault(request, "provider", 502 if error.away else 403)


def _fault(request: Request, what: str, status: int) -> Response:
    pages = _desk(request).pages
    language = pages.language_of(request)
    return pages.render("signin_fault.html", language, status, fault=TEXTS[language][what])


def _wait(request: Request, language: Language, there: str, wait_s: float) -> Response:
    seconds = math.ceil(wait_s)
    answer = _form(request, language, there, "wait", 429, seconds=seconds)
    answer.headers["retry-after"] = str(seconds)
    return answer


def _form(
    request: Request,
    language: Language,
    there: str,
    fault: str = "",
    status: int = 200,
    *,
    name: str = "",
    seconds: int = 0,
) -> Response:
    """The page, with a cookie that its form belongs to."""
    desk = _desk(request)
    ident = _before(request) or new_id()
    words = TEXTS[language][fault].format(seconds=seconds) if fault else ""
    answer = desk.pages.render(
        "signin.html",
        language,
        status,
        fault=words,
        name=name,
        next=there,
        csrf_token=csrf_of(ident),
        provider="" if desk.oidc is None else desk.oidc.label,
    )
    answer.headers.append(
        "set-cookie", desk.sessions.cookies.header("form", ident, _FORM_S, "Strict")
    )
    return answer


def _before(request: Request) -> str:
    """The id that the form's token is derived from; empty: the browser has none."""
    cookies = _desk(request).sessions.cookies
    return cookie_of(request.headers.get("cookie", ""), cookies.name("form"))


def _language(wanted: str, otherwise: Language) -> Language:
    return "zh" if wanted == "zh" else "en" if wanted == "en" else otherwise
