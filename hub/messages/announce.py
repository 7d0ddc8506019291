"""Customer events about messages: what is told of a message when it moved, in the customer's words."""

from typing import TypeAlias

import msgspec

from hub.core import results
from hub.core.clock import UtcMs, rfc3339
from hub.core.commands import CallbackTarget
from hub.core.events import Data, EventType, MediaData, MessageData
from hub.core.ids import Kind, render
from hub.messages.known_segments import letters_of
from hub.storage.messages import MessageRow
from hub.storage.messages_lines import LineFace, LineRow
from hub.webhooks.outbox import NewEvent

_Line: TypeAlias = LineFace | LineRow
_CALLBACK = msgspec.json.Decoder(CallbackTarget)
_METADATA = msgspec.json.Decoder(dict[str, str])


def message_event(
    event_id: str,
    type_: EventType,
    row: MessageRow,
    line: _Line | None,
    at: UtcMs,
    occurred_at: UtcMs | None = None,
    *,
    is_refunded: bool = False,
    media: tuple[MediaData, ...] = (),
) -> NewEvent:
    """The event that an outbound message came into its present state at `at` (hub), `occurred_at` (phone)."""
    data = _message_data(row, line, occurred_at or at, is_refunded)
    if row.kind == "mms":
        data = msgspec.structs.replace(data, media=media)
    return new_event(event_id, type_, row, data, occurred_at or at)


def new_event(event_id: str, type_: EventType, row: MessageRow, data: Data, occurred_at: UtcMs) -> NewEvent:
    """An event about a message, with what endpoints filter by."""
    return NewEvent(
        event_id,
        row.account_id,
        type_,
        occurred_at,
        data,
        row.device_id,
        row.line_id,
        row.peer,
        row.id,
        row.conversation_id,
        row.trace_id,
        read_callback(row) if row.callback else None,
    )


def _message_data(row: MessageRow, line: _Line | None, changed_at: UtcMs, is_refunded: bool) -> MessageData:
    """Every change of every text is told by one of these. What most of them do not have is added afterwards: with more than fifteen names
    in one call CPython makes a dictionary of them first, and the call costs three times as much."""
    data = MessageData(
        id=render("message", row.id),
        status=row.state,
        to=row.peer,
        from_=line.number if line else None,
        text=row.text,
        encoding=row.encoding,
        segments=row.segments,
        segments_sent=letters_of(row.segment_reports).sent if row.segment_reports else None,
        line_id=None if row.line_id is None else render("line", row.line_id),
        device_id=None if row.device_id is None else render("device", row.device_id),
        slot=line.slot if line else None,
        conversation_id=None if row.conversation_id is None else render("conversation", row.conversation_id),
        created_at=rfc3339(row.created_at),
        sent_at=None if row.sent_at is None else rfc3339(row.sent_at),
        changed_at=rfc3339(changed_at),
    )
    if not (
        is_refunded
        or row.metadata_json
        or row.batch_id
        or row.retry_of
        or row.reason
        or row.error_code
        or row.scheduled_at is not None
        or row.delivered_at is not None
    ):
        return data
    return msgspec.structs.replace(
        data,
        batch_id=rendered("batch", row.batch_id),
        retry_of=rendered("message", row.retry_of),
        reason=row.reason,
        error_code=row.error_code,
        explanation=results.why(row.reason),
        metadata=read_metadata(row),
        scheduled_at=None if row.scheduled_at is None else rfc3339(row.scheduled_at),
        delivered_at=None if row.delivered_at is None else rfc3339(row.delivered_at),
        refunded=is_refunded,
    )


def read_callback(row: MessageRow) -> CallbackTarget | None:
    """The message's own webhook target."""
    return _CALLBACK.decode(row.callback) if row.callback else None


def read_metadata(row: MessageRow) -> dict[str, str]:
    """What the request gave with it."""
    return _METADATA.decode(row.metadata_json) if row.metadata_json else {}


def rendered(kind: Kind, id_: str | None) -> str | None:
    """An id as customers see it."""
    return None if id_ is None else render(kind, id_)
