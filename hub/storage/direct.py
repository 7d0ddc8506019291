"""Hot statements on SQLite, given to the driver without SQLAlchemy's way of executing them.

What SQLAlchemy does around one execution (a context, a cursor result, its rows) takes three times as long as SQLite takes for a small
look-up, and every accepted text costs dozens of them. Here the text of a statement is made once and kept with how its parameters and
columns are converted. Errors are SQLAlchemy's, so that nothing else need know. PostgreSQL goes the usual way: there the round trip is what
costs.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any]


def fetch(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """The rows of a statement that is built once in its module."""
    if conn.dialect.name != "sqlite":
        return conn.execute(statement, values).all()
    return _prepared(conn, statement).rows(conn, values)


def change(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> int:
    """Run a statement that is built once in its module and writes; how many rows it wrote."""
    if conn.dialect.name != "sqlite":
        return conn.execute(statement, values).rowcount
    return _prepared(conn, statement).run(conn, values).rowcount


def run_many(conn: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> int:
    """A statement in SQLite's own words, once for each row; how many rows all of them wrote."""
    return _guarded(conn, sql, rows, True).rowcount


class _Prepared:
    """A statement as SQLite's driver takes it."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self._sql = compiled.string
        self._given = [(name, _writer(compiled.binds[name].type, dialect)) for name in compiled.positiontup or ()]
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        columns = getattr(statement, "selected_columns", None)
        types = [] if columns is None else [column.type for column in columns]
        self._truths = [place for place, type_ in enumerate(types) if isinstance(type_, Boolean)]

    def rows(self, conn: Connection, values: Mapping[str, Any]) -> list[Sequence[Any]]:
        rows: list[Sequence[Any]] = self.run(conn, values).fetchall()
        return [self._true_or_false(row) for row in rows] if self._truths else rows

    def run(self, conn: Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        fixed = self._fixed
        given: list[Any] = []
        for name, write in self._given:
            value = values[name] if name in values else fixed[name]
            given.append(value if write is None else write(value))
        return _guarded(conn, self._sql, tuple(given), False)

    def _true_or_false(self, row: Sequence[Any]) -> Sequence[Any]:
        """SQLite has no truth values; a column of them comes as 0 and 1."""
        made = list(row)
        for place in self._truths:
            if made[place] is not None:
                made[place] = bool(made[place])
        return made


_PREPARED: dict[Executable, _Prepared] = {}


def _prepared(conn: Connection, statement: Executable) -> _Prepared:
    known = _PREPARED.get(statement)
    if known is None:
        known = _PREPARED[statement] = _Prepared(statement, conn.dialect)
    return known


def _writer(type_: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    write: Convert | None = type_.dialect_impl(dialect).bind_processor(dialect)
    return write


def _guarded(conn: Connection, sql: str, given: Sequence[Any], is_many: bool) -> sqlite3.Cursor:
    driver = conn.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    cursor = driver.cursor()
    for listener in conn.dispatch.before_cursor_execute:
        listener(conn, cursor, sql, given, None, is_many)
    try:
        return cursor.executemany(sql, given) if is_many else cursor.execute(sql, given)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            sql, None, error, sqlite3.Error, hide_parameters=True, dialect=conn.dialect
        ) from error
