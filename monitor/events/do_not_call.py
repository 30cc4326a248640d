"""The list of customers nobody may call, from files that others keep: a register, an export.

Owns reading the files, and whether a customer is on the list. One customer a line, first on it:
what follows a comma, semicolon or tab is not looked at, nor are empty lines and those that begin
with ``#``. Telephone numbers may be written in any way; names are normalised as in events. The list
is as it was when it was read, and is asked with what the event says alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import polars as pl

from monitor.events.hashed import Known
from monitor.events.identity import Identity
from monitor.events.phones import Phones
from monitor.events.settings import EventSettings
from monitor.events.tokens import WHOLE

ENTRIES_MAX: Final = 5_000_000
"""Of all files together; each takes 16 to 32 bytes."""


class TooManyEntriesError(ValueError):
    """Raised when the lists hold more than :data:`ENTRIES_MAX` customers."""


class DoNotCall:
    """Who is on the list; it does not change."""

    def __init__(
        self,
        customers: Iterable[str],
        settings: EventSettings,
        tokens: Callable[[], Iterable[Iterable[str]]] | None = None,
    ) -> None:
        """``customers``: as written; ``tokens``: makes those that stand for them, some at a time.

        Raises:
            TooManyEntriesError: there are too many.
        """
        written = list(customers)
        if len(written) > ENTRIES_MAX:
            msg = f"{len(written):,} entries; {ENTRIES_MAX:,} are the most"
            raise TooManyEntriesError(msg)
        self._known = Known()
        self._known.add(as_in_events(written, settings))
        self._make_tokens = tokens
        self._tokens: Known | None = None
        """Made when a token is first asked for: a daemon never sees one."""

    def __len__(self) -> int:
        """How many there are, each counted once."""
        return len(self._known)

    def holding(self, names: Iterable[str]) -> set[str]:
        """Those of ``names``, as events carry them, that are on the list."""
        asked = pl.Series(list(names), dtype=pl.String)
        return set(asked.filter(self._known.among(asked)).to_list())

    def holds(self, customers: pl.Series) -> pl.Series:
        """Which of them are on the list; null where there is no customer."""
        listed = self._known.among(customers)
        if self._make_tokens is not None and customers.str.contains(WHOLE).any():
            if self._tokens is None:
                self._tokens = Known()
                for some in self._make_tokens():
                    self._tokens.add(pl.Series(list(some), dtype=pl.String))
            listed |= self._tokens.among(customers)
        return listed.set(customers.is_null(), None)


def as_in_events(customers: Iterable[str], settings: EventSettings) -> pl.Series:
    """Customers as written become what events carry: E.164, or a normalised name, or themselves."""
    frame = pl.DataFrame({"customer": pl.Series(list(customers), dtype=pl.String)})
    spelled = Phones(settings.phones).column(frame["customer"])
    if spelled is not None:
        frame = frame.with_columns(spelled.alias("customer"))
    return Identity(settings.identity, settings.limits.key_chars).apply(frame)["customer"]


def read_list(path: Path) -> list[str]:
    """The customers of a file, as written.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8.
    """
    found = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.reader(_commas(line) for line in lines):
            entry = row[0].strip() if row else ""
            if entry and not entry.startswith("#"):
                found.append(entry)
    return found


def _commas(line: str) -> str:
    """The line with commas between its columns, whatever stood there; quoted text as it is."""
    parts = line.split('"')
    return '"'.join(
        part if place % 2 else part.replace(";", ",").replace("\t", ",")
        for place, part in enumerate(parts)
    )
