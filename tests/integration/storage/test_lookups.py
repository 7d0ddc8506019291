"""Lists of ids are looked up in an index, however many rows the table has: everything a batch loads is loaded so."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from hub.core.ids import IdSource
from hub.storage import (
    conversations,
    devices_events,
    messages,
    messages_lines,
    messages_phones,
    messages_queue,
    usage,
)
from hub.storage.database import Database
from hub.storage.transaction import Tx
from tests.fakes import FakeClock

IDS = ("x1", "x2")
LOOKUPS: dict[str, Callable[[Tx], Any]] = {
    "messages": lambda tx: messages.lock_messages(tx.conn, ["a"], IDS),
    "ends of messages": lambda tx: messages.ends_of(tx.conn, "a", IDS),
    "messages on phones": lambda tx: messages_phones.lock_messages_on(tx.conn, IDS),
    "open offers": lambda tx: messages_queue.open_offers(tx.conn, IDS),
    "phones": lambda tx: messages_phones.fence_phones(tx.conn, IDS),
    "lines": lambda tx: messages_lines.lines_by_id(tx.conn, ["a"], IDS),
    "faces of lines": lambda tx: messages_lines.faces_of(tx.conn, ["a"], IDS),
    "lines in phones": lambda tx: messages_lines.lines_in_devices(tx.conn, ["a"], IDS),
    "settings": lambda tx: messages_lines.settings_of(tx.conn, IDS),
    "threads": lambda tx: conversations.lock_conversations(tx.conn, ["a"], IDS),
    "last contacts": lambda tx: conversations.last_contacts(tx.conn, ["a"], IDS),
    "usage": lambda tx: usage.recent_usage(tx.conn, IDS, 0),
    "streams": lambda tx: devices_events.lock_progress(tx.conn, IDS),
    "known events": lambda tx: devices_events.known_events(tx, [("x1", "u1"), ("x2", "u2")]),
}


@pytest.fixture
def sqlite(sqlite_url: str, clock: FakeClock, ids: IdSource) -> Iterator[Database]:
    """SQLite: the plans of a PostgreSQL with few rows say nothing."""
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=1)
    yield database
    database.close()


def _plans(conn: Connection, look: Callable[[], Any]) -> Iterator[str]:
    """How SQLite would run each statement of a look-up, a line for each table it reads."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(conn, "before_cursor_execute", note)
    look()
    event.remove(conn, "before_cursor_execute", note)
    for statement, parameters in seen:
        yield from (str(row[-1]) for row in conn.exec_driver_sql("explain query plan " + statement, parameters))


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_list_is_looked_up_and_no_table_read_through(sqlite: Database, name: str) -> None:
    with sqlite.write_engine.connect() as conn, conn.begin():
        steps = list(_plans(conn, lambda: LOOKUPS[name](sqlite.transaction(conn))))
    assert any(step.startswith("SEARCH") for step in steps)
    scanned = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert scanned == []


def test_events_are_known_by_phone_and_uuid_together(db: Database) -> None:
    row = devices_events.EventRow("d1", "u1", "a", "s", 1, "sms:sent", 0, 0, "applied", None, None, "{}", None)
    with db.write_engine.connect() as conn, conn.begin():
        tx = db.transaction(conn)
        devices_events.insert_events(conn, [row, row._replace(device_id="d2", uuid="u2", n=2)])
        asked = [("d1", "u1"), ("d1", "u2"), ("d2", "u1"), ("d2", 'u"2')]
        assert devices_events.known_events(tx, asked) == {("d1", "u1")}
        assert devices_events.known_events(tx, []) == set()
