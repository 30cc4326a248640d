"""Sessions of browsers: how one begins, whose it is, and when it is over.

Owns the cookie and the times. The id is 256 random bits that only the browser keeps; the store has
its digest. What a form must bring along is derived from the id, so it is kept nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final

from monitor.clock import Clock
from monitor.errors import StoreError
from monitor.store.accounts import Session
from monitor.store.store import Store
from monitor.web.access import Caller
from monitor.web.accounts import Account, Accounts, stamp
from monitor.web.office import Office
from monitor.web.settings import WebSettings

_SEEN_EVERY_MS: Final = 60_000
"""A session that is used again sooner is not written again."""
_ID = re.compile(r"[A-Za-z0-9_-]{43}")
_COOKIES_CHARS_MAX: Final = 8_192


def new_id() -> str:
    """256 random bits, 43 characters."""
    return secrets.token_urlsafe(32)


def digest_of(ident: str) -> str:
    """What is kept of an id."""
    return hashlib.sha256(ident.encode()).hexdigest()


def csrf_of(ident: str) -> str:
    """What a form of the session must bring along."""
    return hmac.digest(ident.encode(), b"csrf", "sha256").hex()


def cookie_of(header: str, name: str) -> str:
    """The value of one cookie; empty when there is none that can be ours."""
    if len(header) > _COOKIES_CHARS_MAX:
        return ""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found is not None and _ID.fullmatch(found.value) else ""


@dataclass(frozen=True, slots=True)
class Cookies:
    """How cookies are set: names and attributes; ``secure`` where browsers come encrypted."""

    secure: bool

    def name(self, what: str) -> str:
        """With the prefix that keeps other hosts of the domain from setting it."""
        return f"__Host-monitor-{what}" if self.secure else f"monitor-{what}"

    def header(self, what: str, value: str, max_age_s: int, same_site: str = "Lax") -> str:
        """The whole of ``Set-Cookie``; an age of 0 takes it away."""
        secure = "; Secure" if self.secure else ""
        return (
            f"{self.name(what)}={value}; Path=/; HttpOnly; SameSite={same_site}"
            f"; Max-Age={max_age_s}{secure}"
        )


class Sessions:
    """The sessions of a site."""

    def __init__(
        self, settings: WebSettings, accounts: Accounts, office: Office | None, clock: Clock
    ) -> None:
        """``office``: None where there is no store, and so no session."""
        self.cookies = Cookies(settings.secure)
        self.accounts = accounts
        self._times = settings.session
        self._office = office
        self._clock = clock
        # Once groups mean something else, nobody stays what they were.
        oidc = settings.oidc
        self._provider = "" if oidc is None else stamp([oidc.model_dump_json()])

    async def caller(self, cookies: str, *, by_itself: bool = False) -> Caller | None:
        """Whose session these cookies are; None: nobody's, or it is over.

        ``by_itself``: an open page asks, nobody does anything; the session does not live on by it.

        Raises:
            StoreError: the store does not answer.
        """
        ident = cookie_of(cookies, self.cookies.name("session"))
        if not ident or self._office is None:
            return None
        found = await self._office.ask(self._looked_up(digest_of(ident), by_itself=by_itself))
        if found is None:
            return None
        return self.accounts.caller(*found, csrf_of(ident))

    async def begin(self, office: Office, session_of: Callable[[str, int], Session]) -> str:
        """Keep what ``session_of(digest, now_ms)`` makes; returns ``Set-Cookie``."""
        ident = new_id()
        now_ms = self._clock.now_ms()
        made = session_of(digest_of(ident), now_ms)
        await office.ask(
            lambda store: store.sessions.begin(made, idle_since_ms=now_ms - self._times.idle)
        )
        return self.cookies.header("session", ident, self._times.absolute // 1000)

    def of_account(self, account: Account) -> Callable[[str, int], Session]:
        """For :meth:`begin`, of a local user."""

        def made(digest: str, now_ms: int) -> Session:
            return Session(digest, account.user.name, now_ms, now_ms, "password", account.stamp)

        return made

    def of_provider(
        self,
        name: str,
        role: str,
        teams: tuple[str, ...],
        language: str | None,
        zone: str | None,
    ) -> Callable[[str, int], Session]:
        """For :meth:`begin`, of somebody whom the identity provider knows."""

        def made(digest: str, now_ms: int) -> Session:
            times = (now_ms, now_ms)
            return Session(
                digest, name, *times, "oidc", self._provider, role, teams, language, zone
            )

        return made

    def _looked_up(
        self, digest: str, *, by_itself: bool
    ) -> Callable[[Store], tuple[Session, Account | None] | None]:
        def work(store: Store) -> tuple[Session, Account | None] | None:
            session = store.sessions.find(digest)
            if session is None:
                return None
            account = None
            if session.via == "password":
                account = self.accounts.find(store, session.name)
                same = account is not None and account.stamp == session.stamp
            else:
                same = bool(self._provider) and session.stamp == self._provider
            now_ms = self._clock.now_ms()
            over = (
                now_ms - session.seen_ms >= self._times.idle
                or now_ms - session.begun_ms >= self._times.absolute
            )
            if over or not same:
                store.sessions.end(digest)
                return None
            unseen_ms = now_ms - session.seen_ms
            if not by_itself and unseen_ms >= min(_SEEN_EVERY_MS, self._times.idle // 4):
                with suppress(StoreError):  # it may be read, and that is enough for now
                    store.sessions.seen(digest, now_ms)
            return session, account

        return work
