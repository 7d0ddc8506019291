"""Batches that are filled row by row: what became of each row, and what still waits of a batch."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.messages_queue import BATCH
from hub.storage.schema.messages import BatchRow
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

_ROW = table_of(BatchRow)


class OpenBatch(NamedTuple):
    """A batch that takes rows."""

    id: str
    account_id: str
    name: str | None
    created_at: UtcMs
    options: str
    rows_expected: int
    upload_key: str | None
    upload_sha256: str | None


class StoredRow(NamedTuple):
    """What became of one row: `message_id`, or `code` and `sentence` for why it was left out."""

    batch_id: str
    number: int
    account_id: str
    given: str
    peer: str | None
    message_id: str | None
    code: str | None
    sentence: str | None
    same_as: int | None


_MAKE: Mapping[DialectName, Any] = {
    "sqlite": sqlite.insert(BATCH).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(BATCH).on_conflict_do_nothing(),
}
_OPEN = select(*(BATCH.c[name] for name in OpenBatch._fields)).where(
    BATCH.c.account_id == bindparam("account_id"), BATCH.c.options.is_not(None)
)
_OPEN_BY_ID = _OPEN.where(BATCH.c.id == bindparam("id"))
_OPEN_BY_KEY = _OPEN.where(BATCH.c.upload_key == bindparam("upload_key"), BATCH.c.upload_key.is_not(None))
_COLUMNS = tuple(_ROW.c[name] for name in StoredRow._fields)
_BY_NUMBER = select(*_COLUMNS).where(
    _ROW.c.batch_id == bindparam("batch_id"),
    _ROW.c.number >= bindparam("first"),
    _ROW.c.number <= bindparam("last"),
)
_BY_PEER = (
    select(_ROW.c.peer, func.min(_ROW.c.number))
    .where(_ROW.c.batch_id == bindparam("batch_id"), one_of(_ROW.c.peer, texts("peers")), _ROW.c.code.is_(None))
    .group_by(_ROW.c.peer)
)
_INSERT = insert(_ROW)
_COUNT = (
    update(BATCH)
    .where(BATCH.c.id == bindparam("b_id"))
    .values(total=BATCH.c.total + bindparam("b_total"), refused=BATCH.c.refused + bindparam("b_refused"))
)
_LISTED = select(*_COLUMNS).where(
    _ROW.c.account_id == bindparam("account_id"),
    _ROW.c.batch_id == bindparam("batch_id"),
    _ROW.c.number > bindparam("after"),
)


def make_batch(tx: Tx, batch: OpenBatch) -> None:
    """Store a batch without texts; one whose upload key is taken is left out."""
    values = {**batch._asdict(), "total": 0, "refused": 0}
    tx.conn.execute(_MAKE[tx.dialect], [values])


def find_open(conn: Connection, account_id: str, batch_id: str) -> OpenBatch | None:
    """A batch that takes rows, by its id."""
    row = conn.execute(_OPEN_BY_ID, {"account_id": account_id, "id": batch_id}).first()
    return None if row is None else OpenBatch(*row)


def find_uploaded(conn: Connection, account_id: str, upload_key: str) -> OpenBatch | None:
    """A batch that takes rows, by the key it was made with."""
    row = conn.execute(_OPEN_BY_KEY, {"account_id": account_id, "upload_key": upload_key}).first()
    return None if row is None else OpenBatch(*row)


def known_rows(conn: Connection, batch_id: str, numbers: Collection[int]) -> dict[int, StoredRow]:
    """The rows among these numbers that came before."""
    if not numbers:
        return {}
    given = {"batch_id": batch_id, "first": min(numbers), "last": max(numbers)}
    return {row[1]: StoredRow(*row) for row in conn.execute(_BY_NUMBER, given)}


def first_rows_of(conn: Connection, batch_id: str, peers: Collection[str]) -> dict[str, int]:
    """By recipient: the first row of the batch that was taken for it."""
    if not peers:
        return {}
    return {row[0]: row[1] for row in conn.execute(_BY_PEER, {"batch_id": batch_id, "peers": sorted(peers)})}


def insert_rows(conn: Connection, rows: Sequence[StoredRow]) -> None:
    """Store what became of rows."""
    if rows:
        conn.execute(_INSERT, [row._asdict() for row in rows])


def count_rows(conn: Connection, added: Mapping[str, tuple[int, int]]) -> None:
    """By batch: add so many texts and so many rows left out to its numbers."""
    if added:
        rows = [{"b_id": id_, "b_total": total, "b_refused": refused} for id_, (total, refused) in added.items()]
        conn.execute(_COUNT, rows)


def list_rows(
    conn: Connection, account_id: str, batch_id: str, *, is_refused: bool | None, after: int, limit: int
) -> list[StoredRow]:
    """Rows of a batch above a number, in the maker's order."""
    statement = _LISTED
    if is_refused is not None:
        statement = statement.where(_ROW.c.code.is_not(None) if is_refused else _ROW.c.code.is_(None))
    statement = statement.order_by(_ROW.c.number).limit(limit)
    return [
        StoredRow(*row)
        for row in conn.execute(statement, {"account_id": account_id, "batch_id": batch_id, "after": after})
    ]
