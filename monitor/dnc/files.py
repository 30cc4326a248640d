"""The list as a file: what diallers read, and what may be read in again.

Owns the two forms; in each of them one customer a line, first on it, in full.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

from monitor.decisions import Listing, iso
from monitor.events.do_not_call import read_list

Form = Literal["plain", "csv"]
COLUMNS: Final = ("customer", "since", "until", "reason", "source", "by")


def head(form: Form) -> str:
    """What the file begins with: for ``csv`` the names of the columns."""
    return _line(COLUMNS) if form == "csv" else ""


def lines(listings: Iterable[Listing], form: Form) -> Iterator[str]:
    """Lines of the file after its head, each with its end."""
    for listing in listings:
        if form == "plain":
            yield f"{listing.customer}\n"
            continue
        until = "" if listing.until_ms is None else iso(listing.until_ms)
        since = iso(listing.since_ms)
        row = (listing.customer, since, until, listing.reason, listing.source, listing.by)
        yield _line(row)


def read(path: Path) -> list[str]:
    """The customers of a file, as written; a line that names columns is none of them.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8.
    """
    found = read_list(path)
    return found[1:] if found[:1] == [COLUMNS[0]] else found


def _line(row: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(_harmless(value) for value in row)
    return text.getvalue()


def _harmless(value: str) -> str:
    """A spreadsheet takes ``=…`` and ``@…`` for formulas; a telephone number's ``+`` stays."""
    return f"'{value}" if value[:1] in {"=", "@", "-", "\t"} else value
