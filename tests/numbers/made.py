"""Shorthand for the tests of this area: settings, wants, answers, orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from monitor.decisions import (
    Ack,
    Cleared,
    Command,
    Evidence,
    Figures,
    Found,
    ManualAction,
    Want,
)
from monitor.numbers.desk import NumberDesk
from monitor.numbers.ledger import DeskStep
from monitor.numbers.settings import NumbersSettings, PoolsSettings

TICK_MS = 5_000
START_MS = 1_800_000_000_000  # aligned to the tick, not to the hour
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def numbers(count: int, prefix: str = "n") -> list[str]:
    return [f"{prefix}{index:03d}" for index in range(count)]


def want(number: str, **changes: Any) -> Want:
    base = Want(
        number=number,
        rule="number-hangup",
        episode=f"episode-{number}",
        level="crit",
        scope=(("number", number),),
        figures=Figures(value=0.8, hits=80, of=100, window="30m"),
        evidence=Evidence(method="sequential", score=41_200, needed=28_800),
        ttl_ms=30 * MINUTE_MS,
        backoff="double",
        ttl_max_ms=DAY_MS,
        route="supervisors",
    )
    return replace(base, **changes)


def order(action: Any, number: str = "", **changes: Any) -> ManualAction:
    base = ManualAction(
        id=f"{action}-{number}", action=action, number=number, ttl_ms=None, who="mei", why="because"
    )
    return replace(base, **changes)


def clear(number: str, rule: str = "number-hangup") -> Cleared:
    return Cleared(number, rule, f"number={number}")


def applied(command: Command | str) -> Ack:
    return Ack(command if isinstance(command, str) else command.id, "applied", "", 0)


def rejected(command: Command | str, detail: str = "no such number") -> Ack:
    return Ack(command if isinstance(command, str) else command.id, "rejected", detail, 0)


class Table:
    """A desk with a clock: each call is one step, ``ms`` after the one before."""

    def __init__(
        self,
        pools: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.pools = PoolsSettings.model_validate(pools or {})
        self.settings = NumbersSettings.model_validate(settings)
        self.desk = NumberDesk(self.pools, self.settings, tick_ms=TICK_MS)
        self.now = START_MS

    def step(
        self,
        wants: Sequence[Want] = (),
        *,
        after: int = TICK_MS,
        cleared: Sequence[str | Cleared] = (),
        acks: Sequence[Ack] = (),
        manual: Sequence[ManualAction] = (),
        found: Sequence[Found] = (),
    ) -> DeskStep:
        self.now += after
        undone = [each if isinstance(each, Cleared) else clear(each) for each in cleared]
        return self.desk.step(self.now, wants, undone, acks, manual, found=found)

    def until(self, until: int, wants: Sequence[Want] = ()) -> list[DeskStep]:
        """What every tick that the desk asks for decides, up to ``until`` inclusive."""
        steps = []
        while (tick := self.desk.next_event_tick(self.now)) is not None and tick <= until:
            step = self.step(wants, after=tick - self.now)
            if step != DeskStep():
                steps.append(step)
        self.now = until
        return steps

    def suspended(self, number: str, **changes: Any) -> Command:
        """Have a rule suspend ``number``, confirmed by telephony."""
        (command,) = self.step([want(number, **changes)]).commands
        self.step(acks=[applied(command)])
        return command
