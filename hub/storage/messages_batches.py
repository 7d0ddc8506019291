"""Batches, and the stored answers behind `Idempotency-Key`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.messages import COLUMNS, MESSAGE, MessageRow
from hub.storage.messages_queue import BATCH
from hub.storage.schema.accounts import Idempotency
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

IDEMPOTENCY = table_of(Idempotency)


class BatchRow(NamedTuple):
    """A new batch."""

    id: str
    account_id: str
    name: str | None
    total: int
    refused: int
    created_at: UtcMs


_INSERT_BATCH = insert(BATCH)


def insert_batches(conn: Connection, rows: Sequence[BatchRow]) -> None:
    """Store new batches."""
    if rows:
        conn.execute(_INSERT_BATCH, [row._asdict() for row in rows])


# --- idempotency ---------------------------------------------------------------------------------------------------------


class KeyRow(NamedTuple):
    """What a request with an `Idempotency-Key` was answered."""

    account_id: str
    door: str
    key: str
    request_sha256: str
    status: int
    body: bytes
    created_at: UtcMs
    expires_at: UtcMs


_KEY_COLUMNS = tuple(IDEMPOTENCY.c[name] for name in KeyRow._fields)
_FIND = select(*_KEY_COLUMNS).where(
    one_of(IDEMPOTENCY.c.account_id, texts("account_ids")), one_of(IDEMPOTENCY.c.key, texts("keys"))
)
_CLAIM: Mapping[DialectName, Any] = {
    "sqlite": sqlite.insert(IDEMPOTENCY).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(IDEMPOTENCY).on_conflict_do_nothing(),
}
_RENEW = (
    update(IDEMPOTENCY)
    .where(
        IDEMPOTENCY.c.account_id == bindparam("b_account_id"),
        IDEMPOTENCY.c.door == bindparam("b_door"),
        IDEMPOTENCY.c.key == bindparam("b_key"),
    )
    .values(expires_at=bindparam("b_expires_at"))
)
_FORGET = delete(IDEMPOTENCY).where(
    IDEMPOTENCY.c.account_id == bindparam("b_account_id"),
    IDEMPOTENCY.c.door == bindparam("b_door"),
    IDEMPOTENCY.c.key == bindparam("b_key"),
)
_OVER = (
    select(*_KEY_COLUMNS)
    .where(IDEMPOTENCY.c.expires_at <= bindparam("until"))
    .order_by(IDEMPOTENCY.c.expires_at)
    .limit(bindparam("most"))
)


def find_keys(
    conn: Connection, account_ids: Collection[str], keys: Collection[str]
) -> dict[tuple[str, str, str], KeyRow]:
    """The stored answers of these keys, by (account, door, key)."""
    rows = conn.execute(_FIND, {"account_ids": sorted(account_ids), "keys": sorted(keys)})
    return {(row[0], row[1], row[2]): KeyRow(*row) for row in rows}


def claim_keys(tx: Tx, rows: Sequence[KeyRow]) -> bool:
    """Store answers under their keys; False when another hub process stored one of these keys a moment ago."""
    if not rows:
        return True
    done = tx.conn.execute(_CLAIM[tx.dialect], [row._asdict() for row in rows])
    return done.rowcount == len(rows)


def forget_keys(conn: Connection, rows: Sequence[KeyRow]) -> None:
    """Remove stored answers."""
    if rows:
        conn.execute(_FORGET, [_key_of(row) for row in rows])


def renew_keys(conn: Connection, rows: Sequence[KeyRow]) -> None:
    """Write until when stored answers are kept (`expires_at` of each row)."""
    if rows:
        conn.execute(_RENEW, [{**_key_of(row), "b_expires_at": row.expires_at} for row in rows])


def _key_of(row: KeyRow) -> dict[str, str]:
    return {"b_account_id": row.account_id, "b_door": row.door, "b_key": row.key}


def keys_until(conn: Connection, until: UtcMs, most: int) -> list[KeyRow]:
    """Stored answers that are to be looked at again by then, oldest first."""
    return [KeyRow(*row) for row in conn.execute(_OVER, {"until": until, "most": most})]


# --- what is done to a whole batch -----------------------------------------------------------------------------------------


class BatchState(NamedTuple):
    """A batch as it can change."""

    id: str
    account_id: str
    cancelled_at: UtcMs | None
    paused_at: UtcMs | None


_LOCK_BATCHES = (
    select(*(BATCH.c[name] for name in BatchState._fields))
    .where(one_of(BATCH.c.account_id, texts("account_ids")), one_of(BATCH.c.id, texts("ids")))
    .order_by(BATCH.c.id)
    .with_for_update()
)
_WRITE_BATCH = (
    update(BATCH)
    .where(BATCH.c.id == bindparam("b_id"))
    .values(cancelled_at=bindparam("b_cancelled_at"), paused_at=bindparam("b_paused_at"))
)
_OPEN_IN_BATCHES = (
    select(*COLUMNS)
    .where(
        one_of(MESSAGE.c.batch_id, texts("ids")),
        MESSAGE.c.batch_id.is_not(None),
        MESSAGE.c.state.in_(("scheduled", "queued", "retried", "dispatched", "uncertain")),
    )
    .order_by(MESSAGE.c.id)
    .with_for_update()
)


def lock_batches(conn: Connection, account_ids: Collection[str], ids: Collection[str]) -> dict[str, BatchState]:
    """These batches of these accounts, locked."""
    rows = conn.execute(_LOCK_BATCHES, {"account_ids": sorted(account_ids), "ids": sorted(ids)})
    return {row[0]: BatchState(*row) for row in rows}


def write_batches(conn: Connection, rows: Collection[BatchState]) -> None:
    """Write whether batches are paused or cancelled."""
    if rows:
        names = ("id", "cancelled_at", "paused_at")
        conn.execute(_WRITE_BATCH, [{f"b_{name}": getattr(row, name) for name in names} for row in rows])


def lock_open_messages(conn: Connection, batch_ids: Collection[str]) -> list[MessageRow]:
    """The messages of these batches that have not ended, locked, in id order."""
    return [MessageRow(*row) for row in conn.execute(_OPEN_IN_BATCHES, {"ids": sorted(batch_ids)})]
