"""Writes the dashboards: ``python deploy/grafana/source/build.py``.

With ``--check`` nothing is written, and a difference is exit status 1. ``--console URL``: where
links to the console lead; by default to a daemon on this machine.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import daemon
import model
import numbers_board
import overview
import pack_boards
import people

FOLDER = Path(__file__).resolve().parents[1] / "dashboards"
BOARDS = {
    "overview": overview.build,
    "people": people.build,
    "numbers": numbers_board.build,
    "daemon": daemon.build,
} | {f"pack-{name}": partial(pack_boards.build, name) for name in pack_boards.names()}


def main(arguments: list[str]) -> int:
    """Write, or compare; the exit status."""
    if "--console" in arguments:
        model.CONSOLE = arguments[arguments.index("--console") + 1].rstrip("/")
    stale = []
    for name, build in BOARDS.items():
        path = FOLDER / f"{name}.json"
        text = json.dumps(build(), ensure_ascii=False, indent=1) + "\n"
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        sys.stderr.write(f"not what deploy/grafana/source makes: {', '.join(stale)}\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
