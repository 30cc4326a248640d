"""When another agent last worked an event's customer: ``other_agent_at``.

Owns one bounded table: of each customer who worked them last and when, and when somebody else last
did before that. As with ``monitor.events.customers`` rows are learnt from in the order in which
they are released, a row is not among its own earlier ones, and how rows are cut into frames does
not matter. Agents are kept as 64 bits of their names' hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from monitor.keys import KeyTable

FIELD: Final = "other_agent_at"
TYPES: Final = frozenset({"message.sent", "customer.note", "quote.sent"})
"""With these an agent works a customer, unless a machine did (``auto``)."""
FIELDS: Final = frozenset({"auto"})
KEEP_MS: Final = 31 * 86_400_000
NEVER: Final = -(2**62)
_ROW, _WHO, _AT, _OTHER = "__row", "__who", "__at", "__other"
_WORKS = pl.col("type").is_in(sorted(TYPES)) & ~pl.col("auto").fill_null(value=False)


class Colleagues:
    """The table; one thread uses it."""

    def __init__(self, limit: int) -> None:
        """Nothing is known of anybody; past ``limit`` customers room is made at the next tick."""
        self._limit = limit
        self._keys = KeyTable(2**62)  # there is room for a tick's; what is beyond goes at the next
        self._held = np.zeros((3, 0), np.int64)
        """By key: who worked the customer last, when, and when another one did before."""
        self._tick: int | None = None
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._keys)

    def apply(self, released: pl.DataFrame) -> pl.Series:
        """For each row when another agent than its own last worked its customer; null: never.

        Needs ``type``, ``time``, ``tick``, ``customer``, ``agent`` and ``auto``.
        """
        who = _named(released["agent"])
        said = self._said(released, who)
        if len(self) + said.height <= self._limit:
            return self._pass(released, who, said)
        found, first = [], 0
        for part in released.partition_by("tick", maintain_order=True):
            tick = int(part["tick"][0])
            if tick != self._tick and len(self) > self._limit:
                self._make_room(tick)
            whose = who.slice(first, part.height)
            found.append(self._pass(part, whose, self._said(part, whose)))
            first += part.height
        return pl.concat(found)

    def _said(self, released: pl.DataFrame, who: pl.Series) -> pl.DataFrame:
        """The rows with which an agent works a customer."""
        return (
            released.lazy()
            .select(
                "customer",
                pl.int_range(pl.len(), dtype=pl.Int64).alias(_ROW),
                who.alias(_WHO),
                pl.col("time").alias(_AT),
                _WORKS.alias("works"),
            )
            .filter(pl.col("works") & pl.col("customer").is_not_null() & pl.col(_WHO).is_not_null())
            .drop("works")
            .collect()
        )

    def _pass(self, released: pl.DataFrame, who: pl.Series, said: pl.DataFrame) -> pl.Series:
        self._tick = int(released["tick"][-1])
        if said.is_empty() and not len(self):
            return pl.Series([None], dtype=pl.Int64).new_from_index(0, released.height)
        nobody = pl.lit(None, dtype=pl.Int64).alias(_OTHER)
        before = pl.col(_WHO).shift(1).over("customer")
        # What is known came before the first row. A stretch of one agent's rows has before it
        # whoever came last before the stretch.
        since = (
            pl.concat([self._known(released["customer"]), said.with_columns(nobody)])
            .with_columns(
                pl.when(before.is_not_null() & (before != pl.col(_WHO)))
                .then(pl.col(_AT).shift(1).over("customer"))
                .otherwise(_OTHER)
                .alias(_OTHER)
            )
            .with_columns(pl.col(_OTHER).forward_fill().over("customer"))
        )
        self._learn(since.filter(pl.col(_ROW) >= 0).unique("customer", keep="last"))
        asked = released.select(
            "customer",
            "time",
            pl.int_range(pl.len(), dtype=pl.Int64).alias(_ROW),
            who.alias("__asks"),
        )
        found = asked.join_asof(
            since, on=_ROW, by="customer", allow_exact_matches=False, check_sortedness=False
        ).select(
            pl.when(pl.col("__asks") == pl.col(_WHO)).then(_OTHER).otherwise(_AT).alias(FIELD),
            "time",
            "__asks",
        )
        ago = pl.col("time") - pl.col(FIELD)
        recent = ago.is_between(0, KEEP_MS) & pl.col("__asks").is_not_null()
        return found.select(pl.when(recent).then(FIELD)).to_series()

    def _known(self, customers: pl.Series) -> pl.DataFrame:
        """What the table has of these."""
        names = customers.drop_nulls().unique() if len(self) else customers.clear()
        ids = pl.Series(list(map(self._keys.find, names.to_list())), dtype=pl.Int64)
        found = ids.is_not_null()
        who, at, other = self._held[:, ids.filter(found).to_numpy()]
        return pl.DataFrame(
            {
                "customer": names.filter(found),
                _ROW: np.full(len(at), -1, np.int64),
                _WHO: who,
                _AT: at,
                _OTHER: pl.select(
                    pl.when(pl.Series(other) != NEVER).then(pl.Series(other))
                ).to_series(),
            }
        )

    def _learn(self, last: pl.DataFrame) -> None:
        ids = self._keys.intern(last["customer"].to_list())
        if self._keys.size > self._held.shape[1]:
            more = np.full((3, self._keys.size), NEVER, np.int64)
            self._held = np.concatenate([self._held, more], axis=1)
        told = last.select(_WHO, _AT, pl.col(_OTHER).fill_null(NEVER))
        self._held[:, ids] = told.to_numpy().T

    def _make_room(self, tick: int) -> None:
        """Forget what is too long ago, and the oldest quarter where that is not enough."""
        living = self._keys.living()
        at = self._held[1, living]
        old = at < tick - KEEP_MS
        if len(at) - old.sum() > self._limit:
            most = self._limit - self._limit // 4
            old |= at <= np.sort(at)[len(at) - most - 1]
            self.forgotten += int(old.sum())
        self._keys.release(living[old].tolist())

    def snapshot(self) -> dict[str, Any]:
        """The table."""
        held = self._held[:, : self._keys.size].copy()
        return {"keys": self._keys.snapshot(), "held": held, "tick": self._tick}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue as if never stopped after :meth:`snapshot` gave ``state``."""
        self._keys.restore(state["keys"])
        self._held = np.array(state["held"], dtype=np.int64).reshape(3, -1)
        self._tick = state["tick"]


def _named(agents: pl.Series) -> pl.Series:
    """Each agent as a number that is the same in every process and version; null stays null."""
    names = agents.drop_nulls().unique()
    codes = [
        int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        for name in names.to_list()
    ]
    return agents.replace_strict(
        names, pl.Series(codes, dtype=pl.Int64), default=None, return_dtype=pl.Int64
    )
