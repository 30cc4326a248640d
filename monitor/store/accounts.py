"""Users who sign in, and their sessions.

Owns the rows of one store. Of a password there is only its hash, of a session's id only its digest:
whoever reads the store, or a backup of it, cannot sign in with what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from monitor.errors import BackPressure
from monitor.store.access_schema import SESSIONS, USERS
from monitor.store.codec import from_text, to_text
from monitor.store.database import Database, upsert

USERS_MAX: Final = 10_000
SESSIONS_MAX: Final = 20_000
SESSIONS_OF_ONE_MAX: Final = 20
"""One more ends the one that was used longest ago."""


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in."""

    name: str
    role: str
    teams: tuple[str, ...]
    hash: str
    """Of the password, by argon2id, with its parameters; empty: none was set, nobody signs in."""
    language: str | None = None
    zone: str | None = None
    version: int = 0
    """Grows with each change that ends the user's sessions."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that somebody signed in with."""

    digest: str
    name: str
    begun_ms: int
    seen_ms: int
    via: str
    """``password`` or ``oidc``."""
    stamp: str
    """Of what the person was and might do then; once it is another, the session is over."""
    role: str = ""
    """This and what follows: of an identity provider's; of a local user, they are the user's."""
    teams: tuple[str, ...] = ()
    language: str | None = None
    zone: str | None = None


class Users:
    """The local users of one store; any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str) -> User | None:
        """The user of that name.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._database.read() as connection:
            body = connection.scalar(select(USERS.c.body).where(USERS.c.name == name))
        return None if body is None else from_text(body, User)

    def all(self) -> list[User]:
        """Everybody, by name."""
        with self._database.read() as connection:
            bodies = connection.scalars(select(USERS.c.body).order_by(USERS.c.name)).all()
        return [from_text(body, User) for body in bodies]

    def add(self, user: User) -> bool:
        """Keep a new user; False when there is one of that name.

        Raises:
            BackPressure: there are ``USERS_MAX`` already.
        """
        with self._database.write() as connection:
            if (connection.scalar(select(func.count()).select_from(USERS)) or 0) >= USERS_MAX:
                msg = f"there are {USERS_MAX:,} users already"
                raise BackPressure(msg)
            known = connection.scalar(select(USERS.c.name).where(USERS.c.name == user.name))
            if known is None:
                connection.execute(insert(USERS).values(name=user.name, body=to_text(user)))
            return known is None

    def change(self, name: str, changed: Callable[[User], User]) -> User | None:
        """What ``changed`` makes of the user, kept; None when there is none of that name."""
        with self._database.write() as connection:
            of_name = USERS.c.name == name
            body = connection.scalar(select(USERS.c.body).where(of_name))
            if body is None:
                return None
            user = replace(changed(from_text(body, User)), name=name)
            connection.execute(update(USERS).where(of_name).values(body=to_text(user)))
            return user

    def remove(self, name: str) -> bool:
        """Forget a user, and end their sessions; False when there is none of that name."""
        with self._database.write() as connection:
            gone = connection.execute(delete(USERS).where(USERS.c.name == name)).rowcount
            connection.execute(delete(SESSIONS).where(SESSIONS.c.name == name))
        return bool(gone)


class Sessions:
    """The sessions of one store; any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, session: Session, *, idle_since_ms: int) -> None:
        """Keep a new one; those last seen before ``idle_since_ms`` go, and those beyond bounds."""
        seen, digest = SESSIONS.c.seen_ms, SESSIONS.c.digest
        with self._database.write() as connection:
            connection.execute(delete(SESSIONS).where(seen < idle_since_ms))
            newest = select(digest).order_by(seen.desc(), digest)
            of_one = newest.where(SESSIONS.c.name == session.name)
            for statement, most in ((of_one, SESSIONS_OF_ONE_MAX), (newest, SESSIONS_MAX)):
                beyond = connection.scalars(statement.offset(most - 1).limit(1_000)).all()
                connection.execute(delete(SESSIONS).where(digest.in_(beyond)))
            row = {
                "digest": session.digest,
                "name": session.name,
                "begun_ms": session.begun_ms,
                "seen_ms": session.seen_ms,
                "body": to_text(session),
            }
            upsert(connection, SESSIONS, [row])

    def find(self, digest: str) -> Session | None:
        """The session whose id has this digest, as last seen."""
        statement = select(SESSIONS.c.body, SESSIONS.c.seen_ms).where(SESSIONS.c.digest == digest)
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        return None if row is None else replace(from_text(row.body, Session), seen_ms=row.seen_ms)

    def seen(self, digest: str, now_ms: int) -> None:
        """It was used just now."""
        with self._database.write() as connection:
            of_it = SESSIONS.c.digest == digest
            connection.execute(update(SESSIONS).where(of_it).values(seen_ms=now_ms))

    def end(self, digest: str) -> None:
        """It is over."""
        with self._database.write() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest))

    def end_all(self, name: str) -> int:
        """All sessions of one person are over; how many there were."""
        with self._database.write() as connection:
            return connection.execute(delete(SESSIONS).where(SESSIONS.c.name == name)).rowcount

    def count(self) -> int:
        """How many there are, also those that have run out and that nobody asked for since."""
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(SESSIONS)) or 0
