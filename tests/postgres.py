"""A real PostgreSQL for tests: one server a session, one database a test.

``MONITOR_TEST_POSTGRES=postgresql://user:password@host:port/database`` names one to use instead;
its user must be allowed to create databases.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy import make_url

_PLACES = ("/usr/lib/postgresql/*/bin/initdb", "/usr/local/pgsql/bin/initdb")
_UNPRIVILEGED = ("postgres", "nobody")
"""PostgreSQL does not run as root; tests in a container do."""
_PATIENCE_S = 60
_MEMORY_BYTES = 2**30
_NOTHING = "''"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None when it is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    places = [path for place in _PLACES for path in Path("/").glob(place.lstrip("/"))]
    return max(places).parent if places else None


class Server:
    """A server of our own, on a free port of the loopback; it can be killed and come back."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._user = _user()
        # Not below pytest's own folder: another user may not look into that.
        self._home = Path(tempfile.mkdtemp(prefix="monitor-postgres-", dir=_quick_disk()))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"postgresql://monitor:secret@127.0.0.1:{self.port}/postgres"
        self._data = self._home / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the data folder, with a password for everybody who comes by TCP."""
        secret = self._home / "password"
        secret.write_text("secret")
        if self._user is not None:
            for path in (self._home, secret):
                shutil.chown(path, self._user, pwd.getpwnam(self._user).pw_gid)
        self._run(
            "initdb",
            f"--pgdata={self._data}",
            "--username=monitor",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        )

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on",
            "max_connections": 60,
            "shared_buffers": "32MB",
        }
        given = " ".join(f"-c {name}={value or _NOTHING}" for name, value in options.items())
        self._run(
            "pg_ctl",
            "start",
            f"--pgdata={self._data}",
            f"--log={self._home / 'log'}",
            f"--timeout={_PATIENCE_S}",
            f"--options={given}",
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop; ``immediate`` is a crash."""
        self._run("pg_ctl", "stop", f"--pgdata={self._data}", f"--mode={mode}")

    def remove(self) -> None:
        """Stop, if it runs, and leave nothing behind."""
        if self._data.joinpath("postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            user=self._user,
            group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
            extra_groups=None if self._user is None else [],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=2 * _PATIENCE_S,
        )
        log = self._home / "log"
        said = (done.stdout or b"").decode() + (log.read_text() if log.exists() else "")
        assert done.returncode == 0, f"{program}: {said}"


class Databases:
    """Makes databases on a server; ``server`` is None where it is not ours to stop."""

    def __init__(self, url: str, server: Server | None = None) -> None:
        self.server = server
        self._url = make_url(url)
        self._numbers = count(1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The address of an empty database that is dropped afterwards."""
        name = f"monitor_test_{os.getpid()}_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}"')
        try:
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        url = self._url.render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


def _quick_disk() -> str | None:
    """Memory, where there is enough: what is synced there survives all that tests do."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    enough = memory.is_dir() and shutil.disk_usage(memory).free >= _MEMORY_BYTES
    return str(memory) if enough else None


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in known)
