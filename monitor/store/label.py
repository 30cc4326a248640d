"""Short texts that rows are found by: ids, kinds, numbers, receivers.

Owns what differs between databases in them. PostgreSQL keeps no NUL, indexes no text beyond some
2 700 bytes, and sorts by the server's language; a text from outside must not stop a decision from
being recorded because of that.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator, TypeEngine

LONGEST = 500
"""Characters kept whole; four bytes each, and two such columns, fit into one index row."""

_KEPT = 400
_NUL_SHOWN = "\u2400"


class Label(TypeDecorator[str]):
    """A text that is compared and sorted by its code points; searches are mapped as rows are."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type."""
        kind = String(collation="C") if dialect.name == "postgresql" else String()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as the database takes it."""
        if value is None or dialect.name != "postgresql":
            return value
        return fitting(value)


def fitting(text: str) -> str:
    """``text`` itself, or what stands for it: equal texts give equal ones, others do not."""
    if "\x00" in text:
        text = text.replace("\x00", _NUL_SHOWN)
    if len(text) <= LONGEST:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[:_KEPT]}…{digest}"
