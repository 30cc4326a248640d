"""The database of a test from another side."""

from __future__ import annotations

import psycopg
from sqlalchemy import make_url

from monitor.secret import Secret
from monitor.store.settings import StoreSettings


def at(settings: StoreSettings, **changes: object) -> StoreSettings:
    """The same database, with parts of its address changed."""
    assert settings.url is not None
    url = make_url(settings.url.reveal()).set(**changes)  # type: ignore[arg-type]
    text = url.render_as_string(hide_password=False)
    return settings.model_copy(update={"url": Secret.model_validate({"value": text})})


def query(settings: StoreSettings, statement: str) -> list[tuple[object, ...]]:
    assert settings.url is not None
    with psycopg.connect(settings.url.reveal(), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []
