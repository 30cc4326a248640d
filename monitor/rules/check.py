"""What is wrong with rules that each look right: indicators, scopes, windows, units, evidence.

Owns the checks of rules against indicators; those against the event catalogue are
``check_hearing``'s, shapes are ``model``'s. Every fault is found, with its place and its mend.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from monitor.events.batch import COMPANY
from monitor.events.phones import is_dialled
from monitor.indicators.findings import Finding, Loc, near
from monitor.indicators.formula import is_countable
from monitor.indicators.model import Indicator
from monitor.indicators.now_model import NOW
from monitor.rules.blame import PAIR
from monitor.rules.check_hearing import check_hearing
from monitor.rules.levels import EvidenceRule, Level, Raw, Sequential
from monitor.rules.message import FIGURE_FIELDS
from monitor.rules.model import Rule
from monitor.rules.relative import PeerQuantile, Relative
from monitor.units import parse_duration


def check_rules(rules: Sequence[Rule], indicators: Collection[Indicator]) -> list[Finding]:
    """All faults of ``rules`` against ``indicators``; ``loc`` begins at the top of the file."""
    known = {indicator.id: indicator for indicator in indicators}
    found: list[Finding] = []
    seen: set[str] = set()
    for position, rule in enumerate(rules):
        loc: Loc = ("rules", position)
        if rule.id in seen:
            found.append(Finding((*loc, "id"), f"rule '{rule.id}' stands twice"))
        seen.add(rule.id)
        found += _words(rule, loc)
        if rule.parts:
            found += _parts(rule, {each.id: each for each in rules}, loc)
        elif rule.indicator is None:
            found += check_hearing(rule, loc)
        elif rule.indicator not in known:
            hint = near(rule.indicator, known)
            found.append(Finding((*loc, "indicator"), f"no indicator '{rule.indicator}'", hint))
        else:
            found += _figure(rule, known[rule.indicator], loc)
    return found


def _parts(rule: Rule, rules: Mapping[str, Rule], loc: Loc) -> Iterator[Finding]:
    """The rules that a rule is on must be there, and be joined with its scope."""
    key = "all_of" if rule.all_of else "any_of"
    known = [rules[part] for part in rule.parts if part in rules]
    for index, name in enumerate(rule.parts):
        here = (*loc, key, index)
        part = rules.get(name)
        if part is None:
            hint = near(name, rules) or "parts stand in the same file"
            yield Finding(here, f"no rule '{name}'", hint)
        elif part.parts:
            yield Finding(here, f"'{name}' is made of other rules itself")
        elif part.status == "off":
            yield Finding(here, f"'{name}' is off")
        elif rule.any_of and part.by != rule.by:
            message = f"'{name}' is by {', '.join(part.by)}, and the rule by {', '.join(rule.by)}"
            yield Finding(here, message, "any_of joins rules by the same scope")
        elif COMPANY in part.by and part.by != rule.by:
            message = f"'{name}' is by {COMPANY}, and the rule by {', '.join(rule.by)}"
            yield Finding(here, message, f"what holds for the {COMPANY} goes with no part of it")
        elif len(rule.by) > 1 and not set(part.by) <= set(rule.by):
            message = f"'{name}' is by {', '.join(part.by)}: no pair belongs there"
            yield Finding(here, message, "a rule by one dimension does")
    if len(known) == len(rule.parts) and not any(part.by == rule.by for part in known):
        message = f"none of its parts is by {', '.join(rule.by)}"
        yield Finding((*loc, "by"), message, "one must be, so that there are scopes to join")


def _words(rule: Rule, loc: Loc) -> Iterator[Finding]:
    """Fields in messages and dimensions in exceptions."""
    fields = FIGURE_FIELDS | set(rule.by) | ({"waited"} if rule.absent is not None else set())
    for language, template in rule.message.items():
        for name in sorted(template.fields - fields):
            hint = near(name, fields) or f"possible here: {', '.join(sorted(fields))}"
            yield Finding((*loc, "message", language), f"{{{name}}} is not known here", hint)
    for index, entry in enumerate(rule.except_):
        for name in entry.match:
            if name not in rule.by:
                message = f"the rule is by {', '.join(rule.by)} and cannot see '{name}'"
                yield Finding((*loc, "except", index, name), message)
        for value in entry.match.get("number", ()):
            if not is_dialled(value):
                hint = 'write it in quotes: "+8621…", or as people there dial it'
                message = f"'{value}' is no telephone number"
                yield Finding((*loc, "except", index, "number"), message, hint)


def _figure(rule: Rule, indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    yield from _scope(rule, indicator, loc)
    yield from _windows(rule, indicator, loc)
    yield from _blame(rule, indicator, loc)
    is_count = indicator.figure == "count"
    if is_count and rule.no_data == "alert":
        yield Finding((*loc, "no_data"), f"{indicator.id} is a count: nothing counts as 0")
    if is_count and rule.recovering.min_of > 1:
        yield Finding((*loc, "recovering", "min_of"), "a count has nothing below the line")
    for name, level in rule.levels.items():
        here = (*loc, "levels", name)
        yield from _units(level, indicator, here)
        yield from _moving(rule, level, here)
        evidence = level.evidence or rule.evidence
        place = (*here, "evidence") if level.evidence is not None else (*loc, "evidence")
        yield from _evidence(level, evidence, indicator, place if evidence else here)


def _scope(rule: Rule, indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    if rule.by in indicator.by:
        return
    written = [", ".join(by) for by in indicator.by]
    mine = ", ".join(rule.by)
    reordered = next((by for by in indicator.by if set(by) == set(rule.by)), None)
    if reordered is not None:
        hint = f"write by: [{', '.join(reordered)}]"
    else:
        hint = near(mine, written) or f"it is by: {'; '.join(written)}"
    yield Finding((*loc, "by"), f"{indicator.id} is not computed by {mine}", hint)


def _blame(rule: Rule, indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    """An agent is told from a number by the indicator of both."""
    if rule.action is None or rule.action.suspend.blame != "agent":
        return
    here = (*loc, "action", "suspend", "blame")
    _, acting = rule.levels.severest
    if rule.by != ("number",):
        yield Finding(here, "blame: agent is for a rule by number alone", "leave it out")
    elif PAIR not in indicator.by:
        hint = "add [number, agent] to its `by`"
        yield Finding(here, f"{indicator.id} is not computed by number, agent", hint)
    elif indicator.figure == "count" or acting.bound is None:
        message = "blame: agent needs a share or a mean, and a fixed threshold"
        yield Finding(here, message, "leave it out")


def _windows(rule: Rule, indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    several = bool(rule.windows)
    lengths: list[int] = []
    for index, key in enumerate(rule.window_keys):
        here: Loc = (*loc, "windows", index) if several else (*loc, "window")
        if key not in indicator.window_keys:
            hint = f"its windows: {', '.join(indicator.window_keys)}"
            yield Finding(here, f"{indicator.id} has no window {key}", hint)
        elif several:
            length = _length(key)
            if length is None:
                yield Finding(here, "such a window stands alone", f"write window: {key}")
            elif lengths and length <= lengths[-1]:
                yield Finding(here, "windows go from the shortest to the longest")
            lengths += [] if length is None else [length]


def _units(level: Level, indicator: Indicator, loc: Loc) -> Iterator[Finding]:
    wants_share = indicator.figure == "ratio"
    for key in ("above", "below", "at_least", "at_most", "clear", "gap"):
        bound = getattr(level, key)
        if bound is None or isinstance(bound, Relative) or bound.is_share == wants_share:
            continue
        if wants_share:
            hint = f'write a percentage: "{float(bound) * 100:g}%"'
            yield Finding((*loc, key), f"{indicator.id} is a share, not a plain number", hint)
        else:
            message = f"{indicator.id} is a {indicator.figure}, not a share"
            yield Finding((*loc, key), message, "write a plain number")


def _moving(rule: Rule, level: Level, loc: Loc) -> Iterator[Finding]:
    """Peers are told by a dimension that the scope has, or whose member it ends with."""
    calls = () if level.relative is None else level.relative.calls
    for call in calls:
        if isinstance(call, PeerQuantile) and rule.by == (COMPANY,):
            yield Finding(loc, f"there is one {COMPANY}: it has no peers", "name another scope")
        elif isinstance(call, PeerQuantile) and rule.by[-1] == call.dimension and len(rule.by) == 1:
            message = f"a {call.dimension} is alone in its {call.dimension}: it has no peers"
            yield Finding(loc, message, "name the dimension above it")


def _evidence(
    level: Level, evidence: EvidenceRule | None, indicator: Indicator, loc: Loc
) -> Iterator[Finding]:
    countable = is_countable(indicator)
    if evidence is None and not countable and indicator.figure != "count":
        message = "evidence has to be said: the default needs counts of events"
        yield Finding(loc, message, "evidence: {method: raw, min_of: 50}")
    if isinstance(evidence, Raw):
        if indicator.figure == "count" and evidence.min_of > 1:
            yield Finding((*loc, "min_of"), "a count has nothing below the line", "leave it out")
    elif evidence is not None and not countable:
        message = f"{evidence.method} needs counts of events, the hits among `of`"
        hint = f"{indicator.id} is not such a share: {{method: raw, min_of: 50}}"
        yield Finding((*loc, "method"), message, hint)
    yield from _reachable(level, evidence, loc) if countable else ()


def _reachable(level: Level, evidence: EvidenceRule | None, loc: Loc) -> Iterator[Finding]:
    bound = level.bound
    if bound is None:
        return
    beyond, edge = (bound > 1, 1) if level.direction == "above" else (bound < 0, 0)
    if beyond or (bound == edge and not level.inclusive):
        message = f"no share is {level.direction} {bound}: the rule can never fire"
        yield Finding(loc, message)
    elif not 0 < bound < 1 and (evidence is None or isinstance(evidence, Sequential)):
        message = f"sequential evidence needs a threshold between 0% and 100%, not {bound}"
        yield Finding(loc, message, "if a single event is enough: {method: raw}")


def _length(key: str) -> int | None:
    return None if "@" in key or key == NOW else parse_duration(key)
