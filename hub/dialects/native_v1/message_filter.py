"""Which texts a list or an export is about: one set of query parameters, and one place where it is narrowed to what the caller may see."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from hub.core.status import Status
from hub.dialects.native_v1.fields import (
    Address,
    BatchId,
    ConversationId,
    DeviceId,
    LineId,
    Query,
    UtcTime,
    bare_or_none,
    moment_or_none,
)
from hub.dialects.native_v1.message_models import Direction, Kind
from hub.dialects.native_v1.operation import Call
from hub.dialects.native_v1.own_lines import narrowed
from hub.messages.search import MessageFilter


class TextsFilter(Query):
    """Which texts."""

    state: Annotated[list[Status], Meta(description="Any of these; empty = all.")] = field(default_factory=list)
    direction: Direction | None = None
    kind: Kind | None = None
    peer: Annotated[Address | None, Meta(description="Exactly this number or name.")] = None
    line_id: LineId | None = None
    device_id: DeviceId | None = None
    batch_id: BatchId | None = None
    conversation_id: ConversationId | None = None
    text: Annotated[str, Meta(min_length=1, max_length=200, description="Part of the text, in any case.")] | None = None
    created_from: UtcTime | None = None
    created_to: UtcTime | None = None
    order: Literal["newest_first", "oldest_first"] = "newest_first"


def asked_for(call: Call[Any, Any]) -> MessageFilter:
    """The filter of a call whose query is a `TextsFilter`, over the lines that the caller may see."""
    query: TextsFilter = call.query
    return MessageFilter(
        states=tuple(map(str, query.state)),
        direction=query.direction,
        kind=query.kind,
        peer=query.peer,
        line_id=bare_or_none("line", query.line_id, "line_id"),
        line_ids=narrowed(call, None),
        device_id=bare_or_none("device", query.device_id, "device_id"),
        batch_id=bare_or_none("batch", query.batch_id, "batch_id"),
        conversation_id=bare_or_none("conversation", query.conversation_id, "conversation_id"),
        text=query.text,
        created_from=moment_or_none(query.created_from, "created_from"),
        created_to=moment_or_none(query.created_to, "created_to"),
        is_oldest_first=query.order == "oldest_first",
    )
