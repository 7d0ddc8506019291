"""Messages and their timeline: the rows as the use cases hold them, and the statements that load and write them.

A batch loads its messages once and in id order, locked on PostgreSQL, so that two writers that touch the same messages
never wait for each other in a circle; it writes each row once. Statements are built here once; the lists they take are one
parameter each (`hub.storage.arrays`).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert, BulkUpdate
from hub.storage.direct import fetch
from hub.storage.schema.messages import Message, TimelineEntry
from hub.storage.types import table_of

MESSAGE = table_of(Message)
TIMELINE = table_of(TimelineEntry)


class MessageRow(msgspec.Struct):
    """A stored message, field by field as in `hub.storage.schema.messages.Message`."""

    id: str
    account_id: str
    direction: str
    kind: str
    state: str
    peer: str
    text: str
    encoding: str
    segments: int
    priority: int
    created_at: UtcMs
    due_at: UtcMs
    scheduled_at: UtcMs | None
    expires_at: UtcMs | None
    ttl_seconds: int | None
    door: str
    trace_id: str | None
    batch_id: str | None
    conversation_id: str | None
    retry_of: str | None
    metadata_json: str | None
    callback: str | None
    want_dlr: bool
    sender: str | None
    is_pinned: bool = False
    line_id: str | None = None
    line_why: str | None = None
    max_tries: int = 3
    device_id: str | None = None
    submission: int = 0
    offered_at: UtcMs | None = None
    bound_at: UtcMs | None = None
    tries: int = 0
    segment_reports: str | None = None
    cancel_requested_at: UtcMs | None = None
    reason: str | None = None
    error_code: str | None = None
    sent_at: UtcMs | None = None
    delivered_at: UtcMs | None = None
    uncertain_at: UtcMs | None = None
    final_at: UtcMs | None = None
    received_at: UtcMs | None = None
    device_event_uuid: str | None = None
    data_port: int | None = None


COLUMNS = tuple(MESSAGE.c[name] for name in MessageRow.__struct_fields__)

_CHANGING = (
    "state",
    "device_id",
    "submission",
    "offered_at",
    "bound_at",
    "tries",
    "segment_reports",
    "cancel_requested_at",
    "reason",
    "error_code",
    "sent_at",
    "delivered_at",
    "uncertain_at",
    "final_at",
    "due_at",
    "expires_at",
    "line_id",
    "line_why",
    "conversation_id",
)
changing_of: Callable[[MessageRow], tuple[Any, ...]] = attrgetter(*_CHANGING)
"""Everything of a message that can change, for `write_messages` to compare with."""

_LOCK = (
    select(*COLUMNS)
    .where(one_of(MESSAGE.c.account_id, texts("account_ids")), one_of(MESSAGE.c.id, texts("ids")))
    .order_by(MESSAGE.c.id)
    .with_for_update()
)


@lru_cache(maxsize=256)
def _update_of(columns: tuple[str, ...]) -> BulkUpdate:
    """One statement for each set of columns that change together; there are as many as there are kinds of moves."""
    return BulkUpdate(MESSAGE, columns, ["id"])


_INSERT = BulkInsert(MESSAGE, MessageRow.__struct_fields__)
_ACCEPTED = MessageRow.__struct_fields__[: MessageRow.__struct_fields__.index("max_tries") + 1]
_INSERT_ACCEPTED = BulkInsert(MESSAGE, _ACCEPTED, literals={"submission": "0", "tries": "0"})
_OFFERED = MessageRow.__struct_fields__[: MessageRow.__struct_fields__.index("offered_at") + 1]
_INSERT_OFFERED = BulkInsert(MESSAGE, _OFFERED, literals={"tries": "0"})
"""What a text that was just accepted can have, without and with an offer; binding the other third of the columns as NULL would cost a
third of the insert."""


def lock_messages(conn: Connection, account_ids: Collection[str], ids: Collection[str]) -> list[MessageRow]:
    """The messages with these ids that belong to these accounts, locked until the transaction ends, in id order."""
    rows = fetch(conn, _LOCK, {"account_ids": sorted(account_ids), "ids": sorted(ids)})
    return [MessageRow(*row) for row in rows]


def insert_messages(conn: Connection, rows: Sequence[MessageRow]) -> None:
    """Store new messages."""
    _INSERT.run(conn, [msgspec.structs.astuple(row) for row in rows])


def insert_accepted(conn: Connection, rows: Sequence[MessageRow]) -> None:
    """Store new outbound messages, which have been on no phone yet: everything after `max_tries` is as it is made, but for
    an open offer and a data SMS's port."""
    waiting: list[tuple[Any, ...]] = []
    offered: list[tuple[Any, ...]] = []
    others: list[tuple[Any, ...]] = []
    for row in rows:
        values = msgspec.structs.astuple(row)
        if row.data_port is not None:
            others.append(values)
        elif row.offered_at is not None:
            offered.append(values[: len(_OFFERED)])
        else:
            waiting.append(values[: len(_ACCEPTED)])
    _INSERT_ACCEPTED.run(conn, waiting)
    _INSERT_OFFERED.run(conn, offered)
    _INSERT.run(conn, others)


