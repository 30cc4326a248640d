"""Mapping files from disk: read, checked as a whole, and made ready to work.

Owns the checks and the line of each field; syntax is ``monitor.strict_yaml``, meaning
``expression``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError, ExpressionError, Problem
from monitor.events.catalogue import EVENT_TYPES, FIELDS, ON_EVERY_EVENT, FieldType, Kind
from monitor.events.settings import RecordLimits
from monitor.events.strict import StrictDecoder
from monitor.mapping.expression import RESERVED, Compiled, Names, compiled
from monitor.mapping.mapper import EventPart, FieldPart, Lookup, Mapper, Part
from monitor.mapping.model import EventSpec, Fixed, MappingFile, Scalar, Table
from monitor.strict_yaml import Loaded, load_yaml, loads_yaml

Loc = tuple[str | int, ...]

_BESIDE = ("id", "type", "time")
"""What stands beside ``fields``, not in it."""


@dataclass(frozen=True, slots=True)
class LoadedMapping:
    """A mapping with the file it came from."""

    mapper: Mapper
    file: Loaded[MappingFile]

    @property
    def name(self) -> str:
        """What commands, settings and dead letters call it."""
        return self.file.value.name


def load_mapping(
    path: Path,
    settings: Mapping[str, str] | None = None,
    limits: RecordLimits | None = None,
) -> LoadedMapping:
    """Read and check one file; ``settings``: of the site, over the file's own.

    Raises:
        ConfigError: with every problem found, each with line and column.
    """
    return _made(_own(path, lambda: load_yaml(path, MappingFile)), settings or {}, limits)


def loads_mapping(
    text: str, path: Path, settings: Mapping[str, str] | None = None
) -> LoadedMapping:
    """Like :func:`load_mapping` for text; ``path`` is only named in problems."""
    return _made(_own(path, lambda: loads_yaml(text, path, MappingFile)), settings or {}, None)


def _own(path: Path, load: Callable[[], Loaded[MappingFile]]) -> Loaded[MappingFile]:
    """The file; its problems are the mapping's, whatever the ``id`` of an event says."""
    try:
        return load()
    except ConfigError as error:
        raise ConfigError([replace(each, owner=path.stem) for each in error.problems]) from error


def unknown_settings(file: MappingFile, settings: Iterable[str]) -> list[tuple[str, str]]:
    """Names in ``settings`` that the mapping has not, each with the mend."""
    found = []
    for name in settings:
        if name not in file.settings:
            near = get_close_matches(name, file.settings, 1)
            known = ", ".join(file.settings) or "none"
            hint = f"did you mean {near[0]}?" if near else f"{file.name} has {known}"
            found.append((name, hint))
    return found


def _made(
    file: Loaded[MappingFile], settings: Mapping[str, str], limits: RecordLimits | None
) -> LoadedMapping:
    builder = _Builder(file, settings)
    when, events = builder.build()
    if builder.problems:
        raise ConfigError(sorted(builder.problems, key=lambda each: (each.line, each.column)))
    return LoadedMapping(Mapper(file.value.name, when, events, limits), file)


