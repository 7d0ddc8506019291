"""The account's events as a list, read by number: nothing is skipped and nothing comes twice."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from hub.accounts.scopes import Scope
from hub.core.events import DATA_OF, EventType
from hub.dialects.native_v1.fields import (
    DEFAULT_LIMIT,
    ConversationId,
    Count,
    DeviceId,
    EventId,
    Limit,
    LineId,
    MessageId,
    Model,
    Query,
    UtcTime,
    out,
    out_or_none,
    time,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, Operation
from hub.dialects.native_v1.pages import START, FeedCursor, feed_cursor
from hub.media.links import MAY_HAVE_MEDIA
from hub.services import Services
from hub.storage.feeds import FeedEvent, read_events, read_events_back

DATA_TYPES: tuple[type[Any], ...] = tuple(sorted(set(DATA_OF.values()), key=lambda shape: shape.__name__))

EventData = Annotated[
    msgspec.Raw,
    Meta(
        description="What happened; its shape is that of the event's type.",
        extra_json_schema={"anyOf": [{"$ref": f"#/components/schemas/{shape.__name__}"} for shape in DATA_TYPES]},
    ),
]
EventCursor = Annotated[
    str, Meta(min_length=1, max_length=80, description="A place in the feed: a `cursor` of an event, or `next_cursor`.")
]


class Event(Model):
    """One applied fact."""

    id: EventId
    cursor: EventCursor
    seq: Annotated[Count, Meta(description="Rises with each event of the hub; the `seq` of its webhook.")]
    type: EventType
    occurred_at: UtcTime
    created_at: Annotated[UtcTime, Meta(description="When the hub stored it.")]
    device_id: DeviceId | None
    line_id: LineId | None
    message_id: MessageId | None
    conversation_id: ConversationId | None
    trace_id: str | None
    data: EventData


class EventPage(Model):
    """Events, and where to go on."""

    items: list[Event]
    next_cursor: Annotated[
        EventCursor,
        Meta(description="Give it as `after` (or `before`, newest first) to go on; also when the list is empty."),
    ]
    has_more: Annotated[bool, Meta(description="Whether there is more right now.")]


class EventsQuery(Query):
    """Which events to list."""

    after: EventCursor | None = None
    before: EventCursor | None = None
    order: Annotated[
        Literal["oldest_first", "newest_first"],
        Meta(description="`after` goes with the first, `before` with the second."),
    ] = "oldest_first"
    type: Annotated[list[EventType], Meta(description="Empty = all.")] = field(default_factory=list)
    limit: Limit = DEFAULT_LIMIT


def shown(event: FeedEvent, account_id: str, services: Services) -> Event:
    """An event as customers see it; links to attachments work from now on."""
    return Event(
        id=out("event", event.id),
        cursor=feed_cursor(services.hub_epoch, event.position),
        seq=event.position.seq,
        type=EventType(event.type),
        occurred_at=time(event.occurred_at),
        created_at=time(event.created_at),
        device_id=out_or_none("device", event.device_id),
        line_id=out_or_none("line", event.line_id),
        message_id=out_or_none("message", event.message_id),
        conversation_id=out_or_none("conversation", event.conversation_id),
        trace_id=event.trace_id,
        data=msgspec.Raw(_data(event, account_id, services)),
    )


def _data(event: FeedEvent, account_id: str, services: Services) -> bytes:
    data = event.data.encode()
    if event.type not in MAY_HAVE_MEDIA or b'"med_' not in data:
        return data
    return services.media_links.complete_data(account_id, EventType(event.type), data, services.clock.now())


async def list_events(call: Call[EventsQuery, None]) -> EventPage:
    """List events.

    Begin without a cursor and go on with `next_cursor` for as long as you like: it is a place in the feed, not a page of a list, and an
    event stored later is never before it. Events are kept for 30 days unless the hub is configured otherwise.
    """
    query, epoch = call.query, call.services.hub_epoch
    if query.order == "newest_first":
        before = None if query.before is None else FeedCursor(query.before, epoch).position
        page = await call.read(
            read_events_back, call.account_id, before, types=query.type, line_ids=call.line_ids, limit=query.limit
        )
    else:
        after = START if query.after is None else FeedCursor(query.after, epoch).position
        page = await call.read(
            read_events, call.account_id, after, types=query.type, line_ids=call.line_ids, limit=query.limit
        )
    return EventPage(
        items=[shown(event, call.account_id, call.services) for event in page.events],
        next_cursor=feed_cursor(epoch, page.next),
        has_more=page.has_more,
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/v1/events",
        run=list_events,
        knows_lines=True,
        scope=Scope.EVENTS_READ,
        query=EventsQuery,
        body=NoBody,
        returns=EventPage,
    ),
)
