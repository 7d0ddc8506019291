"""Lists of messages, threads and batches: pages by id, newest first, always bounded.

What an index answers is read from it; any other filter looks at a window of so many newest rows and says where it stopped,
so that a search for a rare word in ten million texts takes many short questions instead of one that never ends.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, or_, select

from hub.core.clock import UtcMs
from hub.core.ids import first_id_at
from hub.storage.arrays import one_of, texts
from hub.storage.conversations import COLUMNS as CONVERSATION_COLUMNS
from hub.storage.conversations import CONVERSATION, ConversationRow
from hub.storage.messages import COLUMNS, MESSAGE, MessageRow
from hub.storage.messages_lines import LINE
from hub.storage.messages_queue import BATCH

WINDOW = 20_000
"""Rows one question looks at, when no index knows the answer."""
_EARLIER_MS, _LATER_MS = 3_600_000, 86_400_000
"""How far an id's time may lie from its row's `created_at`: ids are made before the queue, and never go back."""


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to narrow a list to; what is not given does not narrow. Times are `created_at`, the end not included."""

    states: tuple[str, ...] = ()
    peer: str | None = None
    direction: str | None = None
    kind: str | None = None
    line_id: str | None = None
    line_ids: tuple[str, ...] | None = None
    """Any of these; empty = of none."""
    device_id: str | None = None
    batch_id: str | None = None
    conversation_id: str | None = None
    created_from: UtcMs | None = None
    created_to: UtcMs | None = None
    text: str | None = None
    """Part of the text, in any case."""
    is_oldest_first: bool = False


class FoundMessage(NamedTuple):
    """A message with its line's name and number."""

    row: MessageRow
    line_number: str | None
    line_name: str | None


_WITH_LINE = MESSAGE.outerjoin(LINE, and_(LINE.c.id == MESSAGE.c.line_id, LINE.c.account_id == MESSAGE.c.account_id))
_MESSAGES: Select[Any] = select(*COLUMNS, LINE.c.number, LINE.c.name).select_from(_WITH_LINE)
_ONE = _MESSAGES.where(MESSAGE.c.account_id == bindparam("account_id"), MESSAGE.c.id == bindparam("id"))
_SOME = _MESSAGES.where(MESSAGE.c.account_id == bindparam("account_id"), one_of(MESSAGE.c.id, texts("ids")))


def _found(row: Any) -> FoundMessage:
    return FoundMessage(MessageRow(*row[: len(COLUMNS)]), row[-2], row[-1])


def find_message(conn: Connection, account_id: str, message_id: str) -> FoundMessage | None:
    """One message of an account."""
    row = conn.execute(_ONE, {"account_id": account_id, "id": message_id}).first()
    return None if row is None else _found(row)


def find_messages(conn: Connection, account_id: str, ids: Collection[str]) -> dict[str, FoundMessage]:
    """These messages of an account."""
    if not ids:
        return {}
    rows = conn.execute(_SOME, {"account_id": account_id, "ids": sorted(ids)})
    return {row[0]: _found(row) for row in rows}


def list_messages(
    conn: Connection, account_id: str, asked: MessageFilter, after: str | None, limit: int
) -> tuple[list[FoundMessage], str | None]:
    """A page and where to go on, None at the end. `after` is the id the last page ended with."""
    order = MESSAGE.c.id.asc() if asked.is_oldest_first else MESSAGE.c.id.desc()
    indexed, looked_at = _indexed(account_id, asked, after), _looked_at(asked)
    if not looked_at:
        rows = conn.execute(_MESSAGES.where(*indexed).order_by(order).limit(limit + 1)).all()
        found = [_found(row) for row in rows[:limit]]
        return found, found[-1].row.id if len(rows) > limit else None
    window = select(MESSAGE.c.id).where(*indexed).order_by(order).limit(WINDOW).subquery()
    statement = _MESSAGES.where(MESSAGE.c.id.in_(select(window.c.id)), *looked_at).order_by(order).limit(limit + 1)
    rows = conn.execute(statement).all()
    found = [_found(row) for row in rows[:limit]]
    if len(rows) > limit:
        return found, found[-1].row.id
    return found, _end_of_window(conn, window, asked.is_oldest_first)


