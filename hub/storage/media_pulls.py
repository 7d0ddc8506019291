"""Received messages whose attachments are still to be fetched: rows of `media_pull`."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert
from hub.storage.media import CONTENT, MEDIA
from hub.storage.schema.media import MediaPull
from hub.storage.transaction import Tx
from hub.storage.types import table_of

PULL = table_of(MediaPull)


class PullRow(NamedTuple):
    """A row, field by field as in `hub.storage.schema.media.MediaPull`."""

    message_id: str
    account_id: str
    gateway_id: str
    number: str
    urls: str
    tries: int
    next_at: UtcMs
    tell_at: UtcMs | None


class Brought(NamedTuple):
    """What became of one attachment: bytes that are stored, or why there are none."""

    type: str
    size_bytes: int | None
    sha256: str | None
    why: str | None


_COLUMNS = tuple(PULL.c[name] for name in PullRow._fields)
_INSERT = BulkInsert(PULL, PullRow._fields)
_DUE = (
    select(*_COLUMNS)
    .where(PULL.c.next_at <= bindparam("now"), ~one_of(PULL.c.account_id, texts("busy")))
    .order_by(PULL.c.next_at)
    .limit(bindparam("most"))
)
_CLAIM = _DUE.with_for_update(skip_locked=True)
_UNTOLD = (
    select(PULL.c.account_id, PULL.c.message_id)
    .where(PULL.c.tell_at <= bindparam("now"))
    .order_by(PULL.c.tell_at)
    .limit(bindparam("most"))
)
_ONE = (
    select(*_COLUMNS)
    .where(PULL.c.account_id == bindparam("account_id"), PULL.c.message_id == bindparam("message_id"))
    .with_for_update()
)
_KEY = and_(PULL.c.account_id == bindparam("_account_id"), PULL.c.message_id == bindparam("_message_id"))
_TAKE = update(PULL).where(_KEY).values(next_at=bindparam("_until"), tries=PULL.c.tries + 1)
_AGAIN = update(PULL).where(_KEY).values(next_at=bindparam("_at"))
_TOLD = update(PULL).where(_KEY).values(tell_at=None)
_END = delete(PULL).where(_KEY)
_FREE = update(PULL).where(PULL.c.next_at > bindparam("_now")).values(next_at=bindparam("_now"))
_WAITS = and_(
    MEDIA.c.account_id == bindparam("_account_id"),
    MEDIA.c.message_id == bindparam("_message_id"),
    MEDIA.c.position == bindparam("_position"),
    MEDIA.c.why == "waiting",
)
_BRING = (
    update(MEDIA)
    .where(_WAITS)
    .values(
        type=bindparam("_type"),
        size_bytes=bindparam("_size_bytes"),
        sha256=bindparam("_sha256"),
        why=bindparam("_why"),
    )
)
_NAMED = (
    update(CONTENT)
    .where(CONTENT.c.account_id == bindparam("_account_id"), CONTENT.c.sha256 == bindparam("_sha256"))
    .values(loose_since=None)
)


def insert_pulls(conn: Connection, rows: Sequence[PullRow]) -> None:
    """Note what is to be fetched for messages that are stored in this transaction."""
    _INSERT.run(conn, rows)


def is_any_due(conn: Connection, now: UtcMs, busy: Collection[str]) -> bool:
    """Whether there is anything to fetch, but for these accounts."""
    return conn.execute(_DUE, {"now": now, "busy": sorted(busy), "most": 1}).first() is not None


def claim_pulls(tx: Tx, until: UtcMs, busy: Collection[str], most: int) -> list[PullRow]:
    """Take what is due, the longest due first, but for these accounts; nobody else takes it before `until`."""
    found = tx.conn.execute(_CLAIM, {"now": tx.now, "busy": sorted(busy), "most": most})
    rows = [PullRow(*row) for row in found]
    for row in rows:
        tx.conn.execute(_TAKE, {**_key(row.account_id, row.message_id), "_until": until})
    return [row._replace(tries=row.tries + 1, next_at=until) for row in rows]


def free_pulls(tx: Tx) -> None:
    """Everything is due at once: whoever had taken some of it is gone."""
    tx.conn.execute(_FREE, {"_now": tx.now})


def lock_pull(conn: Connection, account_id: str, message_id: str) -> PullRow | None:
    """One row, locked until the transaction ends."""
    row = conn.execute(_ONE, {"account_id": account_id, "message_id": message_id}).first()
    return None if row is None else PullRow(*row)


def untold_until(conn: Connection, now: UtcMs, most: int) -> list[tuple[str, str]]:
    """(account, message) of those whose customers have waited long enough."""
    return [(row[0], row[1]) for row in conn.execute(_UNTOLD, {"now": now, "most": most})]


def try_again(conn: Connection, account_id: str, message_id: str, at: UtcMs) -> None:
    """Somebody may try from then on."""
    conn.execute(_AGAIN, {**_key(account_id, message_id), "_at": at})


def note_told(conn: Connection, account_id: str, message_id: str) -> None:
    """Customers were told."""
    conn.execute(_TOLD, _key(account_id, message_id))


def end_pull(conn: Connection, account_id: str, message_id: str) -> None:
    """Nothing is left to fetch."""
    conn.execute(_END, _key(account_id, message_id))


def bring(conn: Connection, account_id: str, message_id: str, position: int, brought: Brought) -> bool:
    """Write what became of an attachment that waited; False when it did not wait any more."""
    given = _key(account_id, message_id) | {"_position": position}
    given |= {f"_{name}": value for name, value in brought._asdict().items()}
    is_changed = conn.execute(_BRING, given).rowcount > 0
    if is_changed and brought.sha256 is not None:
        conn.execute(_NAMED, {"_account_id": account_id, "_sha256": brought.sha256})
    return is_changed


def _key(account_id: str, message_id: str) -> dict[str, Any]:
    return {"_account_id": account_id, "_message_id": message_id}
