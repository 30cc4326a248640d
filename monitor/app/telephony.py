"""Telephony as one run has it: who is told of a number, and what came of asking.

Owns the ties between the systems and the desk's book of numbers. The systems themselves are
``monitor.telephony``, what is done about a difference is ``monitor.numbers``.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.decisions import Ack, Command, Found
from monitor.numbers.desk import NumberDesk
from monitor.running.parts import Parts
from monitor.telephony.moved import Moved
from monitor.telephony.open import Telephony
from monitor.telephony.reconcile import Reconciling


class Systems:
    """The systems that numbers belong to, by the pools that the desk has them in now."""

    def __init__(self, telephony: Telephony, desk: Callable[[], NumberDesk]) -> None:
        """``desk`` is not asked before the first decision."""
        self._telephony = telephony
        self._desk = desk

    def receivers(self, command: Command) -> tuple[str, ...]:
        """Those that a command goes to."""
        return self._telephony.receivers(command, self._dialled_for(command.number))

    def of(self, number: str) -> tuple[str, ...]:
        """Those that a number belongs to."""
        return self._telephony.systems_of(self._dialled_for(number))

    def _dialled_for(self, number: str) -> tuple[str, ...]:
        return self._desk().book.dialled_for(number)


def asking(parts: Parts, systems: Systems) -> Callable[[], list[Ack | Found]]:
    """What asks telephony now and then; each call gives what came of it since the last."""
    telephony, engine = parts.telephony, parts.engine
    reconciling = Reconciling(
        telephony.reconcilers,
        systems.of,
        every_ms=parts.site.config.numbers.reconcile_every,
        clock=parts.clock,
    )
    moved = Moved(
        parts.store.outbox.last_suspended_at, systems.of, sorted(telephony.channels), parts.clock
    )

    def found() -> list[Ack | Found]:
        """Nothing while what telephony was told is not known in full."""
        if parts.progress.rebuilding or engine.judged < engine.promised or engine.last is not None:
            return []
        reconciling.every_ms = parts.site.config.numbers.reconcile_every
        desk = engine.judges.desk
        return [*moved.poll(desk, parts.site), *reconciling.poll(desk)]

    return found
