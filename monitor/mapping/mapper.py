"""A mapping at work: a record of another system in, our events and what was broken out.

Owns the running of checked expressions and the fitting of values to the catalogue's kinds. Nothing
depends on anything but the record and the mapping, so a replay gives the same events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.events.catalogue import FIELDS, FieldType, Kind
from monitor.events.settings import RecordLimits
from monitor.events.strict import Fault, StrictDecoder
from monitor.mapping.expression import Run
from monitor.mapping.functions import BrokenValueError, number_of, text_of
from monitor.mapping.model import Scalar

EVENTS_OF_A_RECORD_MAX = 1_000
"""A record with more entries to look at is a dead letter."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a record, or one event of it, could not be made."""

    reason: str
    """One of ``monitor.events.batch.REJECT_REASONS``."""
    mapping: str
    line: int
    """Of the mapping's file: where the value is asked for; 0: the record could not be read."""
    what: str
    """For people, without the customer's data."""

    @property
    def detail(self) -> str:
        """All of it as one line."""
        line = f", line {self.line}" if self.line else ""
        return f"mapping {self.mapping}{line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A table at work."""

    values: Mapping[str, Scalar]
    otherwise: Scalar
    is_closed: bool

    def of(self, value: Any) -> Scalar:
        """Ours for theirs; null for null.

        Raises:
            BrokenValueError: it is not in a closed table.
        """
        if value is None:
            return None
        key = text_of(value)
        if key in self.values:
            return self.values[key]
        if self.is_closed:
            raise BrokenValueError("out_of_range", "none of the values that the table has")
        return self.otherwise


@dataclass(frozen=True, slots=True)
class Part:
    """An expression with where it stands."""

    run: Run
    line: int


@dataclass(frozen=True, slots=True)
class FieldPart:
    """One field of an event."""

    field: FieldType
    run: Run
    line: int
    lookup: Lookup | None
    is_required: bool


@dataclass(frozen=True, slots=True)
class EventPart:
    """One kind of event."""

    type: str
    each: tuple[tuple[str, Part], ...]
    when: Part | None
    id: Part
    time: Part
    fields: tuple[FieldPart, ...]


