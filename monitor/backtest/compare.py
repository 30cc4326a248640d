"""Two rule sets on the same events: what fires only in one, earlier, later, longer.

Owns the matching and its JSON. Alerts are matched by rule and scope, times out of service by
number: two that overlap are the same one, and what overlaps nothing stands alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from monitor.backtest.report import Report
from monitor.backtest.tally import Episode, Outage
from monitor.decisions import iso

Change = Literal["only_a", "only_b", "earlier", "later", "longer", "shorter", "level", "shadow"]
CHANGES: tuple[Change, ...] = (
    "only_a", "only_b", "earlier", "later", "longer", "shorter", "level", "shadow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stretch:
    """One alert, or one time out of service, of one side."""

    from_ms: int
    to_ms: int | None
    level: str = ""
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """The same thing on both sides, or on one alone."""

    what: str
    """The rule, or of a time out of service the rules of both sides."""
    about: str
    """The scope, or the number."""
    a: Stretch | None
    b: Stretch | None
    end_ms: int
    """Of the range: what has no end lasts until here."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """How B differs from A; empty when it does not."""
        if self.a is None or self.b is None:
            return ("only_b",) if self.a is None else ("only_a",)
        found: list[Change] = []
        if self.begins_ms:
            found.append("earlier" if self.begins_ms < 0 else "later")
        if self.lasts_ms:
            found.append("longer" if self.lasts_ms > 0 else "shorter")
        if self.a.level != self.b.level:
            found.append("level")
        if self.a.shadow != self.b.shadow:
            found.append("shadow")
        return tuple(found)

    @property
    def begins_ms(self) -> int:
        """By how much B begins after A; negative: before. 0 where one is alone."""
        return self.b.from_ms - self.a.from_ms if self.a and self.b else 0

    @property
    def lasts_ms(self) -> int:
        """By how much B lasts longer than A; negative: shorter."""
        return self._long(self.b) - self._long(self.a) if self.a and self.b else 0

    @property
    def first_ms(self) -> int:
        """When the first of them begins."""
        return min(each.from_ms for each in (self.a, self.b) if each is not None)

    def _long(self, each: Stretch) -> int:
        return (self.end_ms if each.to_ms is None else each.to_ms) - each.from_ms


@dataclass(slots=True)
class Matched:
    """All pairs of one kind, in order of time."""

    pairs: list[Pair]

    def count(self, change: Change, rule: str | None = None) -> int:
        """How many differ in this way; of one rule, where it is named."""
        return sum(change in p.changes for p in self.pairs if rule in {None, p.what})

    @property
    def same(self) -> int:
        """How many are the same to the millisecond."""
        return sum(not pair.changes for pair in self.pairs)

    @property
    def both(self) -> int:
        """How many are on both sides."""
        return sum(pair.a is not None and pair.b is not None for pair in self.pairs)

    def typical_ms(self, change: Literal["earlier", "later", "longer", "shorter"]) -> int | None:
        """The median difference of those that differ in this way."""
        begins = change in {"earlier", "later"}
        found = [
            abs(pair.begins_ms if begins else pair.lasts_ms)
            for pair in self.pairs
            if change in pair.changes
        ]
        return round(median(found)) if found else None

    @property
    def differing(self) -> list[Pair]:
        """Those that are not the same."""
        return [pair for pair in self.pairs if pair.changes]


@dataclass(slots=True)
class Comparison:
    """Two reports side by side."""

    a: Report
    b: Report
    alerts: Matched
    outages: Matched
    rules: list[str] = field(default_factory=list)
    """Rules that fire on either side, those that differ most first."""

    @property
    def same(self) -> bool:
        """Nothing differs in what is decided."""
        return not self.alerts.differing and not self.outages.differing

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is the same is only counted."""
        return {
            "kind": "diff",
            "same": self.same,
            "a": self.a.to_json()["read"] | {"total": self.a.to_json()["total"]},
            "b": self.b.to_json()["read"] | {"total": self.b.to_json()["total"]},
            "from": iso(self.a.from_ms),
            "to": iso(self.a.to_ms),
            "alerts": _counted(self.alerts),
            "suspensions": _counted(self.outages),
            "rules": [
                {"rule": rule} | {each: self.alerts.count(each, rule) for each in CHANGES}
                for rule in self.rules
            ],
        }


