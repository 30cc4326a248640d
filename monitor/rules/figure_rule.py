"""One rule on an indicator, over all its scopes, tick by tick.

Owns the order of a tick (feed the evidence, judge what changed, walk the rows that matter) and the
memory between ticks. One scope's way is ``walk``'s, the arithmetic is ``judge``'s. Python touches
only the scopes that breach or that are not over yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from monitor.decisions import Alert, Want
from monitor.rules.episodes import NEVER, Episodes, Row
from monitor.rules.judge import Judgement, RuleJudge
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.rules.ports import Bool, FigureSource, Int64
from monitor.rules.scopes import Exceptions, NumberKeys
from monitor.rules.walk import Sighting, Walker

HELD_ENDS_MS = 300_000
"""An episode whose number has been out of service for so long is over, whoever took it out."""
_UNKNOWN, _OK, _INSUFFICIENT = -1, 0, 1


class FigureRule:
    """The state of one rule on an indicator."""

    def __init__(
        self, rule: Rule, source: FigureSource, *, tick_ms: int, scope_day_ms: int
    ) -> None:
        if rule.indicator is None:
            msg = f"{rule.id} is not a rule on an indicator"
            raise ValueError(msg)
        self.rule = rule
        self.rows: dict[int, Row] = {}
        """The scopes that are pending, firing or recovering, by key."""
        self._views = [source.view(rule.indicator, rule.by, key) for key in rule.window_keys]
        self._keys = self._views[0].keys
        self._judge = RuleJudge(rule, self._views, tick_ms=tick_ms, scope_day_ms=scope_day_ms)
        self._episodes = Episodes(rule)
        self._walker = Walker(rule, self._episodes)
        self._exceptions = Exceptions(rule)
        self._numbers = NumberKeys(rule.by, self._keys)
        self._tick_ms = tick_ms
        self._calm = np.full(0, _UNKNOWN, dtype=np.int8)
        """For each key that is not in ``rows``: not judged yet, ok or insufficient."""
        self._covered = [False] * len(self._views)
        self._covers_at: list[int] | None = None
        self._held: frozenset[str] = frozenset()

    @property
    def definition(self) -> str:
        """What its figures are: state survives a reload while this stays the same."""
        measured = {"kind", "hits", "of", "value"}
        return self._views[0].indicator.model_dump_json(include=measured)

    # --- a tick -----------------------------------------------------------------------------------

    def step(self, tick: int, held: AbstractSet[str]) -> tuple[list[Alert], list[Want]]:
        """Judge one tick; what comes back is in no particular order."""
        self._numbers.hold(held)
        alerts = self._hold(tick, held)
        self._feed(tick)
        changed = self._changed(tick)
        if any(self._covered):
            alerts += self._judge_keys(tick, changed)
        wants: list[Want] = []
        for row in self.rows.values():
            if row.state is not State.FIRING or row.held_since != NEVER:
                continue
            again = self._episodes.repeat(row, tick)
            want = self._episodes.want(row)
            alerts += [again] if again is not None else []
            wants += [want] if want is not None else []
        return alerts, wants

    def _hold(self, tick: int, held: AbstractSet[str]) -> list[Alert]:
        """Numbers out of service: their evidence starts again, their episodes wait, then end."""
        if "number" not in self.rule.by:
            return []
        newly = held - self._held
        if newly:
            for level in self._judge.levels:
                if level.detector is not None:
                    fed = level.detector.fed()
                    level.detector.reset(self._numbers.of_numbers(fed, newly))
        if newly or len(held) != len(self._held):
            self._held = frozenset(held)
        alerts: list[Alert] = []
        for key, row in list(self.rows.items()):
            if self._numbers.of_scope(row.scope) not in held:
                row.held_since = NEVER
                continue
            row.held_since = tick if row.held_since == NEVER else row.held_since
            if row.state is State.PENDING:
                self._end(key, row)
            elif tick - row.held_since >= HELD_ENDS_MS:
                alerts.append(self.close(key, tick, "suspended"))
        return alerts

    def _feed(self, tick: int) -> None:
        detectors = [level.detector for level in self._judge.levels if level.detector is not None]
        if not detectors:
            return
        ids, hits, of = self._views[0].fresh()
        here = self._numbers.in_service(ids)
        for detector in detectors:
            detector.feed(tick, ids[here], hits[here], of[here])

    def _changed(self, tick: int) -> Int64:
        """Keys whose figures may have changed; all of them when a window begins to count."""
        if not all(self._covered):
            covered = [tick >= at for at in self._coverage(tick)]
            if covered != self._covered:
                self._covered = covered
                return self._keys.living()
        return _union([view.touched() for view in self._views])

    def _judge_keys(self, tick: int, changed: Int64) -> list[Alert]:
        """Judge the keys that changed and those that are not over."""
        live = np.array(sorted(self.rows), dtype=np.int64)
        ids = _union([changed, live]) if len(live) else changed
        ids = ids[self._numbers.in_service(ids)]
        if not len(ids):
            return []
        windows = [index for index, covered in enumerate(self._covered) if covered]
        judgement = self._judge.judge(ids, windows)
        matters = self._note_calm(judgement, live)
        alerts: list[Alert] = []
        for position in np.flatnonzero(matters).tolist():
            sighting = self._judge.sight(judgement, position, self.rule.recovering.min_of)
            alert = self._walk(tick, int(ids[position]), sighting)
            alerts += [alert] if alert is not None else []
        return alerts

    def _note_calm(self, judgement: Judgement, live: Int64) -> Bool:
        """Set down the calm keys; the mask of those that have to be walked."""
        ids, data = judgement.ids, judgement.of != 0
        self._grow(int(ids[-1]) + 1)
        known = self._calm[ids] != _UNKNOWN
        matters: Bool = np.logical_or.reduce(judgement.breach, axis=0)
        if len(live):
            matters |= np.isin(ids, live)
        if self.rule.no_data == "alert":
            matters |= ~data & known
        calm = ~matters & (known | data)
        good = judgement.enough & data
        self._calm[ids[calm]] = np.where(good[calm], _OK, _INSUFFICIENT)
        return matters

    def _walk(self, tick: int, key: int, sighting: Sighting) -> Alert | None:
        row = self.rows.get(key)
        if row is None:
            scope = self._views[0].scope(key)
            if self._exceptions.match(scope):
                return None
            row = Row(scope, State.OK, sighting.figures, next(iter(sighting.evidence.values())))
        step = self._walker.walk(row, tick, sighting)
        if row.state in (State.OK, State.INSUFFICIENT):
            self._end(key, row)
        else:
            self.rows[key] = row
        for level in self._judge.levels:
            if level.name == step.let_go and level.detector is not None:
                level.detector.reset(np.array([key], dtype=np.int64))
        return step.alert

    def _end(self, key: int, row: Row) -> None:
        """The row is over: the scope is calm again, and after an episode evidence starts anew."""
        self.rows.pop(key, None)
        self._grow(key + 1)
        self._calm[key] = _INSUFFICIENT if row.state is State.INSUFFICIENT else _OK
        if not row.episode:
            return
        for level in self._judge.levels:
            if level.detector is not None:
                level.detector.reset(np.array([key], dtype=np.int64))

    # --- from outside -----------------------------------------------------------------------------

    def close(self, key: int, tick: int, reason: str) -> Alert:
        """End the episode of a key that has one; the alert that says so."""
        row = self.rows[key]
        alert = self._episodes.alert(row, tick, reason, state="resolved")
        row.state = State.OK
        self._end(key, row)
        return alert

    def find(self, episode: str) -> int | None:
        """The key whose row has this episode."""
        return next((key for key, row in self.rows.items() if row.episode == episode), None)

    def forget(self, keys: Iterable[int]) -> None:
        """The keys were evicted; their ids may come back as others."""
        gone = np.array(sorted(keys), dtype=np.int64)
        for level in self._judge.levels:
            if level.detector is not None:
                level.detector.forget(gone)
        self._calm[gone[gone < len(self._calm)]] = _UNKNOWN
        for key in gone.tolist():
            self.rows.pop(key, None)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        due: list[int] = []
        for row in self.rows.values():
            at = (
                self._walker.deadline(row, after)
                if row.held_since == NEVER
                else row.held_since + HELD_ENDS_MS
            )
            due += [] if at is None else [at]
        if not all(self._covered):
            due += [at for at in self._coverage(after) if at > after]
        if not due:
            return None
        return max(-(-min(due) // self._tick_ms), after // self._tick_ms + 1) * self._tick_ms

    def counts(self) -> Counter[str]:
        """Scopes by state."""
        counts: Counter[str] = Counter(str(row.state) for row in self.rows.values())
        if not any(self._covered):
            counts[State.WARMING] = len(self._keys)
            return counts
        calm = self._calm.copy()
        calm[[key for key in self.rows if key < len(calm)]] = _UNKNOWN
        counts[State.OK] = int((calm == _OK).sum())
        counts[State.INSUFFICIENT] = int((calm == _INSUFFICIENT).sum())
        return counts

    # --- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            "rows": [{"key": key, "row": self.rows[key].snapshot()} for key in sorted(self.rows)],
            "calm": self._calm.copy(),
            "covered": list(self._covered),
            "evidence": {
                level.name: level.detector.snapshot()
                for level in self._judge.levels
                if level.detector is not None
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave; the key table must hold the same ids."""
        self.rows = {entry["key"]: Row.restore(entry["row"]) for entry in state["rows"]}
        self._calm = state["calm"].copy()
        self._covered = list(state["covered"])
        self._covers_at = None
        for level in self._judge.levels:
            if level.detector is not None:
                level.detector.restore(state["evidence"][level.name])

    def _coverage(self, tick: int) -> Sequence[int]:
        """For each window the first tick at which the log seen covers it; worked out once."""
        if self._covers_at is None:
            self._covers_at = [
                tick if view.covered(tick) else view.covered_at() for view in self._views
            ]
        return self._covers_at

    def _grow(self, size: int) -> None:
        if size > len(self._calm):
            more = max(size, 2 * len(self._calm)) - len(self._calm)
            self._calm = np.concatenate([self._calm, np.full(more, _UNKNOWN, dtype=np.int8)])


def _union(parts: list[Int64]) -> Int64:
    return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))
