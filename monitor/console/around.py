"""What several pages of the console look up."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from monitor.web.alerts_api import tables_or_none


def around(request: Request) -> dict[str, Any]:
    """Titles and levels of rules, indicators, teams; empty before the first snapshot."""
    tables = tables_or_none(request)
    if tables is None:
        return {"rule_titles": {}, "titles": {}, "infos": {}, "rule_levels": {}, "teams": []}
    return {
        "rule_titles": {rule.rule: rule.title for rule in tables.picture.rules},
        "rule_levels": {rule.rule: rule.levels for rule in tables.picture.rules},
        "infos": tables.infos,
        "titles": {info.id: info.title for info in tables.picture.indicators},
        "teams": sorted({place.team for place in tables.picture.agents} - {""}),
    }
