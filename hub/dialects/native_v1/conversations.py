"""Conversations: threads of one line and one peer, as a person answers them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from hub.accounts.scopes import Scope
from hub.dialects.native_v1.fields import (
    Address,
    ConversationId,
    Count,
    LineId,
    MessageId,
    Model,
    NextCursor,
    PageQuery,
    Request,
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
from hub.messages import conversations as threads
from hub.messages.views import ConversationView


class Conversation(Model):
    """A thread: one line and one peer."""

    id: ConversationId
    line_id: LineId
    line_number: str | None
    line_name: str | None
    peer: str
    created_at: UtcTime
    last_at: UtcTime
    last_direction: Direction | None
    last_message: Message | None
    unread: Count
    read_up_to: Annotated[MessageId | None, Meta(description="The newest text that was read.")]
    archived_at: UtcTime | None
    muted_at: UtcTime | None


class ConversationPage(Model):
    """Conversations, the one with the newest text first."""

    items: list[Conversation]
    next_cursor: NextCursor


class ConversationsQuery(PageQuery):
    """Which conversations to list."""

    line_id: LineId | None = None
    peer: Address | None = None
    is_unread: Annotated[bool | None, Meta(description="true: only those with unread texts.")] = None
    is_archived: Annotated[bool, Meta(description="true: the archive instead of the inbox.")] = False
    text: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ThreadQuery(PageQuery):
    """Which part of a thread."""

    order: Literal["newest_first", "oldest_first"] = "newest_first"


class ConversationChange(Request):
    """What to change; what is not named stays."""

    is_read: Annotated[
        bool | UnsetType, Meta(description="true: everything in it was read. false: mark it unread.")
    ] = UNSET
    read_up_to: Annotated[
        MessageId | UnsetType, Meta(description="Everything up to this text was read; never moves back.")
    ] = UNSET
    is_archived: bool | UnsetType = UNSET
    is_muted: bool | UnsetType = UNSET


def shown(view: ConversationView) -> Conversation:
    """A conversation as customers see it."""
    return Conversation(
        id=out("conversation", view.id),
        line_id=out("line", view.line_id),
        line_number=view.line_number,
        line_name=view.line_name,
        peer=view.peer,
        created_at=time(view.created_at),
        last_at=time(view.last_at),
        last_direction=view.last_direction,
        last_message=None if view.last_message is None else shown_message(view.last_message),
        unread=view.unread,
        read_up_to=out_or_none("message", view.read_up_to),
        archived_at=time_or_none(view.archived_at),
        muted_at=time_or_none(view.muted_at),
    )


async def list_conversations(call: Call[ConversationsQuery, None]) -> ConversationPage:
    """List conversations.

    The one with the newest text first.
    """
    query = call.query
    asked = threads.ConversationFilter(
        line_id=bare_or_none("line", query.line_id, "line_id"),
        peer=query.peer,
        is_unread=query.is_unread,
        is_archived=query.is_archived,
        text=query.text,
    )
    page = await call.read(threads.list_conversations, call.account_id, asked, query.cursor, query.limit)
    return ConversationPage(items=[shown(view) for view in page.items], next_cursor=page.next)


async def get_conversation(call: Call[NoQuery, None]) -> Conversation:
    """Read one conversation."""
    return shown(found(await call.read(threads.find_conversation, call.account_id, call.path["conversation_id"])))


async def list_conversation_messages(call: Call[ThreadQuery, None]) -> MessagePage:
    """List the texts of a conversation.

    Newest first, unless asked otherwise.
    """
    query = call.query
    page = found(
        await call.read(
            threads.list_thread,
            call.account_id,
            call.path["conversation_id"],
            query.cursor,
            query.limit,
            oldest_first=query.order == "oldest_first",
        )
    )
    return MessagePage(items=[shown_message(view) for view in page.items], next_cursor=page.next)


async def change_conversation(call: Call[NoQuery, ConversationChange]) -> Conversation:
    """Change a conversation.

    Mark it read or unread, archive it, mute it.
    """
    body = call.body
    command = threads.UpdateConversation(
        account_id=call.account_id,
        conversation_id=call.path["conversation_id"],
        read=None if body.is_read is UNSET else body.is_read,
        read_up_to=None if body.read_up_to is UNSET else bare_or_none("message", body.read_up_to, "read_up_to"),
        archived=None if body.is_archived is UNSET else body.is_archived,
        muted=None if body.is_muted is UNSET else body.is_muted,
    )
    return shown(await call.write(threads.update_conversation, command))


_ALL = "/v1/conversations"
_ONE = "/v1/conversations/{conversation_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_conversations, scope=Scope.MESSAGES_READ, query=ConversationsQuery, body=NoBody,
        returns=ConversationPage,
    ),
    Operation(
        method="GET", path=_ONE, run=get_conversation, scope=Scope.MESSAGES_READ, query=NoQuery, body=NoBody,
        returns=Conversation,
    ),
    Operation(
        method="GET", path=_ONE + "/messages", run=list_conversation_messages, scope=Scope.MESSAGES_READ, query=ThreadQuery,
        body=NoBody, returns=MessagePage,
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_conversation, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery,
        body=ConversationChange, returns=Conversation, example={"is_read": True},
    ),
)  # fmt: skip
