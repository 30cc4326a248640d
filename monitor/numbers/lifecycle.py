"""The states of an outbound number and every transition between them, in one table.

Owns the table only. What brings an event about is ``desk``; what forbids a suspension is
``guards``. An event's value is the reason that the audit row shows.

Every state but ``active`` is left in bounded time:

=============  ==========================================================================
wanted         the breach is over, or a guard lets it through
suspending     telephony answers, or its ttl, which runs from the command, is over
suspended      the last of its causes is over or cleared, or a person resumes it
resuming       telephony answers, or has let go by itself at ``until``; asked again without one
probation      so many calls that it started since are good, or its time is over
lost           telephony answers, the last of its causes is over, or a person says so
=============  ==========================================================================

A number without ``until`` (flagged, or suspended by a person for good) waits for the flag to be
cleared or for a person: that is what was asked for. So does one that is held or retired.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an outbound number stands."""

    ACTIVE = "active"
    """In service."""
    WANTED = "wanted"
    """In service, a rule wants it suspended and a guard does not let it yet."""
    SUSPENDING = "suspending"
    """Told to telephony, not confirmed."""
    SUSPENDED = "suspended"
    """Confirmed out of service."""
    RESUMING = "resuming"
    """Told to telephony to take it back, not confirmed."""
    PROBATION = "probation"
    """In service again, and judged by what it has done since."""
    HELD = "held"
    """A person keeps it out of service; nothing else takes it out of that."""
    RETIRED = "retired"
    """A person has given it up; another has taken its place where one was listed."""
    LOST = "lost"
    """Telephony does not block what it has confirmed to block, and was told again."""


class Event(StrEnum):
    """What can happen to a number; the value is the reason in its history."""

    BREACH = "breach"
    BREACH_OVER = "breach_over"
    ADMITTED = "admitted"
    """The guards let the suspension through; the command is issued."""
    PROLONGED = "prolonged"
    """A cause that ends later came; telephony is told the new end."""
    SHORTENED = "shortened"
    """The cause that would have ended last is over; telephony is told the end of the others."""
    JOINED = "joined"
    """Another cause came, and telephony has nothing to be told now."""
    CAUSE_OVER = "cause_over"
    """A cause was cleared while others stand."""
    PERSON_SUSPENDS = "manual_suspend"
    PERSON_RESUMES = "manual_resume"
    APPLIED = "applied"
    REJECTED = "rejected"
    REJECTED_BY_ONE = "rejected_by_one"
    """Of several systems one would not block it: the others are told to let go again."""
    TTL_OVER = "ttl_over"
    CLEARED = "cleared"
    RETRIED = "retried"
    """A resume that was rejected, or never answered, is asked for again."""
    LET_GO = "let_go"
    """Telephony did not confirm what it was told, and has let go by itself at ``until``."""
    ON_PROBATION = "on_probation"
    """It is back, and the rule that it was out for wants to see how it does."""
    PROVEN = "proven"
    """It has made so many calls since, and no rule wants it out."""
    PROBATION_OVER = "probation_over"
    """The time for it is over."""
    PERSON_HOLDS = "manual_hold"
    PERSON_RETIRES = "manual_retire"
    PERSON_RELEASES = "manual_release"
    UNDONE = "undone"
    """A person took back what rules did."""
    COMMANDED_AGAIN = "commanded_again"
    """Telephony was found not to do what it was told."""
    LEFT_BLOCKED = "left_blocked"
    """Telephony was found to block, for us, a number that is in service."""


IN_SERVICE: Final = frozenset({State.ACTIVE, State.WANTED, State.PROBATION})
"""The states in which a number makes calls as far as the daemon has decided."""

KEPT: Final = frozenset({State.HELD, State.RETIRED})
"""The states that only a person ends."""

TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.ACTIVE, Event.BREACH): State.WANTED,
    (State.ACTIVE, Event.PERSON_SUSPENDS): State.SUSPENDING,
    (State.WANTED, Event.BREACH_OVER): State.ACTIVE,
    (State.WANTED, Event.ADMITTED): State.SUSPENDING,
    (State.WANTED, Event.PERSON_SUSPENDS): State.SUSPENDING,
    (State.SUSPENDING, Event.APPLIED): State.SUSPENDED,
    (State.SUSPENDING, Event.REJECTED): State.ACTIVE,
    (State.SUSPENDING, Event.REJECTED_BY_ONE): State.RESUMING,
    (State.SUSPENDING, Event.TTL_OVER): State.RESUMING,
    (State.SUSPENDING, Event.CLEARED): State.RESUMING,
    (State.SUSPENDING, Event.PERSON_RESUMES): State.RESUMING,
    (State.SUSPENDING, Event.PERSON_SUSPENDS): State.SUSPENDING,
    (State.SUSPENDING, Event.PROLONGED): State.SUSPENDING,
    (State.SUSPENDING, Event.JOINED): State.SUSPENDING,
    (State.SUSPENDING, Event.CAUSE_OVER): State.SUSPENDING,
    # New terms for a suspended number are a command too: it stays out of service meanwhile, and
    # after a rejection telephony is asked again.
    (State.SUSPENDED, Event.PROLONGED): State.SUSPENDED,
    (State.SUSPENDED, Event.SHORTENED): State.SUSPENDED,
    (State.SUSPENDED, Event.JOINED): State.SUSPENDED,
    (State.SUSPENDED, Event.CAUSE_OVER): State.SUSPENDED,
    (State.SUSPENDED, Event.PERSON_SUSPENDS): State.SUSPENDED,
    (State.SUSPENDED, Event.APPLIED): State.SUSPENDED,
    (State.SUSPENDED, Event.REJECTED): State.SUSPENDED,
    (State.SUSPENDED, Event.TTL_OVER): State.RESUMING,
    (State.SUSPENDED, Event.CLEARED): State.RESUMING,
    (State.SUSPENDED, Event.PERSON_RESUMES): State.RESUMING,
    (State.SUSPENDED, Event.RETRIED): State.RESUMING,
    (State.SUSPENDED, Event.LET_GO): State.ACTIVE,
    # What telephony was found to do otherwise than it was told.
    (State.SUSPENDING, Event.COMMANDED_AGAIN): State.SUSPENDING,
    (State.SUSPENDED, Event.COMMANDED_AGAIN): State.LOST,
    (State.RESUMING, Event.COMMANDED_AGAIN): State.RESUMING,
    (State.ACTIVE, Event.LEFT_BLOCKED): State.RESUMING,
    (State.WANTED, Event.LEFT_BLOCKED): State.RESUMING,
    (State.PROBATION, Event.LEFT_BLOCKED): State.RESUMING,
    (State.RESUMING, Event.APPLIED): State.ACTIVE,
    (State.RESUMING, Event.RETRIED): State.RESUMING,
    (State.RESUMING, Event.REJECTED): State.SUSPENDED,
    (State.RESUMING, Event.LET_GO): State.ACTIVE,
    (State.RESUMING, Event.PERSON_RESUMES): State.RESUMING,
    (State.RESUMING, Event.PERSON_SUSPENDS): State.SUSPENDING,
    (State.ACTIVE, Event.ON_PROBATION): State.PROBATION,
    (State.PROBATION, Event.BREACH): State.WANTED,
    (State.PROBATION, Event.PROVEN): State.ACTIVE,
    (State.PROBATION, Event.PROBATION_OVER): State.ACTIVE,
    (State.PROBATION, Event.PERSON_SUSPENDS): State.SUSPENDING,
    (State.PROBATION, Event.PERSON_RELEASES): State.ACTIVE,
    (State.SUSPENDING, Event.UNDONE): State.RESUMING,
    (State.SUSPENDED, Event.UNDONE): State.RESUMING,
    # What a person keeps out stays so whatever telephony says of it: it is told again.
    (State.HELD, Event.APPLIED): State.HELD,
    (State.HELD, Event.REJECTED): State.HELD,
    (State.HELD, Event.RETRIED): State.HELD,
    (State.HELD, Event.COMMANDED_AGAIN): State.HELD,
    (State.HELD, Event.PERSON_RELEASES): State.RESUMING,
    (State.RETIRED, Event.APPLIED): State.RETIRED,
    (State.RETIRED, Event.REJECTED): State.RETIRED,
    (State.RETIRED, Event.RETRIED): State.RETIRED,
    (State.RETIRED, Event.COMMANDED_AGAIN): State.RETIRED,
    (State.RETIRED, Event.PERSON_RELEASES): State.RESUMING,
    # Telephony does not block what is out, and was told once more to.
    (State.LOST, Event.COMMANDED_AGAIN): State.LOST,
    (State.LOST, Event.APPLIED): State.SUSPENDED,
    (State.LOST, Event.REJECTED): State.LOST,
    (State.LOST, Event.RETRIED): State.LOST,
    (State.LOST, Event.PROLONGED): State.LOST,
    (State.LOST, Event.JOINED): State.LOST,
    (State.LOST, Event.CAUSE_OVER): State.LOST,
    (State.LOST, Event.TTL_OVER): State.RESUMING,
    (State.LOST, Event.CLEARED): State.RESUMING,
    (State.LOST, Event.UNDONE): State.RESUMING,
    (State.LOST, Event.PERSON_RESUMES): State.RESUMING,
    (State.LOST, Event.PERSON_SUSPENDS): State.SUSPENDING,
} | {
    (state, event): end
    for end, event in ((State.HELD, Event.PERSON_HOLDS), (State.RETIRED, Event.PERSON_RETIRES))
    for state in State
    if state is not end
}


def can(state: State, event: Event) -> bool:
    """Whether ``event`` means anything in ``state``."""
    return (state, event) in TRANSITIONS


def after(state: State, event: Event) -> State:
    """The state that ``event`` leads to.

    Raises:
        KeyError: the table has no such transition; the caller did not ask :func:`can`.
    """
    return TRANSITIONS[state, event]
