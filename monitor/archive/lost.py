"""What rules cannot see in an archive that knows no customers.

Owns the list of what is lost, by rule; that nothing else is, is tested by replays
(tests/archive/test_hashed.py). Country, state and time zone of a customer are in the token.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from monitor.archive.hashing import IDS, is_struck
from monitor.archive.hashing import TEXTS as _TEXTS
from monitor.indicators.model import Indicator
from monitor.rules.lint import Finding, Placed
from monitor.rules.model import Rule

_TOKENS = {"customer", *IDS}
_WHERES = {"where", "among", "share"}
"""Keys of conditions."""


def compared(rule: Rule, indicators: Mapping[str, Indicator]) -> set[str]:
    """Fields that the rule, or what it rests on, compares with a text that no event will have."""
    named = (
        {"customer"} if any("customer" in (e.model_extra or {}) for e in rule.except_) else set()
    )
    return named | {
        field
        for condition in _conditions(rule, indicators)
        for node in ast.walk(condition)
        if isinstance(node, ast.Compare)
        for field in _lost_in(node)
    }


def losses(rules: Iterable[Placed[Rule]], indicators: Mapping[str, Indicator]) -> Iterator[Finding]:
    """A warning for each rule that a replay of such an archive judges otherwise."""
    for placed in rules:
        rule = placed.value
        fields = sorted(compared(rule, indicators)) if rule.status != "off" else []
        if fields:
            message = f"a replay of the archive never finds the {' or '.join(fields)} it names"
            hint = "the archive holds tokens (archive.customers); see docs/backtest.md"
            yield Finding("warning", placed.locate((), message, hint))


def asks_lists(rules: Iterable[Rule], indicators: Mapping[str, Indicator]) -> list[str]:
    """The rules that ask whether a customer is on a do-not-call list."""
    return [
        rule.id
        for rule in rules
        if rule.status != "off"
        and any(
            isinstance(node, ast.Name) and node.id == "do_not_call"
            for condition in _conditions(rule, indicators)
            for node in ast.walk(condition)
        )
    ]


def _lost_in(node: ast.Compare) -> Iterator[str]:
    sides = [node.left, *node.comparators]
    sides += [each for side in sides if isinstance(side, ast.List) for each in side.elts]
    fields = {each.id for each in sides if isinstance(each, ast.Name)}
    texts = [
        each.value
        for each in sides
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    for field in sorted(fields):
        if (field in _TOKENS and texts) or (field in _TEXTS and any(map(is_struck, texts))):
            yield field


def _conditions(rule: Rule, indicators: Mapping[str, Indicator]) -> Iterator[ast.expr]:
    parts: list[BaseModel] = [rule]
    if rule.indicator is not None and rule.indicator in indicators:
        parts.append(indicators[rule.indicator])
    for part in parts:
        for text in _wheres(part):
            yield ast.parse(text.strip(), mode="eval").body


def _wheres(value: Any) -> Iterator[str]:
    """Every condition within, however deep."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            held = getattr(value, name)
            if name in _WHERES and isinstance(held, str):
                yield held
            else:
                yield from _wheres(held)
    elif isinstance(value, Mapping):
        yield from _wheres(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _wheres(each)
