"""What claims and timers read: only indexes of unfinished rows, however many finished ones there are, on both databases."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from hub.storage import messages_queue
from hub.storage.database import Database
from hub.storage.direct import PIPELINE
from hub.storage.schema import METADATA
from hub.storage.transaction import Tx
from tests.fakes import START_MS
from tests.integration.storage.rows import insert, row_at

Look = Callable[[Tx], Any]

LOOKS: dict[str, Look] = {
    "message_waiting claim": lambda tx: messages_queue.claim(tx, ["l1", "l2"], 8),
    "message_waiting lines": lambda tx: messages_queue.waiting_lines(tx.conn),
    "message_scheduled": lambda tx: messages_queue.scheduled_until(tx.conn, START_MS, 10),
    "message_offered": lambda tx: messages_queue.offers_until(tx.conn, START_MS, 10),
    "message_expiring unbound": lambda tx: messages_queue.expired_until(tx.conn, START_MS, 10),
    "message_expiring bound": lambda tx: messages_queue.overdue_until(tx.conn, START_MS, 10),
    "message_cancel_waits": lambda tx: messages_queue.cancels_waiting(tx.conn, 10),
    "message_uncertain": lambda tx: messages_queue.uncertain_until(tx.conn, START_MS, 10),
}
FINISHED = 1500


@pytest.fixture
def crowded(db: Database) -> Database:
    """Many finished messages, a few that wait."""
    table = METADATA.tables["message"]
    rows = [row_at(table, START_MS - n, n, state="delivered", offered_at=None) for n in range(FINISHED)]
    rows += [row_at(table, START_MS + n, n, state="queued", line_id="l1", offered_at=None) for n in range(1, 20)]
    with db.write_engine.connect() as connection, connection.begin():
        insert(connection, "message", *rows)
    if db.dialect == "postgresql":
        with db.write_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze message"))
    return db


def _executed(db: Database, look: Look) -> Iterator[tuple[str, Any]]:
    """The statements a function executes, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    with db.write_engine.connect() as connection, connection.begin():
        event.listen(connection, "before_cursor_execute", note)
        look(db.transaction(connection))
    yield from seen


def _plan(conn: Connection, statement: str, parameters: Any) -> str:
    if "$1" in statement:  # it went through the connection's pipeline
        return "\n".join(row[0] for row in conn.info[PIPELINE].rows(f"explain {statement}", parameters))
    explain = "explain query plan " if conn.dialect.name == "sqlite" else "explain "
    return "\n".join(str(row[-1]) for row in conn.exec_driver_sql(explain + statement, parameters))


@pytest.mark.parametrize("name", LOOKS)
def test_only_an_index_of_unfinished_messages_is_read(crowded: Database, name: str) -> None:
    index = name.split()[0]
    with crowded.write_engine.connect() as connection:
        plans = [_plan(connection, *executed) for executed in _executed(crowded, LOOKS[name])]
    for plan in plans:
        assert index in plan
        assert "Seq Scan on message" not in plan
        assert "SCAN message" not in plan.replace(f"SCAN message USING INDEX {index}", "").replace(
            f"SCAN message USING COVERING INDEX {index}", ""
        )


def test_the_plan_check_would_notice_a_scan(crowded: Database) -> None:
    with crowded.write_engine.connect() as connection:
        plan = _plan(connection, "select * from message where text = 'x'", ())
    assert "Seq Scan on message" in plan or "SCAN message" in plan


def test_no_partial_index_has_a_list_of_more_than_two_words() -> None:
    """SQLite makes a table of such a list for every row that is written, whatever index the row is in (seen with 3.40)."""
    lists = [
        (index.name, words)
        for table in METADATA.tables.values()
        for index in table.indexes
        for words in re.findall(r" in \(([^)]*)\)", str(index.dialect_options["sqlite"]["where"]))
    ]
    assert [name for name, words in lists if words.count(",") > 1] == []
