"""What an operator must know of phones: a cloned credential, a store that went back, a payload nobody could read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub import devices
from hub.accounts.scopes import Scope
from hub.dialects.native_v1.fields import DeviceId, Model, NextCursor, PageQuery, UtcTime, bare_or_none, out, time
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, Operation
from hub.dialects.native_v1.pages import cut, id_cursor


class Notice(Model):
    """Something that happened to a phone and wants a person's eye."""

    device_id: DeviceId
    kind: str
    text: Annotated[str, Meta(description="One or two sentences: what happened, and what to do.")]
    at: UtcTime


class NoticePage(Model):
    """Notices, newest first."""

    items: list[Notice]
    next_cursor: NextCursor


class NoticesQuery(PageQuery):
    """Which notices to list."""

    device_id: DeviceId | None = None


async def list_notices(call: Call[NoticesQuery, None]) -> NoticePage:
    """List notices of all phones, or of one."""
    limit = call.query.limit
    views = await call.read(
        devices.list_notices,
        call.account_id,
        device_id=bare_or_none("device", call.query.device_id, "device_id"),
        after=id_cursor(call.query.cursor),
        limit=limit + 1,
    )
    page, has_more = cut(views or (), limit)
    return NoticePage(
        items=[
            Notice(device_id=out("device", view.device_id), kind=view.kind, text=view.text, at=time(view.at))
            for view in page
        ],
        next_cursor=page[-1].id if has_more else None,
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/v1/notices",
        run=list_notices,
        scope=Scope.DEVICES_READ,
        query=NoticesQuery,
        body=NoBody,
        returns=NoticePage,
    ),
)
