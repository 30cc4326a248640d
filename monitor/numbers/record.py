"""What the desk remembers of one number, and what time alone will bring to it.

Owns the fields, their checkpoint form and the timers. What happens when a timer is due is
``desk``'s; which state follows is ``lifecycle``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal

from monitor.numbers.causes import Cause, later, leading
from monitor.numbers.lifecycle import IN_SERVICE, KEPT, State
from monitor.numbers.probation import Trial
from monitor.numbers.terms import healed_level

Timer = Literal["let_go", "ttl_over", "retried", "terms", "probation"]
Parted = Literal["", "suspend", "resume"]

REMEMBERED_MAX = 16
"""Refusals of one number that are not said twice, beyond those of whoever asks now."""


@dataclass(slots=True)
class Record:
    """One number that something has happened to; all times are ticks, in ms."""

    number: str
    ordinal: int
    """Suspensions commanded so far; a new record starts above all forgotten ones."""
    state: State = State.ACTIVE
    since_ms: int = 0
    asked: int = 0
    """Resumes asked for since the last suspension: keeps their command ids apart."""
    level: int = 0
    """Suspensions by rules that have not healed, as of ``clean_since_ms``."""
    next_level: int | None = None
    """The level once the suspension under way is known to have happened."""
    clean_since_ms: int = 0
    """When the number last came back into service."""
    until_ms: int | None = None
    """When the last of the causes ends; None: not by time."""
    causes: list[Cause] = field(default_factory=list)
    """Why it is out of service; empty once a resume is asked for."""
    told_ms: int | None = None
    """The end that telephony was last told, and has not rejected."""
    kept_ms: int | None = None
    """The end that telephony last confirmed: it stands again when a new one is rejected."""
    rule: str = ""
    episode: str = ""
    route: str = ""
    closes: list[str] = field(default_factory=list)
    """Episodes that end when the suspension is confirmed."""
    command: str = ""
    """The command whose answer is awaited."""
    issued_ms: int = 0
    said_silent: bool = False
    owed: bool = False
    """Telephony rejected a resume; it is asked again at ``retry_ms``."""
    retry_ms: int = 0
    rejections: int = 0
    """In a row."""
    refused: list[str] = field(default_factory=list)
    changes: int = 0
    """Audit rows so far."""
    trial: Trial | None = None
    """The probation it is on, or will be once it is back; None: none."""
    again: bool = False
    """Telephony would not block what a person keeps out, or what it had lost: asked again."""
    admitted_ms: int = 0
    """When rules last took it out."""
    stand_in: str = ""
    """Who has taken its place: it is retired."""
    spared_ms: int = 0
    """Until then rules leave it alone: a person has undone what they did."""
    answered: list[str] = field(default_factory=list)
    """Of the systems that the command in flight went to, those that have applied it."""
    parted: Parted = ""
    """What several systems were told last, one has rejected, and others may have done."""

    def picture(self) -> tuple[Any, ...]:
        """All fields, for :func:`plain_records`; lists among them are replaced, never changed."""
        picture: tuple[Any, ...] = _VALUES(self)
        return picture

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Record:
        """The record that was made plain."""
        lists = {"closes": list(state["closes"]), "refused": list(state["refused"])}
        causes = [Cause(**cause) for cause in state["causes"]]
        made = {"state": State(state["state"]), "causes": causes}
        lists["answered"] = list(state.get("answered", ()))  # older programs knew of none
        trial = Trial.restored(state.get("trial"))  # older programs knew of none
        return cls(**(state | lists | made | {"trial": trial}))

    @property
    def short(self) -> bool:
        """Telephony would let go before the last cause is over."""
        return later(self.until_ms, self.told_ms)

    @property
    def on_trial(self) -> bool:
        """It is back and on probation, wanted again or not."""
        begun = self.trial is not None and self.trial.since_ms is not None
        return begun and self.state in (State.PROBATION, State.WANTED)

    def settle(self, causes: list[Cause]) -> None:
        """Be out of service for ``causes``, of which there is one, from now on."""
        self.causes = causes
        lead = leading(causes)
        self.until_ms = lead.until_ms
        self.rule, self.episode, self.route = lead.rule, lead.episode, lead.route

    def healed(self, tick: int, heal_after_ms: int) -> int:
        """The level as of ``tick``, for a number in service."""
        return healed_level(self.level, tick - self.clean_since_ms, heal_after_ms)

    def timer(self, ack_timeout_ms: int) -> tuple[int, Timer] | None:
        """The next thing that time alone brings, with the moment it is due; None: nothing."""
        due: list[tuple[int, Timer]] = []
        if self.state is State.SUSPENDED and self.owed:
            due.append((self.retry_ms, "retried"))
            if self.told_ms is not None:
                due.append((self.told_ms, "let_go"))
        elif self.state in KEPT or (self.state is State.LOST and self.again):
            if self.again and not self.command:
                due.append((self.retry_ms, "retried"))
            if self.until_ms is not None:
                due.append((self.until_ms, "ttl_over"))
        elif self.state is State.RESUMING:
            due += self._comes_back(ack_timeout_ms)
        elif self.state not in IN_SERVICE:
            due += self._ends()
        elif self.trial is not None and self.trial.until_ms is not None:
            due.append((self.trial.until_ms, "probation"))
        # Of two that are due at once, the nearer end comes first.
        return min(due, key=lambda item: (item[0], _ORDER[item[1]]), default=None)

    def _comes_back(self, ack_timeout_ms: int) -> list[tuple[int, Timer]]:
        """Of a number that is being let go: what ends it when no answer comes."""
        if self.told_ms is not None:
            # The margin covers telephony's own clock; by then it has let go or never held.
            return [(max(self.told_ms, self.issued_ms) + ack_timeout_ms, "let_go")]
        # Nothing ends it by itself, and the answer may be lost: telephony is asked again.
        return [(self.retry_ms, "retried")] if self.said_silent else []

    def _ends(self) -> list[tuple[int, Timer]]:
        """Of a number that is to be out: its end, and when telephony is to be told another."""
        due: list[tuple[int, Timer]] = []
        if self.until_ms is not None:
            due.append((self.until_ms, "ttl_over"))
        if self.told_ms == self.until_ms:
            return due
        if self.state is State.SUSPENDED and not self.command:
            due.append((self.retry_ms, "terms"))
            if self.short and self.told_ms is not None:
                # It would not hear of a later end: at the one it knows the number comes back,
                # and whatever still wants it out has to ask anew.
                due.append((self.told_ms, "ttl_over"))
        elif self.short and self.told_ms is not None:
            # No answer yet; by now telephony would let go of what it was told.
            due.append((max(self.told_ms, self.retry_ms), "terms"))
        return due


def plain_records(pictures: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Records as plain values, for :meth:`Record.restored`."""
    return [_plain(picture) for picture in pictures]


def _plain(picture: tuple[Any, ...]) -> dict[str, Any]:
    state = dict(zip(_NAMES, picture, strict=True))
    causes = [cause.snapshot() for cause in state["causes"]]
    trial = state["trial"] and state["trial"].snapshot()
    return state | {"state": str(state["state"]), "causes": causes, "trial": trial}


_NAMES = tuple(item.name for item in fields(Record))
_VALUES = attrgetter(*_NAMES)
_ORDER: dict[Timer, int] = {"let_go": 0, "ttl_over": 1, "retried": 2, "terms": 3, "probation": 4}
