"""``monitor map --check``: whether mappings are right, and their fixtures as written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer

from monitor.cli.output import counted, lines
from monitor.cli.stream import say
from monitor.errors import ConfigError, Problem
from monitor.mapping.find import meant, shipped
from monitor.mapping.fixtures import cases, check_fixtures, write_fixtures
from monitor.mapping.load import LoadedMapping, load_mapping


def check_mappings(
    names: Sequence[str],
    own: Mapping[str, LoadedMapping],
    given: Mapping[str, str],
    fixtures: Path | None,
    *,
    write: bool,
    as_json: bool,
) -> NoReturn:
    """Check mappings by name, all that there are where none is named, and say what is wrong.

    Args:
        names: of which.
        own: those that are configured, by name.
        given: settings, for those that have them.
        fixtures: the folder with a folder of cases for each mapping.
        write: what becomes of the cases is written anew before it is compared.
        as_json: for programs.

    Raises:
        typer.Exit: always; with 1 where something is wrong.
    """
    names = names or [*own, *(name for name in shipped() if name not in own)]
    problems: list[Problem] = []
    loaded: list[LoadedMapping] = []
    for name in names:
        try:
            loaded.append(_loaded(name, own, given))
        except ConfigError as error:
            problems += error.problems
    tried = 0
    for chosen in loaded:
        folder = None if fixtures is None else fixtures / chosen.name
        if folder is None or not folder.is_dir():
            continue
        if write:
            write_fixtures(chosen.mapper, folder)
        tried += len(cases(folder))
        problems += check_fixtures(chosen.mapper, folder)
    _report(problems, len(names), tried, as_json=as_json)
    raise typer.Exit(1 if problems else 0)


def _loaded(name: str, own: Mapping[str, LoadedMapping], given: Mapping[str, str]) -> LoadedMapping:
    chosen = meant(name, own)
    known = {key: value for key, value in given.items() if key in chosen.file.value.settings}
    return load_mapping(chosen.file.path, known) if known else chosen


def _report(problems: Sequence[Problem], mappings: int, tried: int, *, as_json: bool) -> None:
    if as_json:
        found: list[dict[str, Any]] = [
            {
                "path": str(each.path),
                "line": each.line,
                "column": each.column,
                "owner": each.owner,
                "message": each.message,
                "hint": each.hint,
            }
            for each in problems
        ]
        say(json.dumps({"mappings": mappings, "fixtures": tried, "problems": found}))
        return
    console = lines()
    for problem in problems:
        console.print(f"error: {problem}", style="red")
    console.print(
        f"{counted(mappings, 'mapping')}, {counted(tried, 'fixture')}:"
        f" {counted(len(problems), 'error')}"
    )
