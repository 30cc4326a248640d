"""``monitor numbers import``: the inventory of numbers, from a table.

Owns the command line only; the table is ``monitor.numbers.inventory``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from monitor.cli.options import ConfigOption, site_of
from monitor.cli.stream import say
from monitor.errors import UsageError
from monitor.events.phones import normalise
from monitor.numbers.inventory import read, write

TableArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A table as CSV with a first line: number,type,pool,owner,standby.",
    ),
]


def import_(file: TableArgument, config: ConfigOption = None) -> None:
    """Check a table of numbers and put it in the place of `numbers.inventory`, as a whole.

    `pool` is the campaign that dials with the number; `standby` is yes for one that takes the
    place of a number that is retired. The daemon takes it up at its start and when it reloads
    (SIGHUP). What stands under `pools` in the configuration stays.
    """
    site = site_of(config)
    target = site.config.numbers.inventory
    if target is None:
        msg = "the configuration names no place for it: numbers: {inventory: numbers.csv}"
        raise UsageError(msg)
    items = read(file, most=site.config.numbers.numbers_max)
    told = pl.Series([item.number for item in items], dtype=pl.String)
    write(target, items, normalise(told, site.config.events.phones.region).to_list())
    numbers, pools = {item.number for item in items}, {item.pool for item in items}
    standby = sum(item.standby for item in items)
    say(
        f"{target}: {len(numbers)} numbers in {len(pools)} pools, {standby} standby; "
        "the daemon takes them up when it reloads"
    )
