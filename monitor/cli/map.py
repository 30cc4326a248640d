"""``monitor map``: other systems' records as our events, and whether mappings are right."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.cli.declare import single
from monitor.cli.options import ConfigOption, JsonOption, site_of
from monitor.cli.output import counted, lines
from monitor.cli.stream import say
from monitor.errors import ConfigError, Problem, UsageError
from monitor.mapping.find import meant, shipped
from monitor.mapping.fixtures import cases, check_fixtures, write_fixtures
from monitor.mapping.load import LoadedMapping, load_mapping, unknown_settings
from monitor.mapping.mapper import Broken
from monitor.mapping.records import read_records

_SHOWN_MAX = 20
"""Dead letters that are shown when they go to nowhere else; the rest is counted."""


def map_records(
    mapping: Annotated[
        str | None,
        typer.Argument(
            metavar="MAPPING", help="Name, or path of a mapping file.", show_default=False
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE…",
            help="Records: JSON Lines, or one JSON document.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    dead_letters: Annotated[
        Path | None,
        typer.Option(
            "--dead-letters",
            metavar="FILE",
            help="Where records go that break, as JSON Lines; otherwise the first are shown.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of the mapping; repeat for several."
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Check MAPPING, or all that ship and are configured; no records."
        ),
    ] = False,
    fixtures: Annotated[
        Path | None,
        typer.Option(
            "--fixtures",
            metavar="FOLDER",
            help="With --check: a folder for each mapping, of records and what becomes of them.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write", help="With --fixtures: write what becomes of them, for you to read."
        ),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Other systems' records as our events, by a mapping; with --check, whether mappings are right.

    Events go to standard output as JSON Lines. A record that breaks is a dead letter: with its file
    and line, and the line of the mapping that asked for what it has not.
    """
    own = site_of(config).mappings
    given = _settings(settings or [])
    if check:
        names = (
            [mapping] if mapping is not None else [*own, *(n for n in shipped() if n not in own)]
        )
        _check(names, own, given, fixtures, write=write, as_json=as_json)
        return
    if mapping is None or not files:
        raise UsageError("name a mapping and files with records, or give --check")
    chosen = meant(mapping, own, given)
    _refuse_unknown(chosen, given)
    with _letters(dead_letters) as tell:
        count = _work(chosen, files, tell)
    summary = f"{counted(count.records, 'record')}: {counted(count.events, 'event')},"
    summary += f" {count.silent:,} without, {counted(count.broken, 'dead letter')}"
    lines(stderr=True).print(summary)
    raise typer.Exit(1 if count.broken else 0)


@dataclass(slots=True)
class _Count:
    records: int = 0
    events: int = 0
    silent: int = 0
    """Records that the mapping says nothing about."""
    broken: int = 0


_Tell = Callable[[LoadedMapping, Path, int, bytes, Broken], None]


def _work(chosen: LoadedMapping, files: Sequence[Path], tell: _Tell) -> _Count:
    count = _Count()
    with _bar(files) as advance:
        for path in files:
            for line, record in read_records(path, advance):
                events, broken = chosen.mapper.of_bytes(record)
                for event in events:
                    print(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
                for each in broken:
                    tell(chosen, path, line, record, each)
                count.records += 1
                count.events += len(events)
                count.broken += len(broken)
                count.silent += not events and not broken
    return count


@contextlib.contextmanager
def _bar(files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, told of bytes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("mapping"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    above = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=above) as progress:
        task = progress.add_task("map", total=sum(path.stat().st_size for path in files))
        yield lambda read: progress.advance(task, read)


@contextlib.contextmanager
def _letters(path: Path | None) -> Iterator[_Tell]:
    """What is told of each dead letter: a line in a file, or the first few for people."""
    if path is None:
        shown, out = [0], lines(stderr=True)

        def show(chosen: LoadedMapping, file: Path, line: int, _: bytes, each: Broken) -> None:
            shown[0] += 1
            if shown[0] <= _SHOWN_MAX:
                place = f"{chosen.file.path}:{each.line}"
                out.print(f"{file}:{line}: {each.reason}: {each.what} ({place})", style="yellow")
            elif shown[0] == _SHOWN_MAX + 1:
                out.print("and more: --dead-letters FILE keeps all of them", style="yellow")

        yield show
        return
    try:
        with path.open("w", encoding="utf-8") as file:
            yield lambda chosen, source, line, record, each: _write(
                file, chosen, source, line, record, each
            )
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def _write(
    file: IO[str], chosen: LoadedMapping, source: Path, line: int, record: bytes, each: Broken
) -> None:
    entry = {
        "reason": each.reason,
        "detail": each.detail,
        "mapping": chosen.name,
        "at": f"{chosen.file.path}:{each.line}",
        "file": str(source),
        "line": line,
        "value": base64.b64encode(record).decode(),
    }
    file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _settings(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            msg = f"--set {text}: write NAME=VALUE"
            raise UsageError(msg)
        found[name] = value
    return found


def _refuse_unknown(chosen: LoadedMapping, given: dict[str, str]) -> None:
    for name, hint in unknown_settings(chosen.file.value, given):
        msg = f"--set {name}: {chosen.name} has no such setting; {hint}"
        raise UsageError(msg)


def _check(
    names: Sequence[str],
    own: dict[str, LoadedMapping],
    given: dict[str, str],
    fixtures: Path | None,
    *,
    write: bool,
    as_json: bool,
) -> None:
    problems: list[Problem] = []
    loaded: list[LoadedMapping] = []
    for name in names:
        try:
            chosen = meant(name, own)
            known = {
                key: value for key, value in given.items() if key in chosen.file.value.settings
            }
            loaded.append(load_mapping(chosen.file.path, known) if known else chosen)
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


app = single(
    "map",
    map_records,
    "map whatsapp webhooks.jsonl > events.jsonl",
    "map asterisk-cdr cdr.jsonl --set zone=Asia/Shanghai --dead-letters broken.jsonl",
    "map --check",
    "map --check mappings/mine.yaml --fixtures fixtures",
)
