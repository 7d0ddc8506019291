"""The highest id a database holds, so that a restarted hub goes on above it even when its clock was set back."""

from sqlalchemy import Column, Connection, Text, func, select

from hub.core.clock import UtcMs
from hub.core.ids import is_id, time_of
from hub.storage.schema import METADATA

HASHED = frozenset({"conversation"})
"""Tables whose ids are not made from time."""


def _id_columns() -> list[Column[str]]:
    """The text column `id` of every table: its key, or unique, so that an index answers at once."""
    columns = [table.c.id for table in METADATA.sorted_tables if "id" in table.c and table.name not in HASHED]
    return [column for column in columns if isinstance(column.type, Text)]


_HIGHEST = [select(func.max(column)) for column in _id_columns()]


def highest_id_ms(conn: Connection) -> UtcMs:
    """The latest millisecond in any stored id; 0 for an empty database."""
    found = (conn.execute(statement).scalar_one_or_none() for statement in _HIGHEST)
    return max((time_of(id_) for id_ in found if id_ is not None and is_id(id_)), default=0)
