"""`INSERT` of many rows as plain tuples, for the tables that every text writes to.

SQLAlchemy's own `executemany` makes a dictionary per row and looks every value up again: 6 µs a row for a message, more than
half of what SQLite takes to store it. The columns and their order are fixed here; values go to the driver as they are, so
they must be what it knows: text, integers, booleans, bytes and None.

SQLite gets the tuples. PostgreSQL gets all rows as one JSON document in one statement: for 40 messages that is a third of the
client's work and three to six times the rows a second of one `INSERT` each. A table with bytes in it, which JSON has no word
for, gets one `INSERT` each.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, LargeBinary, Table

_encoder = msgspec.json.Encoder()


class BulkInsert:
    """One statement for one table, its text made once for each database."""

    def __init__(
        self, table: Table, columns: Sequence[str], literals: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`literals` are columns that have the same SQL value in every row; those named nowhere are NULL."""
        unknown = [name for name in (*columns, *literals) if name not in table.c]
        if unknown:
            raise ValueError(f"{table.name} has no columns {unknown}")
        self._columns = tuple(columns)
        names = ", ".join((*columns, *literals))
        values = ", ".join((*"?" * len(columns), *literals.values()))
        self._sqlite = f"insert into {table.name} ({names}) values ({values})"
        self._one_each = self._sqlite.replace("?", "%s")
        typed = ", ".join(f"{name} {_json_type(table.c[name])}" for name in columns)
        chosen = ", ".join((*columns, *literals.values()))
        self._document = (
            f"insert into {table.name} ({names}) select {chosen} from json_to_recordset(%s::json) as given({typed})"
        )
        self._has_bytes = any(isinstance(table.c[name].type, LargeBinary) for name in columns)

    def run(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each with one value per column in their order."""
        if not rows:
            return
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql(self._sqlite, list(rows))
        elif self._has_bytes:
            conn.exec_driver_sql(self._one_each, list(rows))
        else:
            document = _encoder.encode([dict(zip(self._columns, row, strict=True)) for row in rows])
            conn.exec_driver_sql(self._document, (document.decode(),))


def _json_type(column: Column[Any]) -> str:
    if isinstance(column.type, Boolean):
        return "boolean"
    return "bigint" if isinstance(column.type, BigInteger | Integer) else "text"
