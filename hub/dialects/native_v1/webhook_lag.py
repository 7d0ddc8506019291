"""How long webhooks wait, over time: the numbers behind the dashboard's chart."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.dialects.native_v1.fields import Count, Model, Seconds, UtcTime, WebhookId, out, time
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, Operation
from hub.dialects.native_v1.overview import RangeQuery, range_of
from hub.storage import overview as stored

SPANS = 48
"""About as many points as a small chart can show."""
SHORTEST_MS = 60_000


class LagPoint(Model):
    """Events of one span of time."""

    start: UtcTime
    events: Count
    usual_seconds: Annotated[Seconds, Meta(description="From the event to the end of its delivery, on the average.")]
    worst_seconds: Seconds


class LagSeries(Model):
    """One webhook."""

    webhook_id: WebhookId
    points: Annotated[list[LagPoint], Meta(description="Spans in which something happened, oldest first.")]


class WebhookLagReport(Model):
    """How long webhooks waited in a range."""

    since: UtcTime
    until: UtcTime
    span_seconds: Annotated[Count, Meta(description="The length of one point.")]
    items: list[LagSeries]


async def get_webhook_lag(call: Call[RangeQuery, None]) -> WebhookLagReport:
    """Read how long webhooks wait.

    From each event to the end of its delivery, or to now while it waits: the newest 20,000 deliveries of each webhook, by span of time.
    """
    since, until = range_of(call)
    span = max(SHORTEST_MS, (until - since) // SPANS // SHORTEST_MS * SHORTEST_MS)
    endpoints = [lane.endpoint_id for lane in await call.read(stored.list_lane_states, call.account_id)]
    rows = await call.read(stored.webhook_lag, call.account_id, endpoints, since, until, span=span, now=call.now)
    points: dict[str, list[LagPoint]] = {endpoint_id: [] for endpoint_id in endpoints}
    for row in rows:
        points[row.endpoint_id].append(
            LagPoint(
                start=time(row.bucket * span),
                events=row.events,
                usual_seconds=row.usual / 1000,
                worst_seconds=row.worst / 1000,
            )
        )
    return WebhookLagReport(
        since=time(since),
        until=time(until),
        span_seconds=span // 1000,
        items=[LagSeries(webhook_id=out("endpoint", one), points=points[one]) for one in endpoints],
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/v1/overview/webhooks",
        run=get_webhook_lag,
        scope=Scope.ACCOUNT_READ,
        query=RangeQuery,
        body=NoBody,
        returns=WebhookLagReport,
    ),
)
