"""Names of the product's own terms, as people call them, in both languages.

Owns the words; sentences are the templates'. A word that is not here is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_STATES_EN = {
    f"state {name}": name
    for name in (
        "active",
        "wanted",
        "suspending",
        "suspended",
        "resuming",
        "probation",
        "held",
        "retired",
        "lost",
    )
}
_STATES_EN |= {f"ask {name}": name for name in ("suspend", "resume", "hold", "release", "retire")}
_STATES_ZH: Final[Mapping[str, str]] = {
    "state active": "使用中",
    "state wanted": "待停用",
    "state suspending": "停用中",
    "state suspended": "已停用",
    "state resuming": "恢复中",
    "state probation": "试用",
    "state held": "人工保留",
    "state retired": "已退役",
    "state lost": "线路无应答",
    "ask suspend": "停用",
    "ask resume": "恢复",
    "ask hold": "保留",
    "ask release": "解除",
    "ask retire": "退役",
}

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
    "never": "the number is never suspended",
    "not_a_number": "it is no telephone number",
    "frozen": "suspensions are frozen",
    "held": "a person has it",
    "undone": "a person has undone it",
    "guard agent": "an agent is to blame, not the number",
    "table_full": "there are too many numbers",
    "guard campaign": "it is the campaign as a whole",
    "brake": "a wave over the whole pool",
    "approval": "a person has to approve",
    "max_fraction": "too much of the pool would be out",
    "min_left": "too little of the pool would be left",
    "pool_rate": "too many suspensions in the pool lately",
    "global_rate": "too many suspensions lately",
    "telephony_silent": "telephony does not answer",
    "telephony_differs": "telephony does otherwise than it was told",
    "suspend_rejected": "telephony rejected the suspension",
    "resume_rejected": "telephony rejected the resumption",
    "opted_out": "opted out",
    "refused": "refused",
    "unsolicited": "never asked for it",
    "consented": "consented",
    "person": "by hand",
    "import": "from a file",
    **_STATES_EN,
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
    "alert refused": "not suspended",
    "alert failed": "telephony failed",
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
    "never": "号码禁止停用",
    "not_a_number": "不是电话号码",
    "frozen": "停用已冻结",
    "held": "人工占用中",
    "undone": "已由人工撤销",
    "guard agent": "问题在坐席,不在号码",
    "table_full": "号码数量超限",
    "guard campaign": "活动整体异常",
    "brake": "大面积异常,已刹车",
    "approval": "等待人工批准",
    "max_fraction": "号码池停用比例将超限",
    "min_left": "号码池剩余将不足",
    "pool_rate": "号码池近期停用过多",
    "global_rate": "近期停用过多",
    "telephony_silent": "电话系统没有应答",
    "telephony_differs": "电话系统状态与指令不符",
    "suspend_rejected": "电话系统拒绝停用",
    "resume_rejected": "电话系统拒绝恢复",
    "opted_out": "客户退订",
    "refused": "客户拒绝来电",
    "unsolicited": "客户未曾同意",
    "consented": "客户同意",
    "person": "人工",
    "import": "文件导入",
    "events": "事件",
    **_STATES_ZH,
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
    "alert refused": "未停用",
    "alert failed": "电话系统异常",
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
    if what == "guard":  # ``agent`` and ``campaign`` are names of other things too
        return word(rest, language)
    heading = _HEADINGS[language].get(what)
    if heading is None or not space:
        return name
    return f"{heading}: {word(f'guard {rest}' if what == 'refusal' else rest, language)}"


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
