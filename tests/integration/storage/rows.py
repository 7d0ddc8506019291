"""Rows of any table, filled so that both databases take them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, LargeBinary, Table, select

from hub.core.ids import first_id_at
from hub.storage.schema import METADATA


def row_at(table: Table, ms: int, number: int, **given: Any) -> dict[str, Any]:
    """A row whose every time is `ms` and whose every id is of that moment; `number` fills integer keys."""
    row = {column.name: _value(column, ms, number) for column in table.columns}
    assert not given.keys() - row.keys(), given
    return row | given


def _value(column: Column[Any], ms: int, number: int) -> Any:
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, BigInteger | Integer):
        return ms if column.name.endswith("at") else number
    if isinstance(column.type, LargeBinary):
        return b"x"
    return first_id_at(ms)


def insert(conn: Connection, table: str, *rows: Mapping[str, Any]) -> None:
    """Store rows."""
    conn.execute(METADATA.tables[table].insert(), [dict(row) for row in rows])


def all_of(conn: Connection, table: str, column: str) -> list[Any]:
    """One column of all rows."""
    return list(
        conn.execute(select(METADATA.tables[table].c[column]).order_by(METADATA.tables[table].c[column])).scalars()
    )


def count(conn: Connection) -> dict[str, int]:
    """Rows by table."""
    return {table.name: len(conn.execute(select(table)).all()) for table in METADATA.sorted_tables}
