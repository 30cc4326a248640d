"""What ``config.yaml`` says about who carries out suspensions.

Owns the model of ``telephony:`` only; the systems themselves stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from monitor.secret import Secret, Url
from monitor.source.settings import KafkaConnection, TopicName
from monitor.units import DurationMs

Kind = Literal["kafka", "http", "kamailio", "vicidial", "log", "none", "simulated", "several"]

_BELONGS_TO: dict[str, tuple[str, ...]] = {
    "connection": ("kafka", "http"),
    "commands": ("kafka",),
    "acks": ("kafka", "http"),
    "transactional_id": ("kafka",),
    "send_timeout": ("kafka", "http", "kamailio", "vicidial"),
    "answers_after": ("simulated",),
    "url": ("http", "kamailio", "vicidial"),
    "secret": ("http",),
    "token": ("kamailio",),
    "table": ("kamailio",),
    "mark": ("kamailio",),
    "user": ("vicidial",),
    "password": ("vicidial",),
    "cid_group": ("vicidial",),
    "areacode": ("vicidial",),
    "systems": ("several",),
    "pools": ("several",),
    "otherwise": ("several",),
}
_NEEDS: dict[str, tuple[str, ...]] = {
    "http": ("url",),
    "kamailio": ("url", "token"),
    "vicidial": ("url", "user", "password", "cid_group"),
}

RECEIVER = "telephony"
"""What deliveries to telephony go by, where there is one system."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class SystemSettings(BaseModel):
    """A system that commands go to."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Kind = "log"
    """``kafka``: two topics; ``http``: signed requests to an address of yours; ``kamailio``: a
    table of suspended callers in Kamailio; ``vicidial``: entries of a CID group in VICIdial;
    ``log``: each command is a line of the log, and counts as applied; ``simulated``: the same
    with a telephony system that answers; ``none``: commands are decided and stored, and go
    nowhere; ``several``: those of ``systems``."""
    connection: KafkaConnection | None = None
    """The cluster of the topics; None: the source's."""
    commands: TopicName = "telephony.commands"
    acks: TopicName = "telephony.acks"
    """The topic of telephony's answers; with ``http`` read only where it is given, for answers
    that do not come in the reply."""
    transactional_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] = (
        "callcentre-monitor.commands"
    )
    """One daemon's name at the broker: a second one that uses it puts the first out of action."""
    send_timeout: Annotated[DurationMs, Field(ge=1_000, le=300_000)] = 15_000
    """How long one command may take before the attempt is given up, to be tried again."""
    answers_after: Annotated[DurationMs, Field(ge=0, le=3_600_000)] = 500
    """How long the simulated system takes."""
    url: Url | None = None
    """Where it is: ``http://kamailio:8060/RPC``, ``https://vicidial/vicidial/non_agent_api.php``."""
    secret: Secret | None = None
    """Signs the requests of ``http``; without it they are not signed."""
    token: Secret | None = None
    """What Kamailio's configuration calls ``SUSPENDED_TOKEN``."""
    table: Word = "suspended"
    """Kamailio's ``htable`` of suspended callers."""
    mark: Word = "callcentre-monitor"
    """What entries in that table are told from others' by; two daemons need two."""
    user: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """VICIdial's user for its API."""
    password: Secret | None = None
    cid_group: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """VICIdial's group of outbound numbers."""
    areacode: Annotated[str, StringConstraints(min_length=1, max_length=16)] = "---ALL---"
    """Which entries of a number in the group are changed."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for name in sorted(self.model_fields_set & _BELONGS_TO.keys()):
            kinds = _BELONGS_TO[name]
            if self.kind not in kinds:
                msg = (
                    f"{name} has no effect with kind: {self.kind}; it is for {' and '.join(kinds)}"
                )
                raise ValueError(msg)
        missing = [name for name in _NEEDS.get(self.kind, ()) if getattr(self, name) is None]
        if missing:
            msg = f"kind: {self.kind} needs {' and '.join(missing)}"
            raise ValueError(msg)
        return self


class TelephonySettings(SystemSettings):
    """The system that commands go to; or several, each number's by its pool."""

    systems: dict[Word, SystemSettings] = {}
    """With ``several``: each by a name of your choice, with what stands here for one."""
    pools: dict[str, Word] = {}
    """With ``several``: the system that dials with a pool's numbers. A number of several pools is
    suspended in the systems of all of them."""
    otherwise: Word | None = None
    """With ``several``: the system of all other numbers."""

    @model_validator(mode="after")
    def _several(self) -> Self:
        if self.kind != "several":
            return self
        if not self.systems or self.otherwise is None:
            msg = "kind: several needs systems and otherwise"
            raise ValueError(msg)
        for name, system in self.systems.items():
            if system.kind in ("log", "none", "several"):
                msg = f"system {name}: kind: {system.kind} cannot be one of several"
                raise ValueError(msg)
        for name in (self.otherwise, *self.pools.values()):
            if name not in self.systems:
                msg = f"there is no system {name}; there are {', '.join(sorted(self.systems))}"
                raise ValueError(msg)
        writers = [s.transactional_id for s in self.systems.values() if s.kind == "kafka"]
        if len(set(writers)) < len(writers):
            msg = "each system of kind kafka needs a transactional_id of its own"
            raise ValueError(msg)
        return self

    def named(self) -> dict[str, SystemSettings]:
        """By the receiver that delivers to it."""
        if self.kind != "several":
            return {} if self.kind == "none" else {RECEIVER: self}
        return {self.receiver(name): system for name, system in sorted(self.systems.items())}

    def receiver(self, system: str) -> str:
        """What the deliveries to a system go by: its own name, whichever numbers it has."""
        return f"{RECEIVER}.{system}"

    def formerly(self) -> dict[str, str]:
        """What waits for a receiver that is none any more, and the one that it is for.

        Where there was one system, it is now that of ``otherwise``.
        """
        if self.kind != "several" or self.otherwise is None:
            return {}
        return {RECEIVER: self.receiver(self.otherwise)}

    def systems_of(self, pools: Iterable[str]) -> tuple[str, ...]:
        """The receivers of a number's commands by its pools; more than one of those, each once."""
        named = self.named()
        if self.kind != "several":
            return tuple(named)
        otherwise = self.otherwise or ""
        found = {self.receiver(self.pools.get(pool, otherwise)) for pool in pools}
        return tuple(sorted(found)) or (self.receiver(otherwise),)


def is_system(receiver: str) -> bool:
    """Whether deliveries by this name go, or went, to telephony."""
    return receiver == RECEIVER or receiver.startswith(f"{RECEIVER}.")
