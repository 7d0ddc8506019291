"""Every column stores and gives back the extremes of its type, the same on both databases."""

from typing import Any

import pytest
from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import DBAPIError

from hub.storage.database import Database
from hub.storage.schema import METADATA
from tests.integration.storage.extremes import VARIANTS, extreme_of, indexed


def _only_row(conn: Connection, table: Table) -> dict[str, Any]:
    return dict(conn.execute(select(table)).mappings().one())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_column_gives_back_what_it_was_given(db: Database, variant: str) -> None:
    for table in METADATA.sorted_tables:
        row = {column.name: extreme_of(column, VARIANTS[variant], indexed(table)) for column in table.columns}
        with db.write_engine.connect() as connection, connection.begin():
            connection.execute(table.insert(), [row])
        found = db.read_now(_only_row, table)
        assert found == row, table.name
        assert {name: type(value) for name, value in found.items()} == {
            name: type(value) for name, value in row.items()
        }


def test_every_optional_column_can_be_empty(db: Database) -> None:
    for table in METADATA.sorted_tables:
        extremes = VARIANTS["zero"]
        row = {c.name: None if c.nullable else extreme_of(c, extremes, indexed(table)) for c in table.columns}
        with db.write_engine.connect() as connection, connection.begin():
            connection.execute(table.insert(), [row])
        found = db.read_now(_only_row, table)
        assert found == row, table.name


def test_text_is_ordered_by_its_bytes(db: Database) -> None:
    names = ["a", "B", "ä", "Z", "0", "_", "é", "e\u0301", "~", " "]
    table = METADATA.tables["hub_fact"]
    with db.write_engine.connect() as connection, connection.begin():
        connection.execute(table.insert(), [{"name": name, "value": ""} for name in names])
    found = db.read_now(lambda conn: list(conn.execute(select(table.c.name).order_by(table.c.name)).scalars()))
    assert found == sorted(names, key=lambda name: name.encode())


@pytest.mark.parametrize("text", ["a\0b", "\ud83d"])
def test_what_neither_database_can_hold_is_refused_by_both(db: Database, text: str) -> None:
    table = METADATA.tables["hub_fact"]
    with pytest.raises((ValueError, DBAPIError)), db.write_engine.connect() as connection, connection.begin():
        connection.execute(table.insert(), [{"name": "x", "value": text}])
    assert db.read_now(lambda conn: conn.execute(select(table)).all()) == []
