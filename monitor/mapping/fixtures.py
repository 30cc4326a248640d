"""Whether a mapping makes of recorded records what stands beside them.

Owns the layout of a folder of fixtures: ``<case>.jsonl`` (or ``.json``) holds records,
``<case>.events.jsonl`` the events, ``<case>.broken.jsonl`` what becomes a dead letter, each line
with the number of its record. A case without events' file makes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from monitor.errors import Problem
from monitor.mapping.mapper import Mapper
from monitor.mapping.records import read_records

_EVENTS, _BROKEN = ".events.jsonl", ".broken.jsonl"


def cases(folder: Path) -> list[Path]:
    """The files with records in a folder, by name."""
    files = [*folder.glob("*.json"), *folder.glob("*.jsonl")]
    return sorted(file for file in files if not file.name.endswith((_EVENTS, _BROKEN)))


def outcome(mapper: Mapper, case: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The events of a file of records, and what was broken, as fixtures have them."""
    events: list[dict[str, Any]] = []
    broken: list[dict[str, Any]] = []
    for number, record in read_records(case):
        made, faults = mapper.of_bytes(record)
        events += made
        broken += [
            {"record": number, "reason": each.reason, "line": each.line, "what": each.what}
            for each in faults
        ]
    return events, broken


def check_fixtures(mapper: Mapper, folder: Path) -> list[Problem]:
    """Where the mapping makes something else; one problem a file, its first difference."""
    return [problem for case in cases(folder) for problem in _differences(mapper, case)]


def write_fixtures(mapper: Mapper, folder: Path) -> list[Path]:
    """Write what the mapping makes beside the records, to be read by a person."""
    written = []
    for case in cases(folder):
        for path, lines in _expected(case, *outcome(mapper, case)):
            text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
            if lines or path.exists():
                path.write_bytes(text)
                written.append(path)
    return written


def _differences(mapper: Mapper, case: Path) -> Iterator[Problem]:
    for path, made in _expected(case, *outcome(mapper, case)):
        wanted = [record for _, record in read_records(path)] if path.exists() else []
        got = [msgspec.json.encode(line) for line in made]
        for number, (left, right) in enumerate(zip(wanted, got, strict=False), 1):
            if msgspec.json.decode(left) != msgspec.json.decode(right):
                what = f"{mapper.name} makes {right.decode()}"
                yield Problem(path, number, 1, what, "mend the mapping, or this line", mapper.name)
                break
        else:
            if len(wanted) != len(got):
                place = min(len(wanted), len(got)) + 1
                what = f"{mapper.name} makes {len(got)} of {case.name}, not {len(wanted)}"
                hint = "the first that is too many or missing is this one"
                yield Problem(path, place, 1, what, hint, mapper.name)


def _expected(
    case: Path, events: Sequence[dict[str, Any]], broken: Sequence[dict[str, Any]]
) -> Iterator[tuple[Path, Sequence[dict[str, Any]]]]:
    yield case.with_name(case.stem + _EVENTS), events
    yield case.with_name(case.stem + _BROKEN), broken
