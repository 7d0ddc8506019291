"""Threads as a person reads them: all conversations with one peer, whatever line they went by.

In the data a conversation stays (line, peer). A thread is named by any of its conversations; the oldest one names it to others.
"""

import json
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError
from hub.core.ids import is_id
from hub.messages.conversations import UpdateConversation, update_conversation
from hub.messages.shown import views_by_id, views_of
from hub.messages.views import Direction, MessagePage, MessageView, View
from hub.storage import contacts, messages_search
from hub.storage import threads as stored
from hub.storage.consent import OptOutRow, opted_out
from hub.storage.contacts import ContactRow
from hub.storage.conversations import ConversationRow
from hub.storage.messages_search import FoundConversation
from hub.storage.threads import Counts, Place, Show, Wanted
from hub.storage.transaction import Done, Refused, Tx

FEWEST_DIGITS = 3


class ThreadFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to narrow the inbox to. `text` is part of a name, a tag or a number, and finds the archive too."""

    show: Show = "inbox"
    peer: str | None = None
    line_ids: tuple[str, ...] | None = None
    text: str | None = None


class LineInThread(View, frozen=True, kw_only=True):
    """One of the conversations of a thread."""

    conversation_id: str
    line_id: str
    line_number: str | None
    line_name: str | None
    last_at: UtcMs
    unread: int
    texts: int | None
    """Counted only when one thread is read."""


class ThreadView(View, frozen=True, kw_only=True):
    """All that was said with one peer."""

    id: str
    peer: str
    contact_id: str | None
    name: str | None
    tags: tuple[str, ...]
    lines: tuple[LineInThread, ...]
    last_at: UtcMs
    last_direction: Direction | None
    last_message: MessageView | None
    unread: int
    read_up_to: str | None
    archived_at: UtcMs | None
    muted_at: UtcMs | None
    opted_out: OptOutRow | None


class ThreadPage(View, frozen=True, kw_only=True):
    """Some threads, the one with the newest text first. With `next` set there may be more, also when this page is short."""

    items: tuple[ThreadView, ...]
    next: str | None


class UpdateThread(msgspec.Struct, frozen=True, kw_only=True):
    """What a person changes of a thread, for all its conversations; None leaves it as it is."""

    account_id: str
    conversation_id: str
    read: bool | None = None
    read_up_to: str | None = None
    archived: bool | None = None
    muted: bool | None = None
    line_ids: tuple[str, ...] | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"conversation:{self.conversation_id}",)


def list_threads(conn: Connection, account_id: str, asked: ThreadFilter, after: str | None, limit: int) -> ThreadPage:
    """A page of the inbox. `after` is the last page's `next`. Raises `bad_cursor`."""
    place = None if after is None else _place(after)
    if asked.peer is not None:
        return ThreadPage(items=_views(conn, account_id, [asked.peer], asked.line_ids, is_whole=True), next=None)
    wanted = Wanted(asked.show, asked.line_ids, asked.text, _digits(asked.text))
    heads, next_ = stored.list_heads(conn, account_id, wanted, place, limit)
    items = _views(conn, account_id, [head.peer for head in heads], asked.line_ids, is_whole=False)
    return ThreadPage(items=items, next=None if next_ is None else f"{next_.last_at}.{next_.id}")


def count_threads(conn: Connection, account_id: str, line_ids: tuple[str, ...] | None) -> Counts:
    """How many threads are unread, wait for an answer, or end in a text that was not sent."""
    return stored.count_threads(conn, account_id, line_ids)


def find_thread(
    conn: Connection, account_id: str, conversation_id: str, line_ids: tuple[str, ...] | None
) -> ThreadView | None:
    """The thread this conversation belongs to; None for an unknown id and for another account's."""
    found = messages_search.find_conversation(conn, account_id, conversation_id)
    if found is None or (line_ids is not None and found.row.line_id not in line_ids):
        return None
    views = _views(conn, account_id, [found.row.peer], line_ids, is_whole=True)
    return views[0] if views else None


def list_texts(
    conn: Connection,
    account_id: str,
    conversation_id: str,
    line_ids: tuple[str, ...] | None,
    after: str | None,
    limit: int,
    *,
    oldest_first: bool,
) -> MessagePage | None:
    """A page of what was said, over all lines; None when there is no such thread. Raises `bad_cursor`."""
    if after is not None and not is_id(after):
        raise HubError(Code.BAD_CURSOR)
    found = messages_search.find_conversation(conn, account_id, conversation_id)
    if found is None or (line_ids is not None and found.row.line_id not in line_ids):
        return None
    with_peer = stored.conversations_with(conn, account_id, [found.row.peer], line_ids).get(found.row.peer, [])
    ids = [one.row.id for one in with_peer]
    texts, next_ = stored.page_of_texts(conn, account_id, ids, after, limit, is_oldest_first=oldest_first)
    return MessagePage(items=views_of(conn, account_id, texts), next=next_)


