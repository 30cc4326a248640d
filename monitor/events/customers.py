"""When each customer last opted out or agreed, wrote, was spoken to, or was abandoned on a call.

Owns those fields of ``monitor.events.catalogue.DERIVED``: what earlier rows said of the customer,
as a column of times beside the rows' own. Rows are learnt from in the order in which they are
released, and a row is not among its own earlier ones. Of several that say so the latest time
counts, unless something that takes it back (a consent after opting out) has a later one, in
whatever order they came. A time after the row's own is none: the row comes late, and was before it.

``other_agent_at`` is ``monitor.events.colleagues``'s, and one of these tables like the others.
Each field has a bounded table. Past its limit, at the first row of the next tick, what is beyond
``keep_ms`` is forgotten, and if that is not enough the oldest quarter. Everything is a function of
the rows and their order; how they are cut into frames does not matter. A table is learnt while some
rule or indicator looks at the field, and from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.events import colleagues
from monitor.events.catalogue import DERIVED
from monitor.events.settings import CustomerSettings
from monitor.keys import KeyTable

Int64 = npt.NDArray[np.int64]

DAY_MS: Final = 86_400_000
NEVER: Final = -(2**62)
_ROW = "__row"
_AT = "__at"
_BACK = "__back"


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What a field is learnt from."""

    says: pl.Expr
    """Rows whose time it is from now on."""
    fields: frozenset[str]
    """Catalogue fields that are looked at."""
    types: frozenset[str]
    takes_back: pl.Expr | None = None
    in_doubt: bool = True
    """Whether it stands where what takes it back is of the same millisecond."""
    keep_ms: int | None = None
    """Longer ago is as good as never; None: never forgotten."""


_REFUSALS = ("call.ended", "followup.logged", "message.received")
_IS_CALL = pl.col("type") == "call.ended"
_LESSONS: Mapping[str, _Lesson] = MappingProxyType(
    {
        "opted_out_at": _Lesson(
            says=(pl.col("type") == "sms.opted_out")
            | (pl.col("type").is_in(_REFUSALS) & pl.col("refused")),
            takes_back=pl.col("type") == "sms.consented",
            fields=frozenset({"refused"}),
            types=frozenset({"sms.opted_out", "sms.consented", *_REFUSALS}),
        ),
        "consented_at": _Lesson(
            says=pl.col("type") == "sms.consented",
            in_doubt=False,
            takes_back=(pl.col("type") == "sms.opted_out")
            | (pl.col("type").is_in(_REFUSALS) & pl.col("refused").fill_null(value=False)),
            fields=frozenset({"refused"}),
            types=frozenset({"sms.opted_out", "sms.consented", *_REFUSALS}),
        ),
        "wrote_at": _Lesson(
            says=(pl.col("type") == "message.received") & ~pl.col("auto").fill_null(value=False),
            fields=frozenset({"auto"}),
            types=frozenset({"message.received"}),
            keep_ms=31 * DAY_MS,
        ),
        "conversation_at": _Lesson(
            says=_IS_CALL & (pl.col("outcome") == "answered") & (pl.col("talk_s") > 0),
            fields=frozenset({"outcome", "talk_s"}),
            types=frozenset({"call.ended"}),
            keep_ms=31 * DAY_MS,
        ),
        "abandoned_at": _Lesson(
            says=_IS_CALL
            & (pl.col("outcome") == "abandoned")
            & (pl.col("direction") == "outbound"),
            fields=frozenset({"outcome", "direction"}),
            types=frozenset({"call.ended"}),
            keep_ms=31 * DAY_MS,
        ),
    }
)

_FIELDS = (*_LESSONS, colleagues.FIELD)


