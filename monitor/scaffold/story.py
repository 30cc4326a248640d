"""A first story for a rule: one in which it should fire, and one in which it should not.

Owns the events of both and how they are written. They are guesses until they have been run.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

from monitor.events.catalogue import FIELDS
from monitor.indicators.formula import formula, rows_of
from monitor.indicators.model import Indicator
from monitor.rules.levels import Level, Raw
from monitor.rules.model import Rule
from monitor.scaffold.events import SAMPLES, Values, that_fail, that_pass
from monitor.units import format_duration, parse_duration

START: Final = "2026-11-23T09:00:00+08:00"
_EVENTS: Final = 100
"""Of one story, where the rule asks for no more."""
_EVENTS_MAX: Final = 20_000
_PLAIN = re.compile(r"[a-zA-Z][\w.-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


@dataclass(frozen=True, slots=True)
class Story:
    """One test, as it is written."""

    name: str
    lines: tuple[dict[str, Any], ...]
    expect: dict[str, Any] | None
    expect_no: dict[str, Any] | None

    def text(self) -> str:
        """As an entry of ``tests:``."""
        made = [f"  - name: {_scalar(self.name)}", f"    start: {START}", "    events:"]
        made += [f"      - {flow(line)}" for line in self.lines]
        for key, wish in (("expect", self.expect), ("expect_no", self.expect_no)):
            if wish is not None:
                made += [f"    {key}:", f"      - {flow(wish)}"]
        return "\n".join(made) + "\n"


def stories(rule: Rule, indicator: Indicator | None) -> list[Story]:
    """That it fires, then that it does not; what cannot be guessed is left out."""
    scope = {name: SAMPLES.get(name, f"{name}-1") for name in rule.by if name != "company"}
    if rule.event is not None:
        return _of_event(rule, scope)
    if indicator is None:
        return []
    level = rule.levels.crit or rule.levels.warn
    assert level is not None  # noqa: S101 - the model asks for one
    bad, good = _lines(rule, level, indicator, scope)
    found: list[Story] = []
    wish = {"alert": rule.id} | scope
    if bad is not None:
        within = format_duration(_within(rule))
        expect = {"within": within} | wish
        found.append(Story(f"{rule.id} fires when all is bad", tuple(bad), expect, None))
    if good is not None:
        name = f"{rule.id} keeps quiet when all is good"
        found.append(Story(name, tuple(good), None, {"alert": rule.id}))
    return found


def quiet(rule: Rule) -> Story:
    """What always passes: one event of nothing in particular."""
    line = {"at": "0s", "type": "call.ended", "outcome": "no_answer"} | SAMPLES
    return Story(f"{rule.id} says nothing of a single call", (line,), None, {"alert": rule.id})


def flow(values: dict[str, Any]) -> str:
    """``{at: 0s, type: call.ended}``."""
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in values.items()) + "}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) or re.fullmatch(r"[0-9]+[smhd]", value)
        bare = plain or re.fullmatch(r"[a-zA-Z][\w. -]*", value)
        return value if bare and value.lower() not in _WORDS else json.dumps(value)
    return json.dumps(value)


def _of_event(rule: Rule, scope: Values) -> list[Story]:
    event = rule.event
    assert event is not None  # noqa: S101 - the caller looked
    if event.where is not None:
        return []
    line = {"at": "0s", "type": event.on} | scope
    expect = {"within": "1m", "alert": rule.id} | scope
    return [Story(f"{rule.id} fires on {event.on}", (line,), expect, None)]


def _within(rule: Rule) -> int:
    return _length_ms(rule) + rule.pending.for_ms


def _length_ms(rule: Rule) -> int:
    key = rule.window_keys[0].partition("@")[0]
    return parse_duration(key) if re.fullmatch(r"[0-9]+[a-z]+", key) else 3_600_000


def _lines(
    rule: Rule, level: Level, indicator: Indicator, scope: Values
) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
    """Events in which all is bad, and in which all is good."""
    above = level.direction == "above"
    times = _times(rule, level, indicator)
    every_ms = max(1, min(5, _length_ms(rule) // 1500 // times)) * 1_000
    spread = {"at": "0s", "every": format_duration(every_ms), "times": times}
    if indicator.kind == "ratio":
        hit, miss = _shares(indicator)
        made = [
            None if rows is None else [spread | line | scope for line in rows]
            for rows in (hit, miss)
        ]
        return (made[0], made[1]) if above else (made[1], made[0])
    if indicator.kind not in {"mean", "count"}:
        return None, None
    bound = float(level.bound or 0)
    rows = rows_of(indicator.measures["value"].selections[0])
    fields = that_pass(rows.where)
    if fields is None:
        return None, None
    line = spread | {"type": rows.types[0]} | fields | scope
    if indicator.kind == "count":
        one = [line | {"times": 1}] if bound >= 1 else None
        return ([line], one) if above else (None, None)
    return _means(indicator, line, bound, above=above)


def _means(
    indicator: Indicator, line: dict[str, Any], bound: float, *, above: bool
) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
    field = FIELDS.get(formula(indicator).hits.added[0])
    if field is None or not field.is_ranged:
        return None, None
    low = max(field.low, math.floor(bound / 2))
    high = min(field.high, math.ceil(bound * 2) or 1)
    least, most = [[line | {field.name: int(value)}] for value in (low, high)]
    return (most, least) if above else (least, most)


def _shares(
    indicator: Indicator,
) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
    """Lines of hits, and of misses, without times."""
    measures = indicator.measures
    if measures["hits"].verb != "count" or measures["of"].verb != "count":
        return None, None
    hits, of = (rows_of(measures[name].selections[0]) for name in ("hits", "of"))
    below = that_pass(of.where)
    if below is None:
        return None, None
    plain = {"type": of.types[0]} | below
    if set(hits.types) & set(of.types):
        good = that_pass(hits.where)
        bad = that_fail(of.where, hits.where)
        hit = None if good is None else [{"type": hits.types[0]} | below | good]
        return hit, None if bad is None else [{"type": of.types[0]} | bad]
    over = that_pass(hits.where)
    return (None if over is None else [plain, {"type": hits.types[0]} | over]), [plain]


def _times(rule: Rule, level: Level, indicator: Indicator) -> int:
    evidence = level.evidence or rule.evidence
    needed = math.ceil(evidence.min_of * 1.2) if isinstance(evidence, Raw) else _EVENTS
    if indicator.kind == "count":
        needed = max(needed, math.floor(float(level.bound or 0)) + 1)
    return min(max(needed, _EVENTS, rule.recovering.min_of), _EVENTS_MAX)
