"""What the daemon decides: alerts, commands, orders and refusals, as immutable values.

Owns the shapes, their derived ids and their JSON. Who makes them is ``monitor.rules`` and
``monitor.numbers``; who stores and sends them is ``monitor.store`` and ``monitor.delivery``.
Ids are derived from what was decided and when, never drawn, so that a replay makes the same ones
(docs/semantics.md, "Decisions").
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Literal, NamedTuple

Level = Literal["warn", "crit"]
AlertState = Literal["firing", "resolved"]
Action = Literal["suspend", "resume"]
OrderAction = Literal["customer.release"]
ListingAction = Literal["add", "remove"]
Scope = tuple[tuple[str, str], ...]
"""Dimension and value, in the order of the rule's ``by``: ``(("number", "+86…"),)``."""


def derive_id(*parts: str | int) -> str:
    """BLAKE2b-128 over the parts, hex; a length before each part keeps them apart."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(4, "big"))
        digest.update(text)
    return digest.hexdigest()


def scope_text(scope: Scope) -> str:
    """``number=+86…,customer=…``: the stable text that ids and orders are made from."""
    return ",".join(f"{name}={value}" for name, value in scope)


def iso(ms: int) -> str:
    """RFC 3339 in UTC; seconds, or milliseconds where there are any."""
    moment = datetime.fromtimestamp(ms / 1000, tz=UTC)
    spec = "seconds" if ms % 1000 == 0 else "milliseconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How sure a rule is: it fires when ``score`` reaches ``needed`` (same unit, by method).

    ``sequential``: the mean of the e-detectors; ``wilson``: the bound on the ratio; ``raw``: the
    denominator; ``absence``: seconds without what had to come; ``relative``: the
    value, and the bound as it was then; ``combined``: rules that fire.
    """

    method: Literal["sequential", "wilson", "raw", "event", "absence", "relative", "combined"]
    score: float
    needed: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The window behind a decision, as people read it: counts, or sums in the field's own unit."""

    value: float | None
    hits: float
    of: float
    window: str
    kind: Literal["ratio", "mean", "count"] = "ratio"
    """Of the indicator: how ``value`` is to be written."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One transition of an alert episode that people hear of."""

    at_ms: int
    """The tick that decided."""
    id: str
    episode: str
    rule: str
    scope: Scope
    level: Level
    state: AlertState
    since_ms: int
    """The tick at which the episode began."""
    figures: Figures
    evidence: Evidence
    reason: str
    """Bounded: ``breach``, ``escalated``, ``relaxed``, ``recovered``, ``suspended``, ``cleared``,
    ``no_data``, ``rule_changed``, ``rebuilt``, ``repeat``."""
    message: Mapping[str, str] = field(default_factory=dict)
    """Text by language tag."""
    route: str = ""
    shadow: bool = False
    inhibited_by: str = ""
    """The refusal that speaks of the number's whole pool: who gets it is not sent this one."""

    def to_json(self) -> dict[str, Any]:
        """The line that ``replay --format json`` prints and receivers get."""
        value = None if self.figures.value is None else round(self.figures.value, 6)
        return {
            "at": iso(self.at_ms),
            "kind": "alert",
            "id": self.id,
            "episode": self.episode,
            "rule": self.rule,
            "scope": dict(self.scope),
            "level": self.level,
            "state": self.state,
            "reason": self.reason,
            "since": iso(self.since_ms),
            "value": value,
            "hits": self.figures.hits,
            "of": self.figures.of,
            "window": self.figures.window,
            "evidence": {
                "method": self.evidence.method,
                "score": float(f"{self.evidence.score:.6g}"),
                "needed": float(f"{self.evidence.needed:.6g}"),
            },
            "message": dict(self.message),
            "route": self.route,
            "shadow": self.shadow,
            **({"inhibited_by": self.inhibited_by} if self.inhibited_by else {}),
        }


