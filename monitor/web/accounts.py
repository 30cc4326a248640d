"""Local users, of the configuration and of the store, as one list.

Owns which of two counts: the configuration's. A name is that of one person or one program.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.errors import UsageError
from monitor.store.accounts import Session, User
from monitor.store.store import Store
from monitor.web.access import Caller, rights
from monitor.web.person import Language, Role
from monitor.web.settings import WebSettings

_ARGON2ID = "$argon2id$"


@dataclass(frozen=True, slots=True)
class Account:
    """A local user."""

    user: User
    stored: bool
    """In the store, so that it can be changed there."""

    @property
    def stamp(self) -> str:
        """Of what ends the user's sessions when it changes: password, role, teams."""
        user = self.user
        hashed = "" if self.stored else user.hash
        return stamp([user.version, hashed, user.role, sorted(user.teams)])


class Accounts:
    """The local users of a site; any thread may use it.

    Raises:
        SecretError: a hash is not where the configuration says.
        UsageError: it is none of argon2id.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._configured = {user.name: user for user in _configured(settings)}

    def taken(self, name: str) -> bool:
        """Whether the configuration gives this name to somebody, or to a token."""
        return name in self._configured or name in self._settings.tokens

    def find(self, store: Store, name: str) -> Account | None:
        """The user of that name.

        Raises:
            StoreError: the store cannot be read.
        """
        configured = self._configured.get(name)
        if configured is not None:
            return Account(configured, stored=False)
        if self.taken(name):
            return None
        found = store.users.find(name)
        return None if found is None else Account(found, stored=True)

    def caller(self, session: Session, account: Account | None, csrf: str) -> Caller:
        """Who has a session; ``account`` None: the session says what they may."""
        of = session if account is None else account.user
        role = Role[of.role.upper()]
        return Caller(
            name=session.name,
            role=role,
            teams=rights(role, of.teams),
            language="zh" if of.language == "zh" else "en" if of.language else self._language,
            zone=of.zone or self._settings.zone,
            via="password" if account is not None else "oidc",
            session=session.digest,
            csrf=csrf,
        )

    @property
    def _language(self) -> Language:
        return self._settings.language


def stamp(parts: Iterable[object]) -> str:
    """A short text that is another when any part is."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:32]


def _configured(settings: WebSettings) -> Iterable[User]:
    for name, user in settings.users.items():
        hashed = user.password_hash.reveal().strip()
        if not hashed.startswith(_ARGON2ID):
            msg = (
                f"web.users.{name}: password_hash is none of argon2id: "
                "monitor users hash prints one"
            )
            raise UsageError(msg)
        yield User(name, user.role, user.teams, hashed, user.language, user.zone)
