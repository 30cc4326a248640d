"""Every event type and every field: the one list that all else is made from.

Owns names, types, values and sane ranges. Decoding, the pydantic
models, the JSON Schema and the check of ``where`` expressions read it; none has a list of its own.
Field names are one flat namespace: a name has one type in every event that carries it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType

import polars as pl

from monitor.events.batch import DIMENSIONS


class Kind(StrEnum):
    """What a field holds."""

    STRING = "string"
    SECONDS = "seconds"
    """A duration in seconds, whole or broken: JSON number, Float64."""
    NUMBER = "number"
    INT = "int"
    BOOL = "bool"
    TIME = "time"
    """RFC 3339 or integer ms in JSON, Int64 ms since 1970 UTC in columns."""
    ENUM = "enum"


@dataclass(frozen=True, slots=True)
class FieldType:
    """One field of the flat namespace."""

    name: str
    kind: Kind
    doc: str
    values: tuple[str, ...] = ()
    """What an ``ENUM`` may be, in the order of the contract; or a ``STRING``, where there are so
    many that no schema lists them."""
    low: float = 0
    """Least value of ``SECONDS``, ``NUMBER`` and ``INT``, itself allowed."""
    high: float = 0
    """Largest value, itself allowed."""
    is_key: bool = False
    """A name that tables are keyed by: shorter, and without control characters."""

    @property
    def is_text(self) -> bool:
        """Held in a String column as it is written."""
        return self.kind in {Kind.STRING, Kind.ENUM}

    @property
    def is_ranged(self) -> bool:
        """Has a least and a largest value."""
        return self.kind in {Kind.SECONDS, Kind.NUMBER, Kind.INT}


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event and the fields it has beyond the envelope and the dimensions."""

    name: str
    topic: str
    """The default topic; any type may come on any topic."""
    fields: tuple[str, ...]
    doc: str
    is_feedback: bool = False
    """Comes later than what it is about and takes missing dimensions from there."""
    is_call: bool = False
    """Says who uses a number: calls and numbers are learnt from it."""


_TZDATA = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
ZONES = tuple(sorted(set(_TZDATA) - {"Factory"}))
"""Every IANA time zone of the pinned ``tzdata``, so that machines agree; ``Factory`` is none."""

SECONDS_MAX = 86_400.0
"""A duration of more than a day is a fault of its producer."""
MONEY_MAX = 1e11
"""Any currency, and still far from where int64 thousandths overflow in a sum."""


def _key(name: str, doc: str) -> FieldType:
    return FieldType(name, Kind.STRING, doc, is_key=True)


def _text(name: str, doc: str) -> FieldType:
    return FieldType(name, Kind.STRING, doc)


def _seconds(name: str, doc: str) -> FieldType:
    return FieldType(name, Kind.SECONDS, doc, high=SECONDS_MAX)


def _money(name: str, doc: str) -> FieldType:
    return FieldType(name, Kind.NUMBER, doc, low=-MONEY_MAX, high=MONEY_MAX)


def _enum(name: str, values: str, doc: str) -> FieldType:
    return FieldType(name, Kind.ENUM, doc, values=tuple(values.split()))


def _int(name: str, low: int, high: int, doc: str) -> FieldType:
    return FieldType(name, Kind.INT, doc, low=low, high=high)


