"""What telephony blocks, asked for at the start and every few minutes, against what it was told.

Owns the asking, in a thread of its own, and the comparison. What differs is an input of the engine,
journaled at a tick like an answer (docs/numbers.md, "Reconciling"); what is done about it is
``monitor.numbers.reconcile``'s.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import structlog

from monitor.clock import Clock
from monitor.decisions import Ack, Found, iso
from monitor.errors import DeliveryError
from monitor.numbers.desk import NumberDesk
from monitor.numbers.lifecycle import State
from monitor.numbers.reconcile import Told
from monitor.telephony.base import Blocked, Reconciler

log = structlog.get_logger(__name__)

SLACK_MS = 2_000
"""Ends that are no further apart are the same: systems count in seconds."""
ENDING_MS = 5_000
"""What ends so soon is left to end by itself."""
_SEEN = "seen by asking what is blocked"


@dataclass(frozen=True, slots=True)
class _Look:
    """One time of asking."""

    told: Mapping[str, Told]
    """What was expected before it began."""
    blocked: Mapping[str, Blocked]
    """By system; those that did not answer are left out."""
    at_ms: int


class Reconciling:
    """Asks now and then; :meth:`poll` is for the engine's thread."""

    def __init__(
        self,
        systems: Mapping[str, Reconciler],
        systems_of: Callable[[str], Iterable[str]],
        *,
        every_ms: int,
        clock: Clock,
    ) -> None:
        """``systems_of``: names of a number's systems, of which not all need be in ``systems``."""
        self.every_ms = every_ms
        self._systems = dict(systems)
        self._systems_of = systems_of
        self._clock = clock
        self._looks: queue.SimpleQueue[_Look] = queue.SimpleQueue()
        self._asking = False
        self._next_s = clock.monotonic_s()
        self._others: dict[str, frozenset[str]] = {}

    def poll(self, desk: NumberDesk) -> list[Ack | Found]:
        """What was found since the last call; asks again when it is time. Never waits."""
        found: list[Ack | Found] = []
        while not self._looks.empty():
            look = self._looks.get_nowait()
            self._asking = False
            found += self._compare(look, desk)
            if look.blocked:
                log.info("reconciled", systems=sorted(look.blocked), found=len(found))
        if self._systems and not self._asking and self._clock.monotonic_s() >= self._next_s:
            self._next_s = self._clock.monotonic_s() + self.every_ms / 1000
            self._asking = True
            self._begin(desk.told())
        return found

    def _begin(self, told: Mapping[str, Told]) -> None:
        about: dict[str, list[str]] = {name: [] for name in self._systems}
        for number in told:
            for name in self._systems_of(number):
                if name in about:
                    about[name].append(number)
        threading.Thread(
            target=self._ask, args=(told, about), name="telephony-reconcile", daemon=True
        ).start()

    def _ask(self, told: Mapping[str, Told], about: Mapping[str, list[str]]) -> None:
        """``about``: the numbers of each system."""
        blocked: dict[str, Blocked] = {}
        for name, system in self._systems.items():
            try:
                blocked[name] = system.blocked(about[name])
            except DeliveryError as fault:
                log.warning("not_reconciled", system=name, detail=str(fault))
            except Exception:
                log.exception("not_reconciled", system=name)
        self._looks.put(_Look(told, blocked, self._clock.now_ms()))

    def _compare(self, look: _Look, desk: NumberDesk) -> Iterator[Ack | Found]:
        """What differs, of numbers that nothing has happened to since it began."""
        now = desk.told()
        for number, told in look.told.items():
            if now.get(number) == told:
                yield from self._held(number, told, look)
        for name, blocked in look.blocked.items():
            for number, until_ms in blocked.ours.items():
                ending = until_ms is not None and until_ms <= look.at_ms + ENDING_MS
                if ending or now.get(number) != look.told.get(number):
                    continue
                changes, blocks = desk.changes(number), f"{name} blocks it {_till(until_ms)}"
                if name not in self._systems_of(number):
                    detail = f"{blocks}, and it does not belong there any more"
                    yield Found(number, "extra", changes, until_ms, detail, look.at_ms, name)
                elif number not in now:
                    detail = f"{blocks}, and it is in service"
                    yield Found(number, "extra", changes, until_ms, detail, look.at_ms)
            self._report_others(name, blocked.others)

    def _held(self, number: str, told: Told, look: _Look) -> Iterator[Ack | Found]:
        """Of a number that is out of service."""
        asked = {
            name: look.blocked[name]
            for name in self._systems_of(number)
            if name in look.blocked and look.blocked[name].tells_of(number)
        }
        if not asked:
            return
        if told.state is State.RESUMING:
            yield from self._let_go(number, told, look, asked)
            return
        if told.until_ms is not None and told.until_ms <= look.at_ms + ENDING_MS:
            return  # it ends by itself, or has, by the clock of the wall
        said = [_wrong(name, number, told, blocked) for name, blocked in asked.items()]
        wrong = [text for text in said if text]
        if told.owed and len(wrong) < len(said):
            return  # where it is let go it was to be, and where it is not it is asked for again
        if not wrong and told.command:
            yield from self._done(number, told.command, look, asked)
        elif wrong and (told.silent or not told.command):
            detail = "; ".join(wrong)
            yield Found(number, "missing", told.changes, told.until_ms, detail, look.at_ms)

    def _done(self, number: str, command: str, look: _Look, asked: Iterable[str]) -> Iterator[Ack]:
        """What was told to several is done once all of them have done it, asked or not."""
        systems = tuple(self._systems_of(number))
        if len(systems) == 1:
            yield Ack(command, "applied", _SEEN, look.at_ms)
            return
        for name in asked:
            yield Ack(command, "applied", _SEEN, look.at_ms, name, systems)

    def _let_go(
        self, number: str, told: Told, look: _Look, asked: Mapping[str, Blocked]
    ) -> Iterator[Ack | Found]:
        """Of one that is to come back."""
        still = [name for name, blocked in asked.items() if number in blocked.ours]
        if not still and told.command:
            yield from self._done(number, told.command, look, asked)
        elif still and told.silent:
            until_ms = asked[still[0]].ours[number]
            detail = f"{', '.join(still)} blocks it {_till(until_ms)}, and did not answer"
            yield Found(number, "extra", told.changes, until_ms, detail, look.at_ms)

    def _report_others(self, name: str, others: frozenset[str]) -> None:
        """Say how many there are, when they change: their numbers are in the system itself."""
        if self._others.get(name, frozenset()) != others:
            log.info("blocked_by_others", system=name, count=len(others))
            self._others[name] = others


def _wrong(name: str, number: str, told: Told, blocked: Blocked) -> str:
    """In words, how a system does otherwise than it was told; empty: it does not."""
    if number in blocked.others:
        return ""
    if number not in blocked.ours:
        return f"{name} does not block it"
    until_ms = blocked.ours[number]
    if not blocked.timed or until_ms == told.until_ms:
        return ""
    if None not in (until_ms, told.until_ms) and _apart_ms(until_ms, told.until_ms) <= SLACK_MS:
        return ""
    return f"{name} blocks it {_till(until_ms)}, not {_till(told.until_ms)}"


def _apart_ms(one: int | None, other: int | None) -> int:
    return abs((one or 0) - (other or 0))


def _till(until_ms: int | None) -> str:
    return "until told" if until_ms is None else f"until {iso(until_ms)}"
