"""All rules, judged tick by tick.

Owns the set of rules and the order of what they decide: severity, then scope. One rule is
``figure_rule``, ``event_rule`` or ``absence_rule``. It knows of no clock and no store: everything
is a function of the figures, the released rows and the numbers held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import polars as pl
import structlog

from monitor.decisions import Alert, Around, Cleared, OnTrial, Order, OrderAction, Want, derive_id
from monitor.indicators.frame import Frame
from monitor.rules.about import around
from monitor.rules.absence_rule import AbsenceRule
from monitor.rules.blame import PAIR
from monitor.rules.combined_rule import CombinedRule
from monitor.rules.episodes import Row, order_alert, order_want, plain_row
from monitor.rules.event_rule import EventRule
from monitor.rules.figure_rule import FigureRule
from monitor.rules.fingerprint import fingerprint
from monitor.rules.fresh import FreshCalls
from monitor.rules.gathering import gatherings
from monitor.rules.model import Rule
from monitor.rules.parted import Parted, releasing
from monitor.rules.ports import FigureSource
from monitor.rules.references import References
from monitor.rules.rota import Rota
from monitor.rules.scopes import NumberKeys
from monitor.rules.standing import RuleStates, rule_standing, standing
from monitor.sealed import plain
from monitor.windows.pending import aligned_after

log = structlog.get_logger(__name__)

_NOBODY: Final[Mapping[str, OnTrial]] = MappingProxyType({})
_NOTHING: Final = Around()
SCOPE_DAY_MS = 8 * 3_600_000
"""Active time that counts as one day of a scope, where false alarms are promised in days."""


@dataclass(slots=True)
class RuleStep:
    """What one tick led to, in order of severity, then scope text."""

    alerts: list[Alert] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    cleared: list[Cleared] = field(default_factory=list)
    """What rules had suspended numbers for, and whose ``until`` event came."""
    around: Around = _NOTHING
    """What is seen beside."""


@dataclass(frozen=True, slots=True)
class _Orphan:
    """An episode whose rule changed in a reload; people are told at the next tick."""

    rule: str
    route: str
    shadow: bool
    row: Row


class RuleBook:
    """The rules in force; one thread uses it."""

    def __init__(
        self,
        rules: Sequence[Rule],
        indicators: FigureSource,
        *,
        tick_ms: int,
        scope_day_ms: int = SCOPE_DAY_MS,
        normalise: Callable[[str], str] = str,
    ) -> None:
        """``normalise`` turns a number in a rule into the form that events carry."""
        self.rules = tuple(rules)
        self._tick_ms = tick_ms
        self._figures: dict[str, FigureRule] = {}
        self._events: dict[str, EventRule | AbsenceRule] = {}
        """What hears of single events."""
        self._orphans: list[_Orphan] = []
        self._parted: list[Parted] = []
        self._combined: dict[str, CombinedRule] = {}
        self.references = References(tick_ms=tick_ms)
        """What bounds move by, and who belongs where."""
        self._numbers: dict[tuple[str, ...], NumberKeys] = {}
        """By scope; those out of service are looked up once for all its rules."""
        times = {"tick_ms": tick_ms, "scope_day_ms": scope_day_ms}
        for rule in rules:
            if rule.status == "off" or rule.parts:
                continue
            if rule.indicator is None:
                self._events[fingerprint(rule, "", **times)] = _hearing(rule, tick_ms, normalise)
            else:
                figures = FigureRule(
                    rule, indicators, normalise=normalise, references=self.references, **times
                )
                self._figures[fingerprint(rule, figures.definition, **times)] = figures
                figures.numbers = self._numbers.setdefault(rule.by, figures.numbers)
        self._combine(normalise, **times)
        judges = [each for each in self._judges().values() if not each.rule.shadow]
        self._judges_of_campaigns = [each for each in judges if each.rule.by == ("campaign",)]
        self._judges_that_act = [
            each for each in self._figures.values() if each in judges and each.rule.action
        ]
        self._blames = {
            each.rule.id: each.blame for each in self._figures.values() if each.blame is not None
        }
        self._gatherings = gatherings(self._figures.values())
        self._held: frozenset[str] = frozenset()
        """Numbers out of service at the last tick."""
        self._fresh = FreshCalls(
            rules, [each.fresh for each in self._figures.values()], tick_ms=tick_ms
        )
        self._rota = Rota(self._figures.values(), tick_ms)
        self._orders = {rule.id: rule.order for rule in rules if rule.order is not None}
        self._limited = [rule for rule in rules if rule.term.limited]

    def _combine(self, normalise: Callable[[str], str], **times: int) -> None:
        """The rules on others, once those are there."""
        judges = {judge.rule.id: judge for judge in self._judges().values()}
        for rule in self.rules:
            if not rule.parts or rule.status == "off":
                continue
            parts = [judges[name] for name in rule.parts if name in judges]
            combined = CombinedRule(
                rule, parts, self.references, tick_ms=self._tick_ms, normalise=normalise
            )
            self._combined[fingerprint(rule, "", **times)] = combined

    @property
    def fields(self) -> frozenset[str]:
        """Catalogue fields that the rules on events need decoded."""
        return self._fresh.fields.union(*(judge.fields for judge in self._events.values()))

    @property
    def types(self) -> frozenset[str]:
        """Event types that the rules on events look at.

        Those that end what a rule did are among them when it is off too: its suspensions may wait.
        """
        ends = (rule.event.until for rule in self.rules if rule.event is not None)
        looked_at = (name for judge in self._events.values() for name in judge.types)
        return frozenset([*looked_at, *(name for name in ends if name is not None)])

    @property
    def horizon_ms(self) -> int:
        """How far back single events can matter to what is judged now."""
        hearing = (judge.horizon_ms for judge in self._events.values())
        return max(self.references.horizon_ms, *hearing, 0)

    # --- a tick -----------------------------------------------------------------------------------

    def load(self, released: pl.DataFrame, frame: Frame | None = None) -> None:
        """Keep the rows that rules look at one by one, until their ticks.

        ``frame``: as the indicators gave it; without it no number on probation has figures.
        """
        self.references.load(released)
        for judge in self._events.values():
            judge.load(released)
        for parted in self._parted:
            parted.load(released)
        self._fresh.load(released, frame)

    def step(
        self, tick: int, held: AbstractSet[str], on_trial: Mapping[str, OnTrial] = _NOBODY
    ) -> RuleStep:
        """Judge ``tick``, after the indicators' step; ticks ascend.

        ``held`` are the numbers out of service: rules on their figures neither judge them nor
        gather evidence on them. Those ``on_trial`` are judged by what they did since.
        """
        step = RuleStep(alerts=self._part_with_orphans(tick))
        self._fresh.step(tick, held, on_trial)
        for parted in self._parted:
            step.cleared += parted.step(tick)
        for events in self._events.values():
            in_force = events.rule.term.holds(tick)
            alerts, wants, cleared = events.step(tick, held, in_force=in_force)
            step.alerts += alerts
            step.wants += wants
            step.cleared += cleared
        self.references.step(tick)
        for blame in self._blames.values():
            blame.step()
        for numbers in self._numbers.values():
            numbers.hold(held)
        newly = held - self._held
        if newly or len(held) != len(self._held):
            self._held = frozenset(held)
        for gathering in self._gatherings:
            gathering.step(tick, newly)
        hot = (rule for gathering in self._gatherings for rule in gathering.hot)
        for figures in self._rota.due(tick, hot):
            if not figures.term.holds(tick):
                step.alerts += figures.rest(tick)
                continue
            alerts, wants = figures.step(tick, held)
            step.alerts += alerts
            step.wants += wants
        self._rota.over(tick)
        for combined in self._combined.values():
            in_force = combined.rule.term.holds(tick)
            alerts, wants = combined.step(tick, held, in_force=in_force)
            step.alerts += alerts
            step.wants += wants
        step.alerts.sort(key=order_alert)
        step.orders = [
            ordered(alert, self._orders[alert.rule])
            for alert in step.alerts
            if alert.reason == "breach" and alert.scope and alert.rule in self._orders
        ]
        step.wants.sort(key=order_want)
        step.cleared = sorted(set(step.cleared))
        step.around = around(self._judges_that_act, self._judges_of_campaigns, self._fresh)
        return step

    def next_event_tick(self, after: int) -> int | None:
        """The earliest tick after ``after`` at which time alone changes something, or None."""
        hearing = [*self._events.values(), *self._combined.values()]
        ticks = [judge.next_event_tick(after) for judge in hearing]
        ticks.append(self._rota.next_event_tick(after))
        ticks.append(self.references.next_event_tick(after))
        ticks += [rule.term.next_tick(after, self._tick_ms) for rule in self._limited]
        ticks += [parted.next_event_tick(after) for parted in self._parted]
        ticks.append(self._fresh.next_event_tick(after))
        if self._orphans:
            ticks.append(aligned_after(after, after, self._tick_ms))
        return min((tick for tick in ticks if tick is not None), default=None)

    def close(self, episode: str, tick: int, reason: str) -> Alert | None:
        """End an episode from outside; None when it is over already."""
        for combined in self._combined.values():
            combined.part_closed()
        for figures in self._figures.values():
            key = figures.find(episode)
            if key is not None:
                return figures.close(key, tick, reason)
        for judge in (*self._events.values(), *self._combined.values()):
            text = judge.find(episode)
            if text is not None:
                return judge.close(text, tick, reason)
        return None

    def still_heard(self) -> list[tuple[str, str]]:
        """Rules that are gone whose suspensions still wait, with the event that ends them."""
        return [(parted.rule, parted.until) for parted in self._parted]

    def part_with(self, awaited: AbstractSet[str]) -> None:
        """Of rules that are gone, listen on only for those in ``awaited``: numbers wait for them.

        Called after :meth:`restore`, with :attr:`monitor.numbers.desk.NumberDesk.waits_for`.
        """
        self._parted = [parted for parted in self._parted if parted.rule in awaited]

    # --- keys -------------------------------------------------------------------------------------

    def pinned(self) -> Mapping[tuple[str, ...], AbstractSet[int]]:
        """By scope, the keys that must not be evicted: their rule is not done with them."""
        pinned: dict[tuple[str, ...], set[int]] = {}
        for judge in self._figures.values():
            pinned.setdefault(judge.rule.by, set()).update(judge.rows)
        return pinned

    def forget(self, evicted: Mapping[tuple[str, ...], Sequence[int]]) -> None:
        """These keys are gone, and their ids may come back as others."""
        for gathering in self._gatherings:
            gathering.forget(evicted.get(gathering.by, ()))
        for judge in self._figures.values():
            judge.forget(evicted.get(judge.rule.by, ()))
        self.references.forget(evicted)
        for blame in self._blames.values():
            blame.forget(evicted.get(PAIR, ()))

    # --- for people -------------------------------------------------------------------------------

    def states(self) -> RuleStates:
        """Every rule with its scopes by state, and the episodes that are not over."""
        judges = self._judges().values()
        counts = {judge.rule.id: judge.counts() for judge in judges}
        folded = self.folded()
        firing = [
            (judge.rule, row)
            for judge in judges
            for row in judge.rows.values()
            if row.level is not None
        ]
        standings = [standing(rule, row) for rule, row in firing]
        standings.sort(key=lambda alert: (alert.level != "crit", alert.since_ms, alert.episode))
        return RuleStates(
            tuple(
                rule_standing(rule, counts.get(rule.id, {}), folded[rule.id]) for rule in self.rules
            ),
            tuple(standings),
        )

    def marks(self) -> tuple[int, int]:
        """Scopes whose event is remembered, of the rule with most; and how many were forgotten."""
        rules = self._events.values()
        most = max((judge.marks for judge in rules), default=0)
        return most, sum(judge.marks_dropped for judge in rules)

    def folded(self) -> Counter[str]:
        """By rule, scopes that became part of a wave instead of an alert of their own."""
        hearing = (*self._events.values(), *self._combined.values())
        return Counter({judge.rule.id: judge.folded for judge in hearing})

    # --- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The state of every rule, by its fingerprint."""
        judges = self._judges()
        return {
            "rules": {
                mark: {
                    "id": judge.rule.id,
                    "route": judge.rule.notify.route,
                    "shadow": judge.rule.shadow,
                    "until": releasing(judge.rule),
                    "by": list(judge.rule.by),
                    "state": judge.snapshot(),
                }
                for mark, judge in judges.items()
            },
            "references": self.references.snapshot(),
            "fresh": self._fresh.snapshot(),
            "parted": [parted.snapshot() for parted in self._parted],
            "orphans": [
                {
                    "rule": orphan.rule,
                    "route": orphan.route,
                    "shadow": orphan.shadow,
                    "row": plain_row(orphan.row.picture()),
                }
                for orphan in self._orphans
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what a book with these or other rules gave; call after the indicators' restore.

        A rule that is the same continues. The episodes of one that changed or is gone end at the
        next tick with reason ``rule_changed``.
        """
        judges = self._judges()
        for blame in self._blames.values():
            blame.restore()
        self._rota = Rota(self._figures.values(), self._tick_ms)
        self._orphans = [_orphan(entry, entry["row"]) for entry in state["orphans"]]
        self._listen_on(state)
        if "references" in state:  # checkpoints of an older program have none
            self.references.restore(state["references"])
        if "fresh" in state:  # likewise
            self._fresh.restore(state["fresh"])
        for mark, entry in state["rules"].items():
            if mark in judges:
                judges[mark].restore(entry["state"])
                continue
            saved = plain(entry["state"]["rows"])
            rows = [each["row"] for each in saved if each["row"]["episode"]]
            self._orphans += [_orphan({**entry, "rule": entry["id"]}, row) for row in rows]
        log.info("rules_restored", kept=len(set(judges) & set(state["rules"])), rules=len(judges))

    def _listen_on(self, state: Mapping[str, Any]) -> None:
        """Hear on for rules that no longer hear of what ends their suspensions."""
        heard = {(judge.rule.id, releasing(judge.rule)) for judge in self._events.values()}
        parted = [Parted.restored(each) for each in state["parted"]]
        parted += [
            Parted(entry["id"], entry["until"], tuple(entry["by"]))
            for entry in state["rules"].values()
            if entry["until"] is not None
        ]
        unique = {(each.rule, each.until, each.by): each for each in reversed(parted)}
        self._parted = [unique[key] for key in sorted(unique) if (key[0], key[1]) not in heard]

    def _judges(self) -> dict[str, FigureRule | EventRule | AbsenceRule | CombinedRule]:
        return {**self._figures, **self._events, **self._combined}

    def _part_with_orphans(self, tick: int) -> list[Alert]:
        orphans, self._orphans = self._orphans, []
        return [
            Alert(
                at_ms=tick,
                id=derive_id(orphan.row.episode, "resolved:rule_changed", tick),
                episode=orphan.row.episode,
                rule=orphan.rule,
                scope=orphan.row.scope,
                level=orphan.row.level,
                state="resolved",
                since_ms=orphan.row.began,
                figures=orphan.row.figures,
                evidence=orphan.row.evidence,
                reason="rule_changed",
                route=orphan.route,
                shadow=orphan.shadow,
            )
            for orphan in orphans
            if orphan.row.level is not None
        ]


def _hearing(rule: Rule, tick_ms: int, normalise: Callable[[str], str]) -> EventRule | AbsenceRule:
    """What judges a rule that has no figures."""
    if rule.event is None:
        return AbsenceRule(rule, tick_ms=tick_ms, normalise=normalise)
    return EventRule(rule, tick_ms=tick_ms, normalise=normalise)


def ordered(alert: Alert, action: OrderAction) -> Order:
    """What another system is told to do because a rule began to fire."""
    return Order(
        at_ms=alert.at_ms,
        id=derive_id(alert.episode, action),
        action=action,
        scope=alert.scope,
        rule=alert.rule,
        episode=alert.episode,
        shadow=alert.shadow,
    )


def _orphan(entry: Mapping[str, Any], row: Mapping[str, Any]) -> _Orphan:
    return _Orphan(entry["rule"], entry["route"], entry["shadow"], Row.restore(row))
