"""Threads: read by the dashboard and the API, and what a person does to one: read it, put it away, silence it."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from hub.core.effects import LiveHint
from hub.core.errors import Code, HubError
from hub.core.ids import is_id
from hub.messages.search import MessageFilter, list_messages
from hub.messages.shown import views_by_id
from hub.messages.views import ConversationPage, ConversationView, MessagePage, conversation_view
from hub.storage import messages_search as stored
from hub.storage.conversations import ConversationRow, lock_conversations, write_conversations
from hub.storage.messages_search import FoundConversation, ThreadPlace
from hub.storage.transaction import Done, Refused, Tx


class ConversationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to narrow a list of threads to. `text` is part of the peer's address or of the newest text."""

    line_id: str | None = None
    peer: str | None = None
    is_unread: bool | None = None
    is_archived: bool = False
    text: str | None = None


class UpdateConversation(msgspec.Struct, frozen=True, kw_only=True):
    """What a person changes of a thread; None leaves it as it is.

    `read` marks all of it read, or unread; `read_up_to` is the newest message that was read, and never moves back.
    """

    account_id: str
    conversation_id: str
    read: bool | None = None
    read_up_to: str | None = None
    archived: bool | None = None
    muted: bool | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"conversation:{self.conversation_id}",)


def find_conversation(conn: Connection, account_id: str, conversation_id: str) -> ConversationView | None:
    """One thread; None for an unknown id and for another account's."""
    found = stored.find_conversation(conn, account_id, conversation_id)
    return None if found is None else _views(conn, account_id, [found])[0]


def list_conversations(
    conn: Connection, account_id: str, asked: ConversationFilter, after: str | None, limit: int
) -> ConversationPage:
    """A page of threads, the one with the newest text first. `after` is the last page's `next`. Raises `bad_cursor`."""
    found, place = stored.list_conversations(
        conn,
        account_id,
        line_id=asked.line_id,
        peer=asked.peer,
        is_unread=asked.is_unread,
        is_archived=asked.is_archived,
        text=asked.text,
        after=None if after is None else _place(after),
        limit=limit,
    )
    next_ = None if place is None else f"{place.last_at}.{place.id}"
    return ConversationPage(items=tuple(_views(conn, account_id, found)), next=next_)


def list_thread(
    conn: Connection,
    account_id: str,
    conversation_id: str,
    after: str | None,
    limit: int,
    oldest_first: bool = False,
) -> MessagePage | None:
    """A page of a thread's texts, newest first unless asked otherwise; None when there is no such thread."""
    if stored.find_conversation(conn, account_id, conversation_id) is None:
        return None
    asked = MessageFilter(conversation_id=conversation_id, is_oldest_first=oldest_first)
    return list_messages(conn, account_id, asked, after, limit)


def update_conversation(tx: Tx, commands: Sequence[UpdateConversation]) -> list[Done[ConversationView] | Refused]:
    """Change threads, in the order given. Refused: `not_found`."""
    rows = lock_conversations(
        tx.conn, {command.account_id for command in commands}, {command.conversation_id for command in commands}
    )
    is_known = [_is_of(rows.get(command.conversation_id), command.account_id) for command in commands]
    for command, known in zip(commands, is_known, strict=True):
        if known:
            rows[command.conversation_id] = _changed(tx, rows[command.conversation_id], command)
    write_conversations(tx.conn, list(rows.values()))
    return [
        _done(tx, command) if known else Refused(HubError(Code.NOT_FOUND))
        for command, known in zip(commands, is_known, strict=True)
    ]


def _done(tx: Tx, command: UpdateConversation) -> Done[ConversationView] | Refused:
    view = find_conversation(tx.conn, command.account_id, command.conversation_id)
    if view is None:
        return Refused(HubError(Code.NOT_FOUND))
    return Done(view, (LiveHint(command.account_id, "conversation", view.id),))


def _changed(tx: Tx, row: ConversationRow, command: UpdateConversation) -> ConversationRow:
    changes: dict[str, object] = {}
    if command.read is not None:
        changes |= {"unread": 0 if command.read else max(row.unread, 1)}
        changes |= {"read_up_to": row.last_message_id} if command.read else {}
    elif command.read_up_to is not None and command.read_up_to > (row.read_up_to or ""):
        changes |= {
            "read_up_to": command.read_up_to,
            "unread": stored.unread_after(tx.conn, row.id, command.read_up_to),
        }
    if command.archived is not None:
        changes["archived_at"] = (row.archived_at or tx.now) if command.archived else None
    if command.muted is not None:
        changes["muted_at"] = (row.muted_at or tx.now) if command.muted else None
    return msgspec.structs.replace(row, **changes)


def _is_of(row: ConversationRow | None, account_id: str) -> bool:
    return row is not None and row.account_id == account_id


def _views(conn: Connection, account_id: str, found: Sequence[FoundConversation]) -> list[ConversationView]:
    newest = {one.row.last_message_id for one in found if one.row.last_message_id is not None}
    messages = views_by_id(conn, account_id, stored.find_messages(conn, account_id, newest).values())
    return [
        conversation_view(
            one.row,
            one.line_number,
            one.line_name,
            messages.get(one.row.last_message_id or ""),
        )
        for one in found
    ]


def _place(cursor: str) -> ThreadPlace:
    at, _, id_ = cursor.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) <= 15 and is_id(id_)):
        raise HubError(Code.BAD_CURSOR)
    return ThreadPlace(int(at), id_)