class _Builder:
    """Compiles one file, and gathers what is wrong with it."""

    def __init__(self, file: Loaded[MappingFile], settings: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._settings = {**file.value.settings, **settings}
        self._strict = StrictDecoder((), (), RecordLimits())

    def build(self) -> tuple[Part | None, list[EventPart]]:
        """The condition of the file and its events."""
        mapping = self._file.value
        if not mapping.events:
            self._problem(("events",), "no events", "say what records are turned into")
        names = self._lets(Names(site=self._settings), mapping.let, ("let",))
        when = None if mapping.when is None else self._part(mapping.when, ("when",), names)
        events = [self._event(index, spec, names) for index, spec in enumerate(mapping.events)]
        return when, events

    def _event(self, index: int, spec: EventSpec, names: Names) -> EventPart:
        loc: Loc = ("events", index)
        if spec.type not in EVENT_TYPES:
            self._problem((*loc, "type"), f"no event type '{spec.type}'", _near(spec.type))
        each: list[tuple[str, Part]] = []
        for name, text in spec.each.items():
            self._may_be_called(name, names, (*loc, "each", name))
            each.append((name, self._part(text, (*loc, "each", name), names)))
            names = replace(names, chosen=names.chosen | {name})
        names = self._lets(names, spec.let, (*loc, "let"))
        for name in spec.required:
            if name not in spec.fields:
                place = (*loc, "required", spec.required.index(name))
                self._problem(place, f"'{name}' is not among the fields", "write its expression")
        return EventPart(
            type=spec.type,
            each=tuple(each),
            when=None if spec.when is None else self._part(spec.when, (*loc, "when"), names),
            id=self._part(spec.id, (*loc, "id"), names),
            time=self._part(spec.time, (*loc, "time"), names),
            fields=tuple(
                part
                for name, value in spec.fields.items()
                if (part := self._field(spec, name, value, (*loc, "fields", name), names))
            ),
        )

    def _field(
        self, spec: EventSpec, name: str, value: str | Table | Fixed, loc: Loc, names: Names
    ) -> FieldPart | None:
        field = self._known(spec, name, loc)
        lookup = None
        if isinstance(value, Fixed):
            self._fits(field, value.always, (*loc, "always"))
            always = value.always
            made = Compiled(lambda _record, _chosen: always, 1, constant=True)
        elif isinstance(value, Table):
            made = self._compiled(value.of, (*loc, "of"), names)
            lookup = Lookup(value.values, value.otherwise, value.is_closed)
            for theirs, ours in value.values.items():
                self._fits(field, ours, (*loc, "values", theirs))
            self._fits(field, value.otherwise, (*loc, "otherwise"))
        else:
            made = self._compiled(value, loc, names)
            if made.constant:
                self._fits(field, made.run({}, {}), loc)
        if field is None:
            return None
        return FieldPart(field, made.run, self._line(loc), lookup, name in spec.required)

    def _known(self, spec: EventSpec, name: str, loc: Loc) -> FieldType | None:
        own = EVENT_TYPES[spec.type].fields if spec.type in EVENT_TYPES else tuple(FIELDS)
        allowed = (*ON_EVERY_EVENT, *own)
        if name in allowed:
            return FIELDS[name]
        if name in _BESIDE:
            self._problem(loc, f"{name} stands beside fields, not in it", "move it up", at_key=True)
        else:
            near = get_close_matches(name, allowed, 1)
            hint = f"did you mean {near[0]}?" if near else "docs/events.md lists them"
            self._problem(loc, f"{spec.type} has no field '{name}'", hint, at_key=True)
        return None

    def _fits(self, field: FieldType | None, value: Scalar, loc: Loc) -> None:
        if field is None or value is None:
            return
        fault = self._strict.fault_of(field, value)
        if fault is None or (field.kind in _NUMERIC and isinstance(value, str)):
            return
        near = get_close_matches(str(value), field.values, 1)
        known = f"one of {', '.join(field.values)}" if field.kind is Kind.ENUM else ""
        self._problem(loc, fault.detail, f"did you mean '{near[0]}'?" if near else known)

    def _lets(self, names: Names, lets: Mapping[str, str], loc: Loc) -> Names:
        for name, text in lets.items():
            self._may_be_called(name, names, (*loc, name))
            made = self._compiled(text, (*loc, name), names)
            names = replace(names, let={**names.let, name: made})
        return names

    def _may_be_called(self, name: str, names: Names, loc: Loc) -> None:
        if name in RESERVED:
            self._problem(loc, f"'{name}' means something already", "rename it", at_key=True)
        elif name in names.let or name in names.chosen:
            self._problem(loc, f"'{name}' stands above already", "rename one of them", at_key=True)

    def _part(self, text: str, loc: Loc, names: Names) -> Part:
        return Part(self._compiled(text, loc, names).run, self._line(loc))

    def _compiled(self, text: str, loc: Loc, names: Names) -> Compiled:
        try:
            return compiled(text, names)
        except ExpressionError as error:
            self._problem(loc, str(error), error.hint, offset=error.offset)
            return Compiled(lambda _record, _chosen: None, 1)

    def _line(self, loc: Loc) -> int:
        return self._file.root.place(loc)[0]

    def _problem(
        self,
        loc: Loc,
        message: str,
        hint: str = "",
        *,
        at_key: bool = False,
        offset: int | None = None,
    ) -> None:
        owner = self._file.value.name
        problem = self._file.problem(loc, message, hint, owner, at_key=at_key, offset=offset)
        self.problems.append(problem)


_NUMERIC = frozenset({Kind.INT, Kind.NUMBER, Kind.SECONDS})


def _near(name: Any) -> str:
    near = get_close_matches(str(name), EVENT_TYPES, 1)
    return f"did you mean {near[0]}?" if near else "docs/events.md lists them"
