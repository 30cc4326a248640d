"""What each life would make anew and is the same each time.

Owns the shortcuts of the simulation. None outlives a death as state: an engine of SQLAlchemy
whose connections are closed holds nothing but compiled statements, and a bundle is a function of
the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest import mock

from sqlalchemy import Engine

from monitor.running import bundle, keep
from monitor.site import Site
from monitor.store import sqlite

_engines = cache(sqlite._engine)
_bundles: dict[str, bundle.Bundle] = {}


@contextmanager
def once_for_all_lives() -> Iterator[None]:
    """Statements are compiled, and packs put into words, once for all seeds of this process."""
    with (
        mock.patch.object(sqlite, "_engine", _open_engine),
        mock.patch.object(keep, "bundled", _bundled),
    ):
        yield


def _open_engine(path: Path, busy_timeout_ms: int) -> Engine:
    """The engine of a path for one more life: how that begins transactions is its own affair."""
    return _engines(path, busy_timeout_ms).execution_options()


def _bundled(site: Site) -> bundle.Bundle:
    if site.hash not in _bundles:
        _bundles[site.hash] = bundle.bundled(site)
    return _bundles[site.hash]
