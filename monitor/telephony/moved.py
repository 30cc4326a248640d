"""Numbers that are out of service at a system that they do not belong to any more.

Owns when it is looked: once for each configuration, by what each system was told last. It is for
those that cannot be asked what they block, and let go of nothing by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from monitor.clock import Clock
from monitor.decisions import Found
from monitor.errors import StoreError
from monitor.numbers.desk import NumberDesk

log = structlog.get_logger(__name__)


class Moved:
    """Looks once for each configuration; for the engine's thread."""

    def __init__(
        self,
        last_told: Callable[[Sequence[str], Sequence[str]], Mapping[str, Sequence[str]]],
        systems_of: Callable[[str], Iterable[str]],
        systems: Sequence[str],
        clock: Clock,
    ) -> None:
        """``last_told``: by number, the systems that were last told to suspend it.

        It may raise StoreError. ``systems``: those there are.
        """
        self._last_told = last_told
        self._systems_of = systems_of
        self._systems = systems
        self._clock = clock
        self._looked_at: object = None

    def poll(self, desk: NumberDesk, configuration: object) -> list[Found]:
        """What is to be let go elsewhere, once for each ``configuration``."""
        if self._looked_at is configuration or len(self._systems) < 2:
            return []
        told = desk.told()
        try:
            there = self._last_told(list(told), self._systems)
        except StoreError as fault:
            log.warning("not_looked_for_moved_numbers", detail=str(fault))
            return []  # the next call looks
        self._looked_at = configuration
        now_ms = self._clock.now_ms()
        return [
            Found(
                number,
                "extra",
                told[number].changes,
                told[number].until_ms,
                f"{system} was told to block it, and it does not belong there any more",
                now_ms,
                system,
            )
            for number in sorted(there)
            for system in there[number]
            if system not in self._systems_of(number)
        ]
