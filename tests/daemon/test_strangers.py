"""Random numbers by the hundred thousand: nothing grows, and the known ones are judged as ever.

By hand with a million: ``MONITOR_STRANGERS=1000000 pytest tests/daemon/test_strangers.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.strangers import BAD, KNOWN

ROOT = Path(__file__).parents[2]
STRANGERS = int(os.environ.get("MONITOR_STRANGERS", "150000"))
KEYS = STRANGERS // 100
GROWTH_BYTES_MAX = 40 * 2**20
"""An arena of the allocator, or a few; the strangers' names alone would be more."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_random_numbers_cost_no_memory_and_no_judgement(tmp_path: Path) -> None:
    arguments = [str(tmp_path), "--strangers", str(STRANGERS), "--keys", str(KEYS)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.daemon.strangers", *arguments],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    crowd, alone = found["with"], found["alone"]
    assert crowd["read"] == STRANGERS + alone["read"]

    # Bounded, and what is idle makes room.
    assert crowd["keys_limit"] == KEYS
    assert KEYS <= crowd["keys_most"] <= KEYS + len(KNOWN)
    assert crowd["keys_least"] < KEYS / 2
    assert max(crowd["sizes"][name] for name in ("numbers", "pairs")) <= KEYS
    assert crowd["rss_end"] - crowd["rss_tenth"] < GROWTH_BYTES_MAX

    # Told: the counter that MonitorKeysOverflow looks at, and the bucket's figures.
    metrics = dict(line.rsplit(" ", 1) for line in crowd["metrics"])
    beyond = float(metrics['monitor_key_overflow_rows_total{scope="number",table="keys"}'])
    assert STRANGERS / 2 < beyond < STRANGERS
    bucket = 'indicator="hangups",window="30m",scope="number",bucket="other",number="other"'
    assert float(metrics[f"callcentre_indicator_ratio{{{bucket}}}"]) == 1.0
    assert float(metrics[f"callcentre_indicator_of{{{bucket}}}"]) > STRANGERS / 10
    assert crowd["unready"] == []

    # Strangers hang up without exception; of ours only the bad one is spoken of, as ever.
    assert crowd["decisions"] == alone["decisions"]
    assert {what.split("'")[3] for _, _, what in alone["decisions"] if "firing" in what} == {BAD}
    assert any("suspend" in what for _, _, what in alone["decisions"])
