"""A text as customers see it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hub.core.media import Medium as Attached
from hub.core.results import why
from hub.core.status import Status
from hub.dialects.native_v1.fields import (
    BatchId,
    ConversationId,
    Count,
    DeviceId,
    LineId,
    MediaId,
    MessageId,
    Model,
    NextCursor,
    UtcTime,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.messages.views import MessageView

Direction = Literal["mt", "mo"]
Kind = Literal["sms", "data", "mms", "call"]
Priority = Literal["bulk", "normal", "high"]
Encoding = Literal["gsm7", "ucs2", "8bit"]


class Segment(Model):
    """What is known of one segment of a long text."""

    index: Annotated[Count, Meta(description="From 0.")]
    state: str
    reason: str | None
    error_code: str | None
    at: UtcTime | None


class Medium(Model):
    """One thing attached to an MMS."""

    id: MediaId
    content_type: str
    name: str | None
    size_bytes: Count | None
    url: Annotated[
        str | None,
        Meta(description="Its content, for whoever may read the text; null when it is not here: `why` says why."),
    ]
    why: Annotated[str | None, Meta(description="`type` or `size`: not kept; `missing`: not handed over; `deleted`.")]


class Message(Model):
    """One text to or from one peer, in one state."""

    id: MessageId
    direction: Annotated[Direction, Meta(description="`mt`: sent by you. `mo`: received.")]
    kind: Annotated[
        Kind, Meta(description="`call` is a missed call in the conversation; the `text` of `data` is base64.")
    ]
    state: Status
    peer: Annotated[str, Meta(description="The other side's number or name.")]
    text: str
    encoding: Encoding
    segments: Annotated[int, Meta(ge=0)]
    priority: Priority
    created_at: UtcTime
    due_at: Annotated[UtcTime | None, Meta(description="When a phone may take it: now, its time, or after a wait.")]
    scheduled_at: UtcTime | None
    expires_at: UtcTime | None
    batch_id: BatchId | None
    conversation_id: ConversationId | None
    retry_of: Annotated[MessageId | None, Meta(description="The text this one sends again.")]
    metadata: Annotated[dict[str, str], Meta(description="Yours, passed back with every event.")]
    callback_url: str | None
    door: Annotated[str, Meta(description="Which API took it, or which transport brought it.")]
    is_pinned: Annotated[bool, Meta(description="The request named the line or phone: it waits for that one.")]
    line_id: LineId | None
    line_number: str | None
    line_name: str | None
    line_why: Annotated[
        str | None, Meta(description="Why this line: `asked`, `sticky`, `least_loaded`, `only_line`, `failover`.")
    ]
    device_id: DeviceId | None
    submission: Annotated[Count, Meta(description="How often it was offered to a phone.")]
    tries: Annotated[Count, Meta(description="How often it was tried and failed for a passing reason.")]
    cancel_requested_at: UtcTime | None
    reason: Annotated[str | None, Meta(description="Word for why it is in this state.")]
    explanation: Annotated[str | None, Meta(description="The same in one sentence.")]
    error_code: Annotated[str | None, Meta(description="The phone's or network's own code.")]
    sent_at: UtcTime | None
    delivered_at: UtcTime | None
    uncertain_at: UtcTime | None
    final_at: UtcTime | None
    received_at: UtcTime | None
    segment_reports: list[Segment]
    media: Annotated[list[Medium], Meta(description="What is attached to an MMS.")]
    trace_id: Annotated[str | None, Meta(description="Names the request it came by in the hub's logs.")]


class MessagePage(Model):
    """Texts, newest first unless asked otherwise."""

    items: list[Message]
    next_cursor: NextCursor


def shown(view: MessageView) -> Message:
    """A text as customers see it."""
    return Message(
        id=out("message", view.id),
        direction=view.direction,
        kind=view.kind,
        state=Status(view.state),
        peer=view.peer,
        text=view.text,
        encoding=view.encoding,
        segments=view.segments,
        priority=_priority(view.priority),
        created_at=time(view.created_at),
        due_at=time_or_none(view.due_at),
        scheduled_at=time_or_none(view.scheduled_at),
        expires_at=time_or_none(view.expires_at),
        batch_id=out_or_none("batch", view.batch_id),
        conversation_id=out_or_none("conversation", view.conversation_id),
        retry_of=out_or_none("message", view.retry_of),
        metadata=view.metadata,
        callback_url=view.callback_url,
        door=view.door,
        is_pinned=view.is_pinned,
        line_id=out_or_none("line", view.line_id),
        line_number=view.line_number,
        line_name=view.line_name,
        line_why=view.line_why,
        device_id=out_or_none("device", view.device_id),
        submission=view.submission,
        tries=view.tries,
        cancel_requested_at=time_or_none(view.cancel_requested_at),
        reason=view.reason,
        explanation=why(view.reason),
        error_code=view.error_code,
        sent_at=time_or_none(view.sent_at),
        delivered_at=time_or_none(view.delivered_at),
        uncertain_at=time_or_none(view.uncertain_at),
        final_at=time_or_none(view.final_at),
        received_at=time_or_none(view.received_at),
        segment_reports=[
            Segment(
                index=one.index, state=one.state, reason=one.reason, error_code=one.error_code, at=time_or_none(one.at)
            )
            for one in view.segment_reports
        ],
        media=[_medium(one) for one in view.media],
        trace_id=view.trace_id,
    )


def _medium(one: Attached) -> Medium:
    return Medium(
        id=out("media", one.id),
        content_type=one.type,
        name=one.name,
        size_bytes=one.size_bytes,
        url=f"/v1/media/{out('media', one.id)}" if one.why is None else None,
        why=one.why,
    )


_PRIORITY: dict[int, Priority] = {0: "bulk", 1: "normal", 2: "high"}


def _priority(number: int) -> Priority:
    return _PRIORITY.get(number, "normal")
