"""What the fast reading took of a batch, without what it left."""

from __future__ import annotations

import polars as pl

from monitor.events.columns import ROW, Read


def plain(read: Read) -> pl.DataFrame:
    """The rows that were plainly good."""
    return read.frame.filter(~pl.col(ROW).is_in(read.left))
