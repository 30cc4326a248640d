"""A short soak; the long one is ``make soak``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.__main__ import soak

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow, pytest.mark.untraced]


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("kafka", "postgres")
def test_whatever_goes_wrong_nothing_is_lost_repeated_or_wrong(tmp_path: Path) -> None:
    seconds = float(os.environ.get("MONITOR_SOAK_SECONDS", "60"))
    verdict = soak(seconds=seconds, rate=500, every_s=4.0, seed=3, folder=tmp_path)
    assert verdict.decisions > 20
    assert sum(verdict.faults.values()) >= 5
    assert verdict.good, verdict.plain()
