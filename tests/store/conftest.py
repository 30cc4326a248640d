"""An open store, of each kind: what tests show of one they show of all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.store.stores import KINDS, open_store, settings_of


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000)


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    return settings_of(tmp_path, url)


@pytest.fixture
def store(settings: StoreSettings, clock: ManualClock) -> Iterator[Store]:
    with open_store(settings, clock) as opened:
        yield opened
