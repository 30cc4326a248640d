"""The table of docs/indicators.md: every id of the domain, and where each stands in the packs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.rules.cases import CasesFile
from monitor.strict_yaml import load_yaml

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = ROOT / "tests" / "packs" / "domain.yaml"
BOARDS = ROOT / "deploy" / "grafana" / "dashboards"
_MARKS = re.compile(r"(<!-- domain -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One id of the domain."""

    section: str
    id: str
    zh: str
    pack: str
    indicators: tuple[str, ...]
    rules: tuple[str, ...]
    note: str = ""

    @property
    def stands(self) -> bool:
        """Something computes it."""
        return bool(self.indicators or self.rules or self.note)


def entries() -> list[Entry]:
    """All of them, in the order of the domain."""
    data: dict[str, list[dict[str, Any]]] = yaml.safe_load(DOMAIN.read_text(encoding="utf-8"))
    return [
        Entry(
            section,
            row["id"],
            row["zh"],
            row["pack"],
            tuple(row["indicators"]),
            tuple(row["rules"]),
            row.get("note", ""),
        )
        for section, rows in data.items()
        for row in rows
    ]


def stories(entry: Entry) -> int:
    """Stories of its pack that expect, or expect not, an alert of one of its rules."""
    loaded = load_yaml(ROOT / "rules" / entry.pack / "rules.test.yaml", CasesFile)
    return sum(
        any(wish.alert in entry.rules for wish in (*test.expect, *test.expect_no))
        for test in loaded.value.tests
    )


def panels(entry: Entry) -> list[str]:
    """Titles of the panels of its pack's dashboard that show it."""
    board = json.loads((BOARDS / f"pack-{entry.pack}.json").read_text(encoding="utf-8"))
    wanted = [f'indicator="{each}"' for each in entry.indicators]
    if not wanted:  # a rule without a figure stands among the alerts
        wanted = [f"{start}{rule}{end}" for rule in entry.rules for start in '"|' for end in '"|']
    return [
        panel["title"]
        for panel in board["panels"]
        for expr in [" ".join(target["expr"] for target in panel.get("targets", []))]
        if any(text in expr for text in wanted)
    ]


def fill(page: str) -> str:
    """The page with the table in its place."""
    filled, count = _MARKS.subn(
        lambda marks: marks[1] + "\n".join(_lines()) + "\n" + marks[2], page
    )
    assert count == 1
    return filled


def _lines() -> Iterator[str]:
    yield "| id | | pack | indicators | rules | stories | panels |"
    yield "|---|---|---|---|---|---|---|"
    for entry in entries():
        rules = ", ".join(f"`{rule}`" for rule in entry.rules) or "–"
        indicators = ", ".join(f"`{each}`" for each in entry.indicators) or "–"
        told = f"{entry.zh}. {entry.note}" if entry.note else entry.zh
        pack = f"[{entry.pack}](../rules/{entry.pack}/README.md)"
        counts = (str(stories(entry) or "–"), str(len(panels(entry)) or "–"))
        cells = (f"`{entry.id}`", told, pack, indicators, rules, *counts)
        yield f"| {' | '.join(cells)} |"
