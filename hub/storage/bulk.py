"""`INSERT` of many rows as plain tuples, for the tables that every text writes to.

SQLAlchemy's own `executemany` makes a dictionary per row and looks every value up again: 6 µs a row for a message, more than
half of what SQLite takes to store it. The columns and their order are fixed here; values go to the driver as they are, so
they must be what it knows: text, integers, booleans, bytes and None.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table


class BulkInsert:
    """One statement for one table, its text made once for each database."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        unknown = [name for name in columns if name not in table.c]
        if unknown:
            raise ValueError(f"{table.name} has no columns {unknown}")
        names = ", ".join(columns)
        self._text = {
            dialect: f"INSERT INTO {table.name} ({names}) VALUES ({', '.join([mark] * len(columns))})"
            for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
        }

    def run(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each with one value per column in their order."""
        if rows:
            conn.exec_driver_sql(self._text[conn.dialect.name], list(rows))
