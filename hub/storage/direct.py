"""Hot statements, given to the driver without SQLAlchemy's way of executing them.

What SQLAlchemy does around one execution (a context, a cursor result, its rows) takes three times as long as SQLite takes for a small
look-up, and every accepted text costs dozens of them. Here the text of a statement is made once and kept with how its parameters and
columns are converted. On PostgreSQL they go through the connection's `Pipeline`. Errors are SQLAlchemy's, so that nothing else need know.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Boolean, Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

from hub.storage.pipeline import Pipeline

T = TypeVar("T")
Convert = Callable[[Any], Any]

PIPELINE = "pipeline"
"""Where `hub.storage.connect` puts a PostgreSQL connection's pipeline: a name in `Connection.info`."""


def fetch(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """The rows of a statement that is built once in its module."""
    prepared = _prepared(conn, statement)
    given = prepared.given(values)
    if conn.dialect.name == "sqlite":
        return prepared.with_truths(_guarded(conn, prepared.sql, given, False).fetchall())
    return _piped(conn, prepared.sql, given, Pipeline.rows)


def ask(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> Callable[[], Sequence[Sequence[Any]]]:
    """`fetch` for a batch that has several things to look up: call what it returns for the rows.

    On PostgreSQL the statement goes to the server with the next one that is waited for, in this order, and so waits for no answer of its
    own. On SQLite, which has no server to wait for, it is run at once.
    """
    if conn.dialect.name == "sqlite":
        rows = fetch(conn, statement, values)
        return lambda: rows
    prepared = _prepared(conn, statement)
    asked = _piped(conn, prepared.sql, prepared.given(values), Pipeline.ask)
    return lambda: _as_sqlalchemy(conn, prepared.sql, lambda pipeline: pipeline.rows_of(asked))


def run(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> None:
    """A statement that is built once in its module, whose answer nobody reads.

    On PostgreSQL its errors may come later, with those of what comes next on the connection.
    """
    prepared = _prepared(conn, statement)
    run_text(conn, prepared.sql, prepared.given(values))


def run_text(conn: Connection, sql: str, given: Sequence[Any]) -> None:
    """`run` of a statement in the words of the connection's database; its parameters are `?`, or `$1`, `$2` … on PostgreSQL."""
    if conn.dialect.name == "sqlite":
        _guarded(conn, sql, given, False)
    else:
        _piped(conn, sql, given, Pipeline.later)


def change(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> int:
    """Run a statement that is built once in its module and writes; how many rows it wrote."""
    prepared = _prepared(conn, statement)
    given = prepared.given(values)
    if conn.dialect.name == "sqlite":
        return _guarded(conn, prepared.sql, given, False).rowcount
    return _piped(conn, prepared.sql, given, Pipeline.count)


def run_many(conn: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> int:
    """A statement in SQLite's own words, once for each row; how many rows all of them wrote."""
    return _guarded(conn, sql, rows, True).rowcount


def commit_waiting(conn: Connection) -> None:
    """Commit on PostgreSQL together with what waits to be sent."""
    _as_sqlalchemy(conn, "commit", Pipeline.commit)


def has_waiting(conn: Connection) -> bool:
    """Whether statements of the open transaction were not sent yet."""
    pipeline: Pipeline | None = conn.info.get(PIPELINE)
    return pipeline is not None and pipeline.is_waiting


class _Prepared:
    """A statement as a driver takes it."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        if compiled.positiontup is None:  # psycopg's words, `%(name)s` and `%%`
            places = _Places()
            self.sql, names = compiled.string % places, list(places)
        else:
            self.sql, names = compiled.string, compiled.positiontup
        self._given = [(name, _writer(compiled.binds[name].type, dialect)) for name in names]
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        columns = getattr(statement, "selected_columns", None)
        types = [] if columns is None else [column.type for column in columns]
        self._truths = [place for place, type_ in enumerate(types) if isinstance(type_, Boolean)]

    def given(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The statement's parameters, in its order."""
        fixed = self._fixed
        given: list[Any] = []
        for name, write in self._given:
            value = values[name] if name in values else fixed[name]
            given.append(value if write is None else write(value))
        return tuple(given)

    def with_truths(self, rows: list[Any]) -> list[Sequence[Any]]:
        """SQLite has no truth values; a column of them comes as 0 and 1."""
        return [self._true_or_false(row) for row in rows] if self._truths else rows

    def _true_or_false(self, row: Sequence[Any]) -> Sequence[Any]:
        made = list(row)
        for place in self._truths:
            if made[place] is not None:
                made[place] = bool(made[place])
        return made


class _Places(dict[str, str]):
    """The names of a statement's parameters, each with its place as PostgreSQL writes it, in the order in which they are met."""

    def __missing__(self, name: str) -> str:
        self[name] = place = f"${len(self) + 1}"
        return place


_PREPARED: dict[str, dict[Executable, _Prepared]] = {"sqlite": {}, "postgresql": {}}


def _prepared(conn: Connection, statement: Executable) -> _Prepared:
    known = _PREPARED[conn.dialect.name]
    prepared = known.get(statement)
    if prepared is None:
        prepared = known[statement] = _Prepared(statement, conn.dialect)
    return prepared


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


def _piped(conn: Connection, sql: str, given: Sequence[Any], way: Callable[[Pipeline, str, Sequence[Any]], T]) -> T:
    for listener in conn.dispatch.before_cursor_execute:
        listener(conn, None, sql, given, None, False)
    return _as_sqlalchemy(conn, sql, lambda pipeline: way(pipeline, sql, given))


def _as_sqlalchemy(conn: Connection, sql: str, step: Callable[[Pipeline], T]) -> T:
    """Do something with the connection's pipeline, and make of psycopg's errors what SQLAlchemy makes of them."""
    pipeline: Pipeline = conn.info[PIPELINE]
    try:
        return step(pipeline)
    except psycopg.Error as error:
        wrapped = DBAPIError.instance(
            sql,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=pipeline.is_lost,
            dialect=conn.dialect,
        )
        if pipeline.is_lost:
            conn.invalidate(error)
        raise wrapped from error
