"""``monitor map``: other systems' records as our events, and whether mappings are right."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.cli.declare import single
from monitor.cli.map_check import check_mappings
from monitor.cli.map_letters import Tell, letters
from monitor.cli.options import ConfigOption, JsonOption, site_of
from monitor.cli.output import counted, lines
from monitor.errors import UsageError
from monitor.mapping.find import meant
from monitor.mapping.load import LoadedMapping, unknown_settings
from monitor.mapping.records import read_records

MappingArgument = Annotated[
    str | None,
    typer.Argument(metavar="MAPPING", help="Name, or path of a mapping file.", show_default=False),
]
FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE…",
        help="Records: JSON Lines, or one JSON document.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
LettersOption = Annotated[
    Path | None,
    typer.Option(
        "--dead-letters",
        metavar="FILE",
        help="Where records go that break, as JSON Lines; otherwise the first are shown.",
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A setting of the mapping; repeat for several."
    ),
]
CheckOption = Annotated[
    bool,
    typer.Option("--check", help="Check MAPPING, or all that ship and are configured; no records."),
]
FixturesOption = Annotated[
    Path | None,
    typer.Option(
        "--fixtures",
        metavar="FOLDER",
        help="With --check: a folder for each mapping, of records and what becomes of them.",
        exists=True,
        file_okay=False,
    ),
]
WriteOption = Annotated[
    bool,
    typer.Option("--write", help="With --fixtures: write what becomes of them, for you to read."),
]


def map_records(
    mapping: MappingArgument = None,
    files: FilesArgument = None,
    dead_letters: LettersOption = None,
    settings: SettingsOption = None,
    check: CheckOption = False,
    fixtures: FixturesOption = None,
    write: WriteOption = False,
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
        names = [] if mapping is None else [mapping]
        check_mappings(names, own, given, fixtures, write=write, as_json=as_json)
    if mapping is None or not files:
        raise UsageError("name a mapping and files with records, or give --check")
    chosen = meant(mapping, own, given)
    _refuse_unknown(chosen, given)
    with letters(dead_letters) as tell:
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


def _work(chosen: LoadedMapping, files: Sequence[Path], tell: Tell) -> _Count:
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


app = single(
    "map",
    map_records,
    "map whatsapp webhooks.jsonl > events.jsonl",
    "map asterisk-cdr cdr.jsonl --set zone=Asia/Shanghai --dead-letters broken.jsonl",
    "map --check",
    "map --check mappings/mine.yaml --fixtures fixtures",
)
