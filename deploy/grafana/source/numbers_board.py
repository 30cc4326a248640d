"""Outbound numbers: their states, the worst of them, what was done and what was refused."""

from __future__ import annotations

from model import (
    GREEN,
    RED,
    YELLOW,
    Json,
    choice,
    column,
    console_of,
    dashboard,
    graph,
    query,
    row,
    stat,
    steps,
    table,
    variable,
)

_IN_USE = '{indicator="$indicator", window="$window", scope="number"}'


def build() -> Json:
    """The dashboard."""
    ratio = 'label_values(callcentre_indicator_ratio{scope="number"'
    return dashboard(
        "cc-numbers",
        "Call centre: numbers 外呼号码",
        "Which numbers go bad, which are out of service and until when. 号码状态、劣化与停用。",
        [
            variable(
                "indicator", "Indicator 指标", f"{ratio}}}, indicator)", current="hangup_rate"
            ),
            variable(
                "window",
                "Window 窗口",
                f'{ratio}, indicator="$indicator"}}, window)',
                current="30m",
            ),
            choice("least", "At least 最少样本", ("1", "10", "20", "50", "100"), "20"),
            variable(
                "number",
                "Number 号码",
                'label_values(callcentre_indicator_of{scope="number"}, number)',
                multi=True,
                everything=True,
            ),
        ],
        [
            row("States 状态"),
            *_states(),
            row("Worst numbers 最差号码"),
            *_worst(),
            row("Actions 处置"),
            *_actions(),
        ],
    )


def _states() -> list[Json]:
    out = 'sum(callcentre_numbers{state!~"active|wanted"})'
    return [
        stat(
            "Out of service 停用占比",
            "Share of known numbers that make no calls. 不可外呼号码占比。",
            f"{out} / sum(callcentre_numbers > 0)",
            unit="percentunit",
            thresholds=steps((None, GREEN), (0.05, YELLOW), (0.1, RED)),
        ),
        stat(
            "Waiting for a guard 待停用",
            "A rule wants them suspended and a guard says not now. 规则要求停用但护栏未放行。",
            'callcentre_numbers{state="wanted"}',
            thresholds=steps((None, GREEN), (1, YELLOW)),
        ),
        stat(
            "Kill switch 总闸",
            "1: `monitor numbers freeze` is in force and nothing is suspended. 已冻结。",
            "callcentre_numbers_frozen",
            thresholds=steps((None, GREEN), (1, RED)),
        ),
        graph(
            "Numbers by state 各状态号码数",
            "All known numbers but the active ones. 除正常号码外的各状态。",
            [query('callcentre_numbers{state!="active"}', "{{state}}")],
            width=12,
            stack=True,
        ),
        table(
            "Not active 非正常号码",
            "Since when, and until when; no end: only a clearance or a person ends it. 起止时间。",
            [
                query("callcentre_number_since_timestamp_seconds * 1000", instant=True),
                query("callcentre_number_until_timestamp_seconds * 1000", instant=True, ref="B"),
            ],
            columns={
                "number": "number 号码",
                "state": "state 状态",
                "rule": "rule 规则",
                "Value #A": "since 始于",
                "Value #B": "until 止于",
            },
            sort="since 始于",
            overrides=[
                column("since 始于", ("unit", "dateTimeFromNow")),
                column("until 止于", ("unit", "dateTimeFromNow")),
                column("number 号码", console_of("number")),
            ],
            width=24,
        ),
    ]


def _worst() -> list[Json]:
    enough = f"callcentre_indicator_ratio{_IN_USE} and callcentre_indicator_of{_IN_USE} >= $least"
    chosen = _IN_USE.replace("}", ', number=~"$number"}')
    return [
        table(
            "Twenty highest 前二十",
            "Highest values with enough calls. 样本足够时最高的二十个。",
            [
                query(f"topk(20, {enough})", instant=True),
                query(
                    f"callcentre_indicator_of{_IN_USE} and topk(20, {enough})",
                    instant=True,
                    ref="B",
                ),
            ],
            columns={
                "number": "number 号码",
                "Value #A": "value 值",
                "Value #B": "sample 样本",
            },
            sort="value 值",
            overrides=[
                column("value 值", ("unit", "percentunit"), ("decimals", 1)),
                column("number 号码", console_of("number")),
            ],
            width=8,
            height=10,
        ),
        graph(
            "$indicator ($window)",
            "The numbers chosen above, at most twenty. 所选号码,最多二十个。",
            [query(f"topk(20, callcentre_indicator_ratio{chosen})", "{{number}}")],
            unit="percentunit",
            width=16,
            height=10,
        ),
    ]


def _actions() -> list[Json]:
    return [
        graph(
            "Commands 指令",
            "To telephony, by result, in each interval. 各结果的指令数。",
            [
                query(
                    "sum by (action, result) "
                    "(increase(callcentre_commands_total[$__rate_interval]))",
                    "{{action}} {{result}}",
                )
            ],
            width=12,
        ),
        graph(
            "Refused by guards 护栏拒绝",
            "Suspensions that a guard did not let through. 未被护栏放行的停用。",
            [
                query(
                    "sum by (guard) (increase(callcentre_refusals_total[$__rate_interval]))",
                    "{{guard}}",
                )
            ],
            width=12,
        ),
        graph(
            "Alert transitions 告警变化",
            "Fired and resolved, by rule. 各规则触发与恢复。",
            [
                query(
                    "sum by (rule, state) (increase(callcentre_alerts_total[$__rate_interval]))",
                    "{{rule}} {{state}}",
                )
            ],
            width=12,
        ),
        graph(
            "Scopes by state of their rule 规则状态",
            "Insufficient: not enough evidence; warming: the log does not cover the window yet. "
            "样本不足与预热。",
            [query("sum by (state) (callcentre_rule_scopes)", "{{state}}")],
            width=12,
            stack=True,
        ),
    ]
