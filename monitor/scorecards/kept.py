"""Results that were kept: a folder for each card, a file for each period, written whole or not.

Owns the folder. Interfaces read it; only the command line writes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.errors import UsageError
from monitor.scorecards.report import Sheet, of_teams
from monitor.scorecards.settings import ScorecardSettings

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
LABEL = re.compile(r"[0-9]{4}-(?:[0-9]{2}|W[0-9]{2}|[0-9]{2}-[0-9]{2}(?:\.\.[0-9-]{10})?)")
CARDS_MAX = 100
BYTES_MAX = 100_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One result."""

    card: str
    label: str
    path: Path


class Shelf:
    """The folder of all kept results."""

    def __init__(self, settings: ScorecardSettings) -> None:
        self._folder = settings.folder
        self._kept_max = settings.kept_max

    def keep(self, sheet: Sheet) -> Path:
        """Write a result in the place of an earlier one of the same period.

        Raises:
            UsageError: it cannot be written.
        """
        folder = self._folder / sheet.card
        path = folder / f"{sheet.period.label}.json"
        text = json.dumps(sheet.to_json(), ensure_ascii=False, indent=1)
        beside = path.with_suffix(".tmp")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(0o600)  # pay is nobody else's business
            beside.replace(path)
            for old in self.of_card(sheet.card)[self._kept_max :]:
                old.path.unlink(missing_ok=True)
        except OSError as error:
            msg = f"{path} cannot be written: {error.strerror}"
            raise UsageError(msg) from error
        return path

    def cards(self) -> list[str]:
        """Names of cards with results."""
        if not self._folder.is_dir():
            return []
        names = [each.name for each in self._folder.iterdir() if NAME.fullmatch(each.name)]
        return sorted(names)[:CARDS_MAX]

    def of_card(self, card: str) -> list[Kept]:
        """Its results, the newest period first."""
        if not NAME.fullmatch(card):
            return []
        found = [
            Kept(card, path.stem, path)
            for path in (self._folder / card).glob("*.json")
            if LABEL.fullmatch(path.stem)
        ]
        return sorted(found, key=lambda each: each.label, reverse=True)

    def listed(self) -> dict[str, list[str]]:
        """Labels of kept periods by card, the newest first."""
        found = {card: [each.label for each in self.of_card(card)] for card in self.cards()}
        return {card: labels for card, labels in found.items() if labels}

    def seen_by(
        self, card: str, label: str, teams: Collection[str] | None
    ) -> dict[str, Any] | None:
        """One result as somebody sees it who may see these teams; None: all of them."""
        found = self.read(card, label)
        return found if found is None or teams is None else of_teams(found, teams)

    def read(self, card: str, label: str) -> dict[str, Any] | None:
        """One result; None: there is none, or it is none of ours."""
        if not NAME.fullmatch(card) or not LABEL.fullmatch(label):
            return None
        path = self._folder / card / f"{label}.json"
        try:
            if path.stat().st_size > BYTES_MAX:
                return None
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and found.get("card") == card else None
