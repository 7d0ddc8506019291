"""A bulk insert stores what a plain one does, the extremes of every column included."""

from typing import Any

import pytest
from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import DBAPIError

from hub.storage.bulk import BulkInsert, BulkUpdate
from hub.storage.database import Database
from hub.storage.schema import METADATA
from tests.integration.storage.extremes import VARIANTS, extreme_of, indexed


def _rows(conn: Connection, table: Table) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in conn.execute(select(table))]


@pytest.mark.parametrize("name", ["message", "timeline", "wh_event", "idempotency"])
def test_rows_arrive_as_they_were_given(db: Database, name: str) -> None:
    table = METADATA.tables[name]
    names = [column.name for column in table.columns]
    given = [
        tuple(extreme_of(column, extremes, indexed(table)) for column in table.columns)
        for extremes in VARIANTS.values()
    ]
    optional = {column.name for column in table.columns if column.nullable}
    given[2] = tuple(None if column in optional else value for column, value in zip(names, given[2], strict=True))
    with db.write_engine.connect() as connection, connection.begin():
        BulkInsert(table, names).run(connection, given)
        BulkInsert(table, names).run(connection, [])
    assert sorted(db.read_now(_rows, table), key=str) == sorted(given, key=str)


def test_columns_left_out_keep_the_databases_defaults(db: Database) -> None:
    table = METADATA.tables["timeline"]
    some = BulkInsert(table, ["account_id", "message_id", "at", "actor", "kind", "is_applied", "data"])
    with db.write_engine.connect() as connection, connection.begin():
        some.run(connection, [("a", "m", n, "hub", "queued", True, "{}") for n in (1, 2)])
    assert [row[0] for row in db.read_now(_rows, table)] == [1, 2]


def test_a_broken_rule_of_the_table_is_an_error(db: Database) -> None:
    table = METADATA.tables["hub_fact"]
    twice = [("x", "1"), ("x", "2")]
    with pytest.raises(DBAPIError), db.write_engine.connect() as connection, connection.begin():
        BulkInsert(table, ["name", "value"]).run(connection, twice)
    assert db.read_now(_rows, table) == []


@pytest.mark.parametrize("row", [("only a name",), ("a name", "a value", "and more")])
def test_a_row_of_another_width_is_an_error(db: Database, row: tuple[str, ...]) -> None:
    table = METADATA.tables["hub_fact"]
    with pytest.raises((DBAPIError, ValueError)), db.write_engine.connect() as connection, connection.begin():
        BulkInsert(table, ["name", "value"]).run(connection, [("x", "1"), row])
    assert db.read_now(_rows, table) == []


def test_a_column_that_is_not_there_is_noticed_at_once() -> None:
    with pytest.raises(ValueError, match="has no columns"):
        BulkInsert(METADATA.tables["hub_fact"], ["nmae"])


def test_a_row_that_is_there_is_changed_as_its_clause_says(db: Database) -> None:
    table = METADATA.tables["line_usage"]
    add = BulkInsert(
        table,
        ["line_id", "at", "account_id", "segments"],
        on_conflict="on conflict (line_id, at) do update set segments = line_usage.segments + excluded.segments",
    )
    with db.write_engine.connect() as connection, connection.begin():
        add.run(connection, [("l1", 5, "a", 2), ("l2", 5, "a", 1)])
        add.run(connection, [("l1", 5, "a", 3), ("l1", 10, "a", 1)])
    segments = {(row[0], row[1]): row[3] for row in db.read_now(_rows, table)}
    assert segments == {("l1", 5): 5, ("l2", 5): 1, ("l1", 10): 1}


@pytest.mark.parametrize("extreme", VARIANTS)
def test_an_update_stores_what_it_is_given_in_the_rows_it_names(db: Database, extreme: str) -> None:
    table = METADATA.tables["message"]
    names = [column.name for column in table.columns]
    before = {
        id_: {**{name: extreme_of(table.c[name], VARIANTS["zero"], indexed(table)) for name in names}, "id": id_}
        for id_ in ("m1", "m2", "m3")
    }
    changing = [name for name in names if name not in ("id", "account_id")]
    after = {name: extreme_of(table.c[name], VARIANTS[extreme], indexed(table)) for name in changing}
    update = BulkUpdate(table, changing, ["id", "account_id"])
    with db.write_engine.connect() as connection, connection.begin():
        BulkInsert(table, names).run(connection, [tuple(row.values()) for row in before.values()])
        key = before["m1"]["account_id"]
        update.run(connection, [(*after.values(), "m1", key), (*after.values(), "m3", f"{key}x")])
        update.run(connection, [])
    stored = {row[0]: dict(zip(names, row, strict=True)) for row in db.read_now(_rows, table)}
    assert stored == {**before, "m1": {**before["m1"], **after}}


def test_an_update_leaves_rows_alone_that_have_a_value_already(db: Database) -> None:
    table = METADATA.tables["device_connection"]
    names = ["device_id", "session_no", "account_id", "connected_at", "node"]
    close = BulkUpdate(table, ["closed_at", "close_reason"], ["device_id", "session_no"], while_null="closed_at")
    with db.write_engine.connect() as connection, connection.begin():
        BulkInsert(table, names).run(
            connection, [("d1", 1, "a", 5, "n"), ("d1", 2, "a", 6, "n"), ("d2", 1, "a", 7, "n")]
        )
        close.run(connection, [(8, "first", "d1", 1), (8, "first", "d2", 1)])
        close.run(connection, [(9, "second", "d1", 1), (9, "second", "d1", 2)])
    stored = db.read_now(lambda conn: conn.execute(select(table.c.closed_at, table.c.close_reason)).all())
    assert sorted(tuple(row) for row in stored) == [(8, "first"), (8, "first"), (9, "second")]


def test_a_condition_on_a_column_that_is_not_there_is_noticed_at_once() -> None:
    with pytest.raises(ValueError, match="has no columns"):
        BulkUpdate(METADATA.tables["hub_fact"], ["value"], ["name"], while_null="vlaue")
