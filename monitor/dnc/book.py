"""The do-not-call list as the engine has it: who is on it at a tick, and what changes it.

Owns the decisions alone. Events and people's requests of a tick change the list; what is judged
after that tick sees it. The list is no part of checkpoints: the store has every change with the
tick that decided it, and a start takes over those up to where the engine begins. So what is judged
again finds the list as it was, decides the same changes, and the store knows their ids already.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from monitor.decisions import ListAction, Listing, derive_id
from monitor.events.hashed import Known

BY_EVENTS: Final = "events"
_FOR_EVER: Final = 2**62
ENDED_BY_CONSENT: Final = frozenset({"opted_out", "refused"})
"""What a customer said themselves, they may take back themselves."""
CONSENTED: Final = "sms.consented"

_SAYS = {
    "opted_out": pl.col("type") == "sms.opted_out",
    "unsolicited": (pl.col("type") == "complaint.filed") & (pl.col("category") == "unsolicited"),
    "refused": pl.col("type").is_in(["call.ended", "followup.logged", "message.received"])
    & pl.col("refused"),
}
_TYPES = {
    "opted_out": frozenset({"sms.opted_out"}),
    "unsolicited": frozenset({"complaint.filed"}),
    "refused": frozenset({"call.ended", "followup.logged", "message.received"}),
}
_FIELDS = {
    "opted_out": frozenset[str](),
    "unsolicited": frozenset({"category"}),
    "refused": frozenset({"refused"}),
}


@dataclass(frozen=True, slots=True)
class Feeding:
    """What changes the list by itself, and its bound; of the configuration of the day."""

    events: frozenset[str] = frozenset()
    """Of ``opted_out``, ``unsolicited``, ``refused``."""
    consent_ends: bool = True
    """Whether ``sms.consented`` takes off whom ``opted_out`` or ``refused`` put on."""
    entries_max: int = 1_000_000

    @property
    def types(self) -> frozenset[str]:
        """Event types that are looked at."""
        more = {CONSENTED} if self.consent_ends and self.events & ENDED_BY_CONSENT else set()
        return frozenset(more).union(*(_TYPES[name] for name in self.events))

    @property
    def fields(self) -> frozenset[str]:
        """Fields of events that are looked at."""
        return frozenset[str]().union(*(_FIELDS[name] for name in self.events))


class Entry(NamedTuple):
    """One customer on the list."""

    tick: int
    """Judged after it, they are on it."""
    since_ms: int
    until_ms: int | None
    reason: str

    def stands(self, tick: int) -> bool:
        """Whether it holds for what is judged at ``tick``."""
        return self.tick < tick and (self.until_ms is None or tick < self.until_ms)


class Book:
    """Who is on the list; one thread uses it."""

    def __init__(self) -> None:
        """Nobody is."""
        self._entries: dict[str, Entry] = {}
        self._ever = Known()
        """Whoever was on it, without the names: most rows are of nobody who was."""
        self.refused = 0
        """Customers for whom there was no room."""
        self._dropped_ms = -1

    def __len__(self) -> int:
        """Entries, those that are over and were not replaced among them."""
        return len(self._entries)

    def load(self, changes: Iterable[Listing]) -> None:
        """Take over what was decided before, in order."""
        for change in changes:
            if change.action == "remove":
                self._entries.pop(change.customer, None)
            else:
                self._put(change, change.at_ms)
        self._ever = Known()
        self._ever.add(pl.Series(list(self._entries), dtype=pl.String))

    def take(
        self,
        rows: pl.DataFrame | None,
        requests: Sequence[tuple[int, ListAction]],
        feeding: Feeding,
        *,
        silent_until: int,
        asked: bool,
    ) -> tuple[list[Listing], pl.Series | None]:
        """What some ticks change, in order, and which of their rows are of whom is on the list.

        Args:
            rows: released, in the order of their ticks; ``type``, ``time``, ``tick``,
                ``customer`` and what ``feeding`` names.
            requests: of people, with their ticks, in order.
            feeding: what events do.
            silent_until: up to this tick everything is decided already.
            asked: whether anybody looks at the second answer.

        Returns:
            The changes; and a Boolean column beside ``rows``, null where there is no customer. None
            in its place where nobody is on the list, or it was not asked for.
        """
        wishes = deque(_wishes(requests, rows, feeding))
        while wishes and wishes[0].at_ms <= silent_until:
            wishes.popleft()
        step = _Step(self, wishes, feeding)
        found = None
        if asked and rows is not None and (wishes or self._entries):
            found = self._among(rows, step)
        step.go_to(_FOR_EVER)
        if step.listings:
            added = [each.customer for each in step.listings if each.action == "add"]
            self._ever.add(pl.Series(added, dtype=pl.String))
        return step.listings, found

    def _among(self, rows: pl.DataFrame, step: _Step) -> pl.Series:
        customers = rows["customer"]
        known = customers.is_not_null()
        listed = pl.Series(np.zeros(rows.height, np.bool_))
        touched = list({wish.customer for wish in step.wishes})
        maybe = self._ever.among(customers) | customers.is_in(touched).fill_null(value=False)
        places = np.flatnonzero((maybe & known).to_numpy())
        ticks = rows["tick"].gather(places).to_list()
        stands = []
        for tick, name in zip(ticks, customers.gather(places).to_list(), strict=True):
            step.go_to(tick)
            entry = self._entries.get(name)
            stands.append(entry is not None and entry.stands(tick))
        listed = listed.scatter(places, stands)
        return listed.set(~known, None)

    def changes(self, wish: Listing, feeding: Feeding) -> bool:
        """Do what is wished, if that changes anything."""
        entry = self._entries.get(wish.customer)
        if wish.action == "remove":
            if entry is None or (wish.reason == "consented" and not _may_take_back(wish, entry)):
                return False
            del self._entries[wish.customer]
            return True
        stands = entry is not None and entry.stands(wish.at_ms + 1)
        if entry is not None and stands and not _goes_further(wish, entry):
            return False
        if entry is None and len(self._entries) >= feeding.entries_max:
            self._drop_ended(wish.at_ms)
        if entry is None and len(self._entries) >= feeding.entries_max:
            self.refused += 1
            return False
        self._put(wish, entry.tick if entry is not None and stands else wish.at_ms)
        return True

    def _drop_ended(self, tick: int) -> None:
        """Make room: what is over says nothing any more. Once a tick, as it looks at all."""
        if tick > self._dropped_ms:
            self._dropped_ms = tick
            ends = ((who, entry.until_ms) for who, entry in self._entries.items())
            over = [who for who, until_ms in ends if until_ms is not None and until_ms <= tick]
            for who in over:
                del self._entries[who]

    def _put(self, change: Listing, tick: int) -> None:
        self._entries[change.customer] = Entry(
            tick, change.since_ms, change.until_ms, change.reason
        )


@dataclass(slots=True)
class _Step:
    """What is wished at the ticks of one step, and what became of it."""

    book: Book
    wishes: deque[Listing]
    """In order, without ids."""
    feeding: Feeding
    listings: list[Listing] = field(default_factory=list)
    made: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Changes of a customer at a tick, so that each has an id of its own."""

    def go_to(self, tick: int) -> None:
        """Do all that was wished before ``tick``."""
        while self.wishes and self.wishes[0].at_ms < tick:
            wish = self.wishes.popleft()
            if self.book.changes(wish, self.feeding):
                place = wish.customer, wish.at_ms
                name = derive_id("do_not_call", wish.action, *place, self.made[place])
                self.made[place] += 1
                self.listings.append(replace(wish, id=name))


