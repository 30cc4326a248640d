"""Options that several commands share, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.clock import SystemClock
from monitor.config import DEFAULT_PATH
from monitor.site import Site, load_site
from monitor.store.store import Store

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="Configuration file; without it ./config.yaml, and the embedded defaults"
        " where there is none.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


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
        StoreError: there is none yet, or it cannot be read.
    """
    return Store.open(site.config.store, SystemClock(), daemon=False)
