"""What is wrong with PostgreSQL, in plain words, without secrets and without the row."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest
from sqlalchemy import make_url

from monitor.clock import ManualClock
from monitor.errors import StoreAway, StoreError, StoreRefused
from monitor.secret import Secret
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.addresses import at, query
from tests.store.made import NUMBER, command, manual
from tests.store.stores import settings_of, take_lease


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> StoreSettings:
    return settings_of(tmp_path, database_url)


def refusal_of(settings: StoreSettings, kind: type[StoreError] = StoreError) -> str:
    with pytest.raises(StoreError) as refused:
        Store.open(settings, ManualClock(), daemon=False)
    assert type(refused.value) is kind
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_login_is_refused(settings: StoreSettings) -> None:
    assert "the login was refused: look at user and password" in refusal_of(
        at(settings, password="wrong"), StoreRefused
    )
    assert "the login was refused" in refusal_of(at(settings, username="nobody"), StoreRefused)


def test_there_is_no_such_database(settings: StoreSettings) -> None:
    assert "there is no such database: create it first" in refusal_of(
        at(settings, database="no"), StoreRefused
    )


def test_nobody_listens(settings: StoreSettings) -> None:
    nowhere = at(settings, port=1, database="x")
    assert "127.0.0.1:1/x: it does not answer" in refusal_of(nowhere, StoreAway)


def test_the_command_line_comes_before_any_daemon(settings: StoreSettings) -> None:
    assert "it is not a store of this daemon" in refusal_of(settings)


def test_a_database_that_takes_no_writes(settings: StoreSettings, clock: ManualClock) -> None:
    token = take_lease(settings)
    Store.open(settings, clock, token=token).close()
    database = make_url(settings.url.reveal()).database if settings.url else ""
    query(settings, f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
    with (
        Store.open(settings, clock, daemon=False) as store,
        pytest.raises(StoreError, match="it takes no writes: it is a replica, or set to read only"),
    ):
        store.requests.put(manual())


def test_a_user_who_may_not(settings: StoreSettings, clock: ManualClock) -> None:
    Store.open(settings, clock, token=take_lease(settings)).close()
    query(settings, "CREATE ROLE reader LOGIN PASSWORD 'secret'")
    try:
        with pytest.raises(StoreError, match="its user may not do that"):
            Store.open(at(settings, username="reader"), clock, daemon=False)
    finally:
        query(settings, "DROP ROLE reader")


@pytest.mark.parametrize(
    "url",
    ["mysql://u:secret@h/d", "postgresql://u:secret@h", "secret", "postgresql://u:secret@h:x/d"],
)
def test_an_address_that_is_none_is_not_repeated(settings: StoreSettings, url: str) -> None:
    wrong = settings.model_copy(update={"url": Secret.model_validate({"value": url})})
    assert refusal_of(wrong) == ("store.url: write postgresql://user:password@host:5432/database")


def test_a_secret_that_is_not_there(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    none = settings.model_copy(update={"url": Secret(env="NO_SUCH")})
    assert refusal_of(none) == "store.url: the environment variable NO_SUCH is not set"


def test_without_the_driver_the_extra_is_named(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "psycopg is not installed: pip install 'callcentre-monitor[postgres]'" in refusal_of(
        settings
    )


def test_numbers_of_customers_are_in_no_error(settings: StoreSettings, store: Store) -> None:
    query(settings, "ALTER TABLE decisions ADD CHECK (number IS NULL)")
    with pytest.raises(StoreError) as refused:
        store.record(Recording([command()]))
    shown = "".join(traceback.format_exception(refused.value))
    assert NUMBER not in shown
    assert "violates check constraint" in str(refused.value)
