"""Prints a dependency group of ``pyproject.toml``, one a line, for a pip that knows of none."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    print(*tomllib.loads(text)["dependency-groups"][sys.argv[1]], sep="\n")
