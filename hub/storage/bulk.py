"""Writes of many rows as plain tuples, for the tables that every text writes to.

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

from hub.storage.direct import run_many, run_text

_encoder = msgspec.json.Encoder()


class BulkInsert:
    """`INSERT` of rows into one table, its text made once for each database."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        literals: Mapping[str, str] = MappingProxyType({}),
        on_conflict: str = "",
    ) -> None:
        """`literals` are columns that have the same SQL value in every row; those named nowhere are NULL.

        `on_conflict` is that clause, as both databases write it: `on conflict (id) do update set n = t.n + excluded.n`.
        """
        _require(table, (*columns, *literals))
        self._rows = Document(table, columns)
        names = ", ".join((*columns, *literals))
        into = f"insert into {table.name} ({names})"
        values = ", ".join((*"?" * len(columns), *literals.values()))
        self._sqlite = f"{into} values ({values}) {on_conflict}"
        numbered = ", ".join((*(f"${place}" for place in range(1, len(columns) + 1)), *literals.values()))
        self._one_each = f"{into} values ({numbered}) {on_conflict}"
        chosen = ", ".join((*columns, *literals.values()))
        given = f"json_to_recordset($1::json) as given({self._rows.typed})"
        self._document = f"{into} select {chosen} from {given} {on_conflict}"
        self._has_bytes = any(isinstance(table.c[name].type, LargeBinary) for name in columns)

    def run(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each with one value per column in their order."""
        if not rows:
            return
        if conn.dialect.name == "sqlite":
            run_many(conn, self._sqlite, rows)
        elif self._has_bytes:
            for row in rows:
                run_text(conn, self._one_each, row)
        else:
            run_text(conn, self._document, (self._rows.of(rows),))


class BulkUpdate:
    """`UPDATE` of rows of one table by key, its text made once for each database."""

    def __init__(self, table: Table, columns: Sequence[str], keys: Sequence[str], *, while_null: str = "") -> None:
        """A row given to `run` has the values of `columns`, then those of `keys`; no key stands twice in one run.

        `while_null` is a column: rows that have a value there are left alone.
        """
        _require(table, (*columns, *keys, *((while_null,) if while_null else ())))
        only = f" and {table.name}.{while_null} is null" if while_null else ""
        self._rows = Document(table, (*columns, *keys))
        changes = ", ".join(f"{name} = ?" for name in columns)
        self._sqlite = f"update {table.name} set {changes} where {' and '.join(f'{key} = ?' for key in keys)}{only}"
        changes = ", ".join(f"{name} = given.{name}" for name in columns)
        given = f"json_to_recordset($1::json) as given({self._rows.typed})"
        where = " and ".join(f"{table.name}.{key} = given.{key}" for key in keys)
        self._document = f"update {table.name} set {changes} from {given} where {where}{only}"

    def run(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write rows that are there already."""
        if not rows:
            return
        if conn.dialect.name == "sqlite":
            run_many(conn, self._sqlite, rows)
        else:
            run_text(conn, self._document, (self._rows.of(rows),))


class Document:
    """Rows of a table as one JSON document, for PostgreSQL."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self._width = {len(columns)}
        self._row = msgspec.defstruct(f"{table.name}_row", [(name, Any, None) for name in columns], omit_defaults=True)
        """A row whose NULLs are left out: PostgreSQL takes what is not there for NULL."""
        self.typed = ", ".join(f"{name} {_json_type(table.c[name])}" for name in columns)
        """The columns with their types, as `json_to_recordset` wants them."""

    def of(self, rows: Sequence[tuple[Any, ...]]) -> str:
        """The document, for rows with one value per column in their order."""
        if rows and {len(row) for row in rows} != self._width:
            raise ValueError(f"each row has one value for each of {', '.join(self._row.__struct_fields__)}")
        made = self._row
        return _encoder.encode([made(*row) for row in rows]).decode()


def _require(table: Table, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in table.c]
    if unknown:
        raise ValueError(f"{table.name} has no columns {unknown}")


def _json_type(column: Column[Any]) -> str:
    if isinstance(column.type, Boolean):
        return "boolean"
    return "bigint" if isinstance(column.type, BigInteger | Integer) else "text"
