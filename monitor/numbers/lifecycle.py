"""The states of an outbound number and every transition between them, in one table.

Owns the table only. What brings an event about is ``desk``; what forbids a suspension is
``guards``. An event's value is the reason that the audit row shows. A later state (held,
probation, retired, lost) is a few more rows here.

Every state but ``active`` is left in bounded time:

=============  ==========================================================================
wanted         the breach is over, or a guard lets it through
suspending     telephony answers, or its ttl, which runs from the command, is over
suspended      the last of its causes is over or cleared, or a person resumes it
resuming       telephony answers, or has let go by itself at ``until``
=============  ==========================================================================

A number without ``until`` (flagged, or suspended by a person for good) waits for the flag to be
cleared or for a person: that is what was asked for.
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
    TTL_OVER = "ttl_over"
    CLEARED = "cleared"
    RETRIED = "retried"
    """A rejected resume is asked for again."""
    LET_GO = "let_go"
    """Telephony did not confirm what it was told, and has let go by itself at ``until``."""
    COMMANDED_AGAIN = "commanded_again"
    """Telephony was found not to do what it was told."""
    LEFT_BLOCKED = "left_blocked"
    """Telephony was found to block, for us, a number that is in service."""


IN_SERVICE: Final = frozenset({State.ACTIVE, State.WANTED})
"""The states in which a number makes calls as far as the daemon has decided."""

TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.ACTIVE, Event.BREACH): State.WANTED,
    (State.ACTIVE, Event.PERSON_SUSPENDS): State.SUSPENDING,
    (State.WANTED, Event.BREACH_OVER): State.ACTIVE,
    (State.WANTED, Event.ADMITTED): State.SUSPENDING,
    (State.WANTED, Event.PERSON_SUSPENDS): State.SUSPENDING,
    (State.SUSPENDING, Event.APPLIED): State.SUSPENDED,
    (State.SUSPENDING, Event.REJECTED): State.ACTIVE,
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
    (State.SUSPENDED, Event.COMMANDED_AGAIN): State.SUSPENDED,
    (State.RESUMING, Event.COMMANDED_AGAIN): State.RESUMING,
    (State.ACTIVE, Event.LEFT_BLOCKED): State.RESUMING,
    (State.WANTED, Event.LEFT_BLOCKED): State.RESUMING,
    (State.RESUMING, Event.APPLIED): State.ACTIVE,
    (State.RESUMING, Event.REJECTED): State.SUSPENDED,
    (State.RESUMING, Event.LET_GO): State.ACTIVE,
    (State.RESUMING, Event.PERSON_RESUMES): State.RESUMING,
    (State.RESUMING, Event.PERSON_SUSPENDS): State.SUSPENDING,
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
