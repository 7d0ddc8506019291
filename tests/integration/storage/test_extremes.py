"""Every column stores and gives back the extremes of its type, the same on both databases."""

from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, LargeBinary, Table, Text, select
from sqlalchemy.exc import DBAPIError

from hub.storage.database import Database
from hub.storage.schema import METADATA

LONG_TEXT = (
    "\u2028 trailing space, \r\n\t and 👩‍👩‍👧 é = e\u0301, 'quotes\", \\ backslash, %s %(x)s :name ? \ufffd\U0010ffff "
    * 1500
)
INDEXED_TEXT = LONG_TEXT[:150]
"""PostgreSQL refuses an index entry above 2,704 bytes, SQLite does not: indexed texts are bounded where they enter the hub."""
ALL_BYTES = bytes(range(256)) * 4096

VARIANTS: dict[str, dict[type, Any]] = {
    "highest": {int: 2**63 - 1, str: LONG_TEXT, bytes: ALL_BYTES, bool: True},
    "lowest": {int: -(2**63), str: "", bytes: b"", bool: False},
    "zero": {int: 0, str: "0", bytes: b"\0", bool: False},
}


def _value(column: Column[Any], extremes: dict[type, Any], indexed: set[str]) -> Any:
    if isinstance(column.type, Boolean):
        return extremes[bool]
    if isinstance(column.type, BigInteger | Integer):
        return extremes[int]
    if isinstance(column.type, LargeBinary):
        return extremes[bytes]
    assert isinstance(column.type, Text), f"{column} has a type this test does not know"
    text = extremes[str]
    return text[: len(INDEXED_TEXT)] if column.name in indexed else text


def _indexed(table: Table) -> set[str]:
    keys = {column.name for column in table.primary_key}
    unique = {column.name for constraint in table.constraints for column in getattr(constraint, "columns", ())}
    by_index = {column.name for index in table.indexes for column in index.columns}
    return keys | unique | by_index | {column.name for column in table.columns if column.foreign_keys}


def _only_row(conn: Connection, table: Table) -> dict[str, Any]:
    return dict(conn.execute(select(table)).mappings().one())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_column_gives_back_what_it_was_given(db: Database, variant: str) -> None:
    for table in METADATA.sorted_tables:
        row = {column.name: _value(column, VARIANTS[variant], _indexed(table)) for column in table.columns}
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
        row = {c.name: None if c.nullable else _value(c, extremes, _indexed(table)) for c in table.columns}
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
