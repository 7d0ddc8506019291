"""What a phone went through: its connections, what it no longer has, and what nobody could read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub import devices
from hub.accounts.scopes import Scope
from hub.dialects.native_v1.fields import Count, Model, NextCursor, PageQuery, UtcTime, time, time_or_none
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import cut, id_cursor, number_cursor


class Connection(Model):
    """One connection of a phone."""

    number: Annotated[Count, Meta(description="Counts the phone's connections.")]
    connected_at: UtcTime
    closed_at: UtcTime | None
    close_reason: str | None
    node: Annotated[str, Meta(description="The hub process that held it.")]


class ConnectionPage(Model):
    """Connections, newest first."""

    items: list[Connection]
    next_cursor: NextCursor


class Gap(Model):
    """Events a phone said it no longer has: numbers `first` to `last` of its stream."""

    first: Count
    last: Count
    reason: str
    at: UtcTime


class GapPage(Model):
    """Gaps, newest first."""

    items: list[Gap]
    next_cursor: NextCursor


class QuarantinedEvent(Model):
    """An event whose payload did not parse, as it came."""

    uuid: str
    number: Count
    type: str
    at: UtcTime
    received_at: UtcTime
    why: str | None
    raw: str


class QuarantinedList(Model):
    """Quarantined events, newest first, at most 100."""

    items: list[QuarantinedEvent]


async def list_connections(call: Call[PageQuery, None]) -> ConnectionPage:
    """List a phone's connections.

    When it was there, and why it went.
    """
    limit = call.query.limit
    views = found(
        await call.read(
            devices.list_connections,
            call.account_id,
            call.path["device_id"],
            before=number_cursor(call.query.cursor),
            limit=limit + 1,
        )
    )
    page, has_more = cut(views, limit)
    return ConnectionPage(
        items=[
            Connection(
                number=view.session_no,
                connected_at=time(view.connected_at),
                closed_at=time_or_none(view.closed_at),
                close_reason=view.close_reason,
                node=view.node,
            )
            for view in page
        ],
        next_cursor=str(page[-1].session_no) if has_more else None,
    )


async def list_gaps(call: Call[PageQuery, None]) -> GapPage:
    """List a phone's gaps.

    What it said it no longer has. An empty list and `complete_up_to` together say that nothing is missing.
    """
    limit = call.query.limit
    views = found(
        await call.read(
            devices.list_gaps,
            call.account_id,
            call.path["device_id"],
            after=id_cursor(call.query.cursor),
            limit=limit + 1,
        )
    )
    page, has_more = cut(views, limit)
    return GapPage(
        items=[Gap(first=view.first_n, last=view.last_n, reason=view.reason, at=time(view.at)) for view in page],
        next_cursor=page[-1].id if has_more else None,
    )


async def list_quarantined(call: Call[NoQuery, None]) -> QuarantinedList:
    """List a phone's unreadable events.

    Each is kept as it came.
    """
    views = found(await call.read(devices.list_quarantined, call.account_id, call.path["device_id"]))
    return QuarantinedList(
        items=[
            QuarantinedEvent(
                uuid=view.uuid,
                number=view.n,
                type=view.type,
                at=time(view.at),
                received_at=time(view.received_at),
                why=view.why,
                raw=view.payload,
            )
            for view in views
        ]
    )


_ONE = "/v1/devices/{device_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ONE + "/connections", run=list_connections, scope=Scope.DEVICES_READ, query=PageQuery,
        body=NoBody, returns=ConnectionPage,
    ),
    Operation(
        method="GET", path=_ONE + "/gaps", run=list_gaps, scope=Scope.DEVICES_READ, query=PageQuery, body=NoBody,
        returns=GapPage,
    ),
    Operation(
        method="GET", path=_ONE + "/quarantined", run=list_quarantined, scope=Scope.DEVICES_READ, query=NoQuery, body=NoBody,
        returns=QuarantinedList,
    ),
)  # fmt: skip
