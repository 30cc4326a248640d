"""Recorded events as commands are given them: files, or the configured topics between two times.

Owns these options, their check, and the source they mean, not started.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from monitor.archive.lost import asks_lists
from monitor.archive.source import ArchiveSource, archive_of, mark_of
from monitor.archive.tokens import Tokens
from monitor.assembly import open_source
from monitor.cli.output import lines
from monitor.clock import SystemClock
from monitor.decisions import ListAction
from monitor.engine import Input
from monitor.errors import SecretError, UsageError
from monitor.replay import Past, past_of
from monitor.site import Site
from monitor.source.base import Source
from monitor.source.bounded import BoundedSource
from monitor.source.files import FileSource
from monitor.source.settings import ArchivedSettings, FilesSettings, KafkaSettings
from monitor.store.store import Store

_CONFIGURED = Path("store")

FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="F.jsonl",
        help="Recorded events; repeat for several. A pattern in quotes is fine: 'day-*.jsonl'. A"
        " folder is an archive that the daemon has kept.",
    ),
]
RulesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules",
        metavar="FOLDER",
        help="Pack instead of the configured ones; repeat for several.",
        exists=True,
        file_okay=False,
    ),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="Store of a live run: its journal is replayed too. `store`: the configured one.",
    ),
]
KafkaOption = Annotated[bool, typer.Option("--kafka", help="Read the configured topics instead.")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="With --kafka: broker time to begin at. As 2026-11-22T09:00, local unless it names a"
        " zone.",
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option("--until", metavar="TIME", help="With --kafka: broker time to end before."),
]


def recorded_source(
    site: Site, files: list[str] | None, *, kafka: bool, until: datetime | None
) -> Source:
    """The source of ``--from``, or of ``--kafka``.

    Raises:
        UsageError: both or neither is given, or the configuration has no Kafka.
    """
    if kafka == bool(files):
        raise UsageError("give --from FILE (one or several), or --kafka")
    folder = archive_of(files)
    if folder is not None:
        _warn_of_lists(site, folder)
        return BoundedSource(ArchiveSource(folder), None if until is None else to_ms(until))
    if files:
        return FileSource(FilesSettings(kind="files", paths=tuple(files)), SystemClock())
    if not isinstance(site.config.source, KafkaSettings):
        raise UsageError("--kafka: the configuration's source is not Kafka")
    inner = open_source(site.config, SystemClock())
    return BoundedSource(inner, None if until is None else to_ms(until))


def log_source(
    site: Site, files: list[str] | None, *, kafka: bool, until: datetime | None
) -> Source:
    """The same; where neither is given, the configured source, as far as it goes now.

    Raises:
        UsageError: both are given, or the configuration has no Kafka.
    """
    settings = site.config.source
    if not files and not kafka and isinstance(settings, ArchivedSettings):
        _warn_of_lists(site, settings.path)
        return ArchiveSource(settings.path)
    if not files and not kafka and isinstance(settings, FilesSettings):
        return FileSource(settings.model_copy(update={"follow": False}), SystemClock())
    return recorded_source(site, files, kafka=kafka or not files, until=until)


def tokens_of(site: Site, folder: Path | None) -> Tokens | None:
    """What makes the tokens of an archive that knows no customers; None where nothing here can."""
    mark = "" if folder is None else mark_of(folder)
    if not mark or site.config.archive.key is None:
        return None
    try:
        tokens = Tokens(site.config.archive.secret(), site.config.events)
    except SecretError:
        return None
    return tokens if tokens.mark == mark else None


def _warn_of_lists(site: Site, folder: Path) -> None:
    """Whoever has no key has rules that ask lists in vain."""
    if not mark_of(folder) or tokens_of(site, folder) is not None:
        return
    deaf = asks_lists(site.rules, {each.id: each for each in site.indicators})
    if deaf:
        lines(stderr=True).print(
            f"{folder} holds tokens for customers, and archive.key is not the key they were made"
            f" with: nobody is on a do-not-call list for {', '.join(deaf)}",
            style="yellow",
        )


def check_span(files: list[str] | None, since: datetime | None, until: datetime | None) -> None:
    """Whether ``--since`` and ``--until`` go with the rest.

    Raises:
        UsageError: they do not.
    """
    if files and archive_of(files) is None and (since is not None or until is not None):
        raise UsageError(
            "--since and --until are for --kafka and archives: lines of a file have no broker time"
        )
    check_order(since, until)


def check_order(since: datetime | None, until: datetime | None) -> None:
    """Whether something lies between ``--since`` and ``--until``.

    Raises:
        UsageError: nothing does.
    """
    if since is not None and until is not None and to_ms(until) <= to_ms(since):
        raise UsageError("--until is not after --since: nothing lies between them")


def to_ms(moment: datetime) -> int:
    """Ms since 1970 UTC; a time that names no zone is local."""
    return int(moment.timestamp() * 1000)


def journaled(site: Site, path: Path, files: list[str] | None = None) -> Past:
    """What the journal of a live run adds to the records.

    Of an archive that knows no customers (``files``: as of ``--from``), those whom people put on
    the do-not-call list are told by their tokens.

    Raises:
        UsageError: that store has judged nothing.
        StoreError: it cannot be read.
    """
    settings = site.config.store
    if path != _CONFIGURED:
        settings = settings.model_copy(update={"path": path, "url": None})
    with Store.open(settings, SystemClock(), daemon=False) as store:
        past = past_of(store, tick_ms=site.config.time.tick, inputs=True)
    if not past:
        msg = f"--journal {path}: that store has judged nothing yet"
        raise UsageError(msg)
    inputs = tuple(_as_archived(past.inputs, tokens_of(site, archive_of(files))))
    return replace(past, inputs=inputs)


def _as_archived(inputs: Iterable[Input], tokens: Tokens | None) -> Iterator[Input]:
    for each in inputs:
        deed = each.what
        if tokens is not None and isinstance(deed, ListAction):
            known = tokens.of(deed.customers)
            named = tuple(known[customer] for customer in deed.customers)
            yield replace(each, what=replace(deed, customers=named))
        else:
            yield each
