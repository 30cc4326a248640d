"""What a number has to prove once it is back: so many calls, within so long.

Owns the terms of one number's probation, their checkpoint form, and its way through it. Which calls
count is ``monitor.rules.fresh``'s: those that started after telephony confirmed that it is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from monitor.decisions import OnTrial, Want
from monitor.numbers.lifecycle import Event, State

if TYPE_CHECKING:
    from monitor.numbers.ledger import Ledger
    from monitor.numbers.record import Record


@dataclass(frozen=True, slots=True)
class Trial:
    """The terms of a probation; of several rules the longest of each."""

    rules: tuple[str, ...]
    """Those that want to see how it does, in order."""
    calls: int
    max_ms: int
    since_ms: int | None = None
    """When it began; None: the number is not back yet."""

    @property
    def until_ms(self) -> int | None:
        """When its time is over; None: it has not begun."""
        return None if self.since_ms is None else self.since_ms + self.max_ms

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"rules": list(self.rules)}

    @classmethod
    def restored(cls, state: Mapping[str, Any] | None) -> Trial | None:
        """What :meth:`snapshot` gave."""
        return None if state is None else cls(**{**state, "rules": tuple(state["rules"])})


def also_for(trial: Trial | None, want: Want) -> Trial | None:
    """The terms of a number that is out for ``want`` too."""
    if not want.probation_calls:
        return trial
    mine = Trial((want.rule,), want.probation_calls, want.probation_ms)
    if trial is None:
        return mine
    rules = tuple(sorted({*trial.rules, want.rule}))
    return Trial(rules, max(trial.calls, mine.calls), max(trial.max_ms, mine.max_ms))


def begin(ledger: Ledger, record: Record, trial: Trial, tick: int) -> None:
    """The number is back as of ``tick``, and on probation."""
    record.trial = replace(trial, since_ms=tick)
    _go_on(ledger, record, tick)


def go_on(ledger: Ledger, record: Record, tick: int) -> None:
    """A breach on probation is over before a guard let it through: the probation is not."""
    if record.trial is not None:
        _go_on(ledger, record, tick)


def _go_on(ledger: Ledger, record: Record, tick: int) -> None:
    trial = record.trial
    detail = "" if trial is None else f"until {trial.calls} calls since, or its time is over"
    ledger.move(record, Event.ON_PROBATION, tick, "" if trial is None else trial.rules[0], detail)


def over(ledger: Ledger, record: Record, event: Event, tick: int, detail: str = "") -> None:
    """It has ended well; a number that is wanted again stays so."""
    rules = () if record.trial is None else record.trial.rules
    record.trial = None
    ledger.proving.discard(record.number)
    if record.state is State.PROBATION:
        by = "time" if event is Event.PROBATION_OVER else rules[0]
        ledger.move(record, event, tick, by, detail)


def proved(ledger: Ledger, calls: Mapping[str, int], tick: int) -> None:
    """Let go of the numbers that have made enough calls since, and that no rule wants out."""
    for number in sorted(ledger.proving):
        record, made = ledger.records[number], calls.get(number, 0)
        enough = record.trial is not None and made >= record.trial.calls
        if enough and record.state is State.PROBATION:
            over(ledger, record, Event.PROVEN, tick, f"{made} calls since")


def on_trial(ledger: Ledger) -> dict[str, OnTrial]:
    """The numbers on probation, wanted again or not."""
    found = {number: ledger.records[number].trial for number in ledger.proving}
    return {
        number: OnTrial(trial.since_ms, trial.rules)
        for number, trial in found.items()
        if trial is not None and trial.since_ms is not None
    }
