"""What is done to the outcome of a formula: cap, floor, rounding, and how each is told."""

from __future__ import annotations

from fractions import Fraction

from monitor.scorecards.language import Node, Value
from monitor.scorecards.model import Rounding
from monitor.scorecards.money import rounded, shown
from monitor.scorecards.working import Scope, worked


def number_of(value: Value) -> Fraction | None:
    """``value`` where it is a number, else None."""
    return value if isinstance(value, Fraction) else None


def bounded(
    value: Fraction | None, floor: Node | None, cap: Node | None, scope: Scope
) -> tuple[Fraction | None, list[str]]:
    """``value`` within cap and floor, and what was done to it; the floor is stronger."""
    done: list[str] = []
    if value is None:
        return None, done
    highest = None if cap is None else number_of(worked(cap, scope))
    if highest is not None and value > highest:
        value = highest
        done.append(f" → cap {shown(value)}")
    least = None if floor is None else number_of(worked(floor, scope))
    if least is not None and value < least:
        value = least
        done.append(f" → floor {shown(value)}")
    return value, done


def rounded_by(value: Fraction, rounding: Rounding) -> tuple[Fraction, list[str]]:
    """``value`` rounded, and what was done to it, if anything."""
    made = rounded(value, rounding.places, rounding.mode)
    if made == value:
        return made, []
    return made, [f" → {shown(made, max(0, rounding.places))} ({rounding.mode})"]
