"""What ``config.yaml`` says about who carries out suspensions.

Owns the model of ``telephony:`` only; the systems themselves stand beside it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from monitor.source.settings import KafkaConnection, TopicName
from monitor.units import DurationMs

Kind = Literal["kafka", "log", "none", "simulated"]

_BELONGS_TO: dict[str, Kind] = {
    "connection": "kafka",
    "commands": "kafka",
    "acks": "kafka",
    "transactional_id": "kafka",
    "send_timeout": "kafka",
    "answers_after": "simulated",
}


class TelephonySettings(BaseModel):
    """The system that commands go to."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Kind = "log"
    """``kafka``: two topics; ``log``: each command is a line of the log, and counts as applied;
    ``simulated``: the same with a telephony system that answers; ``none``: commands are decided
    and stored, and go nowhere."""
    connection: KafkaConnection | None = None
    """The cluster of the two topics; None: the source's."""
    commands: TopicName = "telephony.commands"
    acks: TopicName = "telephony.acks"
    transactional_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] = (
        "callcentre-monitor.commands"
    )
    """One daemon's name at the broker: a second one that uses it puts the first out of action."""
    send_timeout: Annotated[DurationMs, Field(ge=1_000, le=300_000)] = 15_000
    """How long one command may take before the attempt is given up, to be tried again."""
    answers_after: Annotated[DurationMs, Field(ge=0, le=3_600_000)] = 500
    """How long the simulated system takes."""

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Self:
        for name in sorted(self.model_fields_set - {"kind"}):
            if _BELONGS_TO[name] != self.kind:
                msg = f"{name} has no effect with kind: {self.kind}; it is for {_BELONGS_TO[name]}"
                raise ValueError(msg)
        return self