def compare(a: Report, b: Report) -> Comparison:
    """Match what two reports over the same range hold."""
    end_ms = a.to_ms
    alerts = Matched(
        _pairs(
            ((e.rule, _scope(e)), e.rule, _stretch(e)) for e in a.episodes
        ).matched(
            _pairs(((e.rule, _scope(e)), e.rule, _stretch(e)) for e in b.episodes), end_ms
        )
    )  # fmt: skip
    outages = Matched(
        _pairs(((o.shadow, o.number), o.rule, _time_out(o)) for o in a.outages).matched(
            _pairs(((o.shadow, o.number), o.rule, _time_out(o)) for o in b.outages), end_ms
        )
    )
    found = Comparison(a, b, alerts, outages)
    rules = {pair.what for pair in alerts.pairs}
    found.rules = sorted(
        rules, key=lambda rule: (-sum(alerts.count(each, rule) for each in CHANGES), rule)
    )
    return found


@dataclass(slots=True)
class _Side:
    """Stretches of one side by what they are about, in order of time."""

    by_key: dict[Hashable, list[tuple[str, Stretch]]]

    def matched(self, other: _Side, end_ms: int) -> list[Pair]:
        pairs: list[Pair] = []
        for key in dict.fromkeys([*self.by_key, *other.by_key]):
            mine, theirs = self.by_key.get(key, []), other.by_key.get(key, [])
            about = str(key[1]) if isinstance(key, tuple) else str(key)
            pairs += _walked(about, mine, theirs, end_ms)
        return sorted(pairs, key=lambda pair: (pair.first_ms, pair.what, pair.about))


def _walked(
    about: str,
    mine: Sequence[tuple[str, Stretch]],
    theirs: Sequence[tuple[str, Stretch]],
    end_ms: int,
) -> Iterable[Pair]:
    """Two that overlap are a pair; of two that do not, the one that ends first stands alone."""
    i = j = 0
    while i < len(mine) or j < len(theirs):
        (what, a) = mine[i] if i < len(mine) else ("", None)
        (what_b, b) = theirs[j] if j < len(theirs) else ("", None)
        if a is not None and b is not None and _overlap(a, b):
            named = what if what == what_b else f"{what} → {what_b}"
            yield Pair(named, about, a, b, end_ms)
            i, j = i + 1, j + 1
        elif b is None or (a is not None and a.from_ms < b.from_ms):
            yield Pair(what, about, a, None, end_ms)
            i += 1
        else:
            yield Pair(what_b, about, None, b, end_ms)
            j += 1


def _overlap(a: Stretch, b: Stretch) -> bool:
    """They touch, at least: one that ends as the other begins is the same matter."""
    return (a.to_ms is None or b.from_ms <= a.to_ms) and (b.to_ms is None or a.from_ms <= b.to_ms)


def _pairs(found: Iterable[tuple[Hashable, str, Stretch]]) -> _Side:
    by_key: dict[Hashable, list[tuple[str, Stretch]]] = defaultdict(list)
    for key, what, stretch in found:
        by_key[key].append((what, stretch))
    return _Side(by_key)


def _scope(episode: Episode) -> str:
    return ", ".join(f"{name} {value}" for name, value in episode.scope)


def _stretch(each: Episode) -> Stretch:
    return Stretch(each.from_ms, each.to_ms, each.level, each.shadow)


def _time_out(each: Outage) -> Stretch:
    return Stretch(each.from_ms, each.to_ms, shadow=each.shadow)


def _counted(matched: Matched) -> dict[str, Any]:
    return {
        "same": matched.same,
        **{change: matched.count(change) for change in CHANGES},
        "differing": [_pair(pair) for pair in matched.differing],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "what": pair.what,
        "about": pair.about,
        "changes": list(pair.changes),
        "begins_s": pair.begins_ms / 1000,
        "lasts_s": pair.lasts_ms / 1000,
        "a": _side(pair.a),
        "b": _side(pair.b),
    }


def _side(each: Stretch | None) -> dict[str, Any] | None:
    if each is None:
        return None
    return {
        "from": iso(each.from_ms),
        "to": None if each.to_ms is None else iso(each.to_ms),
        "level": each.level or None,
        "shadow": each.shadow,
    }