def count_messages(conn: Connection, account_id: str, asked: MessageFilter, most: int) -> int:
    """How many there are among the newest `most`."""
    window = (
        select(*COLUMNS).where(*_indexed(account_id, asked, None)).order_by(MESSAGE.c.id.desc()).limit(most).subquery()
    )
    conditions = _looked_at(asked, window.c)
    return conn.execute(select(func.count()).select_from(window).where(*conditions)).scalar_one()


def _end_of_window(conn: Connection, window: Any, is_oldest_first: bool) -> str | None:
    """The last id looked at, None when the window held all there is."""
    last = func.max(window.c.id) if is_oldest_first else func.min(window.c.id)
    count, id_ = conn.execute(select(func.count(), last).select_from(window)).one()
    return str(id_) if count >= WINDOW else None


def _indexed(account_id: str, asked: MessageFilter, after: str | None) -> list[ColumnElement[bool]]:
    """Conditions that an index narrows by."""
    m = MESSAGE.c
    conditions: list[ColumnElement[bool]] = [m.account_id == account_id]
    if after is not None:
        conditions.append(m.id > after if asked.is_oldest_first else m.id < after)
    if asked.conversation_id is not None:
        conditions.append(m.conversation_id == asked.conversation_id)
    if asked.batch_id is not None:
        conditions += [m.batch_id == asked.batch_id, m.batch_id.is_not(None)]
    if asked.peer is not None:
        conditions.append(_with_peer(account_id, asked.peer))
    if asked.created_from is not None:
        conditions += [m.id >= first_id_at(asked.created_from - _EARLIER_MS), m.created_at >= asked.created_from]
    if asked.created_to is not None:
        conditions += [m.id < first_id_at(asked.created_to + _LATER_MS), m.created_at < asked.created_to]
    return conditions


def _with_peer(account_id: str, peer: str) -> ColumnElement[bool]:
    """In one of the peer's threads, or in none because there was no line."""
    threads = select(CONVERSATION.c.id).where(CONVERSATION.c.account_id == account_id, CONVERSATION.c.peer == peer)
    in_none = and_(MESSAGE.c.conversation_id.is_(None), MESSAGE.c.peer == peer)
    return or_(MESSAGE.c.conversation_id.in_(threads), in_none)


def _looked_at(asked: MessageFilter, columns: Any = MESSAGE.c) -> list[ColumnElement[bool]]:
    """Conditions that each row is looked at for."""
    conditions: list[ColumnElement[bool]] = []
    if asked.states:
        conditions.append(columns.state.in_(asked.states))
    for name in ("direction", "kind", "line_id", "device_id"):
        if getattr(asked, name) is not None:
            conditions.append(columns[name] == getattr(asked, name))
    if asked.line_ids is not None:
        conditions.append(columns.line_id.in_(asked.line_ids))
    if asked.text is not None:
        conditions.append(columns.text.icontains(asked.text, autoescape=True))
    return conditions


# --- threads -------------------------------------------------------------------------------------------------------------


class FoundConversation(NamedTuple):
    """A thread with its line's name and number."""

    row: ConversationRow
    line_number: str | None
    line_name: str | None


class ThreadPlace(NamedTuple):
    """Where a page of threads ended."""

    last_at: UtcMs
    id: str


_THREADS: Select[Any] = select(*CONVERSATION_COLUMNS, LINE.c.number, LINE.c.name).select_from(
    CONVERSATION.outerjoin(
        LINE, and_(LINE.c.id == CONVERSATION.c.line_id, LINE.c.account_id == CONVERSATION.c.account_id)
    )
)


def find_conversation(conn: Connection, account_id: str, conversation_id: str) -> FoundConversation | None:
    """One thread of an account."""
    c = CONVERSATION.c
    row = conn.execute(_THREADS.where(c.account_id == account_id, c.id == conversation_id)).first()
    return None if row is None else _thread(row)


