"""What is written of phones in one statement for many of them."""

import msgspec
from sqlalchemy import select

from hub.devices.streams import empty_row
from hub.storage.database import Database
from hub.storage.devices import CONNECTION, ConnectionRow, close_connections, insert_connections
from hub.storage.devices_events import StreamRow, put_streams, streams_of


def test_a_stream_is_put_where_it_was_and_where_it_was_not(db: Database) -> None:
    old, new = empty_row("d1", "a", "s1", 5), empty_row("d1", "a", "s2", 6)
    later = StreamRow("d1", "s1", "a", 7, "u7", 9, 8, 6, "[[9,null,null]]", 3, 11, 12, 13, 5)
    with db.write_engine.connect() as connection, connection.begin():
        put_streams(connection, [old])
        put_streams(connection, [later, new])
        put_streams(connection, [])
        stored = streams_of(connection, ["d1"])["d1"]
    assert [msgspec.structs.asdict(row) for row in stored] == [msgspec.structs.asdict(row) for row in (new, later)]


def test_a_connection_keeps_the_first_reason_of_its_end(db: Database) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        insert_connections(connection, [ConnectionRow(phone, 1, "a", 5, "n") for phone in ("d1", "d2", "d3")])
        close_connections(connection, [("d1", 1, 6, "silent"), ("d1", 1, 7, "closed"), ("d2", 1, 7, "closed")])
        close_connections(connection, [("d1", 1, 8, "late"), ("d2", 1, 8, "late")])
        insert_connections(connection, [ConnectionRow(phone, 2, "a", 9, "n") for phone in ("d2", "d3")])
        rows = connection.execute(
            select(CONNECTION.c.device_id, CONNECTION.c.session_no, CONNECTION.c.closed_at, CONNECTION.c.close_reason)
        ).all()
    assert sorted(tuple(row) for row in rows) == [
        ("d1", 1, 6, "silent"),
        ("d2", 1, 7, "closed"),
        ("d2", 2, None, None),
        ("d3", 1, 9, "superseded"),
        ("d3", 2, None, None),
    ]
