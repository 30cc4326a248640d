"""What an indicator of kind ``funnel`` says beside the head that all kinds share.

Owns the keys and what can be said of them without the event catalogue.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from monitor.indicators.parts import Part, Selection, fault
from monitor.units import Threshold

STEPS_MAX = 10


class Step(Selection):
    """One step of a funnel."""

    target: Threshold | None = None
    """What the best teams hold: the share of those that reached the step before."""


def _some_steps(steps: dict[str, Step]) -> dict[str, Step]:
    if not 2 <= len(steps) <= STEPS_MAX:
        message = f"a funnel has 2 to {STEPS_MAX} steps, not {len(steps)}"
        raise fault(message)
    for name in steps:
        if not re.fullmatch("[a-z0-9_]+", name):
            message = f"'{name}' is no name of a step"
            raise fault(message, "small letters, digits and _: it becomes part of an id")
    return steps


class FunnelParts(Part):
    """Keys of a funnel, beside the entity that takes its steps and the time it has for them."""

    steps: Annotated[dict[str, Step], AfterValidator(_some_steps)] | None = None
    """Of a funnel: the events of each step, in order. Each but the first is a ratio of its own."""
