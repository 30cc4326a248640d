"""Where a figure was measured: processor, versions, commit, load."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("polars", "numpy", "msgspec", "duckdb")


def describe() -> dict[str, Any]:
    """The machine and what runs on it, as plain values."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "commit": _commit(),
        "polars_threads": os.environ.get("POLARS_MAX_THREADS", ""),
    }


def slug(machine: dict[str, Any]) -> str:
    """A file name for its results."""
    text = f"{machine['cpu']} {machine['cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def load() -> float:
    """How many processes wanted a core, over the last minute; ours is one of them."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _commit() -> str:
    """The commit; ``-dirty`` when what is measured is not as it stands there."""
    measured = ["monitor", "rules", "bench", ":!bench/results", "requirements.lock"]
    try:
        commit = _git("describe", "--always")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *measured)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
