"""Threads: the inbox of a person who answers texts, one for each peer, over all lines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from hub.accounts.scopes import Scope
from hub.core.address import peer_address
from hub.core.errors import invalid
from hub.dialects.native_v1.conversations import ConversationChange
from hub.dialects.native_v1.fields import (
    Address,
    ContactId,
    ConversationId,
    Count,
    LineId,
    MessageId,
    Model,
    NextCursor,
    PageQuery,
    Query,
    UtcTime,
    bare_or_none,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.dialects.native_v1.message_models import Direction, Message, MessagePage
from hub.dialects.native_v1.message_models import shown as shown_message
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.messages import peers
from hub.messages.peers import LineInThread as LineView
from hub.messages.peers import ThreadView

OfLine = Annotated[LineId | None, Meta(description="Only what went by this line.")]


class ThreadLine(Model):
    """One line of a thread, and the conversation with it."""

    conversation_id: ConversationId
    line_id: LineId
    line_number: str | None
    line_name: str | None
    last_at: UtcTime
    unread: Count
    texts: Annotated[Count | None, Meta(description="How many; null in lists.")]


class Thread(Model):
    """All that was said with one peer."""

    id: Annotated[ConversationId, Meta(description="Its oldest conversation; any of them names it in a path.")]
    peer: str
    contact_id: ContactId | None
    name: Annotated[str | None, Meta(description="Of the contact whose number it is.")]
    tags: list[str]
    lines: Annotated[list[ThreadLine], Meta(description="The line of the newest text first.")]
    last_at: UtcTime
    last_direction: Direction | None
    last_message: Message | None
    unread: Count
    read_up_to: Annotated[MessageId | None, Meta(description="The newest text that was read.")]
    archived_at: UtcTime | None
    muted_at: UtcTime | None
    opted_out_at: Annotated[UtcTime | None, Meta(description="Asked to hear no more: nothing is accepted for it.")]
    opted_out_word: Annotated[str | None, Meta(description="What it wrote; null when a person noted it.")]


class ThreadPage(Model):
    """Threads, the one with the newest text first. A page may be short and still have a next one."""

    items: list[Thread]
    next_cursor: NextCursor


class ThreadCounts(Model):
    """How many threads want a person, among the newest 2,000 conversations."""

    unread: Annotated[Count, Meta(description="Without those that are muted.")]
    waiting: Annotated[Count, Meta(description="Their last word is the peer's, who may be answered.")]
    failed: Annotated[Count, Meta(description="Their last text was not sent, or not delivered.")]


class ThreadsQuery(PageQuery):
    """Which threads to list."""

    show: Annotated[
        Literal["inbox", "unread", "waiting", "failed", "archived"],
        Meta(
            description="`waiting`: the peer had the last word, and has not asked to hear no more. `failed`: the last text did not arrive."
        ),
    ] = "inbox"
    line_id: OfLine = None
    peer: Annotated[Address | None, Meta(description="The thread with exactly this number.")] = None
    text: (
        Annotated[
            str, Meta(min_length=1, max_length=200, description="Part of a name, tag or number; finds the archive too.")
        ]
        | None
    ) = None


class CountsQuery(Query):
    """What to count."""

    line_id: OfLine = None


class TextsQuery(PageQuery):
    """Which part of a thread."""

    line_id: OfLine = None
    order: Literal["newest_first", "oldest_first"] = "newest_first"
    before: Annotated[MessageId | None, Meta(description="Only texts older than this one; newest first.")] = None
    after: Annotated[MessageId | None, Meta(description="Only texts newer than this one; oldest first.")] = None


class ThreadChange(ConversationChange):
    """What to change, for all conversations of the thread; what is not named stays."""


def shown(view: ThreadView) -> Thread:
    """A thread as customers see it."""
    return Thread(
        id=out("conversation", view.id),
        peer=view.peer,
        contact_id=out_or_none("contact", view.contact_id),
        name=view.name,
        tags=list(view.tags),
        lines=[_line(line) for line in view.lines],
        last_at=time(view.last_at),
        last_direction=view.last_direction,
        last_message=None if view.last_message is None else shown_message(view.last_message),
        unread=view.unread,
        read_up_to=out_or_none("message", view.read_up_to),
        archived_at=time_or_none(view.archived_at),
        muted_at=time_or_none(view.muted_at),
        opted_out_at=None if view.opted_out is None else time(view.opted_out.at),
        opted_out_word=None if view.opted_out is None else view.opted_out.word,
    )


def _line(view: LineView) -> ThreadLine:
    return ThreadLine(
        conversation_id=out("conversation", view.conversation_id),
        line_id=out("line", view.line_id),
        line_number=view.line_number,
        line_name=view.line_name,
        last_at=time(view.last_at),
        unread=view.unread,
        texts=view.texts,
    )


def _lines(call: Call[Any, Any], line_id: str | None = None) -> tuple[str, ...] | None:
    """The lines to look at: the one that is asked for, of those that the one who asks may see; None = all."""
    bare = bare_or_none("line", line_id, "line_id")
    if call.line_ids is None:
        return None if bare is None else (bare,)
    return tuple(sorted(call.line_ids if bare is None else call.line_ids & {bare}))


async def list_threads(call: Call[ThreadsQuery, None]) -> ThreadPage:
    """List threads.

    One for each peer, over all lines; the one with the newest text first.
    """
    query = call.query
    settings = await call.services.credentials.settings_of(call.account_id)
    region = settings.default_region or call.services.config.default_region
    asked = peers.ThreadFilter(
        show=query.show,
        line_ids=_lines(call, query.line_id),
        peer=None if query.peer is None else peer_address(query.peer, region).value,
        text=query.text,
    )
    page = await call.read(peers.list_threads, call.account_id, asked, query.cursor, query.limit)
    return ThreadPage(items=[shown(view) for view in page.items], next_cursor=page.next)


async def count_threads(call: Call[CountsQuery, None]) -> ThreadCounts:
    """Count the threads that want a person."""
    counts = await call.read(peers.count_threads, call.account_id, _lines(call, call.query.line_id))
    return ThreadCounts(unread=counts.unread, waiting=counts.waiting, failed=counts.failed)


async def get_thread(call: Call[NoQuery, None]) -> Thread:
    """Read one thread.

    Any of its conversations names it.
    """
    return shown(found(await call.read(peers.find_thread, call.account_id, call.path["conversation_id"], _lines(call))))


async def list_thread_messages(call: Call[TextsQuery, None]) -> MessagePage:
    """List the texts of a thread.

    Over all its lines. Newest first, unless asked otherwise.
    """
    query = call.query
    if query.before is not None and query.after is not None:
        raise invalid("after", "two_places", "Give before or after, not both.")
    beside = bare_or_none("message", query.before, "before") or bare_or_none("message", query.after, "after")
    page = found(
        await call.read(
            peers.list_texts,
            call.account_id,
            call.path["conversation_id"],
            _lines(call, query.line_id),
            query.cursor or beside,
            query.limit,
            oldest_first=query.after is not None or (query.before is None and query.order == "oldest_first"),
        )
    )
    return MessagePage(items=[shown_message(view) for view in page.items], next_cursor=page.next)


async def change_thread(call: Call[NoQuery, ThreadChange]) -> Thread:
    """Change a thread.

    Mark it read or unread, archive it, mute it: all its conversations at once.
    """
    body = call.body
    command = peers.UpdateThread(
        account_id=call.account_id,
        conversation_id=call.path["conversation_id"],
        read=None if body.is_read is UNSET else body.is_read,
        read_up_to=None if body.read_up_to is UNSET else bare_or_none("message", body.read_up_to, "read_up_to"),
        archived=None if body.is_archived is UNSET else body.is_archived,
        muted=None if body.is_muted is UNSET else body.is_muted,
        line_ids=_lines(call),
    )
    return shown(await call.write(peers.update_thread, command))


_ALL = "/v1/threads"
_ONE = "/v1/threads/{conversation_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_threads, knows_lines=True, scope=Scope.MESSAGES_READ, query=ThreadsQuery, body=NoBody,
        returns=ThreadPage,
    ),
    Operation(
        method="GET", path=_ALL + "/counts", run=count_threads, knows_lines=True, scope=Scope.MESSAGES_READ, query=CountsQuery, body=NoBody,
        returns=ThreadCounts,
    ),
    Operation(
        method="GET", path=_ONE, run=get_thread, knows_lines=True, scope=Scope.MESSAGES_READ, query=NoQuery, body=NoBody, returns=Thread,
    ),
    Operation(
        method="GET", path=_ONE + "/messages", run=list_thread_messages, knows_lines=True, scope=Scope.MESSAGES_READ, query=TextsQuery,
        body=NoBody, returns=MessagePage,
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_thread, knows_lines=True, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery, body=ThreadChange,
        returns=Thread, example={"is_archived": True},
    ),
)  # fmt: skip
