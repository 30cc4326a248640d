"""Replays of the published data sets, by the command line as a user would do it.

The data sets are not part of the repository (docs/real-data.md says where they are looked for).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.realdata import convert

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("MONITOR_TEST_DATA") or ROOT.parent / "shared" / "data")
MONITOR = Path(sys.executable).parent / "monitor"
CALLS = DATA / "telephone_records" / "calls.csv"
TEXTS = DATA / "telephone_records" / "texts.csv"
BANK = DATA / "bank_marketing" / "Bank_Full.csv"

Key = tuple[str, str, str, tuple[str, ...]]
"""When (RFC 3339), indicator, window, and the scope's values."""
Figures = dict[Key, tuple[float, float]]
"""Hits and what they are part of; for a count the second is 1."""


ASTERISK = DATA / "cdr_samples" / "asterisk_Master_lab.csv"
FREESWITCH = DATA / "cdr_samples" / "freeswitch_Master_lab.csv"


def missing() -> str:
    """Why there is nothing to replay; empty when all is there."""
    needed = (CALLS, TEXTS, BANK, ASTERISK, FREESWITCH)
    absent = [str(path) for path in needed if not path.is_file()]
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


@dataclass(frozen=True, slots=True)
class Said:
    """What one shipped pack says of a data set."""

    figures: Figures
    alerts: Counter[str]
    """Episodes that began, by rule; those in shadow too."""


def shipped(events: Path, pack: str, every: str, *options: str) -> Said:
    """The figures of a shipped pack ``every`` so often, and what its rules say."""
    command = [str(MONITOR), "replay", "--from", str(events), "--customers", *options]
    command += ["--rules", str(ROOT / "rules" / pack), "--format", "json"]
    command += ["--indicators", "--indicators-every", every]
    done = subprocess.run(command, capture_output=True, text=True, cwd=events.parent, check=False)
    assert done.returncode == 0, done.stderr
    said = Said({}, Counter())
    for line in map(json.loads, done.stdout.splitlines()):
        if line["kind"] == "indicator":
            said.figures[_key(line)] = (line["hits"], line["of"])
            _check_value(line)
        elif line["kind"] == "alert" and (line["state"], line["reason"]) == ("firing", "breach"):
            said.alerts[line["rule"]] += 1
    return said


def _replay(events: Path, pack: str, every: str, *options: str) -> Figures:
    command = [str(MONITOR), "replay", "--from", str(events), "--customers", *options]
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
