"""One record at a time: whether it is a dead letter and why, or else its values.

Owns every reason a record can have for being refused at the door; the column reading
(``monitor.events.columns``) only ever accepts, and leaves the rest to this. The rules:

* Bytes are UTF-8 JSON, one object, nothing after it. A byte order mark is ``not_json``. Text that
  UTF-8 cannot hold, bad bytes or an escaped lone surrogate, is ``not_utf8``. ``NaN``, ``Infinity``
  and numbers beyond a double (``1e999``) are ``not_finite`` wherever they stand.
* Of duplicate keys the first wins; the others are not looked at.
* A structured CloudEvent (``specversion`` is there) has its fields in ``data``; what ``data`` does
  not name is taken from the top level, where CloudEvents keeps extensions.
* Only fields in use are checked, and only on events of a type in use: of the others just the
  envelope. The contract promises that unknown fields and types are never an error: so a field that
  the catalogue does not give to the event's type is taken where it fits, and ignored where not.
* Types are strict: no number or boolean is taken for text, no text for a number, 1.0 is not an
  integer and a boolean is neither. Null says nothing, nor does empty text where text may stand:
  the field is absent.
* A key (ids, dimensions) holds no control characters: they separate keys elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec

from monitor.events.catalogue import EVENT_TYPES, ON_EVERY_EVENT, FieldType, Kind
from monitor.events.settings import RecordLimits
from monitor.events.times import NotATimeError, read_time

Value = str | int | float | bool | None

_CONTROL = re.compile(r"[\x00-\x1f]")
_SPACED = re.compile(r'"[ \t\r\n]+:')
"""A key that the quick count of keys does not see."""
_INT_DIGITS_MAX = 4_000
"""Below what Python refuses to convert; more digits cannot be in any range."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record is refused."""

    reason: str
    """One of ``monitor.events.batch.REJECT_REASONS``."""
    detail: str
    """Field and fault, without the customer's data."""


