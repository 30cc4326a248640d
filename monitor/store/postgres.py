"""The store in PostgreSQL: its address, durability, transactions, and what its errors mean.

Owns all that is PostgreSQL's alone. Every write holds one advisory lock until it is committed, so
that there is one writer at a time, as with SQLite, and nothing that a transaction has read can
change before it writes. Commits wait for the disk (``synchronous_commit=on``). Every wait has an
end: for the connection, a statement, a lock, a transaction whose process was paused, a peer that
is gone without a word, an answer that is lost on the way (``monitor.store.patience``).

Behind a pooler (PgBouncer) sessions must be pooled, not transactions: timeouts are set once a
session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from monitor.errors import SecretError, StoreAway, StoreError, StoreRefused
from monitor.store.database import Database
from monitor.store.settings import StoreSettings

WRITER_LOCK: Final = 0x6D6F6E69746F7201
"""The advisory lock of whoever writes or migrates; "monitor" and 1."""

_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg"}
_POOLED, _BEYOND = 5, 10
_PEER_GONE_MS = 10_000
_ANSWER_LATE_MS = 2_000
"""How much later than its timeout the end of a statement may be heard of."""

_PLAIN = {
    # SQLSTATE → what that means to the person who must mend it
    "25006": "it takes no writes: it is a replica, or set to read only",
    "25P03": "this process was paused in the midst of a write, which was undone",
    "28000": "the login was refused: look at the user in store.url",
    "28P01": "the login was refused: look at user and password in store.url",
    "3D000": "there is no such database: create it first",
    "40001": "two writers collided",
    "40P01": "two writers collided",
    "42501": "its user may not do that: it must own the tables",
    "53100": "its disk is full",
    "53300": "it takes no more connections",
    "55P03": "another process has held it for too long",
    "57014": "a statement took longer than store.statement_timeout",
    "57P01": "it is shutting down or starting",
    "57P02": "it is shutting down or starting",
    "57P03": "it is shutting down or starting",
}
_FOR_GOOD = frozenset({"28000", "28P01", "3D000", "42501"})
"""What stays so until a person does something about it."""
_PASSING = frozenset({"08", "53", "57", "58"})
"""Classes of what heals: connections, resources, operators, the system around it."""

_SAID = (
    ("password authentication failed", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ('FATAL: role "', "28000"),
    ('" does not exist', "3D000"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("the database system is", "57P03"),
)


class PostgresDatabase(Database):
    """One database of a PostgreSQL server."""

    def __init__(self, settings: StoreSettings, *, connections: int = _POOLED + _BEYOND) -> None:
        """Nothing is connected yet. ``connections``: at most so many at once.

        Raises:
            StoreError: ``store.url`` is wrong, or psycopg is not installed.
        """
        url = _url(settings)
        engine = _engine(url, settings, connections, hurry=lambda: self.hurry())  # noqa: PLW0108 - it is set later
        super().__init__(engine, name=_name(url))

    def plain(self, error: BaseException) -> StoreError:
        """The error for people: which server, and what is the matter with it."""
        return plain(error, self.name)

    @contextmanager
    def aside(self) -> Iterator[Connection]:
        """A writing transaction that takes no turn and asks for no lease.

        Raises:
            StoreError: the database refused.
        """
        with self._transaction(self._for_writing) as connection:
            yield connection

    def _for_writing(self, connection: Connection) -> Connection:
        # After the lock each statement must see what the writer before has committed.
        return connection.execution_options(isolation_level="READ COMMITTED")

    def _for_reading(self, connection: Connection) -> Connection:
        return connection.execution_options(isolation_level="REPEATABLE READ")

    def _take_turn(self, connection: Connection) -> None:
        connection.execute(_TAKE_TURN, {"lock": WRITER_LOCK})


_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:lock)")


def plain(error: BaseException, name: str) -> StoreError:
    """What PostgreSQL or the network said, for people; never the row that it was about."""
    orig = getattr(error, "orig", None) or error
    primary = getattr(getattr(orig, "diag", None), "message_primary", None)
    said = " ".join(str(primary or orig).split())
    state = getattr(orig, "sqlstate", None) or _state_of(said)
    meaning = _PLAIN.get(state or "")
    if meaning is None and primary is None:
        meaning = "it does not answer"
    kind = StoreAway if meaning is not None or (state or "")[:2] in _PASSING else StoreError
    if state in _FOR_GOOD:
        kind = StoreRefused
    detail = said if meaning is None else f"{meaning} ({said})"
    return kind(f"store {name}: {detail}")


def _state_of(said: str) -> str | None:
    """Of a login that failed there is only a text; the server's words are within it."""
    return next((state for words, state in _SAID if words in said), None)


def _url(settings: StoreSettings) -> URL:
    if settings.url is None:
        raise StoreError("store.url is not set")
    try:
        given = settings.url.reveal()
    except SecretError as error:
        msg = f"store.url: {error}"
        raise StoreError(msg) from error
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _SCHEMES or not url.database:
        # Not from the fault, and without the text: there is a password in it.
        msg = "store.url: write postgresql://user:password@host:5432/database"
        raise StoreError(msg) from None
    return url.set(drivername="postgresql+psycopg")


def _name(url: URL) -> str:
    given = url.query.get("host", "localhost")
    host = url.host or (given if isinstance(given, str) else ",".join(given))
    port = "" if url.port is None else f":{url.port}"
    return f"postgresql://{host}{port}/{url.database}"


def _engine(
    url: URL, settings: StoreSettings, connections: int, *, hurry: Callable[[], bool]
) -> Engine:
    options: dict[str, Any] = {
        "application_name": "callcentre-monitor",
        "connect_timeout": max(2, settings.connect_timeout // 1000),
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": _PEER_GONE_MS,
    }
    pooled = min(_POOLED, connections)
    try:
        engine = create_engine(
            url,
            connect_args={key: value for key, value in options.items() if key not in url.query},
            hide_parameters=True,  # numbers of customers are among them
            isolation_level="READ COMMITTED",
            pool_size=pooled,
            max_overflow=connections - pooled,
            pool_timeout=settings.busy_timeout / 1000,
        )
    except ModuleNotFoundError as error:
        msg = (
            f"store {_name(url)}: psycopg is not installed: "
            "pip install 'callcentre-monitor[postgres]'"
        )
        raise StoreError(msg) from error
    from monitor.store.patience import with_patience  # noqa: PLC0415 - psycopg is there

    kind = with_patience((settings.statement_timeout + _ANSWER_LATE_MS) / 1000, hurry)

    def connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        return kind.connect(*arguments, **options)

    event.listen(engine, "do_connect", connect)
    _configure_sessions(engine, settings)
    return engine


def _configure_sessions(engine: Engine, settings: StoreSettings) -> None:
    values = {
        "synchronous_commit": "on",
        "statement_timeout": str(settings.statement_timeout),
        "lock_timeout": str(settings.busy_timeout),
        # A paused process must not keep the lease's row, or the writer's turn, for longer.
        "idle_in_transaction_session_timeout": str(settings.lease.duration),
        "tcp_user_timeout": str(_PEER_GONE_MS),
    }
    statement = "SELECT " + ", ".join(["set_config(%s, %s, false)"] * len(values))
    parameters = [part for pair in values.items() for part in pair]

    def configure(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
        connection.commit()

    event.listen(engine, "connect", configure)
