"""A dashboard for each shipped pack, made from what the pack itself says.

Owns which scopes and windows are shown: those that rules judge, else the first. Indicators by
customers are never metrics; what is shown of them is how many of their alerts fire.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from model import RED, YELLOW, Json, dashboard, graph, query, row

RULES = Path(__file__).resolve().parents[3] / "rules"
CLASSES = {"leading": "Leading 领先", "efficiency": "Efficiency 效率", "result": "Result 成果"}
PRIVATE = "customer"
MANY = {"number", "agent"}
"""Dimensions with so many keys that a graph shows the worst of them."""
SHOWN = 20
COLORS = {"warn": YELLOW, "crit": RED}


@dataclass(frozen=True, slots=True)
class Look:
    """One indicator by one scope over one window, and the rules that judge it."""

    scope: str
    window: str
    rules: tuple[Json, ...]


def names() -> list[str]:
    """The shipped packs."""
    return sorted(path.parent.name for path in RULES.glob("*/indicators.yaml"))


def build(name: str) -> Json:
    """The dashboard of one pack."""
    indicators = [part for entry in _read(name, "indicators") for part in _parts(entry)]
    rules = _read(name, "rules")
    panels = [row("Alerts 告警"), _alerts(rules)]
    for of_class, title in CLASSES.items():
        chosen = [entry for entry in indicators if entry["class"] == of_class]
        if chosen:
            panels.append(row(title))
            panels += [panel for entry in chosen for panel in _panels(entry, rules)]
    return dashboard(
        f"cc-pack-{name}",
        f"Call centre: pack {name} 规则包",
        f"Every indicator of pack {name}, by the scopes that its rules judge. 规则包的全部指标。",
        [],
        panels,
    )


def _read(name: str, part: str) -> list[Json]:
    text = (RULES / name / f"{part}.yaml").read_text(encoding="utf-8")
    found: list[Json] = yaml.safe_load(text)[part]
    return found


def _parts(entry: Json) -> list[Json]:
    """The entry itself; of a funnel, a ratio for each step after the first, as metrics have it."""
    if entry["kind"] != "funnel":
        return [entry]
    return [
        {key: value for key, value in entry.items() if key not in {"steps", "target"}}
        | {"id": f"{entry['id']}_{step}", "kind": "ratio", "better": entry.get("better", "higher")}
        | {"title": {"en": f"{entry['title']['en']}: {step}", "zh": entry["title"]["zh"]}}
        | {key: said[key] for key in ("target",) if key in said}
        for step, said in list(entry["steps"].items())[1:]
    ]


def _alerts(rules: list[Json]) -> Json:
    ids = "|".join(rule["id"] for rule in rules)
    firing = f'sum by (rule, level) (callcentre_alerts_firing{{rule=~"{ids}"}})'
    return graph(
        "Firing 触发中",
        "Alerts of this pack that fire now, shadow ones too. 本包当前触发的告警(含影子)。",
        [query(firing, "{{rule}} {{level}}")],
        width=24,
    )


def _panels(entry: Json, rules: list[Json]) -> list[Json]:
    mine = [rule for rule in rules if rule.get("indicator") == entry["id"]]
    looks = _looks(entry, mine)
    return [_graph(entry, look) for look in looks] or [_of_customers(entry)]


def _looks(entry: Json, rules: list[Json]) -> list[Look]:
    """The scopes that rules judge, each over the window of its first rule; else the first scope."""
    open_ones = [by for by in map(_dimensions, entry["by"]) if len(by) == 1 and by[0] != PRIVATE]
    windows = [_window(window) for window in entry.get("windows", ["now"])]
    looks = []
    for (scope,) in open_ones:
        judging = tuple(rule for rule in rules if _dimensions(rule["by"]) == [scope])
        if judging:
            window = _window((judging[0].get("windows") or [judging[0].get("window")])[-1])
            looks.append(Look(scope, window, judging))
    return looks or [Look(by[0], windows[0], ()) for by in open_ones[:1]]


def _graph(entry: Json, look: Look) -> Json:
    figure = _figure(entry)
    metric = f"callcentre_indicator_{'ratio' if figure == 'ratio' else 'value'}"
    select = f'{metric}{{indicator="{entry["id"]}", window="{look.window}", scope="{look.scope}"}}'
    # What is good needs no line; what is worst depends on the direction.
    worst = "topk" if entry.get("better", "lower") == "lower" else "bottomk"
    shown = f"{worst}({SHOWN}, {select})" if look.scope in MANY else select
    queries = [query(shown, f"{{{{{look.scope}}}}}")]
    if "target" in entry:
        target = f'callcentre_indicator_target{{indicator="{entry["id"]}"}}'
        queries.append(query(target, "target 目标", ref="T"))
    lines: list[Json] = []
    for rule in look.rules:
        for level, bound in rule["levels"].items():
            if _is_fixed(bound):
                ref = f"L{len(lines)}"
                line = f'callcentre_rule_threshold{{rule="{rule["id"]}", level="{level}"}}'
                queries.append(query(line, f"{rule['id']} {level}", ref=ref))
                lines.append(_line(ref, COLORS[level]))
    made = graph(
        f"{_title(entry)} / {look.scope} ({look.window})",
        f"{entry['description']['en']}. {entry['description']['zh']}。",
        queries,
        unit=_unit(entry),
    )
    made["fieldConfig"]["overrides"] += lines
    return made


def _of_customers(entry: Json) -> Json:
    watched = f'callcentre_rule_info{{indicator="{entry["id"]}"}}'
    firing = f"sum(callcentre_alerts_firing and on (rule) {watched}) or vector(0)"
    return graph(
        f"{_title(entry)}: alerts 告警",
        f"{entry['description']['en']}. By customers, so only alerts are counted. "
        f"{entry['description']['zh']}。涉及客户,仅计告警数。",
        [query(firing, "alerts 告警")],
    )


def _line(ref: str, color: str) -> Json:
    return {
        "matcher": {"id": "byFrameRefID", "options": ref},
        "properties": [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [4, 4]}},
            {"id": "color", "value": {"mode": "fixed", "fixedColor": color}},
        ],
    }


def _title(entry: Json) -> str:
    return f"{entry['title']['en']} {entry['title']['zh']}"


def _dimensions(by: Any) -> list[str]:
    return [by] if isinstance(by, str) else list(by)


def _window(window: Any) -> str:
    """As metrics name it."""
    match window:
        case {"calendar": period, "tz": zone}:
            return f"{period}@{zone}"
        case {"days": days, "tz": zone}:
            return f"{days}d@{zone}"
        case {"anchored": length}:
            return f"{length}@first"
    return str(window)


def _figure(entry: Json) -> str:
    match entry["kind"]:
        case "population":
            return "ratio" if {"share", "unchanged_for"} & entry.keys() else "count"
        case "response":
            return "ratio" if "within" in entry else "mean"
    return str(entry["kind"])


def _unit(entry: Json) -> str:
    if _figure(entry) == "ratio":
        # Money by deals is no share.
        is_share = "sum" not in entry.get("hits", {}) or str(entry.get("target")).endswith("%")
        return "percentunit" if is_share else "none"
    seconds = entry["kind"] == "response"
    seconds |= str(entry.get("value", {}).get("mean", "")).endswith("_s")
    return "s" if seconds else "none"


def _is_fixed(level: Json) -> bool:
    """Its threshold is a number and does not move."""
    keys = ("above", "below", "at_least", "at_most")
    bound = next((level[key] for key in keys if key in level), None)
    return bound is not None and "(" not in str(bound)
