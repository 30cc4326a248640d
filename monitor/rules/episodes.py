"""One scope that a rule is concerned about, and the alerts its episode sends.

Owns the row that lives from the first breach until the episode is over, its ids and its
repetitions. When a row changes state is ``monitor.rules.lifecycle``'s table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from monitor.decisions import (
    Alert,
    AlertState,
    Evidence,
    Figures,
    Level,
    Scope,
    Want,
    derive_id,
    scope_text,
)
from monitor.rules.levels import LEVELS
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.sealed import Later, plain
from monitor.units import rough_duration

NEVER = -1
_NOT_KEPT: Final = {"kept": False}
"""Of what the next walk finds out anew."""


@dataclass(slots=True)
class Row:
    """A scope that is pending, firing or recovering; times are ticks in ms, NEVER where unset."""

    scope: Scope
    state: State
    figures: Figures
    evidence: Evidence
    level: Level | None = None
    """The level that fires; None while pending."""
    breach_since: dict[str, int] = field(default_factory=dict)
    """For each level (or ``no_data``) whose condition holds, the tick at which it began to."""
    clear_since: int = NEVER
    episode: str = ""
    began: int = NEVER
    by_value: bool = True
    """False while the episode is about missing data only."""
    repeat_at: int = NEVER
    repeat_pause: int = 0
    held_since: int = NEVER
    shown: Level = field(default="warn", metadata=_NOT_KEPT)
    """The level whose evidence it shows."""
    steady: int = field(default=NEVER, metadata=_NOT_KEPT)
    """What :meth:`monitor.rules.judge.RuleJudge.codes` says while only time moves it."""
    _shows: Callable[[], tuple[Figures, Evidence]] | None = field(
        default=None, metadata=_NOT_KEPT, repr=False, compare=False
    )

    def show(self, shows: Callable[[], tuple[Figures, Evidence]]) -> None:
        """``figures`` and ``evidence`` are these; they are made once somebody looks at them.

        That a figure moved is said at nearly every tick, and looked at for an alert.
        """
        if self._shows is None:
            del self.figures, self.evidence
        self._shows = shows

    def show_now(self, figures: Figures, evidence: Evidence) -> None:
        """``figures`` and ``evidence`` are these, whatever was to be made."""
        self.figures, self.evidence, self._shows = figures, evidence, None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What is not there yet; called for nothing else."""
            if name not in {"figures", "evidence"} or self._shows is None:
                raise AttributeError(name)
            shows, self._shows = self._shows, None
            self.figures, self.evidence = shows()
            return getattr(self, name)

    @property
    def text(self) -> str:
        """The scope as ids and orders see it."""
        return scope_text(self.scope)

    def picture(self) -> tuple[Any, ...]:
        """All fields as they are now, for :func:`plain_row`."""
        picture: tuple[Any, ...] = _VALUES(self)
        return (*picture, dict(self.breach_since))

    @classmethod
    def restore(cls, row: Mapping[str, Any]) -> Row:
        """The row that :func:`plain_row` wrote."""
        values = dict(row)
        values["scope"] = tuple((name, value) for name, value in row["scope"])
        values["state"] = State(row["state"])
        values["figures"] = Figures(**row["figures"])
        values["evidence"] = Evidence(**row["evidence"])
        values["breach_since"] = dict(row["breach_since"])
        return cls(**values)


def pictures(rows: Mapping[Any, Row]) -> Later:
    """Rows by their key, for :func:`restored`; made plain where they are written."""
    return Later([(key, rows[key].picture()) for key in sorted(rows)], _plain_rows)


def restored(state: Later | Sequence[Mapping[str, Any]]) -> dict[Any, Row]:
    """The rows of :func:`pictures`."""
    return {entry["key"]: Row.restore(entry["row"]) for entry in plain(state)}


def plain_row(picture: tuple[Any, ...]) -> dict[str, Any]:
    """Plain values only, for :meth:`Row.restore`."""
    *values, breach_since = picture
    row = dict(zip(_NAMES, values, strict=True))
    row["scope"] = [list(pair) for pair in row["scope"]]
    row["state"] = str(row["state"])
    row["figures"] = dict(zip(_FIGURES, attrgetter(*_FIGURES)(row["figures"]), strict=True))
    row["evidence"] = dict(zip(_EVIDENCE, attrgetter(*_EVIDENCE)(row["evidence"]), strict=True))
    row["breach_since"] = breach_since
    return row