def read_for(fields: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """What is to be decoded for ``fields``: those that events carry, and further event types."""
    lessons = [_LESSONS[name] for name in fields if name in _LESSONS]
    carried = frozenset(fields) - frozenset(DERIVED)
    types = frozenset[str]()
    if colleagues.FIELD in fields:
        carried, types = carried | colleagues.FIELDS, colleagues.TYPES
    return (
        carried.union(*(lesson.fields for lesson in lessons)),
        types.union(*(lesson.types for lesson in lessons)),
    )


class Customers:
    """The tables; one thread uses them."""

    def __init__(self, settings: CustomerSettings) -> None:
        """Nothing is known of anybody."""
        self._limit = settings.remembered
        self._tables: dict[str, _Table | colleagues.Colleagues] = {}

    def apply(self, released: pl.DataFrame, wanted: Collection[str]) -> pl.DataFrame:
        """``released`` with the ``wanted`` ones of the fields; other fields are left alone.

        Needs ``type``, ``time``, ``tick``, ``customer`` and what :func:`read_for` names; rows and
        their order stay as they are.
        """
        columns = [
            self._table(name).apply(released).alias(name) for name in _FIELDS if name in wanted
        ]
        return released.with_columns(columns) if columns else released

    @property
    def held(self) -> int:
        """Customers in the fullest table."""
        return max((len(table) for table in self._tables.values()), default=0)

    @property
    def forgotten(self) -> int:
        """Customers that were forgotten for want of room, since the start."""
        return sum(table.forgotten for table in self._tables.values())

    def snapshot(self) -> dict[str, Any]:
        """All tables."""
        return {name: table.snapshot() for name, table in self._tables.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue as if never stopped after :meth:`snapshot` gave ``state``."""
        self._tables = {}
        for name, held in state.items():
            if name in _FIELDS:
                self._table(name).restore(held)

    def _table(self, name: str) -> _Table | colleagues.Colleagues:
        if name not in self._tables:
            lesson = _LESSONS.get(name)
            self._tables[name] = (
                colleagues.Colleagues(self._limit)
                if lesson is None
                else _Table(lesson, self._limit)
            )
        return self._tables[name]


class _Table:
    """By customer, when it was last so."""

    def __init__(self, lesson: _Lesson, limit: int) -> None:
        self._lesson = lesson
        self._limit = limit
        self._keys = KeyTable(2**62)  # there is room for a tick's; what is beyond goes at the next
        self._at = np.zeros((2, 0), np.int64)
        """By key, when it was last said, and when it was last taken back; ``NEVER``."""
        self._tick: int | None = None
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._keys)

    def apply(self, released: pl.DataFrame) -> pl.Series:
        said = self._said(released)
        if len(self) + said.height <= self._limit:
            return self._pass(released, said)
        return pl.concat(
            self._in_tick(tick) for tick in released.partition_by("tick", maintain_order=True)
        )

    def _in_tick(self, released: pl.DataFrame) -> pl.Series:
        """Rows of one tick, for which there may be no room."""
        tick = int(released["tick"][0])
        if tick != self._tick and len(self) > self._limit:
            self._make_room(tick)
        return self._pass(released, self._said(released))

    def _said(self, released: pl.DataFrame) -> pl.DataFrame:
        """The rows that say something or take it back, with the times of that."""
        back = self._lesson.takes_back
        takes_back = pl.lit(False) if back is None else back
        return (
            released.lazy()
            .select(
                "customer",
                pl.int_range(pl.len(), dtype=pl.Int64).alias(_ROW),
                pl.when(self._lesson.says).then("time").alias(_AT),
                pl.when(takes_back).then("time").alias(_BACK),
            )
            .filter(
                pl.col("customer").is_not_null()
                & (pl.col(_AT).is_not_null() | pl.col(_BACK).is_not_null())
            )
            .collect()
        )

    def _pass(self, released: pl.DataFrame, said: pl.DataFrame) -> pl.Series:
        if said.is_empty() and not len(self):
            self._tick = int(released["tick"][-1])
            return pl.Series([None], dtype=pl.Int64).new_from_index(0, released.height)
        known = self._known(released["customer"])
        # What is known came before the first row. Of each kind the latest time counts.
        since = pl.concat([known, said]).with_columns(
            pl.col(_AT, _BACK).fill_null(NEVER).cum_max().over("customer")
        )
        last = since.filter(pl.col(_ROW) >= 0).unique("customer", keep="last", maintain_order=True)
        found = (
            released.select("customer", "time", pl.int_range(pl.len(), dtype=pl.Int64).alias(_ROW))
            .join_asof(
                since, on=_ROW, by="customer", allow_exact_matches=False, check_sortedness=False
            )
            .select(pl.when(self._counts()).then(_AT))
            .to_series()
        )
        self._learn(last)
        self._tick = int(released["tick"][-1])
        return found

    def _counts(self) -> pl.Expr:
        at, back, keep_ms = pl.col(_AT), pl.col(_BACK), self._lesson.keep_ms
        stands = at >= back if self._lesson.in_doubt else at > back
        ago = pl.col("time") - at
        recent = ago >= 0 if keep_ms is None else ago.is_between(0, keep_ms)
        return (at != NEVER) & stands & recent

    def _known(self, customers: pl.Series) -> pl.DataFrame:
        """What the table has of these."""
        names = customers.drop_nulls().unique() if len(self) else customers.clear()
        ids = pl.Series(list(map(self._keys.find, names.to_list())), dtype=pl.Int64)
        found = ids.is_not_null()
        at, back = self._at[:, ids.filter(found).to_numpy()]
        before = np.full(len(at), -1, np.int64)
        return pl.DataFrame({"customer": names.filter(found), _ROW: before, _AT: at, _BACK: back})

    def _learn(self, last: pl.DataFrame) -> None:
        """What was said last of each customer of some rows."""
        ids = self._keys.intern(last["customer"].to_list())
        if self._keys.size > self._at.shape[1]:
            more = np.full((2, self._keys.size), NEVER, np.int64)
            self._at = np.concatenate([self._at, more], axis=1)
        self._at[:, ids] = last.select(_AT, _BACK).to_numpy().T

    def _make_room(self, tick: int) -> None:
        """Forget what is too long ago, and the oldest quarter where that is not enough.

        What was taken back is only remembered for what may still come late.
        """
        living = self._keys.living()
        at, back = self._at[:, living]
        newest = np.maximum(at, back)
        old = (back > at) & (back < tick - DAY_MS)
        if self._lesson.keep_ms is not None:
            old |= newest < tick - self._lesson.keep_ms
        if len(at) - old.sum() > self._limit:
            most = self._limit - self._limit // 4
            old |= newest <= np.sort(newest)[len(newest) - most - 1]
            self.forgotten += int(old.sum())
        self._keys.release(living[old].tolist())

    def snapshot(self) -> dict[str, Any]:
        at = self._at[:, : self._keys.size].copy()
        return {"keys": self._keys.snapshot(), "at": at, "tick": self._tick}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._keys.restore(state["keys"])
        self._at = np.array(state["at"], dtype=np.int64).reshape(2, -1)
        self._tick = state["tick"]
