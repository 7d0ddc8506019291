"""The column types of the whole schema, in one place, because SQLite and PostgreSQL differ silently.

Every number is a 64-bit integer (SQLite stores whatever it is given; PostgreSQL's `integer` overflows at 2^31), every
time is milliseconds since the epoch in such a number, and no text holds NUL (PostgreSQL refuses it) or a lone surrogate
(neither driver can encode it).
"""

from typing import Any, TypeVar

from sqlalchemy import BigInteger, Integer, LargeBinary, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

Int64 = BigInteger
RowNumber = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database hands out: `INTEGER PRIMARY KEY` on SQLite, `BIGSERIAL` on PostgreSQL."""

UtcMillis = BigInteger
Bytes = LargeBinary

ModelT = TypeVar("ModelT", bound=type[SQLModel])


class CleanText(TypeDecorator[str]):
    """Text that both databases store and give back unchanged.

    The rule lives at the edge (`hub.core.text.sanitise`); here it is only enforced, so that a path that forgot it fails
    the same way on both databases instead of on one.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None and "\x00" in value:
            raise ValueError("text holds NUL: sanitise it where it enters the hub")
        return value


def table_of(model: Any) -> Table:
    """The `Table` of a SQLModel class; SQLModel does not declare `__table__`, so this is the one place that reads it."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model!r} is not a table model")
    return table
