"""What an sms-gate.app server holds, from a dump or a live database, laid out in a temporary SQLite file.

So a message and its recipients come together however large the dump is, and both sources are read alike.
The tables and columns are those the server's own data has; ones that a version does not have yet are empty here.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from hub.core.clock import UtcMs, parse_rfc3339
from hub.core.progress import Step, Tell, unheard
from hub.storage.mysql_dump import Row, rows_of_dump

TABLES: dict[str, tuple[str, ...]] = {
    "users": ("id", "password_hash", "created_at", "deleted_at"),
    "devices": ("id", "name", "auth_token", "user_id", "created_at", "deleted_at", "last_seen", "sim_cards"),
    "webhooks": ("ext_id", "user_id", "device_id", "url", "event", "deleted_at"),
    "device_settings": ("user_id", "settings"),
    "messages": (
        "id", "device_id", "ext_id", "type", "content", "message", "state", "valid_until", "schedule_at", "sim_number",
        "with_delivery_report", "is_hashed", "is_encrypted", "priority", "created_at", "deleted_at",
    ),
    "message_recipients": ("id", "message_id", "phone_number", "state", "error"),
    "message_states": ("message_id", "state", "updated_at"),
}  # fmt: skip
ROWS_AT_ONCE = 1000


class SourceUnreadable(ValueError):
    """A live database that cannot be read; its sentence is for the operator."""


class OldMessage(NamedTuple):
    """A message of the former server with its recipients and when it came into each state."""

    row: Row
    recipients: list[Row]
    states: dict[str, UtcMs]


class Staging:
    """The former server's data. Use it as a context: the temporary file goes with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hub-import-")
        self._db = sqlite3.connect(Path(self._folder.name) / "staging.db", check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode=off")
        self._db.execute("pragma synchronous=off")
        for table, columns in TABLES.items():
            self._db.execute(f"create table {table} ({', '.join(columns)})")

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._folder.cleanup()

    def fill_from_dump(self, path: Path, tell: Tell = unheard) -> None:
        """Raises `BadDump`, OSError."""
        self._fill(rows_of_dump(path, TABLES.keys(), tell))

    def fill_from_database(self, url: str, tell: Tell = unheard) -> None:
        """`mysql://user:password@host:port/database`. Raises SourceUnreadable."""
        self._fill(_counted(_live_rows(url), tell))

    def _fill(self, rows: Iterator[tuple[str, Row]]) -> None:
        waiting: dict[str, list[tuple[str | None, ...]]] = {table: [] for table in TABLES}
        for table, row in rows:
            waiting[table].append(tuple(row.get(column) for column in TABLES[table]))
            if len(waiting[table]) >= ROWS_AT_ONCE:
                self._store(table, waiting[table])
        for table, kept in waiting.items():
            self._store(table, kept)
        self._db.execute("create index recipient_of on message_recipients (message_id)")
        self._db.execute("create index state_of on message_states (message_id)")
        self._db.commit()

    def _store(self, table: str, rows: list[tuple[str | None, ...]]) -> None:
        marks = ", ".join("?" * len(TABLES[table]))
        self._db.executemany(f"insert into {table} values ({marks})", rows)
        rows.clear()

    def count(self, table: str) -> int:
        """Rows of a table."""
        found = self._db.execute(f"select count(*) from {table}").fetchone()
        return int(found[0])

    def rows(self, table: str) -> list[Row]:
        """All rows of one of the small tables."""
        return [dict(row) for row in self._db.execute(f"select * from {table} order by rowid")]

    def messages(self, after: int, most: int) -> list[tuple[int, OldMessage]]:
        """Messages in the order they were made, each with a number to go on from."""
        found = self._db.execute(
            "select rowid as number, * from messages where rowid > ? order by rowid limit ?", (after, most)
        ).fetchall()
        return [(int(row["number"]), self._message(dict(row))) for row in found]

    def _message(self, row: dict[str, Any]) -> OldMessage:
        query = "select * from message_recipients where message_id = ? order by cast(id as integer)"
        recipients = [dict(one) for one in self._db.execute(query, (row["id"],))]
        query = "select state, updated_at from message_states where message_id = ?"
        states = {one["state"]: time_of(one["updated_at"]) for one in self._db.execute(query, (row["id"],))}
        return OldMessage(row, recipients, {state: at for state, at in states.items() if at is not None})


def time_of(value: str | None) -> UtcMs | None:
    """A DATETIME of MySQL, which the server keeps in UTC: `2026-01-31 09:00:00.123`."""
    if value is None or value.startswith("0000"):
        return None
    try:
        return parse_rfc3339(value.replace(" ", "T") + "Z")
    except ValueError:
        return None


def _counted(rows: Iterator[tuple[str, Row]], tell: Tell) -> Iterator[tuple[str, Row]]:
    """Tells of each table how much of it has come; counting them first would be more work for a server that is in use."""
    reading, done = "", 0
    for table, row in rows:
        reading, done = table, done + 1 if table == reading else 1
        if done % ROWS_AT_ONCE == 1:
            tell(Step(f"Reading {table}", done - 1))
        yield table, row


def _live_rows(url: str) -> Iterator[tuple[str, Row]]:
    try:
        import pymysql
        from pymysql.cursors import SSDictCursor
    except ImportError:
        raise SourceUnreadable(
            "Reading a live database needs the package pymysql: install the hub with its extra `mysql`, or give a dump."
        ) from None
    parts = urlsplit(url)
    name = parts.path.strip("/")
    try:
        connection = pymysql.connect(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=name,
            charset="utf8mb4",
            cursorclass=SSDictCursor,
            init_command="set time_zone = '+00:00'",
        )
    except (pymysql.Error, ValueError) as error:
        raise SourceUnreadable(f"The database {name} at {parts.hostname} does not let the hub in: {error}.") from None
    with connection, connection.cursor() as cursor:
        cursor.execute("start transaction with consistent snapshot, read only")
        cursor.execute("show tables")
        there = {str(next(iter(row.values()))) for row in cursor.fetchall()}
        for table in TABLES:
            if table in there:
                cursor.execute(f"select * from `{table}`")
                for row in cursor:
                    yield table, {column: _text(value) for column, value in row.items()}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
