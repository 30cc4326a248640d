"""``monitor restore``: a backup in the place of the embedded store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.backup import content, document
from monitor.cli.declare import single
from monitor.cli.options import ConfigOption, JsonOption, site_of
from monitor.cli.output import stamp
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.store.restore import REPLACED
from monitor.store.restore import restore as put_back


def restore(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="Written by `monitor backup`.", exists=True, dir_okay=False
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of the store; stop the daemon first.

    The backup is checked before anything is touched, and the store that was there stays beside the
    new one. At its next start the daemon makes the decisions since the backup again, from the log.
    """
    settings = site_of(config).config.store
    manifest = put_back(settings, source)
    if as_json:
        say(document(manifest))
        return
    now_ms = SystemClock().now_ms()
    say(f"{settings.path}: as of {stamp(manifest.made_ms, now_ms=now_ms)}, {content(manifest)}")
    replaced = settings.path.with_name(settings.path.name + REPLACED)
    if replaced.exists():
        say(f"what was there before: {replaced}")


app = single("restore", restore, "restore /var/backups/monitor.tar.zst")
