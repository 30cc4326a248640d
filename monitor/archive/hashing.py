"""Records as an archive keeps them that is not to know customers.

Owns what is left of a record: the fields of the catalogue as events carry them, and nothing else.
Of these

* ``customer`` becomes a token (``monitor.archive.tokens``), and so do the ids, which often are made
  of it: ``id``, ``call_id``, ``message_id``, ``conversation``;
* in free texts every stretch of digits as long as a telephone number becomes a token, and so does
  the customer as written;
* in names of other things (campaign, template, …) the customer does, and whatever is written like
  ``+8613…``;
* a value that would be refused is replaced by one that is refused for the same reason;
* all else stays: our own numbers, amounts, times, agents, campaigns.

A record that is refused as a whole becomes its reason (``monitor.mapping.kept``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from monitor.archive.tokens import Tokens
from monitor.events.catalogue import EVENT_TYPES, FIELDS, FieldType, Kind
from monitor.events.settings import RecordLimits
from monitor.events.strict import Fault, StrictDecoder
from monitor.mapping.decoder import MappingOf
from monitor.mapping.kept import written
from monitor.mapping.mapper import Mapper
from monitor.source.base import Fetched

IDS: Final = frozenset({"call_id", "message_id", "conversation"})
"""Fields whose values are looked at for being the same alone."""
TEXTS: Final = frozenset(
    name
    for name, field in FIELDS.items()
    if field.kind is Kind.STRING and not field.is_key and not field.values
)
"""Fields that hold what a system or a person wrote."""
NAMES: Final = frozenset({"campaign", "customer_tag", "material", "source", "template"})
"""Fields that name something else."""
_ID: Final = FieldType("id", Kind.STRING, "", is_key=True)
_TYPE: Final = FieldType("type", Kind.STRING, "", is_key=True)
_TIME: Final = FieldType("time", Kind.TIME, "")
_OTHER_TYPE: Final = "other"
_DIGITS: Final = re.compile(r"\+?[0-9](?:[ ()./\-\xa0]{0,3}[0-9]){6,}")
_DIGITS_MIN: Final = 7
_BETWEEN: Final = re.compile(r"[+ ()./\-\xa0]")
_NAME_CHARS_MIN: Final = 4
"""A shorter name would be found in too many words."""

Event = dict[str, Any]


class Hasher:
    """Rewrites batches; one thread uses it."""

    def __init__(
        self,
        tokens: Tokens,
        topics: Sequence[tuple[str, Mapper]] = (),
        limits: RecordLimits | None = None,
    ) -> None:
        """``topics``: those that a mapping reads; of a record of theirs its events are kept."""
        self._tokens = tokens
        self._mapping_of = MappingOf(topics)
        self._strict = StrictDecoder(tuple(FIELDS.values()), (), limits or RecordLimits())

    @property
    def mark(self) -> str:
        """Of the key."""
        return self._tokens.mark

    def hashed(self, fetched: Fetched) -> Fetched:
        """The batch without customers; its offsets and times as they are."""
        mapper = self._mapping_of(fetched.partition.topic)
        made = [None if each is None else self._events(each, mapper) for each in fetched.values]
        customers = {
            event["customer"]
            for each in made
            if each is not None
            for event in each[0]
            if self._is_customer(event.get("customer"))
        }
        tokens = self._tokens.of(customers)
        values = [
            None if each is None else written([self._without(e, tokens) for e in each[0]], each[1])
            for each in made
        ]
        return replace(fetched, values=values, as_kept=True)

    def _events(self, record: bytes, mapper: Mapper | None) -> tuple[Sequence[Event], list[str]]:
        """The events of a record, not rewritten yet, and what was refused of it."""
        if mapper is not None:
            events, broken = mapper.of_bytes(record)
            return events, [each.reason for each in broken]
        event = self._strict.spread(record)
        return ([], [event.reason]) if isinstance(event, Fault) else ([event], [])

    def _without(self, event: Mapping[str, Any], tokens: Mapping[str, str]) -> Event:
        kept = dict(self._envelope(event))
        own = event.get("customer")
        name = own if isinstance(own, str) and own in tokens else ""
        for field, value in self._known(event):
            fault = self._strict.fault_of(field, value)
            if fault is not None:
                kept[field.name] = _refused_alike(field, value, fault.reason)
            elif field.name == "customer":
                kept["customer"] = tokens[value]
            elif field.name in IDS:
                kept[field.name] = self._tokens.of_id(value)
            elif field.name in TEXTS:
                kept[field.name] = self._struck(value, name, tokens)
            elif field.name in NAMES:
                kept[field.name] = self._unnamed(value, name, tokens)
            else:
                kept[field.name] = value
        return kept

    def _known(self, event: Mapping[str, Any]) -> Iterable[tuple[FieldType, Any]]:
        for name, value in event.items():
            field = FIELDS.get(name)
            if field is not None and value is not None and value != "":
                yield field, value

    def _envelope(self, event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for field in (_ID, _TYPE, _TIME):
            value = event.get(field.name)
            if value is None or value == "":  # missing_field, as it was
                yield field.name, value
                continue
            fault = self._strict.fault_of(field, value)
            if fault is not None:
                yield field.name, _refused_alike(field, value, fault.reason)
            elif field is _ID:
                yield "id", self._tokens.of_id(value)
            elif field is _TYPE:
                yield "type", value if value in EVENT_TYPES else _OTHER_TYPE
            else:
                yield "time", value
        if "specversion" in event:
            yield "specversion", event["specversion"]

    def _is_customer(self, value: Any) -> bool:
        if not isinstance(value, str) or not value:
            return False
        return self._strict.fault_of(FIELDS["customer"], value) is None

    def _struck(self, text: str, name: str, tokens: Mapping[str, str]) -> str:
        """A free text without telephone numbers, and without its customer's name."""
        text = _DIGITS.sub(lambda found: self._tokens.of_id(found[0]), text)
        return text.replace(name, tokens[name]) if len(name) >= _NAME_CHARS_MIN else text

    def _unnamed(self, text: str, name: str, tokens: Mapping[str, str]) -> str:
        """The name of something else without its customer, and without any number in full."""
        end = _end_of(name)

        def struck(found: re.Match[str]) -> str:
            if end and end in _BETWEEN.sub("", found[0]):
                return tokens[name]
            return self._tokens.of_id(found[0]) if found[0][0] == "+" else found[0]

        text = _DIGITS.sub(struck, text)
        return text.replace(name, tokens[name]) if len(name) >= _NAME_CHARS_MIN else text


def _end_of(number: str) -> str:
    """The last digits, which all spellings of a number share; empty for what is none."""
    digits = _BETWEEN.sub("", number)
    return digits[-_DIGITS_MIN:] if len(digits) >= _DIGITS_MIN and digits.isdecimal() else ""


def is_struck(text: str) -> bool:
    """Whether there is something in a free text that is taken for a telephone number."""
    return _DIGITS.search(text) is not None


def _refused_alike(field: FieldType, value: Any, reason: str) -> Any:  # noqa: PLR0911 - a reason each
    """A value that says nothing and is refused as ``value`` is."""
    if reason == "over_long_string":
        return "?" * len(value)
    if reason == "bad_time":
        return "?" if isinstance(value, str) else 2**62
    if reason == "out_of_range":
        if isinstance(value, str):
            return "?" if field.values else "\x00"
        return 2 * field.high + 1 if field.kind is not Kind.INT else 2 * int(field.high) + 1
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return type(value)(0)
    return "?" if isinstance(value, str) else type(value)()
