"""Where the tables of the store are registered; ``monitor.store.schema`` has their versions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData

METADATA = MetaData()
# SQLite counts rows only in a column of type INTEGER.
_SEQ = BigInteger().with_variant(Integer(), "sqlite")


def seq() -> Column[int]:
    """A column that numbers rows and is never given twice."""
    return Column("seq", _SEQ, primary_key=True, autoincrement=True)