def update_thread(tx: Tx, commands: Sequence[UpdateThread]) -> list[Done[ThreadView] | Refused]:
    """Change threads, in the order given. Marking one unread marks its newest conversation. Refused: `not_found`."""
    return [_update(tx, command) for command in commands]


def _update(tx: Tx, command: UpdateThread) -> Done[ThreadView] | Refused:
    before = find_thread(tx.conn, command.account_id, command.conversation_id, command.line_ids)
    if before is None:
        return Refused(HubError(Code.NOT_FOUND))
    parts = [
        UpdateConversation(
            account_id=command.account_id,
            conversation_id=line.conversation_id,
            read=None if command.read is False and place > 0 else command.read,
            read_up_to=command.read_up_to,
            archived=command.archived,
            muted=command.muted,
        )
        for place, line in enumerate(before.lines)
    ]
    outcomes = update_conversation(tx, parts)
    after = find_thread(tx.conn, command.account_id, command.conversation_id, command.line_ids)
    if after is None:
        return Refused(HubError(Code.NOT_FOUND))
    return Done(after, tuple(effect for one in outcomes if isinstance(one, Done) for effect in one.effects))


# --- views ---------------------------------------------------------------------------------------------------------------


def _views(
    conn: Connection, account_id: str, peers: Sequence[str], line_ids: tuple[str, ...] | None, *, is_whole: bool
) -> tuple[ThreadView, ...]:
    with_peers = stored.conversations_with(conn, account_id, peers, line_ids)
    people = contacts.contacts_of(conn, account_id, peers)
    out = opted_out(conn, [account_id], peers)
    newest = {one[0].row.last_message_id for one in with_peers.values() if one[0].row.last_message_id is not None}
    messages = views_by_id(conn, account_id, messages_search.find_messages(conn, account_id, newest).values())
    texts = stored.count_texts(conn, [one.row.id for found in with_peers.values() for one in found]) if is_whole else {}
    return tuple(
        _view(
            found,
            people.get(peer),
            out.get((account_id, peer)),
            messages.get(found[0].row.last_message_id or ""),
            texts if is_whole else None,
        )
        for peer in peers
        if (found := with_peers.get(peer))
    )


def _view(
    found: Sequence[FoundConversation],
    person: ContactRow | None,
    out: OptOutRow | None,
    last: MessageView | None,
    texts: dict[str, int] | None,
) -> ThreadView:
    rows = [one.row for one in found]
    head = rows[0]
    return ThreadView(
        id=min(rows, key=_age).id,
        peer=head.peer,
        contact_id=person.id if person else None,
        name=person.name if person else None,
        tags=tuple(json.loads(person.tags)) if person else (),
        lines=tuple(_line(one, texts) for one in found),
        last_at=head.last_at,
        last_direction=None if head.last_direction is None else ("mt" if head.last_direction == "mt" else "mo"),
        last_message=last,
        unread=sum(row.unread for row in rows),
        read_up_to=max((row.read_up_to for row in rows if row.read_up_to is not None), default=None),
        archived_at=head.archived_at,
        muted_at=max((row.muted_at for row in rows if row.muted_at is not None), default=None),
        opted_out=out,
    )


def _age(row: ConversationRow) -> tuple[UtcMs, str]:
    return row.created_at, row.id


def _line(one: FoundConversation, texts: dict[str, int] | None) -> LineInThread:
    return LineInThread(
        conversation_id=one.row.id,
        line_id=one.row.line_id,
        line_number=one.line_number,
        line_name=one.line_name,
        last_at=one.row.last_at,
        unread=one.row.unread,
        texts=None if texts is None else texts.get(one.row.id, 0),
    )


def _digits(text: str | None) -> str | None:
    """A number as people type it, as part of one as it is stored: without spaces, brackets, and the 0 before an area code."""
    if text is None or not all(one.isdigit() or one in " +-()./" for one in text):
        return None
    digits = "".join(one for one in text if one.isascii() and one.isdigit()).lstrip("0")
    return digits if len(digits) >= FEWEST_DIGITS else None


def _place(cursor: str) -> Place:
    at, _, id_ = cursor.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) <= 15 and is_id(id_)):
        raise HubError(Code.BAD_CURSOR)
    return Place(int(at), id_)
