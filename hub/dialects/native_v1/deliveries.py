"""Deliveries: every event on its way to a webhook, until it ends `ok`, `dead` or `cancelled`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.events import EventType
from hub.dialects.native_v1.attempts import Attempt, shown_attempt
from hub.dialects.native_v1.fields import (
    Count,
    DeliveryId,
    EventId,
    MessageId,
    Model,
    NextCursor,
    PageQuery,
    ReplayId,
    UtcTime,
    WebhookId,
    bare_or_none,
    moment_or_none,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.dialects.native_v1.pages import cut, id_cursor
from hub.webhooks import records

DeliveryState = Literal["pending", "held", "ok", "dead", "cancelled"]


class LastTry(Model):
    """How the newest try went."""

    at: UtcTime
    status: Annotated[int | None, Meta(description="HTTP status of the answer.")]
    outcome: Annotated[str, Meta(description="`ok`, or the word of why it failed.")]
    milliseconds: int | None


class Delivery(Model):
    """One event for one webhook."""

    id: DeliveryId
    webhook_id: WebhookId
    event_id: Annotated[EventId, Meta(description="Sent as `webhook-id`: the same on every try and replay.")]
    event_type: EventType
    message_id: MessageId | None
    state: DeliveryState
    url: str
    format: str
    run: Annotated[Count, Meta(description="0 = the first time; each replay is one more.")]
    origin: Annotated[str, Meta(description="`live` or `replay`.")]
    attempts: Count
    due_at: Annotated[UtcTime | None, Meta(description="The next try.")]
    created_at: UtcTime
    first_at: UtcTime | None
    done_at: UtcTime | None
    why: Annotated[str | None, Meta(description="Word for how it ended, or why it waits.")]
    explanation: Annotated[str, Meta(description="The same in one sentence.")]
    last_try: LastTry | None


class DeliveryPage(Model):
    """Deliveries, newest first."""

    items: list[Delivery]
    next_cursor: NextCursor


class DeliveryDetail(Model):
    """A delivery with its tries and the bytes that are sent."""

    delivery: Delivery
    attempts: list[Attempt]
    body: Annotated[str, Meta(description="Exactly what is sent; only signature headers differ between tries.")]


class DeliveriesQuery(PageQuery):
    """Which deliveries to list."""

    webhook_id: WebhookId | None = None
    event_id: EventId | None = None
    message_id: MessageId | None = None
    replay_id: ReplayId | None = None
    event_type: EventType | None = None
    state: Annotated[list[DeliveryState], Meta(description="Empty = all.")] = field(default_factory=list)
    since: UtcTime | None = None
    until: UtcTime | None = None


def shown(delivery: records.Delivery) -> Delivery:
    """A delivery as customers see it."""
    return Delivery(
        id=out("delivery", delivery.id),
        webhook_id=out("endpoint", delivery.endpoint_id),
        event_id=out("event", delivery.event_id),
        event_type=EventType(delivery.event_type),
        message_id=out_or_none("message", delivery.message_id),
        state=delivery.state,
        url=delivery.url,
        format=delivery.format,
        run=delivery.run,
        origin=delivery.origin,
        attempts=delivery.attempts,
        due_at=time_or_none(delivery.due_at),
        created_at=time(delivery.created_at),
        first_at=time_or_none(delivery.first_at),
        done_at=time_or_none(delivery.done_at),
        why=delivery.why,
        explanation=delivery.explanation,
        last_try=None if delivery.last_try is None else _last_try(delivery.last_try),
    )


def _last_try(last: records.LastTry) -> LastTry:
    return LastTry(at=time(last.at), status=last.status, outcome=last.outcome, milliseconds=last.milliseconds)


async def list_deliveries(call: Call[DeliveriesQuery, None]) -> DeliveryPage:
    """List deliveries."""
    query = call.query
    asked = records.DeliveryFilter(
        endpoint_id=bare_or_none("endpoint", query.webhook_id, "webhook_id"),
        event_id=bare_or_none("event", query.event_id, "event_id"),
        message_id=bare_or_none("message", query.message_id, "message_id"),
        replay_id=bare_or_none("replay", query.replay_id, "replay_id"),
        event_type=query.event_type,
        states=tuple(query.state),
        since=moment_or_none(query.since, "since"),
        until=moment_or_none(query.until, "until"),
    )
    views = await call.services.webhooks.deliveries(
        call.account_id, asked, before=id_cursor(query.cursor), limit=query.limit + 1
    )
    page, has_more = cut(views, query.limit)
    return DeliveryPage(items=[shown(view) for view in page], next_cursor=page[-1].id if has_more else None)


async def get_delivery(call: Call[NoQuery, None]) -> DeliveryDetail:
    """Read one delivery.

    Its tries, their timings, and the exact bytes.
    """
    detail = await call.services.webhooks.delivery(call.account_id, call.path["delivery_id"])
    return DeliveryDetail(
        delivery=shown(detail.delivery),
        attempts=[shown_attempt(attempt) for attempt in detail.attempts],
        body=detail.body,
    )


async def replay_delivery(call: Call[NoQuery, None]) -> Delivery:
    """Replay one delivery.

    Its event goes to the same webhook again: a new run with the same `webhook-id`.
    """
    return shown(await call.services.webhooks.replay(call.account_id, call.path["delivery_id"]))


async def cancel_delivery(call: Call[NoQuery, None]) -> Delivery:
    """Cancel a delivery."""
    return shown(await call.services.webhooks.cancel(call.account_id, call.path["delivery_id"]))


_ALL = "/v1/deliveries"
_ONE = "/v1/deliveries/{delivery_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_deliveries, scope=Scope.WEBHOOKS_READ, query=DeliveriesQuery, body=NoBody,
        returns=DeliveryPage,
    ),
    Operation(
        method="GET", path=_ONE, run=get_delivery, scope=Scope.WEBHOOKS_READ, query=NoQuery, body=NoBody,
        returns=DeliveryDetail,
    ),
    Operation(
        method="POST", path=_ONE + "/replay", run=replay_delivery, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=NoBody,
        returns=Delivery, status=202, errors=(Code.CONFLICT, Code.ENDPOINT_DISABLED),
    ),
    Operation(
        method="POST", path=_ONE + "/cancel", run=cancel_delivery, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=NoBody,
        returns=Delivery, errors=(Code.CONFLICT,),
    ),
)  # fmt: skip
