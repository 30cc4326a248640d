"""Team → group → agent: each level is a table of all indicators and a graph of one."""

from __future__ import annotations

import pack
from model import (
    Json,
    column,
    console_of,
    dashboard,
    graph,
    link,
    query,
    row,
    table,
    variable,
)

_MEMBERS = 'callcentre_agent_info{team=~"$team", group=~"$group", agent=~"$agent"}'
_LEVELS = {
    "team": ("Teams 团队", 'team=~"$team"', ""),
    "group": ("Groups 小组", 'group=~"$group"', f" and on (group) {_MEMBERS}"),
    "agent": ("Agents 坐席", 'agent=~"$agent"', f" and on (agent) {_MEMBERS}"),
}
_NEXT = {
    "team": "/d/cc-people?var-team=${__value.text}&var-indicator=$indicator&${__url_time_range}",
    "group": "/d/cc-people?var-team=$team&var-group=${__value.text}"
    "&var-indicator=$indicator&${__url_time_range}",
    "agent": "/d/cc-people?var-team=$team&var-group=$group&var-agent=${__value.text}"
    "&var-indicator=$indicator&${__url_time_range}",
}


def build() -> Json:
    """The dashboard."""
    agents = 'callcentre_agent_info{team=~"$team"'
    return dashboard(
        "cc-people",
        "Call centre: team, group, agent 团队、小组、坐席",
        "Click a team for its groups, a group for its agents. 点击团队或小组逐级下钻。",
        [
            variable(
                "team", "Team 团队", "label_values(callcentre_agent_info, team)", everything=True
            ),
            variable("group", "Group 小组", f"label_values({agents}}}, group)", everything=True),
            variable(
                "agent",
                "Agent 坐席",
                f'label_values({agents}, group=~"$group"}}, agent)',
                everything=True,
            ),
            variable(
                "indicator",
                "Indicator 指标",
                'label_values(callcentre_indicator_ratio{scope="agent"}, indicator)',
                current="hangup_rate",
            ),
            variable(
                "window",
                "Window 窗口",
                'label_values(callcentre_indicator_ratio{indicator="$indicator"}, window)',
                current="30m",
            ),
        ],
        [entry for scope in _LEVELS for entry in _level(scope)],
    )


def _level(scope: str) -> list[Json]:
    title, matchers, join = _LEVELS[scope]
    return [row(title), _all_indicators(scope), _one_indicator(scope, matchers, join)]


def _all_indicators(scope: str) -> Json:
    title, matchers, join = _LEVELS[scope]
    shown = [indicator for indicator in pack.load().values() if scope in indicator.by]
    columns, queries, overrides = {scope: title}, [], []
    for place, indicator in enumerate(shown):
        ref = chr(ord("A") + place)
        values = f"max by ({scope}) ({indicator.select(scope, matchers)}{join})"
        queries.append(query(values, instant=True, ref=ref))
        heading = f"{indicator.title} ({indicator.window})"
        columns[f"Value #{ref}"] = heading
        overrides.append(
            column(
                heading,
                ("unit", indicator.unit),
                ("decimals", 1),
                ("thresholds", indicator.thresholds),
                ("color", {"mode": "thresholds"}),
                ("custom.cellOptions", {"type": "color-text"}),
            )
        )
    overrides.append(column(title, link("Drill down 下钻", _NEXT[scope]), console_of(scope)))
    return table(
        f"{title}: all indicators 全部指标",
        "Green at the target, red 20 % past it. 达标为绿,偏离目标 20% 为红。",
        queries,
        columns=columns,
        overrides=overrides,
        width=14,
        height=9,
    )


def _one_indicator(scope: str, matchers: str, join: str) -> Json:
    values = (
        f'callcentre_indicator_ratio{{indicator="$indicator", window="$window", '
        f'scope="{scope}", {matchers}}}{join}'
    )
    return graph(
        f"$indicator ($window) by {scope}",
        "The indicator chosen above, with its target if it has one. 所选指标及其目标。",
        [
            query(values, f"{{{{{scope}}}}}"),
            query('callcentre_indicator_target{indicator="$indicator"}', "target 目标", ref="T"),
        ],
        unit="percentunit",
        width=10,
        height=9,
    )
