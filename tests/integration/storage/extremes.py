"""The highest, lowest and emptiest value of each column type."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table, Text

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


def extreme_of(column: Column[Any], extremes: dict[type, Any], short: set[str]) -> Any:
    """What the column holds in this variant; columns named in `short` get short texts."""
    if isinstance(column.type, Boolean):
        return extremes[bool]
    if isinstance(column.type, BigInteger | Integer):
        return extremes[int]
    if isinstance(column.type, LargeBinary):
        return extremes[bytes]
    assert isinstance(column.type, Text), f"{column} has a type this test does not know"
    text = extremes[str]
    return text[: len(INDEXED_TEXT)] if column.name in short else text


def indexed(table: Table) -> set[str]:
    """Columns that stand in a key or an index."""
    keys = {column.name for column in table.primary_key}
    unique = {column.name for constraint in table.constraints for column in getattr(constraint, "columns", ())}
    by_index = {column.name for index in table.indexes for column in index.columns}
    return keys | unique | by_index | {column.name for column in table.columns if column.foreign_keys}