def _plain_rows(rows: Sequence[tuple[Any, tuple[Any, ...]]]) -> list[dict[str, Any]]:
    return [{"key": key, "row": plain_row(picture)} for key, picture in rows]


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind) if item.metadata.get("kept", True))


_NAMES, _FIGURES, _EVIDENCE = _names(Row), _names(Figures), _names(Evidence)
_VALUES = attrgetter(*_NAMES)


def rank(level: Level) -> int:
    """0 mild, 1 severe."""
    return LEVELS.index(level)


def order_alert(alert: Alert) -> tuple[int, str, str, str]:
    """Severity, then scope text, then rule: the order in which decisions of a tick are taken."""
    return (-rank(alert.level), scope_text(alert.scope), alert.rule, alert.id)


def order_want(want: Want) -> tuple[int, str, str]:
    """As :func:`order_alert`."""
    return (-rank(want.level), scope_text(want.scope), want.rule)


class Episodes:
    """Makes the alerts and wants of one rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._acting, _ = rule.levels.severest

    def begin(self, row: Row, tick: int, level: Level) -> None:
        """The row starts to fire: it gets its episode."""
        row.level = level
        row.episode = derive_id(self.rule.id, row.text, tick)
        row.began = tick
        self._schedule(row, tick)

    def alert(self, row: Row, tick: int, reason: str, *, state: AlertState = "firing") -> Alert:
        """One transition of a row that has an episode; restarts the repetitions."""
        level = _fired(row)
        if state == "firing" and reason != "repeat":
            self._schedule(row, tick)
        return Alert(
            at_ms=tick,
            id=derive_id(row.episode, f"{state}:{level}:{reason}", tick),
            episode=row.episode,
            rule=self.rule.id,
            scope=row.scope,
            level=level,
            state=state,
            since_ms=row.began,
            figures=row.figures,
            evidence=row.evidence,
            reason=reason,
            message=self._message(row, level),
            route=self.rule.notify.route,
            shadow=self.rule.shadow,
        )

    def repeat(self, row: Row, tick: int) -> Alert | None:
        """The alert again when its pause is over; the next pause is twice as long."""
        if row.repeat_at == NEVER or tick < row.repeat_at:
            return None
        longest = self.rule.notify.repeat_max or row.repeat_pause
        row.repeat_pause = min(row.repeat_pause * 2, max(longest, row.repeat_pause))
        row.repeat_at = tick + row.repeat_pause
        return self.alert(row, tick, "repeat")

    def want(self, row: Row) -> Want | None:
        """The wish to suspend the row's number, while the level that acts fires."""
        action = self.rule.action
        if action is None or not row.by_value or row.level != self._acting:
            return None
        suspend = action.suspend
        return Want(
            number=dict(row.scope)["number"],
            rule=self.rule.id,
            episode=row.episode,
            level=_fired(row),
            scope=row.scope,
            figures=row.figures,
            evidence=row.evidence,
            ttl_ms=suspend.ttl,
            backoff=suspend.backoff,
            ttl_max_ms=suspend.ttl_max,
            route=self.rule.notify.route,
            shadow=self.rule.shadow,
            probation_calls=0 if suspend.probation is None else suspend.probation.calls,
            probation_ms=0 if suspend.probation is None else suspend.probation.max_ms,
            max_fraction=suspend.max_fraction,
            min_left=suspend.min_left,
        )

    def _schedule(self, row: Row, tick: int) -> None:
        pause = self.rule.notify.repeat
        if pause is not None:
            row.repeat_pause = pause
            row.repeat_at = tick + pause

    def _message(self, row: Row, level: Level) -> dict[str, str]:
        figures = row.figures
        values: dict[str, str | float | None] = {
            **dict.fromkeys([*self.rule.by, "waited"], ""),  # a wave has no scope of its own
            **dict(row.scope),
            "value": figures.value,
            "hits": figures.hits,
            "of": figures.of,
            "bound": self._bound(row, level),
            "window": figures.window,
            "level": level,
            "rule": self.rule.id,
        }
        if row.evidence.method == "absence":
            values["waited"] = rough_duration(int(row.evidence.score * 1000))
        return {str(tag): text.fill(values) for tag, text in self.rule.message.items()}

    def _bound(self, row: Row, level: Level) -> float | None:
        """Where the level breaches, as it was when this was judged."""
        if row.evidence.method == "relative":
            return row.evidence.needed
        fixed = dict(self.rule.levels.items())[level].bound
        return None if fixed is None else float(fixed)


def _fired(row: Row) -> Level:
    if row.level is None:
        msg = f"a row that never fired has no alert: {row.state}"
        raise ValueError(msg)
    return row.level
