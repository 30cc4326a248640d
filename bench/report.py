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
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table on this page")
    return parser


class Report:
    """One run of one benchmark; take it before anything is measured."""

    def __init__(self, name: str, given: argparse.Namespace) -> None:
        self.quick: bool = given.quick
        self._name = name
        self._folder: Path = given.keep
        self._document: Path | None = given.write
        self._load = machine.load()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], after: str = "") -> None:
        """Print a table: texts first, figures after them to the right.

        With ``--write`` it stands in the document too, with ``after`` in Markdown below it.
        """
        console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
        tell("")
        console.print(f"{self._title()}: {self._where()}")
        table = Table(box=None, pad_edge=False)
        for number, name in enumerate(head):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        if self._document is not None:
            lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
            lines.insert(1, "|---" + "|---:" * (len(head) - 1) + "|")
            self._put(
                self._document, [self._where() + ".", "", *lines, *(["", after] * bool(after))]
            )

    def keep(self, what: dict[str, Any]) -> Path:
        """Write the results; those of a quick run stand beside, under a name of their own."""
        where = machine.describe()
        path = self._folder / f"{machine.slug(where)}-{self._title()}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        full = {"machine": where, "load": (self._load, machine.load()), **what}
        path.write_text(json.dumps(full, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written to {path}")
        return path

    def _title(self) -> str:
        return self._name + ("-quick" if self.quick else "")

    def _where(self) -> str:
        where = machine.describe()
        return (
            f"{where['cpu']}, {where['cores']} cores; Python {where['python']},"
            f" polars {where['polars']}; commit {where['commit']};"
            f" load before and after {self._load}, {machine.load()}"
        )

    def _put(self, document: Path, lines: Sequence[str]) -> None:
        """Replace what stands between the marks of this benchmark."""
        begin, end = f"<!-- bench.{self._name}: begin -->", f"<!-- bench.{self._name}: end -->"
        text = document.read_text(encoding="utf-8")
        before, mark, rest = text.partition(begin)
        _, last, after = rest.partition(end)
        if not mark or not last:
            msg = f"{document} has no marks {begin} … {end}"
            raise ValueError(msg)
        made = "\n".join([before + begin, *lines, end + after])
        document.write_text(made, encoding="utf-8")


def tell(text: str) -> None:
    """One line that changes on a terminal, lines elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="" if text else "\r", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
