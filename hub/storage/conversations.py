"""Threads: one row per line and peer, kept up to date by every message in them."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert
from hub.storage.direct import fetch
from hub.storage.schema.messages import Conversation
from hub.storage.transaction import Tx
from hub.storage.types import table_of

CONVERSATION = table_of(Conversation)


class ConversationRow(msgspec.Struct, frozen=True):
    """A stored thread."""

    id: str
    account_id: str
    line_id: str
    peer: str
    created_at: UtcMs
    last_at: UtcMs
    last_message_id: str | None
    last_direction: str | None
    unread: int
    read_up_to: str | None
    archived_at: UtcMs | None
    muted_at: UtcMs | None


class Touch(NamedTuple):
    """A message came into a thread."""

    id: str
    account_id: str
    line_id: str
    peer: str
    at: UtcMs
    message_id: str
    direction: str
    unread: int
    """How many unread texts it brings."""


COLUMNS = tuple(CONVERSATION.c[name] for name in ConversationRow.__struct_fields__)


# Make the thread or move it to the top; the columns are those of `Touch`, in its order.
_TOUCH = BulkInsert(
    CONVERSATION,
    ("id", "account_id", "line_id", "peer", "last_at", "last_message_id", "last_direction", "unread", "created_at"),
    on_conflict="""on conflict (id) do update set last_at = excluded.last_at, last_message_id = excluded.last_message_id,
last_direction = excluded.last_direction, unread = conversation.unread + excluded.unread""",
)
_UNARCHIVE = (
    update(CONVERSATION)
    .where(one_of(CONVERSATION.c.id, texts("ids")), CONVERSATION.c.archived_at.is_not(None))
    .values(archived_at=None)
)
_WITH_PEERS = (
    select(
        CONVERSATION.c.account_id,
        CONVERSATION.c.peer,
        CONVERSATION.c.last_at,
        CONVERSATION.c.id,
        CONVERSATION.c.line_id,
    )
    .where(one_of(CONVERSATION.c.account_id, texts("account_ids")), one_of(CONVERSATION.c.peer, texts("peers")))
    .order_by(CONVERSATION.c.last_at, CONVERSATION.c.id)
)
_LOCK = (
    select(*COLUMNS)
    .where(one_of(CONVERSATION.c.account_id, texts("account_ids")), one_of(CONVERSATION.c.id, texts("ids")))
    .order_by(CONVERSATION.c.id)
    .with_for_update()
)
_WRITE = (
    update(CONVERSATION)
    .where(CONVERSATION.c.id == bindparam("b_id"))
    .values(
        unread=bindparam("b_unread"),
        read_up_to=bindparam("b_read_up_to"),
        archived_at=bindparam("b_archived_at"),
        muted_at=bindparam("b_muted_at"),
    )
)


def touch_conversations(tx: Tx, touches: Sequence[Touch]) -> None:
    """Make or renew threads; each stands in the list once (`merged`). An unread text takes its thread out of the archive."""
    if not touches:
        return
    _TOUCH.run(tx.conn, [(*touch, touch.at) for touch in sorted(touches)])
    answered = [touch.id for touch in touches if touch.unread]
    if answered:
        tx.conn.execute(_UNARCHIVE, {"ids": answered})


class LastContact(NamedTuple):
    """When a line was last in touch with a peer; the greatest is the newest."""

    at: UtcMs
    conversation_id: str
    line_id: str


def last_contacts(
    conn: Connection, account_ids: Collection[str], peers: Collection[str]
) -> dict[tuple[str, str], LastContact]:
    """For each (account, peer) that has a thread: the newest one."""
    given = {"account_ids": sorted(account_ids), "peers": sorted(peers)}
    return {(row[0], row[1]): LastContact(*row[2:]) for row in fetch(conn, _WITH_PEERS, given)}


def lock_conversations(
    conn: Connection, account_ids: Collection[str], ids: Collection[str]
) -> dict[str, ConversationRow]:
    """These threads of these accounts, locked until the transaction ends."""
    rows = conn.execute(_LOCK, {"account_ids": sorted(account_ids), "ids": sorted(ids)})
    return {row[0]: ConversationRow(*row) for row in rows}


def write_conversations(conn: Connection, rows: Sequence[ConversationRow]) -> None:
    """Write what a person can change of these threads."""
    names = ("id", "unread", "read_up_to", "archived_at", "muted_at")
    if rows:
        conn.execute(_WRITE, [{f"b_{name}": getattr(row, name) for name in names} for row in rows])