class _Refused(Exception):  # noqa: N818 - carries a verdict, it is not an error of ours
    """Raised inside this module with the verdict on a record."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(reason, detail)


class StrictDecoder:
    """Decides on single records, for a given set of columns."""

    def __init__(
        self, columns: Sequence[FieldType], types: Collection[str], limits: RecordLimits
    ) -> None:
        self._columns = tuple(columns)
        self._own = {kind: _own_fields(kind) for kind in types}
        self._limits = limits
        self._readers = tuple((field.name, self._reader(field)) for field in columns)
        self._nothing = (None,) * len(self._readers)

    def decode(self, record: bytes) -> tuple[Value, ...] | Fault:
        """``(id, type, time, *columns)`` of a record, or why there is none; never raises."""
        try:
            return self._values(self._parse(record))
        except _Refused as refused:
            return refused.fault

    def read(self, record: bytes) -> dict[str, Any] | Fault:
        """The object that a record of any shape is, or why it is none; never raises."""
        try:
            return self._parse(record)
        except _Refused as refused:
            return refused.fault

    def spread(self, record: bytes) -> dict[str, Any] | Fault:
        """The same with all fields beside each other, where a CloudEvent has them in ``data``.

        Where that cannot be, the envelope, with a ``specversion`` that is refused for it.
        """
        whole = self.read(record)
        if isinstance(whole, Fault) or "specversion" not in whole:
            return whole
        envelope: dict[str, Any] = {
            name: whole[name] for name in ("id", "type", "time") if name in whole
        }
        try:
            fields = dict(_body(whole))
        except _Refused:
            return {**envelope, "specversion": False}
        for name in ("id", "type", "time", "specversion", "data"):
            fields.pop(name, None)
        return {**fields, **envelope}

    def fault_of(self, field: FieldType, value: Any) -> Fault | None:
        """Why ``value`` would be refused as the value of ``field``; None where it would not."""
        try:
            self._reader(field)(value)
        except _Refused as refused:
            return refused.fault
        return None

    def _parse(self, record: bytes) -> dict[str, Any]:
        if len(record) > self._limits.record_bytes:
            raise _Refused("too_large", f"{len(record)} bytes")
        try:
            text = record.decode()
        except UnicodeDecodeError as error:
            raise _Refused("not_utf8", f"byte {error.start} is not UTF-8") from None
        try:
            whole = msgspec.json.decode(text)
        except RecursionError:
            raise _Refused("too_deep", "nested beyond any limit") from None
        except msgspec.DecodeError as error:
            _explain(text, str(error))
        if not isinstance(whole, dict):
            raise _Refused("not_an_object", f"a JSON {_json_type(whole)}")
        depth = self._limits.depth
        if record.count(b"{") + record.count(b"[") > depth and _is_deeper(whole, depth):
            raise _Refused("too_deep", f"nested deeper than {depth}")
        if text.count('":') != len(whole) or _SPACED.search(text):
            return _first_wins_throughout(text)  # nested, or a key may stand twice
        return whole

    def _values(self, whole: Mapping[str, Any]) -> tuple[Value, ...]:
        for name in ("id", "type", "time"):
            if whole.get(name) in (None, ""):
                raise _Refused("missing_field", f"{name} is missing")
        envelope = (
            self._text(whole["id"], "id", is_key=True),
            self._text(whole["type"], "type", is_key=True),
            _time(whole["time"], "time"),
        )
        kind = envelope[1]
        if kind not in self._own:
            return (*envelope, *self._nothing)
        said = _body(whole).get
        read: list[Value] = []
        for field, reader in self._readers:
            value = said(field)
            try:
                read.append(None if value is None else reader(value))
            except _Refused:
                if field in self._own[kind]:
                    raise
                read.append(None)
        return (*envelope, *read)

    def _text(self, value: Any, name: str, *, is_key: bool) -> str:
        if not isinstance(value, str):
            raise _Refused("wrong_type", f"{name} is a {_json_type(value)}, not text")
        most = self._limits.key_chars if is_key else self._limits.string_chars
        if len(value) > most:
            raise _Refused("over_long_string", f"{name} has {len(value)} characters, over {most}")
        if is_key and _CONTROL.search(value):
            raise _Refused("out_of_range", f"{name} holds a control character")
        return value

    def _reader(self, field: FieldType) -> Callable[[Any], Value]:
        """What checks and converts a value of ``field`` that is there."""
        if field.kind is Kind.TIME:
            return lambda value: None if value == "" else _time(value, field.name)
        if field.is_text:
            return lambda value: self._said(value, field)
        if field.kind is Kind.BOOL:
            return lambda value: _bool(value, field.name)
        return lambda value: _number(value, field)

    def _said(self, value: Any, field: FieldType) -> str | None:
        text = self._text(value, field.name, is_key=field.is_key)
        if text and field.values and text not in field.values:
            raise _Refused("out_of_range", f"{field.name} is none of {_listed(field)}")
        return text or None


def _listed(field: FieldType) -> str:
    return "|".join(field.values) if field.kind is Kind.ENUM else "those there are"


def _own_fields(kind: str) -> frozenset[str]:
    """The fields that the contract gives to a type."""
    more = EVENT_TYPES[kind].fields if kind in EVENT_TYPES else ()
    return frozenset((*ON_EVERY_EVENT, *more))


def _bool(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _Refused("wrong_type", f"{name} is a {_json_type(value)}, not a boolean")
    return value


def _number(value: Any, field: FieldType) -> int | float:
    allowed = (int,) if field.kind is Kind.INT else (int, float)
    if type(value) not in allowed:
        wanted = "an integer" if field.kind is Kind.INT else "a number"
        raise _Refused("wrong_type", f"{field.name} is a {_json_type(value)}, not {wanted}")
    if not field.low <= value <= field.high:
        raise _Refused("out_of_range", f"{field.name} is not in {field.low:g} … {field.high:g}")
    return int(value) if field.kind is Kind.INT else float(value)


def _time(value: Any, name: str) -> int:
    if type(value) not in {int, str}:
        wanted = "RFC 3339 text or integer ms"
        raise _Refused("wrong_type", f"{name} is a {_json_type(value)}, not {wanted}")
    try:
        return read_time(value)
    except NotATimeError as error:
        raise _Refused("bad_time", f"{name} is {error}") from None


def _body(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the fields stand: the record itself, or a CloudEvent's ``data`` laid over it."""
    version = whole.get("specversion")
    if version is None:
        return whole
    if not isinstance(version, str):
        raise _Refused("wrong_type", f"specversion is a {_json_type(version)}, not text")
    data = whole.get("data")
    if data is None:
        return whole
    if not isinstance(data, dict):
        raise _Refused("wrong_type", f"data is a {_json_type(data)}, not an object")
    return {**whole, **data}


def _first_wins_throughout(text: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(text, object_pairs_hook=_first_wins)
    return whole


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _is_deeper(whole: Any, depth: int) -> bool:
    """Whether containers stand within one another more than ``depth`` deep, ``whole`` being 1."""
    layer = [whole]
    for _ in range(depth):
        layer = [inner for outer in layer for inner in _containers(outer)]
        if not layer:
            return False
    return True


def _containers(outer: Any) -> list[Any]:
    inner = outer.values() if isinstance(outer, dict) else outer
    return [value for value in inner if isinstance(value, dict | list)]


def _explain(text: str, message: str) -> NoReturn:
    """Say why ``text`` could not be parsed.

    Python's own parser takes more than JSON; what it takes besides is what needs a reason of its
    own.
    """
    if not text.strip():
        raise _Refused("not_json", "an empty record")
    try:
        taken = json.loads(
            text, parse_constant=_not_finite, parse_float=_finite, parse_int=_not_endless
        )
        json.dumps(taken, ensure_ascii=False).encode()
    except RecursionError:
        raise _Refused("too_deep", "nested beyond any limit") from None
    except UnicodeEncodeError:
        raise _Refused("not_utf8", "an escaped lone surrogate is not text") from None
    except json.JSONDecodeError as error:
        raise _Refused("not_json", f"{error.msg} at character {error.pos}") from None
    raise _Refused("not_json", message)


def _not_finite(_token: str) -> NoReturn:
    raise _Refused("not_finite", "NaN or Infinity is not JSON")


def _finite(token: str) -> float:
    value = float(token)
    if math.isinf(value):
        raise _Refused("not_finite", "a number is beyond a double")
    return value


def _not_endless(token: str) -> int:
    if len(token) > _INT_DIGITS_MAX:
        raise _Refused("out_of_range", f"an integer of {len(token)} digits")
    return int(token)


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "array" if isinstance(value, list) else "object"