def list_conversations(
    conn: Connection,
    account_id: str,
    *,
    line_id: str | None,
    peer: str | None,
    is_unread: bool | None,
    is_archived: bool,
    text: str | None,
    after: ThreadPlace | None,
    limit: int,
) -> tuple[list[FoundConversation], ThreadPlace | None]:
    """A page of threads, newest first, and where to go on."""
    c = CONVERSATION.c
    statement = _THREADS.where(c.account_id == account_id)
    statement = statement.where(c.archived_at.is_not(None) if is_archived else c.archived_at.is_(None))
    if after is not None:
        statement = statement.where(or_(c.last_at < after.last_at, and_(c.last_at == after.last_at, c.id < after.id)))
    if line_id is not None:
        statement = statement.where(c.line_id == line_id)
    if peer is not None:
        statement = statement.where(c.peer == peer)
    if is_unread is not None:
        statement = statement.where(c.unread > 0 if is_unread else c.unread == 0)
    if text is not None:
        newest = select(MESSAGE.c.text).where(MESSAGE.c.id == c.last_message_id).scalar_subquery()
        found = or_(c.peer.icontains(text, autoescape=True), newest.icontains(text, autoescape=True))
        statement = statement.where(found)
    rows = conn.execute(statement.order_by(c.last_at.desc(), c.id.desc()).limit(limit + 1)).all()
    threads = [_thread(row) for row in rows[:limit]]
    last = threads[-1].row if len(rows) > limit else None
    return threads, None if last is None else ThreadPlace(last.last_at, last.id)


def unread_after(conn: Connection, conversation_id: str, message_id: str) -> int:
    """How many texts came into a thread after this one."""
    m = MESSAGE.c
    statement = select(func.count()).where(m.conversation_id == conversation_id, m.id > message_id, m.direction == "mo")
    return conn.execute(statement).scalar_one()


def _thread(row: Any) -> FoundConversation:
    return FoundConversation(ConversationRow(*row[: len(CONVERSATION_COLUMNS)]), row[-2], row[-1])


# --- batches -------------------------------------------------------------------------------------------------------------


class FoundBatch(NamedTuple):
    """A stored batch."""

    id: str
    account_id: str
    name: str | None
    total: int
    refused: int
    created_at: UtcMs
    cancelled_at: UtcMs | None
    paused_at: UtcMs | None
    rows_expected: int | None


_BATCHES = select(*(BATCH.c[name] for name in FoundBatch._fields)).where(BATCH.c.account_id == bindparam("account_id"))
_COUNTS = (
    select(MESSAGE.c.batch_id, MESSAGE.c.state, func.count())
    .where(one_of(MESSAGE.c.batch_id, texts("ids")), MESSAGE.c.batch_id.is_not(None))
    .group_by(MESSAGE.c.batch_id, MESSAGE.c.state)
)


_COUNTS_OF_LINES = _COUNTS.where(one_of(MESSAGE.c.line_id, texts("line_ids")))


def _with_texts_of(line_ids: Collection[str]) -> ColumnElement[bool]:
    """Batches that have a text of one of these lines."""
    of_lines = and_(
        MESSAGE.c.batch_id == BATCH.c.id, MESSAGE.c.batch_id.is_not(None), MESSAGE.c.line_id.in_(sorted(line_ids))
    )
    return exists(select(1).where(of_lines))


def find_batch(
    conn: Connection, account_id: str, batch_id: str, line_ids: Collection[str] | None = None
) -> FoundBatch | None:
    """One batch of an account; with `line_ids` only when it has a text of one of these lines."""
    statement = _BATCHES.where(BATCH.c.id == batch_id)
    if line_ids is not None:
        statement = statement.where(_with_texts_of(line_ids))
    row = conn.execute(statement, {"account_id": account_id}).first()
    return None if row is None else FoundBatch(*row)


def list_batches(
    conn: Connection, account_id: str, after: str | None, limit: int, line_ids: Collection[str] | None = None
) -> tuple[list[FoundBatch], str | None]:
    """A page of batches, newest first, and where to go on; with `line_ids` those with a text of one of these lines."""
    statement = _BATCHES if after is None else _BATCHES.where(BATCH.c.id < after)
    if line_ids is not None:
        statement = statement.where(_with_texts_of(line_ids))
    rows = conn.execute(statement.order_by(BATCH.c.id.desc()).limit(limit + 1), {"account_id": account_id}).all()
    found = [FoundBatch(*row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


def counts_of(
    conn: Connection, batch_ids: Collection[str], line_ids: Collection[str] | None = None
) -> dict[str, dict[str, int]]:
    """By batch: how many of its messages are in which state; with `line_ids` of those of these lines."""
    counts: dict[str, dict[str, int]] = {}
    if not batch_ids:
        return counts
    ids = {"ids": sorted(batch_ids)}
    rows = (
        conn.execute(_COUNTS, ids)
        if line_ids is None
        else conn.execute(_COUNTS_OF_LINES, {**ids, "line_ids": sorted(line_ids)})
    )
    for batch_id, state, count in rows:
        counts.setdefault(batch_id, {})[state] = count
    return counts
