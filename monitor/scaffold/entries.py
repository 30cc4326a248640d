"""An indicator and a rule as they are written, from answers to questions.

Owns the text of both. What is left out has its default; whether it all fits is told by loading it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ratio", "count", "mean"]


@dataclass(frozen=True, slots=True)
class NewIndicator:
    """Answers about a figure."""

    id: str
    kind: Kind
    event: str
    """Type of what is counted: the hits of a share."""
    where: str
    """Which of them; empty: all."""
    of_event: str
    """Of a share: type of what is below the line."""
    of_where: str
    field: str
    """Of a mean: whose."""
    by: Sequence[str]
    windows: Sequence[str]
    better: Literal["lower", "higher"]

    def text(self) -> str:
        """As an entry of ``indicators:``."""
        lines = [f"  - id: {self.id}", f"    kind: {self.kind}"]
        if self.kind == "ratio":
            lines.append(f"    hits: {_measure('count', self.event, self._hits())}")
            lines.append(f"    of: {_measure('count', self.of_event, self.of_where)}")
        elif self.kind == "count":
            lines.append(f"    value: {_measure('count', self.event, self.where)}")
        else:
            where = f", where: {json.dumps(self.where)}" if self.where else ""
            lines.append(f"    value: {{mean: {self.field}, on: {self.event}{where}}}")
        lines += [
            f"    by: [{', '.join(self.by)}]",
            f"    windows: [{', '.join(self.windows)}]",
            f"    better: {self.better}",
        ]
        return "\n".join(lines) + "\n"

    def _hits(self) -> str:
        """Which are hits: of the same type, those below the line that are bad, and no others."""
        below = self.of_where
        if not below or below in self.where or self.event != self.of_event:
            return self.where
        return " and ".join(f"({each})" if " or " in each else each for each in (below, self.where))


@dataclass(frozen=True, slots=True)
class NewRule:
    """Answers about a rule."""

    id: str
    indicator: str
    """Empty: it is on an event."""
    event: str
    until: str
    by: str
    threshold: str
    """With its unit: ``30%``."""
    clear: str
    above: bool
    window: str
    evidence: str
    """As it is written: ``{method: …}``."""
    route: str
    suspend: str
    """For how long a number is taken out of service; empty: it is not."""

    def text(self) -> str:
        """As an entry of ``rules:``."""
        lines = [f"  - id: {self.id}"]
        if self.indicator:
            side = "above" if self.above else "below"
            clear = f", clear: {self.clear}" if self.clear else ""
            lines += [
                f"    indicator: {self.indicator}",
                f"    by: {self.by}",
                "    status: shadow                    # decides and records, sends nothing",
                "    levels:",
                f"      crit: {{{side}: {self.threshold}{clear}}}",
                f"    window: {self.window}",
                f"    evidence: {self.evidence}",
                "    recovering: {for: 10m}",
            ]
        else:
            until = f", until: {self.until}" if self.until else ""
            lines += [
                f"    event: {{on: {self.event}{until}}}",
                f"    by: {self.by}",
                "    status: shadow                    # decides and records, sends nothing",
                "    levels: {crit: {}}",
            ]
            lines += [] if self.until else ["    recovering: {for: 1h}"]
        lines.append("    no_data: hold                     # silence is not recovery")
        if self.route:
            lines.append(f"    notify: {{route: {self.route}, repeat: 30m, repeat_max: 4h}}")
        lines.append(f"    message: {{en: {json.dumps(self._message())}}}")
        if self.suspend:
            lines.append(f"    action: {{suspend: {{{self._suspend()}}}}}")
        return "\n".join(lines) + "\n"

    def _message(self) -> str:
        who = " ".join(f"{{{each.strip()}}}" for each in self.by.strip("[]").split(","))
        if not self.indicator:
            return f"{who}: {self.event}"
        if self.threshold.endswith("%"):
            return f"{who}: {{value:.1%}} ({{hits:d}} of {{of:d}}) in {{window}}"
        return f"{who}: {{value:.2f}} in {{window}}"

    def _suspend(self) -> str:
        if self.suspend == "cleared":
            return "until: cleared"
        return f"ttl: {self.suspend}, backoff: double, ttl_max: 24h"


def _measure(verb: str, event: str, where: str) -> str:
    return f"{{{verb}: {event}" + (f", where: {json.dumps(where)}" if where else "") + "}"
