"""Who hears of what: the ``delivery:`` part of ``config.yaml``.

Owns the settings models, their faults that only show when parts are seen together, and the reading
of secrets. A secret never stands in the file itself.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from monitor.delivery.receivers import (
    AppriseReceiver,
    DingTalkReceiver,
    FeishuReceiver,
    MailReceiver,
    WeComReceiver,
)
from monitor.delivery.routing.settings import (
    Flapping,
    Inhibition,
    Parts,
    Person,
    Rotation,
    RouteEntry,
    faults,
)
from monitor.errors import ConfigError, Problem
from monitor.secret import Url
from monitor.source.settings import KafkaConnection, TopicName
from monitor.store.routed import RECEIVER
from monitor.units import DurationMs, Rate

LOG = "log"
"""The receiver that is always there."""
TELEPHONY = "telephony"
"""The receiver that commands go to; it is set up under ``telephony:``."""

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS


Positive = Annotated[DurationMs, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LogReceiver(_Model):
    """One line in the daemon's own log."""

    type: Literal["log"] = "log"
    language: str = "en"
    """Which of a message's languages is shown."""


class WebhookReceiver(_Model):
    """An HTTP address that takes decisions as JSON."""

    type: Literal["webhook"]
    url: Url
    secret_env: str | None = None
    """Environment variable that holds the key requests are signed with."""
    secret_file: Path | None = None
    """File that holds it; surrounding white space is dropped."""
    timeout: Positive = 10_000
    rate: Rate | None = None
    """At most so many requests in so long, such as ``20/1m``."""


class AlertmanagerReceiver(_Model):
    """A Prometheus Alertmanager, by its API v2."""

    type: Literal["alertmanager"]
    url: Url
    """Without ``/api/v2``."""
    timeout: Positive = 10_000
    repost: Positive = _MINUTE_MS
    """How often firing alerts are posted again."""
    resolved_for: Positive = 5 * _MINUTE_MS
    """How long resolved alerts are posted again; also when Alertmanager lets go without us."""
    generator_url: str | None = None
    """The link people follow from an alert; ``{episode}`` stands for its id."""


class KafkaReceiver(_Model):
    """A topic that takes orders to other systems, each once."""

    type: Literal["kafka"]
    topic: TopicName
    connection: KafkaConnection | None = None
    """The cluster; None: the source's."""
    transactional_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """One daemon's name at the broker, of its own for each topic; None: made from the topic's."""
    timeout: Annotated[DurationMs, Field(ge=1_000, le=300_000)] = 15_000

    @property
    def writer(self) -> str:
        """The transactional id in use."""
        return self.transactional_id or f"callcentre-monitor.{self.topic}"


Receiver = Annotated[
    LogReceiver
    | WebhookReceiver
    | AlertmanagerReceiver
    | KafkaReceiver
    | DingTalkReceiver
    | WeComReceiver
    | FeishuReceiver
    | MailReceiver
    | AppriseReceiver,
    Field(discriminator="type"),
]


class Route(_Model):
    """The receivers behind the name that rules use."""

    receivers: Annotated[list[Name], Field(min_length=1)]


class Backoff(_Model):
    """Pauses between attempts: random from 0 to ``base`` doubled each time, at most ``max``."""

    base: Positive = 1_000
    max: Positive = 5 * _MINUTE_MS


class Fault(NamedTuple):
    """A fault between parts of the settings; ``loc`` is its place below ``delivery:``."""

    loc: tuple[str | int, ...]
    message: str
    hint: str = ""