_FIELDS = (
    # Dimensions: on every event where known.
    _key("number", "own outbound caller id, E.164"),
    _key("number_type", "95, 400, local, mobile, virtual, …"),
    _key("customer", "the other party: E.164 or an opaque id"),
    _key("customer_tag", "segment of the customer"),
    _key("agent", "who works the contact"),
    _key("group", "the agent's group"),
    _key("team", "the group's team"),
    _key("campaign", "what the contact is for"),
    # Envelope.
    _key("source", "producing system"),
    FieldType(
        "customer_tz",
        Kind.STRING,
        "IANA time zone the customer is in, such as America/New_York; goes before the number's",
        values=ZONES,
        is_key=True,
    ),
    # Calls.
    _key("call_id", "joins the events of one call"),
    _enum("direction", "outbound inbound", "who dialled"),
    _enum(
        "outcome",
        "answered no_answer busy failed rejected blocked voicemail abandoned",
        "how the attempt ended",
    ),
    FieldType("started_at", Kind.TIME, "when dialling began"),
    FieldType("answered_at", Kind.TIME, "when the other party answered"),
    _seconds("pdd_s", "dialling → ringing: post-dial delay, a part of ring_s"),
    _seconds("ring_s", "dialling → answer or end"),
    _seconds("wait_s", "live answer → agent on the line"),
    _seconds("notice_s", "live answer → the recorded notice that an abandoned call plays"),
    _seconds("talk_s", "agent and customer on the line"),
    _seconds("hold_s", "on hold"),
    _seconds("wrap_s", "work after the call"),
    _enum("hangup_by", "customer agent system", "who ended it"),
    FieldType("need_captured", Kind.BOOL, "the customer's need is on record"),
    FieldType("intent_confirmed", Kind.BOOL, "the customer wants to buy"),
    FieldType("sms_preheated", Kind.BOOL, "a message went before the call"),
    _int("sip_code", 0, 999, "final SIP status; 0 when there was none"),
    _text("sip_reason", "SIP status text or Reason header"),
    _money("cost", "what the contact cost"),
    FieldType("score", Kind.NUMBER, "post-call survey, 1 (bad) to 5", low=1, high=5),
    _enum("category", "unsolicited content frequency other", "what is complained about"),
    _text("channel", "where it came in, or what was paid for"),
    _text("by", "carrier, handset vendor, reputation service, regulator"),
    _text("label", "spam, blocked, …"),
    # SMS and messages.
    _key("message_id", "joins the events of one message"),
    _int("segments", 0, 1_000, "parts an SMS was sent in"),
    _key("template", "id of the template"),
    _text("error", "why it failed"),
    _text("keyword", "what the customer wrote to opt out"),
    _key("conversation", "joins the messages of one conversation"),
    _text("medium", "whatsapp, line, wecom, web, mail, …"),
    _enum("kind", "text image video document voice", "what was sent"),
    FieldType("refused", Kind.BOOL, "the customer asked not to be contacted any more"),
    FieldType("auto", Kind.BOOL, "done by a machine: an auto-reply, an automatic log"),
    _key("material", "id of a sales material"),
    _enum("quality", "green yellow red", "the platform's rating of the channel"),
    # CRM.
    _enum("state", "offline ready talking wrap break", "what the agent is doing"),
    _int("level", 1, 5, "depth of the conversation"),
    _enum("grade", "closed close ordinary", "how near the customer is"),
    _enum("what", "website quote", "what the customer looked at"),
    FieldType("ok", Kind.BOOL, "it ended well"),
    _money("amount", "money of the deal or of the spend"),
    _money("margin", "the deal's margin"),
    FieldType("repeat", Kind.BOOL, "the customer had bought before"),
    FieldType("referral", Kind.BOOL, "another customer sent this one"),
    _text("reason", "why the deal was lost"),
)

FIELDS: Mapping[str, FieldType] = MappingProxyType({field.name: field for field in _FIELDS})
"""All fields by name: dimensions first, then in the order of the contract."""


DERIVED: Mapping[str, FieldType] = MappingProxyType(
    {
        field.name: field
        for field in (
            FieldType(
                "opted_out_at",
                Kind.TIME,
                "when the customer opted out or refused, unless a consent came after it",
            ),
            FieldType(
                "consented_at",
                Kind.TIME,
                "when the customer agreed to be called, unless an opt-out or refusal came after it",
            ),
            FieldType(
                "wrote_at", Kind.TIME, "the customer's last message of their own, within 31 days"
            ),
            FieldType(
                "conversation_at",
                Kind.TIME,
                "end of the last call that the customer answered and talked on, within 31 days",
            ),
            FieldType(
                "abandoned_at",
                Kind.TIME,
                "the last outbound call to the customer that was abandoned, within 31 days",
            ),
            FieldType(
                "other_agent_at",
                Kind.TIME,
                "when another agent than the event's last worked the customer, within 31 days",
            ),
            FieldType(
                "do_not_call", Kind.BOOL, "the customer is on a do-not-call list, ours or of others"
            ),
        )
    }
)
"""Fields that no event carries: what earlier events said of the customer, found by
``monitor.events.customers``, and lists (``monitor.events.do_not_call``). Conditions may look at
them on every event."""

ON_EVERY_EVENT = ("source", "customer_tz", *DIMENSIONS)
"""Fields that any event may carry, whatever its type."""


def _types(
    topic: str, names: str, fields: str = "", doc: str = "", **flags: bool
) -> list[EventType]:
    return [EventType(name, topic, tuple(fields.split()), doc, **flags) for name in names.split()]


