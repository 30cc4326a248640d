"""Replays of the published data sets, by the command line as a user would do it.

The data sets are not part of the repository (docs/real-data.md says where they are looked for).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.realdata import convert

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("MONITOR_TEST_DATA") or ROOT.parent / "shared" / "data")
CALLS = DATA / "telephone_records" / "calls.csv"
TEXTS = DATA / "telephone_records" / "texts.csv"
BANK = DATA / "bank_marketing" / "Bank_Full.csv"

Key = tuple[str, str, str, tuple[str, ...]]
"""When (RFC 3339), indicator, window, and the scope's values."""
Figures = dict[Key, tuple[float, float]]
"""Hits and what they are part of; for a count the second is 1."""


def missing() -> str:
    """Why there is nothing to replay; empty when all is there."""
    absent = [str(path) for path in (CALLS, TEXTS, BANK) if not path.is_file()]
    return f"no data sets: {', '.join(absent)} (or set MONITOR_TEST_DATA)" if absent else ""


def telephone(folder: Path) -> Figures:
    """The telephone records, with their figures every half hour."""
    events = folder / "telephone.jsonl"
    convert.write(convert.telephone(CALLS, TEXTS), events)
    return _replay(events, "telephone", "30m", "-c", str(HERE / "telephone.yaml"))


def bank(folder: Path) -> Figures:
    """The bank's calls, with their figures every hour."""
    events = folder / "bank.jsonl"
    convert.write(convert.bank(BANK), events)
    return _replay(events, "bank", "1h")


def _replay(events: Path, pack: str, every: str, *options: str) -> Figures:
    monitor = Path(sys.executable).parent / "monitor"
    command = [str(monitor), "replay", "--from", str(events), *options]
    command += ["--rules", str(HERE / "packs" / pack), "--format", "json"]
    command += ["--indicators", "--indicators-every", every]
    done = subprocess.run(command, capture_output=True, text=True, cwd=events.parent, check=False)
    assert done.returncode == 0, done.stderr
    figures: Figures = {}
    for line in done.stdout.splitlines():
        found: dict[str, Any] = json.loads(line)
        key = _key(found)
        assert key not in figures, f"said twice: {line}"
        figures[key] = (found["hits"], found["of"])
        _check_value(found)
    return figures


def _key(line: dict[str, Any]) -> Key:
    return line["at"], line["indicator"], line["window"], tuple(line["scope"].values())


def _check_value(line: dict[str, Any]) -> None:
    assert line["kind"] == "indicator"
    assert line["value"] == round(line["hits"] / line["of"], 6), line
