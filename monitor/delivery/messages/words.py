"""Names of the product's own terms, as people call them, in both languages.

Owns the words; sentences are the templates'. A word that is not here is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_EN: Final[Mapping[str, str]] = {
    "crit": "Critical",
    "warn": "Warning",
    "resolved": "Over",
    "number_type": "number type",
    "customer_tag": "customer tag",
    "breach": "limit broken",
    "escalated": "worse",
    "relaxed": "better",
    "recovered": "good again",
    "cleared": "cleared",
    "suspended": "number suspended",
    "no_data": "no more data",
    "rule_changed": "the rule was changed",
    "rule_over": "the rule is over",
    "rebuilt": "worked out anew",
    "repeat": "still so",
    "max_fraction": "too much of the pool would be out",
    "min_left": "too little of the pool would be left",
    "global_rate": "too many suspensions lately",
    "frozen": "suspensions are frozen",
    "told late": "they come late",
    "told too_many": "they were too many to be sent one by one",
    "told alerts": "they belong together",
    "told repeat": "nobody has acknowledged them yet",
    "told escalation": "nobody has acknowledged them in time",
    "told flapping": "they come and go; they are held back until they are quiet",
    "told capped": "more came than one person is sent",
    "title late": "Digest",
    "title too_many": "Digest",
    "title alerts": "Alerts",
    "title repeat": "Not acknowledged yet",
    "title escalation": "Escalation",
    "title flapping": "Comes and goes",
    "title capped": "Digest",
    "customer.release": "give the customer back",
    "alert firing": "alert",
    "alert resolved": "alert over",
    "command suspend": "number suspended",
    "command resume": "number back",
}

_ZH: Final[Mapping[str, str]] = {
    "crit": "严重",
    "warn": "警告",
    "resolved": "恢复",
    "number": "号码",
    "agent": "坐席",
    "group": "小组",
    "team": "团队",
    "campaign": "活动",
    "customer": "客户",
    "number_type": "号码类型",
    "customer_tag": "客户标签",
    "company": "全公司",
    "breach": "超过界限",
    "escalated": "加重",
    "relaxed": "减轻",
    "recovered": "恢复正常",
    "cleared": "已解除",
    "suspended": "号码已停用",
    "no_data": "不再有数据",
    "rule_changed": "规则已修改",
    "rule_over": "规则已失效",
    "rebuilt": "重新计算",
    "repeat": "仍在持续",
    "max_fraction": "号码池停用比例将超限",
    "min_left": "号码池剩余将不足",
    "global_rate": "近期停用过多",
    "rate": "近期停用过多",
    "frozen": "停用已冻结",
    "brake": "大面积异常,已刹车",
    "approval": "等待人工批准",
    "told late": "送达太晚",
    "told too_many": "数量太多,无法逐条发送",
    "told alerts": "属于同一组",
    "told repeat": "至今无人确认",
    "told escalation": "超时无人确认,升级通知",
    "told flapping": "反复触发与恢复,平稳之前不再逐条通知",
    "told capped": "超过每人的发送上限",
    "title late": "汇总",
    "title too_many": "汇总",
    "title alerts": "告警",
    "title repeat": "仍未确认",
    "title escalation": "升级",
    "title flapping": "反复波动",
    "title capped": "汇总",
    "customer.release": "释放客户",
    "add": "加入",
    "remove": "移出",
    "alert firing": "告警",
    "alert resolved": "告警恢复",
    "command suspend": "停用号码",
    "command resume": "恢复号码",
}

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {"en": _EN, "zh": _ZH}
_HEADINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {"order": "order", "do-not-call": "do-not-call list", "refusal": "refused"},
    "zh": {"order": "指令", "do-not-call": "免呼名单", "refusal": "停用被拒"},
}


def word(name: str, language: str) -> str:
    """How people call ``name``; itself where there is no word for it."""
    words = _WORDS[language]
    if name in words:
        return words[name]
    what, space, rest = name.partition(" ")
    heading = _HEADINGS[language].get(what)
    return name if heading is None or not space else f"{heading}: {word(rest, language)}"


def duration(ms: int, language: str) -> str:
    """``2 h 5 min``, ``2 小时 5 分钟``: as exact as people care."""
    minutes = max(0, ms) // 60_000
    if not minutes:
        return "不到 1 分钟" if language == "zh" else "under a minute"
    day, hour, minute = ("天", "小时", "分钟") if language == "zh" else ("d", "h", "min")
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days:
        return f"{days} {day} {hours} {hour}" if hours else f"{days} {day}"
    if hours:
        return f"{hours} {hour} {minutes % 60} {minute}" if minutes % 60 else f"{hours} {hour}"
    return f"{minutes} {minute}"
