"""``monitor backup``: the embedded store and its checkpoints as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.cli.declare import single
from monitor.cli.options import ConfigOption, JsonOption, site_of
from monitor.cli.output import counted
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.store.backup import CHECKPOINTS, Manifest
from monitor.store.backup import backup as write_backup


def backup(
    target: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the store and its checkpoints to one file; the daemon may run.

    The copy is checked, and an older file of that name is replaced once it is whole. For a store in
    PostgreSQL use pg_dump.
    """
    manifest = write_backup(site_of(config).config.store, target, SystemClock())
    if as_json:
        say(document(manifest))
    else:
        say(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {content(manifest)}")


def content(manifest: Manifest) -> str:
    """What a backup holds, in words."""
    checkpoints = sum(entry.name.startswith(CHECKPOINTS) for entry in manifest.files)
    return f"schema version {manifest.schema_version}, {counted(checkpoints, 'checkpoint')}"


def document(manifest: Manifest) -> str:
    """The manifest as JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2).decode()


app = single("backup", backup, "backup /var/backups/monitor.tar.zst")