def write_messages(conn: Connection, changes: Iterable[tuple[MessageRow, tuple[Any, ...]]]) -> None:
    """Write what of each message is other than the `changing_of` given with it.

    A statement that names a column writes the indexes with that column anew, whether its value is another one or not, so each names
    what has changed and nothing else.
    """
    by_columns: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row, before in changes:
        after = changing_of(row)
        places = [place for place, value in enumerate(after) if value != before[place]]
        columns = tuple([_CHANGING[place] for place in places])
        by_columns.setdefault(columns, []).append((*[after[place] for place in places], row.id))
    for columns, rows in by_columns.items():
        if columns:
            _update_of(columns).run(conn, rows)


# --- the timeline --------------------------------------------------------------------------------------------------------


class Hop(NamedTuple):
    """One row of a message's timeline (`hub.storage.schema.messages.TimelineEntry`)."""

    account_id: str
    message_id: str
    at: UtcMs
    actor: str
    kind: str
    from_state: str | None
    to_state: str | None
    is_applied: bool
    data: str
    raw: str | None


HOP_COLUMNS = tuple(TIMELINE.c[name] for name in Hop._fields)
_INSERT_HOP = BulkInsert(TIMELINE, Hop._fields)
_HOPS = (
    select(*HOP_COLUMNS)
    .where(TIMELINE.c.message_id == bindparam("message_id"), TIMELINE.c.account_id == bindparam("account_id"))
    .order_by(TIMELINE.c.id)
    .limit(bindparam("most"))
)


def insert_hops(conn: Connection, hops: Sequence[Hop]) -> None:
    """Add rows to timelines, in the order in which they happened."""
    _INSERT_HOP.run(conn, hops)


def hops_of(conn: Connection, account_id: str, message_id: str, most: int) -> list[Hop]:
    """A message's timeline, oldest first."""
    rows: Any = conn.execute(_HOPS, {"account_id": account_id, "message_id": message_id, "most": most})
    return [Hop(*row) for row in rows]


# --- ends ----------------------------------------------------------------------------------------------------------------

_ENDS = select(MESSAGE.c.id, MESSAGE.c.final_at).where(
    MESSAGE.c.account_id == bindparam("account_id"), one_of(MESSAGE.c.id, texts("ids"))
)


def ends_of(conn: Connection, account_id: str, ids: Collection[str]) -> dict[str, UtcMs | None]:
    """When each of these messages came to its end, None for one that has not; messages that are gone are not in it."""
    return {row[0]: row[1] for row in conn.execute(_ENDS, {"account_id": account_id, "ids": sorted(ids)})}
