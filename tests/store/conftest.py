"""An open store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.store.settings import StoreSettings
from monitor.store.store import Store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return StoreSettings(path=tmp_path / "state" / "monitor.db", checkpoints=tmp_path / "ck")


@pytest.fixture
def store(settings: StoreSettings, clock: ManualClock) -> Iterator[Store]:
    with Store.open(settings, clock) as opened:
        yield opened
