"""The one table of states that a rule can be in for one scope, and of the ways between them.

Owns which state follows from which inputs and why. Timers, evidence and figures are worked out by
the caller and come in as facts, so that this stays a pure function that can be read as a table.

                     breach              it lasted            let go
 ok · insufficient ─────────▶ pending ────────────▶ firing ◀────────▶ recovering
      ▲      ▲                   │ passed             │ ended, no data    │ it lasted
      │      └───────────────────┘                    ▼                   ▼
    warming                                           ok                  ok, or firing (relaxed)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a rule stands for one scope."""

    WARMING = "warming"
    """The log seen does not cover the window; nothing is judged."""
    OK = "ok"
    INSUFFICIENT = "insufficient"
    """Too little to tell: no data, too few, or a bad value without enough evidence."""
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"


class Reason(StrEnum):
    """Why a transition was taken; those that people hear of are also reasons of an alert."""

    WARMING = "warming"
    GOOD = "good"
    TOO_LITTLE = "too_little"
    BREACH_BEGAN = "breach_began"
    PASSED = "passed"
    BREACH = "breach"
    LASTING = "lasting"
    ESCALATED = "escalated"
    LETTING_GO = "letting_go"
    BACK = "back"
    RELAXED = "relaxed"
    RECOVERED = "recovered"
    HELD = "held"
    """No data, and the rule holds."""
    NO_DATA = "no_data"
    ENDED = "ended"
    """From outside: suspended, cleared, rule_changed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one scope at one tick."""

    covered: bool = True
    ended: bool = False
    """Something outside ended the episode: its number was suspended, its event cleared."""
    data: bool = True
    """There is a value: ``of`` is not 0."""
    resolves_without_data: bool = False
    """``no_data: resolve``."""
    enough: bool = True
    """A good value can be told from a bad one."""
    breach: bool = False
    """A level's condition holds now; under ``no_data: alert``, missing data does too."""
    due: bool = False
    """A breach has lasted for ``pending.for``."""
    worse: bool = False
    """The level that is due is more severe than the one that fires."""
    cleared: bool = False
    """The value has let go of the level that fires."""
    settled: bool = False
    """It has, for ``recovering.for`` and on at least ``min_of``."""
    milder_holds: bool = False
    """It has not let go of a milder level."""


@dataclass(frozen=True, slots=True)
class Way:
    """One row of the table: from a state, when a condition holds, to a state, for a reason."""

    condition: str
    when: Callable[[Facts], bool]
    to: State
    reason: Reason


def _always(_facts: Facts) -> bool:
    return True


_JUDGE: tuple[Way, ...] = (
    Way("not covered", lambda f: not f.covered, State.WARMING, Reason.WARMING),
    Way("due", lambda f: f.due, State.FIRING, Reason.BREACH),
    Way("breach", lambda f: f.breach, State.PENDING, Reason.BREACH_BEGAN),
    Way("too little", lambda f: not f.data or not f.enough, State.INSUFFICIENT, Reason.TOO_LITTLE),
    Way("else", _always, State.OK, Reason.GOOD),
)

TABLE: dict[State, tuple[Way, ...]] = {
    State.WARMING: _JUDGE,
    State.OK: _JUDGE,
    State.INSUFFICIENT: _JUDGE,
    State.PENDING: (
        Way("ended", lambda f: f.ended, State.OK, Reason.ENDED),
        Way("due", lambda f: f.due, State.FIRING, Reason.BREACH),
        Way("breach", lambda f: f.breach, State.PENDING, Reason.LASTING),
        Way("too little", lambda f: not f.data or not f.enough, State.INSUFFICIENT, Reason.PASSED),
        Way("else", _always, State.OK, Reason.PASSED),
    ),
    State.FIRING: (
        Way("ended", lambda f: f.ended, State.OK, Reason.ENDED),
        Way(
            "no data, resolve",
            lambda f: not f.data and f.resolves_without_data,
            State.INSUFFICIENT,
            Reason.NO_DATA,
        ),
        Way("no data", lambda f: not f.data, State.FIRING, Reason.HELD),
        Way("worse", lambda f: f.worse, State.FIRING, Reason.ESCALATED),
        Way(
            "settled, milder", lambda f: f.settled and f.milder_holds, State.FIRING, Reason.RELAXED
        ),
        Way("settled", lambda f: f.settled, State.OK, Reason.RECOVERED),
        Way("cleared", lambda f: f.cleared, State.RECOVERING, Reason.LETTING_GO),
        Way("else", _always, State.FIRING, Reason.LASTING),
    ),
    State.RECOVERING: (
        Way("ended", lambda f: f.ended, State.OK, Reason.ENDED),
        Way(
            "no data, resolve",
            lambda f: not f.data and f.resolves_without_data,
            State.INSUFFICIENT,
            Reason.NO_DATA,
        ),
        Way("no data", lambda f: not f.data, State.RECOVERING, Reason.HELD),
        Way("worse", lambda f: f.worse, State.FIRING, Reason.ESCALATED),
        Way(
            "settled, milder", lambda f: f.settled and f.milder_holds, State.FIRING, Reason.RELAXED
        ),
        Way("settled", lambda f: f.settled, State.OK, Reason.RECOVERED),
        Way("cleared", lambda f: f.cleared, State.RECOVERING, Reason.LETTING_GO),
        Way("else", _always, State.FIRING, Reason.BACK),
    ),
}
"""For each state its ways out, in order: the first whose condition holds is taken."""


def advance(state: State, facts: Facts) -> tuple[State, Reason]:
    """The state that follows, and why."""
    for way in TABLE[state]:
        if way.when(facts):
            return way.to, way.reason
    msg = f"the table has no way out of {state} for {facts}"
    raise AssertionError(msg)
