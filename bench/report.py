"""What every benchmark says at its end: a table, and a file that names machine, versions, commit.

Owns the place of results, ``bench/results/<machine>-<what>.json``, and how progress is told.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import machine

RESULTS = Path(__file__).parent / "results"


def arguments(module: str, document: str | None) -> argparse.ArgumentParser:
    """A parser with what all of them take."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=document,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="much less of everything")
    parser.add_argument("--keep", type=Path, default=RESULTS, help="folder of the results")
    return parser


class Report:
    """One run of one benchmark; take it before anything is measured."""

    def __init__(self, name: str, given: argparse.Namespace) -> None:
        self.quick: bool = given.quick
        self._name = name + ("-quick" if given.quick else "")
        self._folder: Path = given.keep
        self._load = machine.load()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table: texts first, figures after them to the right."""
        where = machine.describe()
        console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
        console.print(
            f"{self._name}: {where['cpu']}, {where['cores']} cores; Python {where['python']},"
            f" polars {where['polars']}; commit {where['commit']};"
            f" load before and after {self._load}, {machine.load()}"
        )
        table = Table(box=None, pad_edge=False)
        for number, name in enumerate(head):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)

    def keep(self, what: dict[str, Any]) -> Path:
        """Write the results; those of a quick run stand beside, under a name of their own."""
        where = machine.describe()
        path = self._folder / f"{machine.slug(where)}-{self._name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        full = {"machine": where, "load": (self._load, machine.load()), **what}
        path.write_text(json.dumps(full, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        tell("")
        print(f"written to {path}")
        return path


def tell(text: str) -> None:
    """One line that changes on a terminal, lines elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="" if text else "\r", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
