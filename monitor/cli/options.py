"""Options that several commands share, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from monitor.clock import SystemClock
from monitor.config import DEFAULT_PATH
from monitor.errors import UsageError
from monitor.site import Site, load_site
from monitor.store.store import Store

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        help="Configuration file; without it ./config.yaml, and the embedded defaults"
        " where there is none.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def console() -> Console:
    """Where tables go: in a pipe nothing is cut or wrapped to the width of a terminal."""
    made = Console(emoji=False, markup=False, highlight=False)
    if not made.is_terminal:
        made.width = 10_000
    return made


def plain_table(*headings: str) -> Table:
    """A table without lines; a cell that is too long for a terminal goes on below, whole."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def write(path: Path, text: str) -> None:
    """Write a file that was asked for.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def config_path(config: Path | None) -> Path | None:
    """The configuration file meant; None: the embedded defaults."""
    if config is not None:
        return config
    return DEFAULT_PATH if DEFAULT_PATH.is_file() else None


def site_of(config: Path | None) -> Site:
    """The site that a command works on."""
    return load_site(config_path(config))


def store_of(site: Site) -> Store:
    """The daemon's store, to read and to leave requests in.

    Raises:
        UsageError: there is none yet.
    """
    path = site.config.store.path
    if not path.exists():
        msg = f"no store at {path}: has the daemon run with this configuration?"
        raise UsageError(msg)
    return Store.open(site.config.store, SystemClock(), daemon=False)