class DeliverySettings(_Model):
    """Receivers, routes, and how hard delivery is tried."""

    receivers: dict[Name, Receiver] = Field(default_factory=dict)
    routes: dict[Name, Route] = Field(default_factory=dict)
    default: Annotated[list[Name], Field(min_length=1)] = [LOG]
    """Receivers of decisions without a route of their own."""
    commands: list[Name] = [LOG]
    """Who hears of commands besides telephony."""
    orders: list[Name] = [LOG]
    """Who carries out orders about customers (`order: customer.release` in a rule)."""
    do_not_call: list[Name] = []
    """Who hears of each change of the do-not-call list, in order for a customer, named in full."""
    refusals: Name = "operations"
    """The route of refusals that have none of their own, and that `routing` does not take."""
    people: Annotated[dict[Name, Person], Field(max_length=10_000)] = {}
    """Who can be told, by a name of your choice."""
    rotations: Annotated[dict[Name, Rotation], Field(max_length=1_000)] = {}
    """Who is on duty, by a name of your choice."""
    routing: Annotated[list[RouteEntry], Field(max_length=1_000)] = []
    """Who hears of which alert, of which refusal, and when; what no route takes goes by `routes`
    and `default`. Empty: all of it does."""
    inhibit: Annotated[list[Inhibition], Field(max_length=100)] = []
    """Alerts that make others needless; with `routing`."""
    flapping: Flapping | None = Flapping()
    """When an alert that comes and goes is held; null: never. With `routing`."""
    at_most: Rate | None = Rate(30, _HOUR_MS)
    """Messages to one person in so long, digests among them; null: all that there are. With
    `routing`."""
    stale_after: Positive = 10 * _MINUTE_MS
    """Notifications older than this join a digest."""
    max_age: Positive = 24 * _HOUR_MS
    """Deliveries that failed for so long are parked; commands to telephony never are."""
    max_attempts: Annotated[int, Field(gt=0)] = 200
    backoff: Backoff = Backoff()
    waiting_max: Annotated[int, Field(ge=100, le=10_000_000)] = 100_000
    """Deliveries to one receiver that wait one by one; notifications beyond it are told in one
    digest, commands to telephony never are."""
    explain: Annotated[DurationMs, Field(le=10_000)] = 1_000
    """How long an alert waits, at most, for what its bad records have in common (`common`);
    `0s`: it goes without."""
    templates: Path | None = None
    """Folder of the site's own message templates; of those it has not, the shipped ones hold."""
    drain: DurationMs = 1_500
    """How long stopping may take to send what is due."""

    def known_receivers(self) -> dict[str, Receiver]:
        """All receivers by name, the log included."""
        return {LOG: LogReceiver(), **self.receivers}

    def faults(self) -> list[Fault]:
        """What is wrong between the parts; empty when all is well."""
        found = [
            Fault(("receivers", name), f"{name} is the name of a built-in receiver", hint)
            for name, receiver in self.receivers.items()
            for hint in [_misnamed(name, receiver)]
            if hint
        ]
        places: list[tuple[tuple[str | int, ...], list[str]]] = [
            (("default",), self.default),
            (("commands",), self.commands),
            (("orders",), self.orders),
            (("do_not_call",), self.do_not_call),
        ]
        places += [(("routes", name, "receivers"), r.receivers) for name, r in self.routes.items()]
        known = sorted(self.known_receivers())
        for loc, names in places:
            found += [
                Fault((*loc, index), f"there is no receiver {name}", f"one of: {', '.join(known)}")
                for index, name in enumerate(names)
                if name not in known
            ]
            if loc not in {("orders",), ("do_not_call",)}:
                found += [
                    Fault((*loc, index), f"{name} takes orders only", "name it in `orders`")
                    for index, name in enumerate(names)
                    if isinstance(self.receivers.get(name), KafkaReceiver)
                ]
        if importlib.util.find_spec("apprise") is None:
            hint = "pip install 'callcentre-monitor[notify]'"
            found += [
                Fault(("receivers", name, "type"), "Apprise is not installed here", hint)
                for name, receiver in self.receivers.items()
                if isinstance(receiver, AppriseReceiver)
            ]
        parts = Parts(self.people, self.rotations, self.routing)
        orders = {n for n, r in self.receivers.items() if isinstance(r, KafkaReceiver)}
        found += [Fault(*fault) for fault in faults(parts, self.known_receivers(), orders)]
        if self.at_most is not None and self.at_most.count < 1:
            found.append(Fault(("at_most",), "nobody would ever be told", "at least 1"))
        for name, receiver in self.receivers.items():
            if not isinstance(receiver, WebhookReceiver):
                continue
            if receiver.secret_env is not None and receiver.secret_file is not None:
                text = "secret_env and secret_file exclude each other"
                found.append(Fault(("receivers", name, "secret_file"), text))
        return found


def read_secret(
    name: str, receiver: WebhookReceiver, environ: Mapping[str, str] = os.environ
) -> SecretStr | None:
    """The signing key of a receiver; None when it has none.

    Raises:
        ConfigError: it should have one, and the variable or file is missing or empty.
    """
    if receiver.secret_env is not None:
        text = environ.get(receiver.secret_env, "")
        where, place = f"environment variable {receiver.secret_env}", Path("environment")
    elif receiver.secret_file is not None:
        place = receiver.secret_file
        where = f"file {place}"
        try:
            text = place.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            text = ""
    else:
        return None
    if not text:
        message = f"the secret of receiver {name} is not there: {where} is missing or empty"
        raise ConfigError([Problem(place, 0, 0, message, owner=name)])
    return SecretStr(text)


def _misnamed(name: str, receiver: Any) -> str:
    if name == TELEPHONY:
        return "telephony has a part of its own; choose another name"
    if name == RECEIVER:
        return "it stands for `delivery.routing`; choose another name"
    if name == LOG and not isinstance(receiver, LogReceiver):
        return "only a receiver of type log may be called log"
    return ""