@dataclass(frozen=True, slots=True)
class Command:
    """An order to telephony about one number (docs/numbers.md)."""

    at_ms: int
    id: str
    action: Action
    number: str
    until_ms: int | None
    """When telephony lets go by itself; None: until told."""
    reason: str
    rule: str
    episode: str
    figures: Figures | None
    evidence: Evidence | None
    replacement: str | None = None
    shadow: bool = False
    system: str = ""
    """It is for this system alone, to which the number does not belong any more; empty: for those
    that it belongs to."""

    def to_json(self) -> dict[str, Any]:
        """The line that ``replay --format json`` prints."""
        return {
            "at": iso(self.at_ms),
            "kind": "command",
            "id": self.id,
            "action": self.action,
            "number": self.number,
            "until": None if self.until_ms is None else iso(self.until_ms),
            "reason": self.reason,
            "rule": self.rule,
            "episode": self.episode,
            "shadow": self.shadow,
        }

    def to_wire(self) -> dict[str, Any]:
        """The record on ``telephony.commands``."""
        figures, evidence = self.figures, self.evidence
        return {
            "command_id": self.id,
            "action": self.action,
            "number": self.number,
            "until": None if self.until_ms is None else iso(self.until_ms),
            "reason": self.reason,
            "rule": self.rule,
            "episode": self.episode,
            "evidence": None
            if figures is None
            else {
                "hits": figures.hits,
                "of": figures.of,
                "value": figures.value,
                "bound": None if evidence is None else float(f"{evidence.score:.6g}"),
                "window": figures.window,
            },
            "replacement": self.replacement,
            "issued_at": iso(self.at_ms),
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """A suspension that a guard did not let through; people hear of it once per cause."""

    at_ms: int
    id: str
    number: str
    guard: str
    """Bounded: ``max_fraction``, ``min_left``, ``global_rate``, ``frozen``, …"""
    detail: str
    pool: str
    rule: str
    episode: str
    route: str = ""

    def to_json(self) -> dict[str, Any]:
        """The line that ``replay --format json`` prints and receivers get."""
        return {
            "at": iso(self.at_ms),
            "kind": "refusal",
            "id": self.id,
            "number": self.number,
            "guard": self.guard,
            "detail": self.detail,
            "pool": self.pool,
            "rule": self.rule,
            "episode": self.episode,
        }


@dataclass(frozen=True, slots=True)
class Order:
    """An order to another system about a customer: the CRM shall take the customer back."""

    at_ms: int
    id: str
    action: OrderAction
    scope: Scope
    """Of the rule; the customer is in it."""
    rule: str
    episode: str
    shadow: bool = False

    @property
    def customer(self) -> str:
        """Whom it is about."""
        return dict(self.scope)["customer"]

    def to_json(self) -> dict[str, Any]:
        """The line that ``replay --format json`` prints."""
        return {
            "at": iso(self.at_ms),
            "kind": "order",
            "id": self.id,
            "action": self.action,
            "scope": dict(self.scope),
            "rule": self.rule,
            "episode": self.episode,
            "shadow": self.shadow,
        }

    def to_wire(self) -> dict[str, Any]:
        """The record that the other system gets."""
        return {
            "command_id": self.id,
            "action": self.action,
            **dict(self.scope),
            "rule": self.rule,
            "episode": self.episode,
            "issued_at": iso(self.at_ms),
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """A customer came onto the do-not-call list, or off it (docs/do-not-call.md)."""

    at_ms: int
    """The tick that decided; it holds for what is judged after it."""
    id: str
    action: ListingAction
    customer: str
    """As events carry it."""
    since_ms: int
    """When the customer said so, or a person did."""
    until_ms: int | None
    """When it is over by itself; None: until taken off."""
    reason: str
    """Bounded: ``opted_out``, ``refused``, ``unsolicited``, ``consented``, or what people say:
    ``person``, ``import``."""
    source: str
    """The event's type, or the way by which people asked."""
    by: str
    """Who asked; ``events`` where nobody did."""
    why: str = ""
    request: str = ""
    """Id of the person's request; empty where nobody asked."""

    @property
    def rule(self) -> str:
        """No rule: the list has ways of its own."""
        return ""

    @property
    def episode(self) -> str:
        """None either."""
        return ""

    @property
    def shadow(self) -> bool:
        """It is always meant."""
        return False

    def to_json(self) -> dict[str, Any]:
        """The line that ``replay --format json`` prints, and people see."""
        return {
            "at": iso(self.at_ms),
            "kind": "listing",
            "id": self.id,
            "action": self.action,
            "customer": self.customer,
            "since": iso(self.since_ms),
            "until": None if self.until_ms is None else iso(self.until_ms),
            "reason": self.reason,
            "source": self.source,
            "by": self.by,
        }

    def to_wire(self) -> dict[str, Any]:
        """The record on ``dnc.updates``; it names the customer in full."""
        return {
            "update_id": self.id,
            "action": self.action,
            "customer": self.customer,
            "since": iso(self.since_ms),
            "until": None if self.until_ms is None else iso(self.until_ms),
            "reason": self.reason,
            "source": self.source,
            "by": self.by,
            "decided_at": iso(self.at_ms),
        }


NoticeWhy = Literal["alerts", "repeat", "escalation", "flapping", "capped"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told of several alerts and refusals in one, or of some once more.

    See docs/alerting.md.

    Made by the delivery side on its clock; nothing follows from it, and no replay makes one.
    """

    at_ms: int
    """Wall time."""
    id: str
    why: NoticeWhy
    """``alerts``: news; ``repeat``, ``escalation``: nobody has acknowledged; ``flapping``: it comes
    and goes; ``capped``: more came than one person is sent."""
    route: str
    """Empty where several routes led to it."""
    person: str
    """Empty: it is for receivers that are nobody's."""
    language: str
    """What the person reads; empty: as the receiver says."""
    level: Level
    """The worst of them."""
    counts: Mapping[str, int]
    """How many by state, level and rule, with blanks between; of refusals the state is ``refused``,
    or ``failed`` where it was telephony's."""
    from_ms: int
    to_ms: int
    newest: tuple[Alert, ...]
    """Some of them in full; those that fire come last, the critical ones at the very end."""
    refusals: tuple[Refusal, ...] = ()
    """Likewise."""

    @property
    def shown(self) -> tuple[Alert | Refusal, ...]:
        """All that it has in full, the worst last."""
        return (*self.refusals, *self.newest)

    @property
    def rule(self) -> str:
        """It is of several, mostly."""
        return ""

    @property
    def episode(self) -> str:
        """Likewise."""
        return ""

    @property
    def shadow(self) -> bool:
        """Nobody is told of shadow rules."""
        return False

    def to_json(self) -> dict[str, Any]:
        """The form for programs."""
        return {
            "at": iso(self.at_ms),
            "kind": "notice",
            "id": self.id,
            "why": self.why,
            "route": self.route,
            "person": self.person,
            "level": self.level,
            "count": sum(self.counts.values()),
            "from": iso(self.from_ms),
            "to": iso(self.to_ms),
            "newest": [each.to_json() for each in self.shown],
        }


Decision = Alert | Command | Refusal | Order | Listing | Notice


@dataclass(frozen=True, slots=True)
class Want:
    """A rule's wish, repeated each tick while its episode fires: suspend this number."""

    number: str
    rule: str
    episode: str
    level: Level
    scope: Scope
    figures: Figures
    evidence: Evidence
    ttl_ms: int | None
    """None: until cleared, or by a person."""
    backoff: Literal["none", "linear", "double"] = "none"
    ttl_max_ms: int | None = None
    route: str = ""
    shadow: bool = False
    probation_calls: int = 0
    """So many calls prove the number once it is back; 0: it is not on probation."""
    probation_ms: int = 0
    """The longest it is on probation."""
    max_fraction: Fraction | None = None
    """The rule's own, for the number's pools: the tighter of the two holds."""
    min_left: int | None = None
    """Likewise."""
    blamed: str = ""
    """The agent who is to blame, and for whom the number does not rest; empty: none is."""
    spared: str = ""
    """By what."""


class OnTrial(NamedTuple):
    """A number is back and on probation: only calls that started since then count."""

    since_ms: int
    """The tick at which it was known to be back."""
    rules: tuple[str, ...]
    """The rules it was out for."""


@dataclass(frozen=True, slots=True)
class Around:
    """What rules see beside what they want, as of the same tick."""

    calls: Mapping[str, int] = field(default_factory=dict)
    """By number on probation, the calls that it has started since it came back."""
    pending: AbstractSet[str] = frozenset()
    """Numbers that breach a rule that acts, and not for long enough yet."""
    breaches: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    """By rule on whole campaigns, those that it fires for at its severest level."""


class Cleared(NamedTuple):
    """The event came that undoes what a rule has suspended a number for."""

    number: str
    rule: str
    scope: str
    """The text of the rule's scope: another scope of the same number is another matter."""


@dataclass(frozen=True, slots=True)
class Ack:
    """Telephony's answer to a command, or the daemon's note that there is none."""

    command_id: str
    status: Literal["applied", "rejected", "silent"]
    """``silent``: nothing was heard within ``numbers.ack_timeout`` of wall time. It is an input
    like the others, since event time says nothing of it while the daemon catches up."""
    detail: str
    at_ms: int
    system: str = ""
    """Which of ``systems`` says so; empty where one answers for all."""
    systems: tuple[str, ...] = ()
    """The systems that the command went to, where there are several."""


PersonAction = Literal[
    "suspend", "resume", "freeze", "unfreeze", "hold", "release", "retire", "undo", "approve"
]


@dataclass(frozen=True, slots=True)
class Found:
    """What telephony does with a number, other than it was told: an input, as its answers are."""

    number: str
    what: Literal["missing", "extra"]
    """``missing``: it does not block what it should, or not to that end; ``extra``: it blocks,
    for us, what it should not."""
    changes: int
    """Rows of the number's history when telephony was asked: with a further one this is void."""
    until_ms: int | None
    """When telephony lets go by itself, of what is ``extra``; None: when told."""
    detail: str
    at_ms: int
    """Wall time."""
    system: str = ""
    """Where, of what is ``extra`` at a system that the number does not belong to any more."""


@dataclass(frozen=True, slots=True)
class ManualAction:
    """What a person asked for, by command line or API."""

    id: str
    action: PersonAction
    number: str
    """Empty for what concerns no single one."""
    ttl_ms: int | None
    who: str
    why: str
    until_ms: int | None = None
    """When ``ttl_ms`` is over, by the wall clock at which the engine took the action; None before
    that, and where there is no ``ttl_ms``. A person means it from now on, however far behind event
    time is; journaled with the action, so that a replay says the same."""
    since_ms: int | None = None
    """Of ``undo``: suspensions since then."""
    pool: str = ""
    """Of ``undo``: in this pool alone; empty: in all."""
    ref: str = ""
    """Of ``approve``: what was asked for, by the name it was asked under."""


@dataclass(frozen=True, slots=True)
class ListAction:
    """What a person asked for about customers nobody shall call, by command line or API."""

    id: str
    action: ListingAction
    customers: tuple[str, ...]
    """As events carry them."""
    since_ms: int
    until_ms: int | None
    reason: str
    source: str
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class NumberChange:
    """One row of a number's history: what changed, who or which rule did it, and why."""

    at_ms: int
    id: str
    number: str
    """Empty for what concerns all numbers: ``freeze``, ``undo``, ``approve``."""
    before: str
    """States of ``monitor.numbers.lifecycle``; equal to ``after`` where only terms changed."""
    after: str
    reason: str
    """Bounded: the events of ``monitor.numbers.lifecycle``, ``nothing_to_do``, ``refused``."""
    by: str
    """A rule's id, a person's name, ``telephony`` or ``time``."""
    episode: str
    command_id: str
    """The command that this change issued or that was answered; empty when there is none."""
    until_ms: int | None
    detail: str

    def to_json(self) -> dict[str, Any]:
        """The row as people and programs read it."""
        return {
            "at": iso(self.at_ms),
            "kind": "number",
            "id": self.id,
            "number": self.number,
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
            "by": self.by,
            "episode": self.episode,
            "command_id": self.command_id,
            "until": None if self.until_ms is None else iso(self.until_ms),
            "detail": self.detail,
        }