_SMS = "message_id segments template cost"
_MESSAGE = "message_id conversation medium"
_CALL_ENDED = (
    "call_id direction outcome started_at answered_at pdd_s ring_s wait_s notice_s talk_s hold_s"
    " wrap_s hangup_by need_captured intent_confirmed refused sms_preheated sip_code sip_reason"
    " cost"
)

_EVENT_TYPES = (
    *_types("calls", "call.ended", _CALL_ENDED, "an attempt and all that came of it", is_call=True),
    *_types(
        "calls",
        "call.started call.queued call.connected",
        "call_id direction",
        "live state of a call",
        is_call=True,
    ),
    *_types("calls", "call.rated", "call_id score", "post-call survey", is_feedback=True),
    *_types(
        "calls",
        "complaint.filed",
        "call_id category channel",
        "a complaint about a contact",
        is_feedback=True,
    ),
    *_types(
        "calls",
        "number.flagged number.cleared",
        "by label",
        "what others say of an own number",
        is_feedback=True,
    ),
    *_types("sms", "sms.sent sms.delivered", _SMS, "an SMS on its way"),
    *_types("sms", "sms.failed", f"{_SMS} error", "an SMS that did not arrive"),
    *_types("sms", "sms.opened", _SMS, "the link was clicked"),
    *_types("sms", "sms.consented", _SMS, "the customer agreed to be called"),
    *_types("sms", "sms.opted_out", f"{_SMS} keyword", "the customer wants no more"),
    *_types(
        "messages",
        "message.sent message.received",
        f"{_MESSAGE} kind auto material template refused",
        "a message of a conversation",
    ),
    *_types("messages", "message.failed", f"{_MESSAGE} error", "a message that did not arrive"),
    *_types("messages", "channel.quality", "quality", "the platform's rating changed"),
    *_types("messages", "template.paused", "template", "the platform paused a template"),
    *_types("crm", "agent.state", "state", "what an agent is doing from now on"),
    *_types(
        "crm",
        "followup.logged",
        "auto call_id refused",
        "a follow-up is on record",
        is_feedback=True,
    ),
    *_types("crm", "customer.claimed customer.released", doc="who holds a customer"),
    *_types("crm", "customer.qualified", doc="a valid contact: intent or role confirmed"),
    *_types("crm", "customer.level", "level", "how deep the conversation is"),
    *_types("crm", "customer.graded", "grade", "how near the customer is"),
    *_types("crm", "customer.visited", "what", "the customer looked at something"),
    *_types("crm", "customer.note", doc="a note on the customer"),
    *_types("crm", "handoff.started handoff.accepted", doc="a customer passed on"),
    *_types("crm", "handoff.closed", "ok", "how the hand-off ended"),
    *_types("crm", "sample.sent quote.sent", doc="a step towards a deal"),
    *_types("crm", "deal.won", "amount margin repeat referral", "a deal"),
    *_types("crm", "deal.lost", "reason", "no deal"),
    *_types("crm", "issue.opened issue.resolved", doc="a service case"),
    *_types("crm", "spend", "amount channel", "money spent on winning customers"),
)

EVENT_TYPES: Mapping[str, EventType] = MappingProxyType({kind.name: kind for kind in _EVENT_TYPES})
"""All event types by name, in the order of the contract."""

CALL_TYPES = frozenset(kind.name for kind in _EVENT_TYPES if kind.is_call)
"""What owners of numbers and calls are learnt from (``monitor.events.enrich``)."""
FEEDBACK_TYPES = frozenset(kind.name for kind in _EVENT_TYPES if kind.is_feedback)
"""What takes its missing dimensions from there."""

_DTYPES: Mapping[Kind, type[pl.DataType]] = {
    Kind.STRING: pl.String,
    Kind.ENUM: pl.String,
    Kind.SECONDS: pl.Float64,
    Kind.NUMBER: pl.Float64,
    Kind.INT: pl.Int64,
    Kind.TIME: pl.Int64,
    Kind.BOOL: pl.Boolean,
}


def polars_dtype(field: str) -> type[pl.DataType]:
    """The type of the field's column in a decoded frame.

    Raises:
        KeyError: no such field.
    """
    return _DTYPES[FIELDS[field].kind]


def columns_for(fields: Iterable[str]) -> tuple[FieldType, ...]:
    """The dimensions and ``fields``, each once, in catalogue order: the columns of a frame.

    Raises:
        KeyError: a field that the catalogue does not have.
    """
    wanted = set(DIMENSIONS)
    for name in fields:
        wanted.add(FIELDS[name].name)
    return tuple(field for name, field in FIELDS.items() if name in wanted)