class Mapper:
    """A checked mapping at work."""

    def __init__(
        self,
        name: str,
        when: Part | None,
        events: Sequence[EventPart],
        limits: RecordLimits | None = None,
    ) -> None:
        self.name = name
        self._when = when
        self._events = tuple(events)
        self._strict = StrictDecoder(tuple(FIELDS.values()), (), limits or RecordLimits())

    def of_bytes(self, record: bytes) -> tuple[list[Event], list[Broken]]:
        """The same for a record as it was received: bytes that are to be one JSON object."""
        read = self._strict.read(record)
        if isinstance(read, Fault):
            return [], [Broken(read.reason, self.name, 0, read.detail)]
        return self.map(read)

    def told(self, detail: str) -> str:
        """What is said of a fault in one of its events."""
        return f"mapping {self.name}: {detail}"

    def map(self, record: Mapping[str, Any]) -> tuple[list[Event], list[Broken]]:
        """The events of one record, in the order of the file; and each that could not be made.

        Neither, where the mapping says nothing about such a record. Never raises.
        """
        events: list[Event] = []
        broken: list[Broken] = []
        try:
            if self._when is not None and not self._condition(self._when, record, {}):
                return [], []
            for part, chosen in self._all(record):
                try:
                    event = self._event(part, record, chosen)
                except _Stop as stop:
                    broken.append(self._broken(stop))
                    continue
                if event is not None:
                    events.append(event)
        except _Stop as stop:  # as a whole: nothing of it is taken
            return [], [self._broken(stop)]
        return events, broken

    def _all(self, record: Mapping[str, Any]) -> Iterator[tuple[EventPart, dict[str, Any]]]:
        """Each kind of event with each choice of its entries."""
        count = 0
        for part in self._events:
            for chosen in self._chosen(part, record):
                count += 1
                if count > EVENTS_OF_A_RECORD_MAX:
                    most = f"more than {EVENTS_OF_A_RECORD_MAX} entries of one record"
                    raise _Stop("too_large", part.id.line, most)
                yield part, chosen

    def _broken(self, stop: _Stop) -> Broken:
        return Broken(stop.reason, self.name, stop.line, str(stop))

    def _condition(self, part: Part, record: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
        value = _asked(part, record, chosen, "when")
        if value is None or isinstance(value, bool):
            return bool(value)
        raise _Stop("wrong_type", part.line, "when is not true or false")

    def _chosen(self, part: EventPart, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What the names of ``each`` stand for, one entry after the other."""

        def below(level: int, above: dict[str, Any]) -> Iterator[dict[str, Any]]:
            if level == len(part.each):
                yield above
                return
            name, source = part.each[level]
            found = _asked(source, record, above, name)
            if found is None:
                return
            if not isinstance(found, list | dict):
                raise _Stop("wrong_type", source.line, f"{name} is neither list nor object")
            for entry in found if isinstance(found, list) else [found]:
                yield from below(level + 1, {**above, name: entry})

        return below(0, {})

    def _event(
        self, part: EventPart, record: Mapping[str, Any], chosen: Mapping[str, Any]
    ) -> Event | None:
        if part.when is not None and not self._condition(part.when, record, chosen):
            return None
        made: Event = {
            "id": self._envelope(part, part.id, "id", record, chosen),
            "type": part.type,
            "time": self._envelope(part, part.time, "time", record, chosen),
        }
        for field in part.fields:
            value = self._field(part, field, record, chosen)
            if value is not None:
                made[field.field.name] = value
            elif field.is_required:
                name = f"{field.field.name} of {part.type}"
                raise _Stop("missing_field", field.line, f"{name} is missing")
        return made

    def _envelope(
        self,
        part: EventPart,
        asked: Part,
        name: str,
        record: Mapping[str, Any],
        chosen: Mapping[str, Any],
    ) -> str | int:
        where = f"{name} of {part.type}"
        value = _asked(asked, record, chosen, where)
        if value is None:
            raise _Stop("missing_field", asked.line, f"{where} is missing")
        field = _ENVELOPE[name]
        try:
            fitting: str | int = _fitted(field, value)
        except BrokenValueError as fault:
            raise _Stop(fault.reason, asked.line, f"{where} is {fault}") from None
        self._check(field, fitting, asked.line, part.type)
        return fitting

    def _field(
        self,
        part: EventPart,
        asked: FieldPart,
        record: Mapping[str, Any],
        chosen: Mapping[str, Any],
    ) -> Any:
        where = f"{asked.field.name} of {part.type}"
        try:
            value = asked.run(record, chosen)
            if asked.lookup is not None:
                value = asked.lookup.of(value)
            if value is None:
                return None
            value = _fitted(asked.field, value)
        except BrokenValueError as fault:
            raise _Stop(fault.reason, asked.line, f"{where} is {fault}") from None
        self._check(asked.field, value, asked.line, part.type)
        return value

    def _check(self, field: FieldType, value: Any, line: int, kind: str) -> None:
        """Refuse here, with the line, what the decoder would refuse."""
        fault = self._strict.fault_of(field, value)
        if fault is not None:
            detail = fault.detail.removeprefix(f"{field.name} ")
            raise _Stop(fault.reason, line, f"{field.name} of {kind} {detail}")


class _Stop(Exception):  # noqa: N818 - carries a verdict, it is not an error of ours
    """Raised inside this module with what is wrong, and the line that asked for it."""

    def __init__(self, reason: str, line: int, what: str) -> None:
        super().__init__(what)
        self.reason = reason
        self.line = line


_ENVELOPE: Mapping[str, FieldType] = {
    "id": FieldType("id", Kind.STRING, "", is_key=True),
    "time": FieldType("time", Kind.TIME, ""),
}


def _asked(part: Part, record: Mapping[str, Any], chosen: Mapping[str, Any], where: str) -> Any:
    try:
        return part.run(record, chosen)
    except BrokenValueError as fault:
        raise _Stop(fault.reason, part.line, f"{where} is {fault}") from None


def _fitted(field: FieldType, value: Any) -> Any:
    """``value`` in the kind that ``field`` has, where that is no more than spelling.

    Raises:
        BrokenValueError: text that is no number, or something that is no text.
    """
    if field.is_text:
        return text_of(value)
    if field.kind is Kind.BOOL:
        return value
    if field.kind is Kind.TIME:
        return round(value) if isinstance(value, float) else value
    number = number_of(value)
    if field.kind is Kind.INT and isinstance(number, float) and number.is_integer():
        return int(number)
    return number
