"""What became of each transition of an alert: told, held by a named cause, or in a digest.

Owns what a step has led to so far, until it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from monitor.delivery.routing.state import Cause, Effects, Group, Member, Message, State, Telling


class Ledger:
    """Of one board; one thread uses it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._effects = Effects()

    def send(self, message: Message) -> None:
        """A message is to go out."""
        self._effects.messages.append(message)

    def hold(self, group: Group, member: Member, cause: Cause) -> None:
        """People are not told just now; of each transition that waits it is said why."""
        if member.held != cause:
            member.held = cause
            self._state.touch_member(member)
        self.note(group, member.episode, member.pending, "held", cause)

    def free(self, member: Member) -> None:
        """Nothing holds it any more."""
        if member.held:
            member.held = ""
            self._state.touch_member(member)

    def settle(self, group: Group, member: Member, cause: Cause) -> None:
        """Nothing of what waits will be told, and why."""
        self._close(group, member, "held", cause, "")

    def told(self, group: Group, member: Member, notice: str, *, digest: bool = False) -> None:
        """All that waits has been told by ``notice``, or will be in that digest."""
        self._close(group, member, "digest" if digest else "told", "", notice)

    def note(
        self,
        group: Group,
        episode: str,
        alerts: Sequence[str],
        state: Literal["told", "held", "digest"],
        cause: str = "",
        notice: str = "",
    ) -> None:
        """Say what became of transitions; the last word counts."""
        for alert in alerts:
            telling = Telling(alert, group.route, episode, state, cause, notice)
            self._effects.tellings[alert, group.route] = telling

    def drain(self) -> Effects:
        """What it led to since the last time."""
        effects, self._effects = self._effects, Effects()
        self._state.drain(effects)
        return effects

    def _close(
        self,
        group: Group,
        member: Member,
        state: Literal["told", "held", "digest"],
        cause: str,
        notice: str,
    ) -> None:
        if member.pending:
            self.note(group, member.episode, member.pending, state, cause, notice)
            member.pending = []
            self._state.touch_member(member)
