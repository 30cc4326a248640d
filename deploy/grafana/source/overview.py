"""The overview: how the centre does, by the four dimensions, and what fires."""

from __future__ import annotations

import pack
from model import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Json,
    column,
    console_of,
    dashboard,
    graph,
    in_console,
    link,
    query,
    row,
    stat,
    steps,
    table,
    variable,
)

_TEAM = 'team=~"$team"'
_FUNNEL = {
    "sms.sent": "SMS sent 短信发送",
    "sms.opened": "SMS opened 短信打开",
    "sms.consented": "consented 授权",
    "call.ended": "calls 通话",
    "customer.qualified": "qualified 有效客户",
    "deal.won": "deals 成交",
}


def build() -> Json:
    """The dashboard."""
    shown = pack.load()
    drill = [
        {
            "title": "Groups and agents 小组与坐席",
            "url": "/d/cc-people?var-team=${__field.labels.team}&${__url_time_range}",
        }
    ]
    links = {"extra": {"links": drill}}
    return dashboard(
        "cc-overview",
        "Call centre: overview 总览",
        "Compliance, efficiency, conversion, experience, by team; and what fires now.",
        [
            variable(
                "team",
                "Team 团队",
                'label_values(callcentre_indicator_of{scope="team"}, team)',
                multi=True,
                everything=True,
            )
        ],
        [
            row("Now 现在"),
            *_now(),
            _alerts(),
            row("Compliance 合规"),
            shown["complaint_rate"].graph("team", _TEAM, **links),
            shown["number_flag_rate"].graph("team", _TEAM, **links),
            _redial(),
            row("Efficiency 效率"),
            shown["effective_talk_ratio"].graph("team", _TEAM, **links),
            shown["answer_rate"].graph("team", _TEAM, **links),
            shown["auto_log_rate"].graph("team", _TEAM, **links),
            row("Conversion 转化"),
            *_conversion(),
            row("Experience 体验"),
            shown["hangup_rate"].graph("team", _TEAM, width=12, **links),
            shown["csat"].graph("team", _TEAM, width=12, **links),
        ],
    )


def _now() -> list[Json]:
    firing = 'sum(callcentre_alerts_firing{level="%s", shadow="false"}) or vector(0)'
    return [
        stat(
            "Critical 严重",
            "Alert episodes at level crit. 严重告警数。",
            firing % "crit",
            thresholds=steps((None, GREEN), (1, RED)),
        ),
        stat(
            "Warnings 警告",
            "Alert episodes at level warn. 警告数。",
            firing % "warn",
            thresholds=steps((None, GREEN), (1, YELLOW)),
        ),
        stat(
            "Numbers suspended 停用号码",
            "Numbers that telephony confirmed as out of service. 已停用的外呼号码。",
            'callcentre_numbers{state="suspended"}',
            thresholds=steps((None, GREEN), (1, YELLOW)),
        ),
        stat(
            "Calls per minute 每分钟通话",
            "Ended calls, mean of five minutes. 五分钟均值。",
            '60 * sum(rate(callcentre_events_total{type="call.ended", outcome="accepted"}[5m]))',
            thresholds=steps((None, BLUE)),
        ),
        stat(
            "Behind 延迟",
            "Wall time less the watermark: how old the newest judged moment is. 判定延迟。",
            "monitor_watermark_delay_seconds",
            unit="s",
            thresholds=steps((None, GREEN), (30, YELLOW), (120, RED)),
        ),
        stat(
            "Ready 就绪",
            "1: the daemon does its job; else see the daemon's dashboard. 守护进程就绪。",
            "monitor_ready",
            thresholds=steps((None, RED), (1, GREEN)),
        ),
    ]


def _alerts() -> Json:
    keys = ("number", "agent", "group", "team", "campaign", "number_type", "customer_tag")
    columns = {"rule": "rule 规则", "level": "level 级别", "shadow": "shadow 影子"}
    columns |= {key: key for key in keys} | {"Value": "since 始于"}
    return table(
        "Firing alerts 当前告警",
        "Each episode, without customers. Shadow rules record and send nothing. 影子规则只记录。",
        [query("callcentre_alert_since_timestamp_seconds * 1000", instant=True)],
        columns=columns,
        sort="since 始于",
        overrides=[
            column("since 始于", ("unit", "dateTimeFromNow")),
            column("rule 规则", link("Inbox 告警", in_console("alerts?rule=${__value.text}"))),
            column(
                "number",
                link("Numbers 号码", "/d/cc-numbers?var-number=${__value.text}"),
                console_of("number"),
            ),
            column(
                "team",
                link("Team 团队", "/d/cc-people?var-team=${__value.text}"),
                console_of("team"),
            ),
            *(column(key, console_of(key)) for key in ("agent", "group", "campaign")),
        ],
        width=24,
    )


def _redial() -> Json:
    # By pairs of number and customer, which are never exported: what is shown is how many break it.
    watched = 'callcentre_rule_info{indicator="redial_frequency"}'
    return graph(
        "Redial limit broken 单号码单日重复拨打超限",
        "Pairs of number and customer above the daily limit now. 当日超限的号码与客户组合数。",
        [
            query(
                f"sum(callcentre_alerts_firing and on (rule) {watched}) or vector(0)",
                "pairs 组合",
            )
        ],
    )


def _conversion() -> list[Json]:
    accepted = 'callcentre_events_total{type="%s", outcome="accepted"}'
    per_hour = [
        query(
            f"3600 * sum(rate({accepted % kind}[15m]))",
            label,
            ref=chr(ord("A") + place),
        )
        for place, (kind, label) in enumerate(_FUNNEL.items())
    ]
    total = [
        query(
            f"sum(increase({accepted % kind}[$__range]))",
            label,
            ref=chr(ord("A") + place),
        )
        for place, (kind, label) in enumerate(_FUNNEL.items())
    ]
    funnel = graph(
        "SMS and phone funnel 短信-电话转化漏斗",
        "Events in the time shown, step by step. 所选时段内各步事件数。",
        total,
        width=12,
    )
    funnel |= {
        "type": "bargauge",
        "options": {
            "displayMode": "gradient",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
        },
    }
    return [
        funnel,
        graph(
            "Steps per hour 每小时步数",
            "The same steps over time, mean of 15 minutes. 15 分钟均值。",
            per_hour,
            width=12,
        ),
    ]
