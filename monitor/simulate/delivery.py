"""From the order things happen in to the order they are read in.

Owns delays, disorder, lateness and duplicates, and the records that are still on their way.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from monitor.simulate.lines import SCHEMA
from monitor.simulate.scenarios import Delivery

ARRIVED = {**SCHEMA, "arrival": pl.Int64, "copy": pl.Boolean}
"""``SCHEMA`` with when a record is delivered, ms, and whether it was before."""


class Road:
    """Holds records back until their arrival; none arrives before it happened."""

    def __init__(self, delivery: Delivery, seed: int) -> None:
        self._delivery = delivery
        # A stream of its own: another delivery of the same events leaves the events alone.
        self._random = np.random.default_rng([seed, 1])
        self._waiting = pl.DataFrame(schema=ARRIVED)

    def send(self, records: pl.DataFrame, until_ms: int) -> pl.DataFrame:
        """Take ``records`` (``lines.SCHEMA``) and give what arrives before ``until_ms``, in order.

        The caller promises that no later record happens before ``until_ms``.
        """
        self._waiting = pl.concat([self._waiting, *self._depart(records)])
        return self._arrive(pl.col("arrival") < until_ms)

    def rest(self) -> pl.DataFrame:
        """All that is still on its way, in order."""
        return self._arrive(pl.lit(value=True))

    def _depart(self, records: pl.DataFrame) -> list[pl.DataFrame]:
        how, random, count = self._delivery, self._random, records.height
        delay = random.integers(5, max(6, how.jitter_ms + 1), count)
        lot = random.random(count)
        too_late = lot < how.too_late_share
        late = ~too_late & (lot < how.too_late_share + how.late_share)
        delay = np.where(late, random.integers(*how.late_ms, count), delay)
        delay = np.where(too_late, random.integers(*how.too_late_ms, count), delay)
        first = records.with_columns(
            (pl.col("time") + pl.Series(delay)).alias("arrival"), pl.lit(value=False).alias("copy")
        )
        again = pl.Series(random.random(count) < how.duplicate_share)
        pause = pl.Series(random.integers(1, how.duplicate_ms + 1, count))
        copies = first.with_columns(pl.col("arrival") + pause, pl.lit(value=True).alias("copy"))
        return [first, copies.filter(again)]

    def _arrive(self, which: pl.Expr) -> pl.DataFrame:
        arrived = self._waiting.filter(which)
        self._waiting = self._waiting.filter(~which)
        # The id last: two events of one millisecond have one order, whatever the batches were.
        return arrived.sort("arrival", "time", "id", "copy")
