"""One rule on an indicator, over all its scopes, tick by tick.

Owns the order of a tick (judge what changed, walk the rows that matter) and the memory between
ticks. The evidence is fed by ``gathering``. One scope's way is ``walk``'s, the arithmetic is
``judge``'s. Python touches only the scopes that breach, and of those that are not over yet the ones
whose figures moved or whose time has come.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.decisions import Alert, Want
from monitor.indicators.now_model import NowParts
from monitor.rules.alarms import Alarms
from monitor.rules.blame import Blame
from monitor.rules.episodes import NEVER, Episodes, Row, pictures, restored
from monitor.rules.judge import Judgement, RuleJudge
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.rules.ports import FigureSource, Int64
from monitor.rules.references import References
from monitor.rules.scopes import Exceptions, NumberKeys
from monitor.rules.walk import Sighting, Walker
from monitor.windows.arrays import distinct_of, grown
from monitor.windows.pending import aligned_after

NEVER_AGAIN = sys.maxsize
"""In place of a tick: a rule does not wake by itself."""
_NONE: Int64 = np.empty(0, dtype=np.int64)
HELD_ENDS_MS = 300_000
"""An episode whose number has been out of service for so long is over, whoever took it out."""


class FigureRule:
    """The state of one rule on an indicator."""

    def __init__(
        self,
        rule: Rule,
        source: FigureSource,
        *,
        tick_ms: int,
        scope_day_ms: int,
        normalise: Callable[[str], str] = str,
        references: References | None = None,
    ) -> None:
        """``references`` is what bounds that move are kept in; without it, they are its own."""
        if rule.indicator is None:
            msg = f"{rule.id} is not a rule on an indicator"
            raise ValueError(msg)
        self.rule = rule
        self.rows: dict[int, Row] = {}
        """The scopes that are pending, firing or recovering, by key."""
        self._views = [source.view(rule.indicator, rule.by, key) for key in rule.window_keys]
        self._keys = self._views[0].keys
        self.view = self._views[0]
        """Whose new rows are the evidence."""
        kept = References(tick_ms=tick_ms) if references is None else references
        self._judge = RuleJudge(rule, self._views, kept, tick_ms=tick_ms, scope_day_ms=scope_day_ms)
        self.detectors = [each.detector for each in self._judge.levels if each.detector is not None]
        self.fresh = self._judge.fresh
        self.blame = Blame.of(rule, source)
        """Who may be to blame in place of a number; None: nobody but the number."""
        self._episodes = Episodes(rule)
        self._walker = Walker(rule, self._episodes)
        self._exceptions = Exceptions(rule, normalise)
        self.numbers = NumberKeys(rule.by, self._keys)
        """Those out of service; several rules on a scope may share it."""
        self._tick_ms = tick_ms
        self._known = np.zeros(0, dtype=np.bool_)
        """The keys that had data when they were looked at, where a lack of data is told."""
        self._covered = [False] * len(self._views)
        self._windows: list[int] = []
        """Positions of those that are covered."""
        self.uncovered = True
        """Some are not."""
        self._covers_at: list[int] | None = None
        self.term = rule.term
        """From when to when it is in force."""
        self.wakes_at = 0
        """From this tick on it has to look, if only at what its windows cover. Before it, while
        no scope has the evidence that is needed and it is not :attr:`awake`, :meth:`step` would
        change nothing and say nothing."""
        self._looks_at_all = self._judge.by_value or rule.no_data == "alert"
        """It breaches without evidence, so whatever changed has to be looked at."""
        self.resting = False
        """It was not in force at the last tick."""
        self._alarms = Alarms()
        """When time alone may move a row: a condition has lasted, an alert is repeated."""
        self._restless: set[int] = set()
        """Rows to look at with the next tick, whatever their alarms say."""

    @property
    def awake(self) -> bool:
        """It has to be asked at the next tick, whatever happens."""
        return bool(self.rows) or self.resting or self.term.limited

    @property
    def definition(self) -> str:
        """What its figures are: state survives a reload while this stays the same."""
        measured = {"kind", "hits", "of", "value"}
        indicator = self._views[0].indicator
        text = indicator.model_dump_json(include=measured)
        # What kinds have that came later stands apart: nothing changes for those that were there.
        more = indicator.model_dump_json(include=set(NowParts.model_fields), exclude_none=True)
        return text if more == "{}" else text + more

    # --- a tick -----------------------------------------------------------------------------------

    def step(self, tick: int, held: AbstractSet[str]) -> tuple[list[Alert], list[Want]]:
        """Judge one tick, after the evidence was fed; what comes back is in no particular order."""
        alerts = self._hold(tick, held)
        for moving in self._judge.moving:
            moving.step()
        looked_at = self._restless.union(self._alarms.ring(tick))
        self._restless.clear()
        changed = self._changed(tick)
        if self._windows:
            alerts += self._judge_keys(tick, changed, looked_at)
        wants: list[Want] = []
        acts = self.rule.action is not None
        for key in list(self.rows) if acts else sorted(looked_at & self.rows.keys()):
            row = self.rows[key]
            if row.state is not State.FIRING or row.held_since != NEVER:
                continue
            again = self._episodes.repeat(row, tick)
            if again is not None:
                alerts.append(again)
                looked_at.add(key)
            want = self._spared(row, self._episodes.want(row))
            wants += [want] if want is not None else []
        for key in looked_at & self.rows.keys():
            self._alarms.put(key, self._due(self.rows[key], tick))
        return alerts, wants

    def _due(self, row: Row, after: int) -> int | None:
        """When time alone may move the row, after ``after``."""
        if row.held_since != NEVER:
            return row.held_since + HELD_ENDS_MS
        return self._walker.deadline(row, after)

    def _spared(self, row: Row, want: Want | None) -> Want | None:
        """The want, with whoever is to blame in place of the number."""
        if want is None or self.blame is None:
            return want
        found = self.blame.who(want.number, row.figures.window)
        return want if found is None else replace(want, blamed=found.agent, spared=found.detail)

    def _hold(self, tick: int, held: AbstractSet[str]) -> list[Alert]:
        """Numbers out of service: their episodes wait, then end."""
        if "number" not in self.rule.by:
            return []
        alerts: list[Alert] = []
        for key, row in list(self.rows.items()):
            if self.numbers.of_scope(row.scope) not in held:
                if row.held_since != NEVER:
                    row.held_since = NEVER
                    self._restless.add(key)
                continue
            if row.held_since == NEVER:
                row.held_since = tick
                self._restless.add(key)
            if row.state is State.PENDING:
                self._end(key, row)
            elif tick - row.held_since >= HELD_ENDS_MS:
                alerts.append(self.close(key, tick, "suspended"))
        return alerts

    def _changed(self, tick: int) -> Int64:
        """Keys whose figures or bounds may have changed; all when it begins to count."""
        rested, self.resting = self.resting, False
        if self.uncovered:
            covered = [tick >= at for at in self._coverage(tick)]
            if covered != self._covered:
                self._cover(covered)
                self._sleep(tick)
                return self._keys.living()
        self._sleep(tick)
        if rested or self._all_may_breach():
            return self._keys.living()
        if not self._seeks and not self.rows:
            return _NONE
        touched = [view.touched() for view in self._views]
        if self.rows and (self.detectors or self.fresh is not None):
            # What is too late for a window is evidence all the same, and counts on probation. At
            # nearly all ticks this is the array that stands above, so nothing is put together.
            touched.append(self.view.entered()[0])
        if self.fresh is not None and self.fresh.moved:
            touched.append(self.fresh.moved_ids(self._keys))
        return _union(touched)

    def _all_may_breach(self) -> bool:
        """Bounds moved of scopes whose figures are as they were."""
        for moving in self._judge.moving:
            if moving.moved or (moving.by_peers and len(self.view.touched())):
                return True
        return False

    @property
    def _seeks(self) -> bool:
        """A scope may breach that has no row."""
        return self._looks_at_all or any(detector.over for detector in self.detectors)

    def _judge_keys(self, tick: int, changed: Int64, looked_at: set[int]) -> list[Alert]:
        """Judge the keys that may breach, and the rows that may move.

        Those that time moves are ``looked_at``, and so are afterwards all that were walked. A row
        none of whose times is over stays as it is while its figures and bounds do; and where what
        they say of it is what held it in its state at its last walk, only what it shows is new.
        """
        mine = self._rows_of(changed) if self.rows else []
        # Those that have a row are judged anyway.
        all_mine = len(mine) == len(changed) and self.rule.no_data != "alert"
        ids = _NONE if all_mine else self._suspects(changed)
        walked: set[int] = set()
        if self.rows:
            due = looked_at.union(mine) & self.rows.keys()
            live = np.array(sorted(due), dtype=np.int64)
            ids = _union([ids, live]) if len(ids) else live
        if len(ids):
            ids = ids[self.numbers.in_service(ids)]
        if not len(ids):
            return []
        judgement = self._judge.judge(ids, self._windows)
        least = self.rule.recovering.min_of
        codes = self._judge.codes(judgement, least)
        alerts: list[Alert] = []
        for position in self._that_matter(judgement).tolist():
            key, code = int(ids[position]), codes[position]
            row = self.rows.get(key)
            if row is not None and row.steady == code and key not in looked_at:
                row.show(self._judge.shows(judgement, position, row.shown))
                continue
            walked.add(key)
            alert = self._walk(tick, key, self._judge.sight(judgement, position, least), code)
            alerts += [alert] if alert is not None else []
        looked_at |= walked
        return alerts

    def _rows_of(self, ids: Int64) -> list[int]:
        """Those of ``ids`` (ascending) that have a row."""
        if len(ids) < len(self.rows):
            return [key for key in ids.tolist() if key in self.rows]
        rows = np.fromiter(self.rows, dtype=np.int64, count=len(self.rows))
        places = np.minimum(np.searchsorted(ids, rows), len(ids) - 1)
        found: list[int] = rows[ids[places] == rows].tolist()
        return found

    def _suspects(self, ids: Int64) -> Int64:
        """The keys that may breach or miss data."""
        if not len(ids) or not self._seeks:
            return _NONE
        mask, below = self._judge.suspects(ids, self._windows)
        if self.rule.no_data == "alert":
            self._grow(ids)
            known = self._known[ids]
            below = below or [self._views[window].figures(ids)[1] for window in self._windows]
            data = np.logical_or.reduce([of != 0 for of in below])
            mask |= known & ~data
            new = ids[data & ~known]
            self._known[new[self.numbers.in_service(new)]] = True
        return ids[mask]

    def _that_matter(self, judgement: Judgement) -> Int64:
        """Positions of the keys that breach, lack data that they should have, or are not over."""
        matters = np.logical_or.reduce(judgement.breach, axis=0)
        if self.rule.no_data == "alert":
            matters |= (judgement.of == 0) & self._known[judgement.ids]
        live = [key in self.rows for key in judgement.ids.tolist()]
        return np.flatnonzero(matters | live)

    def _walk(self, tick: int, key: int, sighting: Sighting, code: int) -> Alert | None:
        """One scope further; ``code`` is what it would be walked by at the next tick, too."""
        row = self.rows.get(key)
        if row is None:
            scope = self._views[0].scope(key)
            if self._exceptions.match(scope):
                return None
            row = Row(scope, State.OK, sighting.figures, next(iter(sighting.evidence.values())))
        before = row.state, row.level
        step = self._walker.walk(row, tick, sighting)
        moved = step.alert is not None or (row.state, row.level) != before
        row.steady = NEVER if moved else code
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
        self._alarms.put(key, None)
        if row.episode:
            for detector in self.detectors:
                detector.reset(np.array([key], dtype=np.int64))

    def rest(self, tick: int) -> list[Alert]:
        """A tick at which the rule is not in force: nothing is judged, what fired is over."""
        if self.resting:
            return []
        self.resting = True
        alerts: list[Alert] = []
        for key, row in list(self.rows.items()):
            if row.episode:
                alerts.append(self.close(key, tick, "rule_over"))
            else:
                self._end(key, row)
        for detector in self.detectors:
            detector.reset(detector.fed())
        return alerts

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
        """The keys were evicted, and their evidence is; their ids may come back as others."""
        gone = np.array(sorted(keys), dtype=np.int64)
        self._known[gone[gone < len(self._known)]] = False
        for moving in self._judge.moving:
            moving.forget(gone.tolist())
        for key in gone.tolist():
            self.rows.pop(key, None)
            self._alarms.put(key, None)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        times = [self._due(self.rows[key], after) for key in self._restless & self.rows.keys()]
        due = [at for at in (*times, self._alarms.first()) if at is not None]
        if self.uncovered:
            due += [at for at in self._coverage(after) if at > after]
        if not due:
            return None
        return aligned_after(min(due), after, self._tick_ms)

    def counts(self) -> Counter[str]:
        """Scopes by state."""
        counts: Counter[str] = Counter(str(row.state) for row in self.rows.values())
        if not self._windows:
            counts[State.WARMING] = len(self._keys)
            return counts
        living = self._keys.living()
        calm = living[~np.isin(living, list(self.rows))]
        judgement = self._judge.judge(calm, self._windows)
        counts[State.OK] = int((judgement.enough & (judgement.of != 0)).sum())
        counts[State.INSUFFICIENT] = len(calm) - counts[State.OK]
        return counts

    # --- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            "rows": pictures(self.rows),
            "known": self._known.copy(),
            "covered": list(self._covered),
            "resting": self.resting,
            "evidence": {
                level.name: level.detector.snapshot()
                for level in self._judge.levels
                if level.detector is not None
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave; the key table must hold the same ids."""
        self.rows = restored(state["rows"])
        self._alarms, self._restless = Alarms(), set(self.rows)
        self._known = state["known"].copy()
        self._cover(state["covered"])
        self._covers_at = None
        self.wakes_at = 0
        self.resting = state["resting"]
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

    def _sleep(self, tick: int) -> None:
        """Until a window is covered that is not yet."""
        if self._looks_at_all:
            return
        ahead = [at for at in self._coverage(tick) if at > tick] if self.uncovered else []
        self.wakes_at = min(ahead, default=NEVER_AGAIN)

    def _cover(self, covered: Sequence[bool]) -> None:
        self._covered = list(covered)
        self._windows = [index for index, judged in enumerate(covered) if judged]
        self.uncovered = len(self._windows) < len(covered)

    def _grow(self, ids: Int64) -> None:
        if len(ids) and ids[-1] >= len(self._known):
            self._known = grown(self._known, int(ids[-1]) + 1)


def _union(parts: list[Int64]) -> Int64:
    """Ascending distinct ids; windows that moved alike say so with the same array."""
    first, *others = parts
    if all(part is first for part in others):
        return first
    return distinct_of(np.concatenate(parts))
