"""The indicators of the shipped pack, as dashboards need them.

Owns which dimension an indicator belongs to and which of its windows a board shows; titles,
descriptions and targets come from the pack itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from model import Json, better, graph, query

PACK = Path(__file__).resolve().parents[3] / "rules" / "telemarketing" / "indicators.yaml"
SLACK = 1.2
"""A figure 20 % past its target is red; rules have their own, exact levels."""
WINDOWS = {
    "complaint_rate": "24h",
    "number_flag_rate": "24h",
    "effective_talk_ratio": "1h",
    "answer_rate": "30m",
    "auto_log_rate": "24h",
    "hangup_rate": "30m",
    "csat": "24h",
}
"""In the order of the boards' columns. The frequency by pairs is not exported: customers."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator of the pack."""

    id: str
    title: str
    """English, then Chinese."""
    description: str
    kind: Literal["ratio", "mean"]
    better: Literal["lower", "higher"]
    target: float | None
    by: tuple[str, ...]
    window: str

    @property
    def metric(self) -> str:
        """The name of the metric that holds its value."""
        return f"callcentre_indicator_{'ratio' if self.kind == 'ratio' else 'value'}"

    @property
    def unit(self) -> str:
        """Grafana's unit."""
        return "percentunit" if self.kind == "ratio" else "none"

    def select(self, scope: str, matchers: str = "") -> str:
        """The selector of its values in one scope."""
        more = f", {matchers}" if matchers else ""
        return (
            f'{self.metric}{{indicator="{self.id}", window="{self.window}", scope="{scope}"{more}}}'
        )

    @property
    def thresholds(self) -> Json:
        """Colours by its target."""
        return better(self.better, self.target, SLACK)

    def graph(self, scope: str, matchers: str = "", **given: Any) -> Json:
        """Its values over time, with the target."""
        queries = [query(self.select(scope, matchers), f"{{{{{scope}}}}}")]
        if self.target is not None:
            target = f'callcentre_indicator_target{{indicator="{self.id}"}}'
            queries.append(query(target, "target 目标", ref="T"))
        title = f"{self.title} ({self.window})"
        return graph(title, self.description, queries, unit=self.unit, **given)


def _number(written: str | float | None) -> float | None:
    if isinstance(written, str):
        return round(float(written.removesuffix("%")) / 100, 6)
    return None if written is None else float(written)


def load() -> dict[str, Indicator]:
    """The indicators that boards show, by id.

    Raises:
        KeyError: the pack has no such indicator, or not with that window.
    """
    pack = {entry["id"]: entry for entry in yaml.safe_load(PACK.read_text("utf-8"))["indicators"]}
    made = {}
    for name, window in WINDOWS.items():
        entry = pack[name]
        if window not in entry["windows"]:
            raise KeyError(name, window)
        made[name] = Indicator(
            id=name,
            title=f"{entry['title']['en']} {entry['title']['zh']}",
            description=f"{entry['description']['en']}. {entry['description']['zh']}。",
            kind=entry["kind"],
            better=entry["better"],
            target=_number(entry.get("target")),
            by=tuple(entry["by"]),
            window=window,
        )
    return made
