"""The SMS that go before the calls, and the customers they warm up.

Owns the SMS flow and the bounded list of customers who opened one and wait for their call.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Int64 = npt.NDArray[np.int64]

PER_CALL: Final = 0.35
"""SMS sent for each attempted call."""
DELIVERED: Final = 0.97
OPENED: Final = 0.45
CONSENTED: Final = 0.8
"""Of those who opened."""
OPTED_OUT: Final = 0.004
EVENTS_PER_SMS: Final = 1 + DELIVERED * (1 + OPENED * (1 + CONSENTED) + OPTED_OUT)
WAITING_MAX: Final = 50_000
CUSTOMERS: Final = 20_000_000
TAGS: Final = pl.Series(["new", "returning", "vip", "dormant", "referred"])


class Messages:
    """SMS in a span of time, and who of their readers is ready to be called."""

    def __init__(self, random: np.random.Generator, campaigns: pl.Series) -> None:
        self._random = random
        self._campaigns = campaigns
        self._sent = 0
        self._ready_ms = np.empty(0, dtype=np.int64)
        self._customer = np.empty(0, dtype=np.int64)

    def send(self, times_ms: Int64) -> dict[str, pl.DataFrame]:
        """What comes of one SMS sent at each of ``times_ms``: a frame by type, without ids."""
        random, count = self._random, len(times_ms)
        customer = random.integers(0, CUSTOMERS, count)
        delivered_ms = times_ms + random.integers(2_000, 20_000, count)
        opened_ms = delivered_ms + (random.exponential(180_000.0, count)).astype(np.int64) + 5_000
        consented_ms = opened_ms + random.integers(5_000, 60_000, count)
        delivered = random.random(count) < DELIVERED
        opened = delivered & (random.random(count) < OPENED)
        consented = opened & (random.random(count) < CONSENTED)
        opted_out = delivered & ~opened & (random.random(count) < OPTED_OUT / (1 - OPENED))
        self._wait(consented_ms[consented], customer[consented])
        base = pl.DataFrame(
            {
                "time": times_ms,
                "customer": customer_names(customer),
                "customer_tag": TAGS.gather(customer % len(TAGS)),
                "campaign": self._campaigns.gather(random.integers(0, len(self._campaigns), count)),
                "message_id": pl.Series(np.arange(self._sent, self._sent + count)).cast(pl.String),
                "segments": random.integers(1, 3, count),
                "template": pl.Series(["welcome", "offer", "reminder"]).gather(customer % 3),
            }
        ).with_columns(
            pl.concat_str(pl.lit("m-"), "message_id").alias("message_id"),
            (pl.col("segments") * 0.05).alias("cost"),
        )
        self._sent += count
        moments = {
            "sms.sent": (times_ms, np.ones(count, dtype=np.bool_)),
            "sms.delivered": (delivered_ms, delivered),
            "sms.opened": (opened_ms, opened),
            "sms.consented": (consented_ms, consented),
            "sms.opted_out": (opened_ms, opted_out),
        }
        frames = {
            kind: base.with_columns(pl.Series("time", at)).filter(pl.Series(chosen))
            for kind, (at, chosen) in moments.items()
        }
        out = frames["sms.opted_out"]
        frames["sms.opted_out"] = out.with_columns(pl.lit("TD").alias("keyword"))
        return frames

    def take(self, count: int, before_ms: int) -> Int64:
        """At most ``count`` customers who consented before ``before_ms``; they are called once."""
        ready = np.flatnonzero(self._ready_ms < before_ms)[:count]
        taken = self._customer[ready]
        keep = np.ones(len(self._customer), dtype=np.bool_)
        keep[ready] = False
        self._ready_ms, self._customer = self._ready_ms[keep], self._customer[keep]
        return taken

    def _wait(self, ready_ms: Int64, customer: Int64) -> None:
        self._ready_ms = np.concatenate([self._ready_ms, ready_ms])[-WAITING_MAX:]
        self._customer = np.concatenate([self._customer, customer])[-WAITING_MAX:]


def customer_names(customer: Int64) -> pl.Series:
    """Opaque ids for most, mobile numbers for one in four."""
    digits = pl.Series("customer", customer).cast(pl.String).str.zfill(8)
    opaque = pl.Series(customer % 4 != 0)
    prefix = pl.select(pl.when(opaque).then(pl.lit("c-")).otherwise(pl.lit("+86138"))).to_series()
    return prefix + digits
