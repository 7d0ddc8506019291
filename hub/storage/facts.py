"""The hub's own facts: single values that belong to the data and not to a process."""

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.direct import fetch
from hub.storage.schema.accounts import HubFact
from hub.storage.types import table_of

FactName = Literal["hub_epoch", "hold", "restored_at", "key_id"]
"""`hub_epoch` names this life of the data, `hold` is there while a restored hub holds sending, `restored_at` says since when (ms), `key_id`
names the key that seals the secrets in this data."""

_FACT = table_of(HubFact)


_FIND = select(_FACT.c.value).where(_FACT.c.name == bindparam("name"))


def find_fact(conn: Connection, name: FactName) -> str | None:
    """The fact's value, None when it is not there."""
    rows = fetch(conn, _FIND, {"name": name})
    return str(rows[0][0]) if rows else None


def put_facts(conn: Connection, facts: Mapping[FactName, str]) -> None:
    """Write facts, replacing what they were."""
    rows = [{"name": name, "value": value} for name, value in facts.items()]
    insert = sqlite.insert if conn.dialect.name == "sqlite" else postgresql.insert
    statement = insert(_FACT)
    conn.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value}), rows
    )


def forget_fact(conn: Connection, name: FactName) -> None:
    """Remove a fact."""
    conn.execute(delete(_FACT).where(_FACT.c.name == name))
