"""Sentences that guards, telephony and numbers' histories keep, in the reader's language.

Owns their shapes and their words: what is kept is English, once, for logs, reports and replays. A
sentence of another shape was said by a person or by telephony, and is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from monitor.delivery.messages.words import duration, word
from monitor.units import parse_duration

Moment = Callable[[str], str]
"""Shows what ``monitor.decisions.iso`` made.

Raises:
    ValueError: it is no moment.
"""
_DEPTH_MAX: Final = 4
"""Sentences within sentences; ours are two deep."""


class _Shape(NamedTuple):
    """A sentence: how it is kept, and in words. Its groups are named by what they hold.

    ``until``, ``not_until``, ``since``: moments; ``within``: a duration; ``rest``: a sentence of
    its own; ``guard``, ``state``, ``ask``: names of ours; the others stand as they are.
    """

    kept: str
    en: str
    zh: str


_SHAPES: Final = tuple(
    (re.compile(shape.kept), {"en": shape.en, "zh": shape.zh})
    for shape in (
        # Guards.
        _Shape(
            r"(?P<out>\d+) of (?P<size>\d+) are out of service; the limit is (?P<most>\d+)",
            "{out} of {size} are out of service; the limit is {most}",
            "{size} 个号码中 {out} 个已停用,上限 {most} 个",
        ),
        _Shape(
            r"(?P<left>\d+) of (?P<size>\d+) would be left; at least (?P<least>\d+) must be",
            "{left} of {size} would be left; at least {least} must be",
            "{size} 个号码将只剩 {left} 个,至少须留 {least} 个",
        ),
        _Shape(
            r"(?P<recent>\d+) in the period; the rate is (?P<rate>\S+)",
            "{recent} in the period; the rate is {rate}",
            "该时段内 {recent} 次,上限 {rate}",
        ),
        _Shape(
            r"the number is on the never list",
            "the number is on the never list",
            "号码在禁止停用名单内",
        ),
        _Shape(
            r"suspensions are frozen by (?P<by>.+)",
            "suspensions are frozen by {by}",
            "{by} 已冻结停用",
        ),
        _Shape(
            r"a person has undone it; rules leave it alone until (?P<until>\S+)",
            "a person has undone it; rules leave it alone until {until}",
            "已由人工撤销,规则在 {until} 前不再处理",
        ),
        _Shape(
            r"a person has it (?P<state>\w+): release it first",
            "a person has it, {state}: release it first",
            "人工占用中({state}),须先释放",
        ),
        _Shape(
            r"'(?P<number>.*)' is no telephone number, and not known here",
            "'{number}' is no telephone number, and not known here",
            "“{number}”不是电话号码,系统中也没有",
        ),
        _Shape(
            r"more numbers than numbers\.numbers_max",
            "more numbers than numbers.numbers_max",
            "号码数量超过 numbers.numbers_max",
        ),
        _Shape(
            r"agent (?P<agent>.+) is bad on (?P<others>\d+) other numbers; "
            r"with others (?P<number>.+) is good \((?P<hits>\S+) of (?P<of>\S+)\)",
            "agent {agent} is bad on {others} other numbers; with others {number} is good "
            "({hits} of {of})",
            "坐席 {agent} 在另外 {others} 个号码上同样异常;号码 {number} 由其他坐席使用时正常"
            "({hits}/{of})",
        ),
        # Incidents.
        _Shape(
            r"the campaign as a whole breaches (?P<rules>.+): it is not single numbers",
            "the campaign as a whole breaches {rules}: it is not single numbers",
            "活动整体触发 {rules}:不是个别号码的问题",
        ),
        _Shape(
            r"(?P<rest>a wave: .+)\. Suspended in it: (?P<numbers>.+); "
            r"to take that back: (?P<undo>monitor .+)",
            "{rest}. Suspended in it: {numbers}; to take that back: {undo}",
            "{rest}。其间已停用:{numbers};如需撤回:{undo}",
        ),
        _Shape(
            r"a wave: (?P<count>\d+) of (?P<size>\d+) numbers breach or were suspended within "
            r"(?P<within>\S+), more than (?P<most>\d+); no more are suspended",
            "a wave: {count} of {size} numbers breach or were suspended within {within}, "
            "more than {most}; no more are suspended",
            "大面积异常:{within}内 {size} 个号码中有 {count} 个触发规则或被停用,超过 {most} 个,"
            "不再继续停用",
        ),
        _Shape(
            r"(?P<waiting>\d+) numbers wait, more than (?P<most>\d+): a person decides until "
            r"(?P<until>\S+): (?P<command>monitor numbers approve \S+)",
            "{waiting} numbers wait, more than {most}: a person decides until {until}: {command}",
            "{waiting} 个号码待定,超过 {most} 个:须在 {until} 前由人工决定:{command}",
        ),
        # Many at once.
        _Shape(
            r"(?P<many>\d+) numbers, (?P<number>\S+) among them: (?P<rest>.+)",
            "{many} numbers, {number} among them: {rest}",
            "{number} 等 {many} 个号码:{rest}",
        ),
        _Shape(r"(?P<many>\d+) times: (?P<rest>.+)", "{many} times: {rest}", "{many} 次:{rest}"),
        # Telephony.
        _Shape(
            r"(?P<state>suspending|suspended|resuming|active|wanted|probation|held|retired|lost): "
            r"(?P<rest>.+)",
            "{state}: {rest}",
            "{state}:{rest}",
        ),
        _Shape(r"no answer within (?P<span>\S+)", "no answer within {span}", "{span} 内没有应答"),
        _Shape(
            r"it was not sent: the configuration has its telephony system no more",
            "it was not sent: the configuration has its telephony system no more",
            "未发送:配置中已没有该电话系统",
        ),
        _Shape(r"stale: not sent", "too late, not sent", "已过期,未发送"),
        _Shape(
            r"seen by asking what is blocked",
            "seen by asking what is blocked",
            "查询拦截名单得知",
        ),
        _Shape(
            r"(?P<first>[^;]+ (?:does not block it|blocks it [^;]+)); (?P<rest>.+)",
            "{first}; {rest}",
            "{first};{rest}",
        ),
        _Shape(r"(?P<system>\S+) does not block it", "{system} does not block it",
               "{system} 没有拦截"),
        _Shape(
            r"(?P<system>.+) blocks it (?P<until>until \S+), not (?P<not_until>until \S+)",
            "{system} blocks it {until}, not {not_until}",
            "{system} 拦截{until},而应拦截{not_until}",
        ),
        _Shape(
            r"(?P<system>.+) blocks it (?P<until>until \S+), and it does not belong there any more",
            "{system} blocks it {until}, and it does not belong there any more",
            "{system} 拦截{until},但号码已不属于该系统",
        ),
        _Shape(
            r"(?P<system>.+) blocks it (?P<until>until \S+), and it is in service",
            "{system} blocks it {until}, and it is in service",
            "{system} 拦截{until},但号码在使用中",
        ),
        _Shape(
            r"(?P<system>.+) blocks it (?P<until>until \S+), and did not answer",
            "{system} blocks it {until}, and did not answer",
            "{system} 仍拦截{until},且没有应答",
        ),
        _Shape(
            r"(?P<system>\S+) was told to block it, and it does not belong there any more",
            "{system} was told to block it, and it does not belong there any more",
            "{system} 曾受命拦截,但号码已不属于该系统",
        ),
        # Histories.
        _Shape(
            r"until (?P<calls>\d+) calls since, or its time is over",
            "until {calls} calls since, or its time is over",
            "观察至再拨满 {calls} 通或期满为止",
        ),
        _Shape(r"(?P<calls>\d+) calls since", "{calls} calls since", "此后已拨 {calls} 通"),
        _Shape(
            r"the resume that telephony owed is withdrawn",
            "the resume that telephony owed is withdrawn",
            "电话系统尚欠的恢复操作已撤回",
        ),
        _Shape(
            r"undone; still out for a person",
            "undone; still out for a person",
            "已撤销;仍因人工操作停用",
        ),
        _Shape(
            r"(?P<number>\+?\d+) in its place; (?P<why>.+)",
            "{number} in its place; {why}",
            "由 {number} 接替;{why}",
        ),
        _Shape(
            r"(?P<why>.*) \(over the guard (?P<guard>[a-z_]+): (?P<rest>.+)\)",
            "{why} (over the guard: {guard}; {rest})",
            "{why}(越过限制:{guard};{rest})",
        ),
        _Shape(
            r"(?P<ask>suspend|resume|hold|release|retire): (?P<rest>it is .+|the number is in "
            r"service); (?P<why>.*)",
            "{ask}: {rest}; {why}",
            "{ask}:{rest};{why}",
        ),
        _Shape(
            r"it is (?P<state>\w+) already", "it is {state} already", "号码已是“{state}”状态"
        ),
        _Shape(
            r"it is (?P<state>\w+), and not held",
            "it is {state}, and not held",
            "号码是“{state}”状态,没有人工保留",
        ),
        _Shape(r"the number is in service", "the number is in service", "号码在使用中"),
        _Shape(
            r"(?P<ask>suspend|resume|hold|release|retire): (?P<rest>.+) \((?P<guard>[a-z_]+)\)",
            "{ask}: {guard} ({rest})",
            "{ask}:{guard}({rest})",
        ),
    )
)  # fmt: skip


def sentence(kept: str, language: str, moment: Moment, *, depth: int = 0) -> str:
    """A kept sentence in a language."""
    if depth == _DEPTH_MAX:
        return kept
    for shape, texts in _SHAPES:
        found = shape.fullmatch(kept)
        if found is None:
            continue
        try:
            named = {
                name: _said(name, text, language, moment, depth)
                for name, text in found.groupdict().items()
            }
        except ValueError:  # a person wrote it
            return kept
        return texts[language].format(**named)
    return kept


def _said(name: str, text: str, language: str, moment: Moment, depth: int) -> str:
    match name:
        case "rest" | "first":
            return sentence(text, language, moment, depth=depth + 1)
        case "until" | "not_until":
            return _until(text, language, moment)
        case "within":
            return duration(parse_duration(text), language)
        case "guard" | "state" | "ask":
            return word(f"{name} {text}", language)
        case _:
            return text


def _until(text: str, language: str, moment: Moment) -> str:
    """``until told``, ``until <moment>``, or a moment alone."""
    when = text.removeprefix("until ")
    if when == text:
        return moment(when)
    if when == "told":
        return "直到另行通知" if language == "zh" else text
    return f"至 {moment(when)} " if language == "zh" else f"until {moment(when)}"
