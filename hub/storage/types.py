"""The column types of the whole schema, in one place, because SQLite and PostgreSQL differ silently.

Every number is a 64-bit integer (SQLite stores whatever it is given; PostgreSQL's `integer` overflows at 2^31), every
time is milliseconds since the epoch in such a number, and no text holds NUL (PostgreSQL refuses it, SQLite stores it) or
a lone surrogate (neither driver can encode it).

The rule for text is kept at the edge (`hub.core.text.sanitise`). The column type does not check it again: a type with a
Python function in it costs 7 to 15 % of a bulk insert. The databases of the tests check every parameter instead
(`tests/databases.py`), so that a path that forgot the rule fails there on SQLite too.
"""

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Table, Text

Int64 = BigInteger
RowNumber = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database hands out: `INTEGER PRIMARY KEY` on SQLite, `BIGSERIAL` on PostgreSQL."""

UtcMillis = BigInteger
Bytes = LargeBinary
CleanText = Text().with_variant(Text(collation="C"), "postgresql")
"""Text without NUL and lone surrogates, compared byte by byte on both databases: the order of a list, and of ids, must not
depend on the language a PostgreSQL server was set up in (and comparing bytes is cheaper)."""


def table_of(model: Any) -> Table:
    """The `Table` of a SQLModel class; SQLModel does not declare `__table__`, so this is the one place that reads it."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model!r} is not a table model")
    return table
