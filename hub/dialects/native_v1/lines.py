"""Lines: SIMs as sending identities. A line keeps its id, threads and mark when its SIM moves to another phone."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from hub import devices
from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from hub.dialects.native_v1.fields import (
    Address,
    Count,
    DeviceId,
    LineId,
    Model,
    Name,
    Query,
    Request,
    UtcTime,
    bare_or_none,
    named,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found

Pace = Annotated[int, Meta(ge=1, le=1_000_000, description="Segments.")]
Alias = Annotated[
    str, Meta(min_length=1, max_length=11, description="A name of 1 to 11 characters that picks this line as `from`.")
]


class Line(Model):
    """A SIM, wherever it sits."""

    id: LineId
    name: str
    alias: str | None
    pool: str | None
    number: Annotated[str | None, Meta(description="E.164, when the phone or an operator told it.")]
    mark: Annotated[int, Meta(ge=0, description="Which colour and shape the dashboard gives it, for life.")]
    device_id: DeviceId | None
    device_name: str | None
    slot: Annotated[int | None, Meta(description="Where it sits in its phone, from 0.")]
    carrier: str | None
    is_present: Annotated[bool, Meta(description="Whether its phone listed the SIM last.")]
    is_enabled: bool
    is_online: Annotated[bool, Meta(description="Whether its phone is connected.")]
    paused_until: UtcTime | None
    paused_reason: str | None
    awaiting_confirmation: Annotated[
        bool,
        Meta(
            description="A SIM without a number turned up in another phone: say whether it is a known line (`confirm`)."
        ),
    ]
    candidates: Annotated[list[LineId], Meta(description="The known lines it may be.")]
    per_minute: int
    per_hour: int | None
    per_day: int | None
    per_month: int | None
    used_minute: Annotated[Count, Meta(description="Segments sent in the last minute.")]
    used_hour: Count
    used_day: Annotated[Count, Meta(description="Segments sent today, in the account's time zone.")]
    used_month: Count
    is_sandbox: Annotated[bool, Meta(description="In a sandbox phone: what it sends reaches nobody.")]
    sends_mms: Annotated[bool, Meta(description="Its phone can send attachments.")]
    created_at: UtcTime
    removed_at: UtcTime | None


class LineList(Model):
    """Every line of the account."""

    items: list[Line]


class LinesQuery(Query):
    """Which lines to list."""

    device_id: DeviceId | None = None
    include_removed: bool = False


class LineChange(Request):
    """What to change; what is not named stays."""

    name: Name | UnsetType = UNSET
    alias: Alias | UnsetType | None = UNSET
    pool: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType | None = UNSET
    number: Address | UnsetType | None = UNSET
    is_enabled: bool | UnsetType = UNSET
    per_minute: Pace | UnsetType = UNSET
    per_hour: Pace | UnsetType | None = UNSET
    per_day: Pace | UnsetType | None = UNSET
    per_month: Pace | UnsetType | None = UNSET


class LineConfirmation(Request):
    """Which line a new SIM is."""

    is_same_as: Annotated[
        LineId | None,
        Meta(description="The known line that this SIM is: its threads and mark move here. null: a line of its own."),
    ]


def shown(view: devices.LineView) -> Line:
    """A line as customers see it."""
    return Line(
        id=out("line", view.id),
        name=view.name,
        alias=view.alias,
        pool=view.pool,
        number=view.number,
        mark=view.mark,
        device_id=out_or_none("device", view.device_id),
        device_name=view.device_name,
        slot=view.slot,
        carrier=view.carrier,
        is_present=view.is_present,
        is_enabled=view.is_enabled,
        is_online=view.is_online,
        paused_until=time_or_none(view.paused_until),
        paused_reason=view.paused_reason,
        awaiting_confirmation=view.awaiting_confirmation,
        candidates=[out("line", line_id) for line_id in view.candidates],
        per_minute=view.per_minute,
        per_hour=view.per_hour,
        per_day=view.per_day,
        per_month=view.per_month,
        used_minute=view.used_minute,
        used_hour=view.used_hour,
        used_day=view.used_day,
        used_month=view.used_month,
        is_sandbox=view.is_sandbox,
        sends_mms=view.sends_mms,
        created_at=time(view.created_at),
        removed_at=time_or_none(view.removed_at),
    )


async def list_lines(call: Call[LinesQuery, None]) -> LineList:
    """List lines.

    All of them in one answer: an account has as many as it has SIMs.
    """
    views = await call.read(
        devices.list_lines,
        call.account_id,
        device_id=bare_or_none("device", call.query.device_id, "device_id"),
        include_removed=call.query.include_removed,
        now=call.now,
    )
    return LineList(items=[shown(view) for view in views if call.line_ids is None or view.id in call.line_ids])


async def get_line(call: Call[NoQuery, None]) -> Line:
    """Read one line."""
    if call.line_ids is not None and call.path["line_id"] not in call.line_ids:
        raise HubError(Code.NOT_FOUND)
    return shown(found(await call.read(devices.find_line, call.account_id, call.path["line_id"], now=call.now)))


async def change_line(call: Call[NoQuery, LineChange]) -> Line:
    """Change a line.

    Its name, alias, pool, number or limits; or switch it on or off.
    """
    command = devices.UpdateLine(account_id=call.account_id, line_id=call.path["line_id"], **named(call.body))
    return shown(await call.write(devices.update_line, command))


async def confirm_line(call: Call[NoQuery, LineConfirmation]) -> Line:
    """Say which line a new SIM is.

    A SIM without a number that turns up in a phone may be one that sat in another phone before. Naming that line moves its place here,
    and its threads and mark stay; `null` says that it is a line of its own.
    """
    same = bare_or_none("line", call.body.is_same_as, "is_same_as")
    command = devices.ConfirmLine(account_id=call.account_id, line_id=call.path["line_id"], is_same_as=same)
    return shown(await call.write(devices.confirm_line, command))


async def remove_line(call: Call[NoQuery, None]) -> Line:
    """Remove a line whose SIM is gone. Its conversations stay."""
    command = devices.RemoveLine(account_id=call.account_id, line_id=call.path["line_id"])
    return shown(await call.write(devices.remove_line, command))


_ONE = "/v1/lines/{line_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path="/v1/lines", knows_lines=True, run=list_lines, scope=Scope.DEVICES_READ,
        query=LinesQuery, body=NoBody, returns=LineList
    ),
    Operation(
        method="GET", path=_ONE, knows_lines=True, run=get_line, scope=Scope.DEVICES_READ,
        query=NoQuery, body=NoBody, returns=Line,
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_line, scope=Scope.DEVICES_WRITE, query=NoQuery, body=LineChange, returns=Line,
        errors=(Code.CONFLICT,), example={"name": "Front desk", "per_day": 500},
    ),
    Operation(
        method="POST", path=_ONE + "/confirm", run=confirm_line, scope=Scope.DEVICES_WRITE, query=NoQuery,
        body=LineConfirmation, returns=Line, errors=(Code.CONFLICT,),
    ),
    Operation(
        method="DELETE", path=_ONE, run=remove_line, scope=Scope.DEVICES_WRITE, query=NoQuery, body=NoBody, returns=Line,
        errors=(Code.CONFLICT,),
    ),
)  # fmt: skip
