"""People's side of alerts: the inbox, and what can be done about what is in it.

Owns the one way by which command line, interfaces and pages act on alerts. An act is kept in the
store, with who and when, in the transaction in which it takes effect, whether the daemon runs or
not; the delivery side looks before it tells anybody. It decides nothing: the engine knows of no
act, and a replay is the same without them.

Who may do what is the interface's business: ``entry(episode).team`` says whose alert it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.clock import Clock
from monitor.decisions import derive_id
from monitor.people.matchers import read
from monitor.store.handled import Act, InboxRow, Wanted, What
from monitor.store.silenced import Silence
from monitor.store.store import Store

TEXT_MAX: Final = 2_000
"""Characters of a note or a reason."""
NAME_MAX: Final = 200
PAGE_MAX: Final = 1_000
SILENCE_MAX_MS: Final = 90 * 24 * 3_600_000
"""The longest silence: what shall never be told is a rule that should be off."""


class UnknownError(LookupError):
    """Raised when there is no such episode or silence."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of the inbox."""

    rows: tuple[InboxRow, ...]
    """The newest first, by their beginning."""
    cursor: str | None
    """For the next page; None: this is the last one."""


class PeopleDesk:
    """What people do about alerts, on one store; any thread or process may use it.

    Every act takes ``ident``: acting twice with the same one is acting once.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def acknowledge(self, episode: str, by: str, note: str = "", *, ident: str = "") -> bool:
        """Somebody knows of the alert as it is: nobody further is told until it gets worse.

        ``episode``: or the id of a refusal, such as the one page of a wave. Returns False when it
        was done before under this ``ident``.

        Raises:
            UnknownError: there is no such episode.
            ValueError: ``by`` is empty, or a text is too long.
            StoreError: it was not kept.
        """
        act = self._act("acknowledge", episode, by, ident, {"note": _text(note)})
        try:
            return self._store.handled.acknowledge(episode, act)
        except KeyError:
            raise _unknown("episode", episode) from None

    def assign(self, episode: str, to: str | None, by: str, *, ident: str = "") -> bool:
        """Somebody has the alert; None: nobody has. Otherwise as :meth:`acknowledge`."""
        name = None if to is None else _name(to, "to whom")
        act = self._act("assign", episode, by, ident, {"to": name})
        try:
            return self._store.handled.assign(episode, name, act)
        except KeyError:
            raise _unknown("episode", episode) from None

    def silence(
        self,
        matchers: Mapping[str, str | Sequence[str]],
        until_ms: int,
        by: str,
        reason: str,
        *,
        ident: str = "",
    ) -> Silence:
        """From now on until ``until_ms`` (wall time) nobody is told of alerts that match.

        They are decided, stored and listed as ever; what still fires at the end is told then.

        Raises:
            ValueError: no matcher, no reason, an end in the past or too far away.
            StoreError: it was not kept.
        """
        now_ms = self._clock.now_ms()
        patterns = read(matchers)
        if not reason.strip():
            raise ValueError("say why")
        if until_ms <= now_ms:
            raise ValueError("the end of a silence lies ahead")
        if until_ms - now_ms > SILENCE_MAX_MS:
            msg = f"a silence ends within {SILENCE_MAX_MS // 86_400_000} days"
            raise ValueError(msg)
        name = derive_id("silence", ident) if ident else uuid.uuid4().hex
        silence = Silence(name, patterns, now_ms, until_ms, _name(by, "who"), _text(reason))
        told = {"matchers": patterns, "until_ms": until_ms, "reason": silence.reason}
        if not self._store.silenced.begin(silence, self._act("silence", name, by, ident, told)):
            return self._store.silenced.find(name) or silence
        return silence

    def end_silence(self, silence: str, by: str, *, ident: str = "") -> bool:
        """End a silence now; False: it was over.

        Raises:
            UnknownError: there is no such silence.
            ValueError: ``by`` is empty.
            StoreError: it was not kept.
        """
        try:
            return self._store.silenced.end(
                silence, self._act("end_silence", silence, by, ident, {})
            )
        except KeyError:
            raise _unknown("silence", silence) from None

    def silences(self, *, over: bool = False, limit: int = PAGE_MAX) -> list[Silence]:
        """Silences that hold, the oldest first; with ``over`` all of them, the newest first."""
        if over:
            return self._store.silenced.all(limit=limit)
        return self._store.silenced.standing(self._clock.now_ms())[:limit]

    def inbox(
        self, wanted: Wanted | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """Alerts as people look at them, one row an episode; customers are not masked.

        Raises:
            ValueError: ``cursor`` is none of ours, or ``limit`` is out of bounds.
            StoreError: the store cannot be read.
        """
        if not 1 <= limit <= PAGE_MAX:
            msg = f"a page has 1 to {PAGE_MAX} rows"
            raise ValueError(msg)
        before = None if cursor is None else _place(cursor)
        rows = self._store.handled.inbox(wanted or Wanted(), before=before, limit=limit + 1)
        shown = tuple(rows[:limit])
        last = shown[-1].alert if len(rows) > limit else None
        return Page(shown, None if last is None else f"{last.since_ms}.{last.episode}")

    def entry(self, episode: str) -> InboxRow | None:
        """One row of the inbox; None when the episode is unknown."""
        return self._store.handled.entry(episode)

    def acts(
        self, *, about: str | None = None, since_ms: int | None = None, limit: int = 100
    ) -> list[Act]:
        """Who did what and when, the newest first: the audit."""
        return self._store.handled.acts(about=about, since_ms=since_ms, limit=limit)

    def _act(
        self, what: What, about: str, by: str, ident: str, details: Mapping[str, object]
    ) -> Act:
        name = derive_id("act", what, ident) if ident else uuid.uuid4().hex
        return Act(self._clock.now_ms(), name, _name(by, "who"), what, about, details)


def _name(name: str, which: str) -> str:
    cleaned = name.strip()
    if not cleaned or len(cleaned) > NAME_MAX:
        msg = f"say {which}, in at most {NAME_MAX} characters"
        raise ValueError(msg)
    return cleaned


def _text(text: str) -> str:
    if len(text) > TEXT_MAX:
        msg = f"a text has at most {TEXT_MAX} characters"
        raise ValueError(msg)
    return text.strip()


def _unknown(what: str, name: str) -> UnknownError:
    return UnknownError(f"there is no {what} {name!r}")


def _place(cursor: str) -> tuple[int, str]:
    since_ms, _, episode = cursor.partition(".")
    if not since_ms.isdecimal() or len(since_ms) > 18 or not episode:
        raise ValueError("this cursor is none of ours")
    return int(since_ms), episode
