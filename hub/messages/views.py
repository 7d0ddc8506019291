"""Texts, threads and batches as every API reads them: bare ids, times in milliseconds, words of the hub.

Doors render them in their own dialect; nothing in here is computed by a door.
"""

from typing import Literal

import msgspec

from hub.core.clock import UtcMs
from hub.core.encoding import Encoding
from hub.core.media import Medium
from hub.messages.announce import read_callback, read_metadata
from hub.messages.known_segments import KnownSegment, read_segments
from hub.storage.conversations import ConversationRow
from hub.storage.messages import MessageRow

Direction = Literal["mt", "mo"]
MessageKind = Literal["sms", "data", "mms", "call"]
SegmentState = Literal["waiting", "uncertain", "refused", "failed", "sent", "undelivered", "delivered"]

_SEGMENT_STATES: dict[str, SegmentState] = {
    ".": "waiting",
    "?": "uncertain",
    "w": "refused",
    "r": "refused",
    "f": "failed",
    "s": "sent",
    "u": "undelivered",
    "d": "delivered",
}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Root of all views."""


class SegmentView(View, frozen=True, kw_only=True):
    """What is known of one segment, counted from 0."""

    index: int
    state: SegmentState
    reason: str | None
    error_code: str | None
    at: UtcMs | None


class MessageView(View, frozen=True, kw_only=True):
    """One text, MMS notice or missed call."""

    id: str
    account_id: str
    direction: Direction
    kind: MessageKind
    state: str
    peer: str
    text: str
    encoding: Encoding
    segments: int
    priority: int
    created_at: UtcMs
    due_at: UtcMs | None
    """When dispatch may take it; None once that no longer matters, and while its batch is paused."""
    scheduled_at: UtcMs | None
    expires_at: UtcMs | None
    ttl_seconds: int | None
    door: str
    trace_id: str | None
    batch_id: str | None
    conversation_id: str | None
    retry_of: str | None
    metadata: dict[str, str]
    callback_url: str | None
    is_pinned: bool
    line_id: str | None
    line_number: str | None
    line_name: str | None
    line_why: str | None
    device_id: str | None
    submission: int
    tries: int
    cancel_requested_at: UtcMs | None
    reason: str | None
    error_code: str | None
    sent_at: UtcMs | None
    delivered_at: UtcMs | None
    uncertain_at: UtcMs | None
    final_at: UtcMs | None
    received_at: UtcMs | None
    segment_reports: tuple[SegmentView, ...]
    media: tuple[Medium, ...] = ()


class MessagePage(View, frozen=True, kw_only=True):
    """Some texts. With `next` set there may be more, also when this page is short: a search looks at so many at a time."""

    items: tuple[MessageView, ...]
    next: str | None


class ConversationView(View, frozen=True, kw_only=True):
    """A thread between one line and one peer."""

    id: str
    account_id: str
    line_id: str
    line_number: str | None
    line_name: str | None
    peer: str
    created_at: UtcMs
    last_at: UtcMs
    last_direction: Direction | None
    last_message: MessageView | None
    unread: int
    read_up_to: str | None
    archived_at: UtcMs | None
    muted_at: UtcMs | None


class ConversationPage(View, frozen=True, kw_only=True):
    """Some threads, the one with the newest text first."""

    items: tuple[ConversationView, ...]
    next: str | None


class BatchView(View, frozen=True, kw_only=True):
    """A request to many, and how many of its texts are in which state."""

    id: str
    account_id: str
    name: str | None
    total: int
    refused: int
    created_at: UtcMs
    cancelled_at: UtcMs | None
    paused_at: UtcMs | None
    rows_expected: int | None
    """How many rows its maker will bring; None for a batch that was one request."""
    counts: dict[str, int]


class BatchPage(View, frozen=True, kw_only=True):
    """Some batches, newest first."""

    items: tuple[BatchView, ...]
    next: str | None


Fact = str | int | float | bool | None


class TimelineHop(View, frozen=True, kw_only=True):
    """One step of a text's way."""

    at: UtcMs
    actor: str
    kind: str
    from_state: str | None
    to_state: str | None
    is_applied: bool
    sentence: str
    data: dict[str, Fact]
    raw: str | None


class TimelineView(View, frozen=True, kw_only=True):
    """Everything that happened to a text, oldest first."""

    message_id: str
    state: str
    entries: tuple[TimelineHop, ...]


_SHOWS_DUE = frozenset({"scheduled", "queued", "retried"})
LAST_SECOND: UtcMs = 253_402_300_799_000
"""The last second of year 9999. As a due time: not as long as the message's batch is paused."""


def message_view(
    row: MessageRow, line_number: str | None, line_name: str | None, media: tuple[Medium, ...] = ()
) -> MessageView:
    """A stored text as it is read."""
    target = read_callback(row)
    return MessageView(
        id=row.id,
        account_id=row.account_id,
        direction="mt" if row.direction == "mt" else "mo",
        kind=_kind(row.kind),
        state=row.state,
        peer=row.peer,
        text=row.text,
        encoding=encoding_of(row.encoding),
        segments=row.segments,
        priority=row.priority,
        created_at=row.created_at,
        due_at=row.due_at if row.state in _SHOWS_DUE and row.due_at < LAST_SECOND else None,
        scheduled_at=row.scheduled_at,
        expires_at=row.expires_at,
        ttl_seconds=row.ttl_seconds,
        door=row.door,
        trace_id=row.trace_id,
        batch_id=row.batch_id,
        conversation_id=row.conversation_id,
        retry_of=row.retry_of,
        metadata=read_metadata(row),
        callback_url=target.url if target is not None else None,
        is_pinned=row.is_pinned,
        line_id=row.line_id,
        line_number=line_number,
        line_name=line_name,
        line_why=row.line_why,
        device_id=row.device_id,
        submission=row.submission,
        tries=row.tries,
        cancel_requested_at=row.cancel_requested_at,
        reason=row.reason,
        error_code=row.error_code,
        sent_at=row.sent_at,
        delivered_at=row.delivered_at,
        uncertain_at=row.uncertain_at,
        final_at=row.final_at,
        received_at=row.received_at,
        segment_reports=tuple(_segment(index, known) for index, known in enumerate(read_segments(row.segment_reports))),
        media=media,
    )


def conversation_view(
    row: ConversationRow, line_number: str | None, line_name: str | None, last: MessageView | None
) -> ConversationView:
    """A stored thread as it is read."""
    return ConversationView(
        id=row.id,
        account_id=row.account_id,
        line_id=row.line_id,
        line_number=line_number,
        line_name=line_name,
        peer=row.peer,
        created_at=row.created_at,
        last_at=row.last_at,
        last_direction=None if row.last_direction is None else ("mt" if row.last_direction == "mt" else "mo"),
        last_message=last,
        unread=row.unread,
        read_up_to=row.read_up_to,
        archived_at=row.archived_at,
        muted_at=row.muted_at,
    )


def _kind(stored: str) -> MessageKind:
    match stored:
        case "mms" | "call" | "data":
            return stored
        case _:
            return "sms"


def encoding_of(stored: str) -> Encoding:
    """The encoding of a stored text."""
    match stored:
        case "ucs2" | "8bit":
            return stored
        case _:
            return "gsm7"


def _segment(index: int, known: KnownSegment) -> SegmentView:
    return SegmentView(
        index=index,
        state=_SEGMENT_STATES[known.letter],
        reason=known.reason,
        error_code=None if known.code is None else str(known.code),
        at=known.at,
    )