def _may_take_back(consent: Listing, entry: Entry) -> bool:
    return entry.reason in ENDED_BY_CONSENT and consent.since_ms > entry.since_ms


def _goes_further(wish: Listing, entry: Entry) -> bool:
    """Whether it lasts longer than what stands."""
    if entry.until_ms is None:
        return False
    return wish.until_ms is None or wish.until_ms > entry.until_ms


def _wishes(
    requests: Sequence[tuple[int, ListAction]], rows: pl.DataFrame | None, feeding: Feeding
) -> list[Listing]:
    """What people and events wish, by tick; people first."""
    wished = [wish for tick, action in requests for wish in _of_person(tick, action)]
    if rows is not None and feeding.events:
        wished += _of_rows(rows, feeding)
    return sorted(wished, key=lambda wish: wish.at_ms)  # which keeps the order within a tick


def _of_person(tick: int, action: ListAction) -> Iterator[Listing]:
    for customer in action.customers:
        yield Listing(
            at_ms=tick,
            id="",
            action=action.action,
            customer=customer,
            since_ms=action.since_ms,
            until_ms=action.until_ms,
            reason=action.reason,
            source=action.source,
            by=action.who,
            why=action.why,
            request=action.id,
        )


def _of_rows(rows: pl.DataFrame, feeding: Feeding) -> list[Listing]:
    says = pl.lit(None, dtype=pl.String)
    for name in sorted(feeding.events):
        says = pl.when(_SAYS[name]).then(pl.lit(name)).otherwise(says)
    if CONSENTED in feeding.types:
        says = pl.when(pl.col("type") == CONSENTED).then(pl.lit("consented")).otherwise(says)
    said = (
        rows.lazy()
        .select("tick", "customer", "time", "type", says.alias("says"))
        .filter(pl.col("says").is_not_null() & pl.col("customer").is_not_null())
        .collect()
    )
    return [
        Listing(
            at_ms=tick,
            id="",
            action="remove" if says == "consented" else "add",
            customer=customer,
            since_ms=time,
            until_ms=None,
            reason=says,
            source=kind,
            by=BY_EVENTS,
        )
        for tick, customer, time, kind, says in said.iter_rows()
    ]
