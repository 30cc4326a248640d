"""What a comparison says: two sentences, and the table of what differs.

Owns the wording, and the tables on a terminal.
"""

from __future__ import annotations

from datetime import tzinfo

from rich.console import Console
from rich.text import Text

from monitor.backtest.compare import Change, Comparison, Matched, Pair
from monitor.backtest.text import table_of
from monitor.backtest.words import Two, count, hours, moment, plural, span_words

SHOWN = 60
_SAID: dict[Change, Two] = {
    "only_a": Two("only in A", "仅 A"),
    "only_b": Two("only in B", "仅 B"),
    "earlier": Two("earlier", "更早"),
    "later": Two("later", "更晚"),
    "longer": Two("longer", "更长"),
    "shorter": Two("shorter", "更短"),
    "level": Two("other level", "级别不同"),
    "shadow": Two("shadow on one side", "一侧为影子"),
}


def sentences(found: Comparison) -> list[Two]:
    """The two that a manager reads."""
    a, b = found.a, found.b
    if found.same:
        return [
            Two(
                f"A and B decide the same: {plural(a.alerts, 'alert')}, numbers out of service"
                f" {plural(a.suspensions, 'time')}.",
                f"A 与 B 的判定完全相同：{a.alerts:,} 次告警，停用号码 {a.suspensions:,} 次。",
            )
        ]
    matched = found.alerts
    return [
        Two(
            f"B raises {plural(b.alerts, 'alert')} where A raises {a.alerts:,}:"
            f" {matched.count('only_b'):,} only in B, {matched.count('only_a'):,} only in A;"
            f" of {matched.both:,} in both, {_differ(matched).en}.",
            f"B 触发 {b.alerts:,} 次告警，A 触发 {a.alerts:,} 次：仅 B {matched.count('only_b'):,}"
            f" 次，仅 A {matched.count('only_a'):,} 次；两者共有的 {matched.both:,} 次中，"
            f"{_differ(matched).zh}。",
        ),
        Two(
            f"Numbers go out of service {plural(b.suspensions, 'time')} for {hours(b.out_h)}"
            f" number-hours instead of {a.suspensions:,} for {hours(a.out_h)}, and people get"
            f" {count(round(b.pages / b.span_days, 1))} messages a day instead of"
            f" {count(round(a.pages / a.span_days, 1))}.",
            f"停用号码 {b.suspensions:,} 次、{hours(b.out_h)} 号码小时（A 为 {a.suspensions:,} 次、"
            f"{hours(a.out_h)}），每天通知 {count(round(b.pages / b.span_days, 1))} 条（A 为"
            f" {count(round(a.pages / a.span_days, 1))} 条）。",
        ),
    ]


def _differ(matched: Matched) -> Two:
    parts: list[Two] = []
    for change in ("earlier", "later", "longer", "shorter"):
        number = matched.count(change)
        if number:
            by = span_words(matched.typical_ms(change))
            verb = "come" if change in {"earlier", "later"} else "last"
            if number == 1:
                verb += "s"
            typical = f"{by.en}" if number == 1 else f"{by.en} in the middle"
            parts.append(
                Two(
                    f"{number:,} {verb} {change} (by {typical})",
                    f"{number:,} 次{_SAID[change].zh}（中位数 {by.zh}）",
                )
            )
    if not parts:
        return Two("none moves", "时间都没有变化")
    return Two(", ".join(each.en for each in parts), "，".join(each.zh for each in parts))


def said(change: Change) -> Two:
    """One way to differ."""
    return _SAID[change]


def moved(pair: Pair) -> Two:
    """How one pair differs, in a few words with its figures."""
    en, zh = [], []
    for change in pair.changes:
        words = _SAID[change]
        if change in {"earlier", "later"}:
            by = span_words(abs(pair.begins_ms))
        elif change in {"longer", "shorter"}:
            by = span_words(abs(pair.lasts_ms))
        else:
            en.append(words.en)
            zh.append(words.zh)
            continue
        en.append(f"{by.en} {words.en}")
        zh.append(f"{words.zh} {by.zh}")
    return Two(", ".join(en), "，".join(zh))


def show(found: Comparison, out: Console, zone: tzinfo | None) -> None:
    """Print all of it: the sentences, rules, then what differs."""
    a, b = found.a, found.b
    between = f"{moment(a.from_ms, zone)} to {moment(a.to_ms, zone)} ({a.zone})"
    out.print(f"{between}; A: {a.read.rules}; B: {b.read.rules}", style="dim")
    for sentence in sentences(found):
        out.print(sentence.en, style="bold")
    if found.same:
        return
    _show_rules(found, out)
    for title, matched in (("Alerts", found.alerts), ("Numbers out of service", found.outages)):
        _show_pairs(title, matched, out, zone)


def _show_rules(found: Comparison, out: Console) -> None:
    shown: tuple[Change, ...] = ("only_a", "only_b", "earlier", "later", "longer", "shorter")
    table = table_of("Rules", "rule", "A", "B", *(_SAID[each].en for each in shown))
    table.columns[0].min_width = 16
    of_a = {line.rule: line.alerts for line in found.a.rules}
    of_b = {line.rule: line.alerts for line in found.b.rules}
    for rule in found.rules:
        counts = [found.alerts.count(each, rule) for each in shown]
        table.add_row(
            rule,
            f"{of_a.get(rule, 0):,}",
            f"{of_b.get(rule, 0):,}",
            *(f"{each:,}" if each else "·" for each in counts),
            style="" if any(counts) else "dim",
        )
    out.print()
    out.print(table)


def _show_pairs(title: str, matched: Matched, out: Console, zone: tzinfo | None) -> None:
    differing = matched.differing
    if not differing:
        return
    table = table_of(f"{title} that differ", "first at", "what", "about", "B against A", left=4)
    for pair in differing[:SHOWN]:
        style = "green" if pair.a is None else "red" if pair.b is None else "yellow"
        table.add_row(
            moment(pair.first_ms, zone), pair.what, pair.about, Text(moved(pair).en, style=style)
        )
    if len(differing) > SHOWN:
        table.caption = f"and {len(differing) - SHOWN:,} more (--json has all)"
    out.print()
    out.print(table)
