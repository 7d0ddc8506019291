"""Phones: their health, what they hold, and what an operator does with them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from hub import devices
from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from hub.dialects.native_v1 import lines
from hub.dialects.native_v1.fields import (
    Count,
    DeviceId,
    Model,
    Name,
    NextCursor,
    PageQuery,
    Percent,
    Request,
    UtcTime,
    out,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import id_cursor

DeviceState = Literal["online", "offline", "paused", "suspended", "revoked"]


class DeviceRisk(Model):
    """Why a phone may soon fail, and what to do."""

    code: str
    severity: Literal["info", "warning", "critical"]
    text: str
    fix: str


class DeviceCaveat(Model):
    """What this kind of phone cannot promise."""

    code: str
    text: str


class Device(Model):
    """A phone."""

    id: DeviceId
    name: str
    transport: Annotated[
        str, Meta(description="How it speaks to the hub: `native` is our own app, `smsgate` the app of sms-gate.app.")
    ]
    state: DeviceState
    is_online: bool
    online_since: UtcTime | None
    offline_since: UtcTime | None
    last_seen_at: UtcTime | None
    last_event_at: UtcTime | None
    complete_up_to: Annotated[
        UtcTime | None, Meta(description="Everything the phone received or reported up to this time has arrived.")
    ]
    enrolled_at: UtcTime
    revoked_at: UtcTime | None
    suspended_at: UtcTime | None
    suspended_reason: str | None
    paused_at: UtcTime | None
    manufacturer: str | None
    model: str | None
    os_version: str | None
    app_version: str | None
    permissions: Annotated[dict[str, bool], Meta(description="Permission word → whether the phone granted it.")]
    battery_percent: Percent | None
    is_charging: bool | None
    signal_percent: Annotated[list[Percent | None], Meta(description="Per SIM slot.")]
    queued_events: Annotated[Count | None, Meta(description="Events the phone has not got rid of yet.")]
    queued_jobs: Annotated[Count | None, Meta(description="Texts the phone holds unsent.")]
    status_at: Annotated[UtcTime | None, Meta(description="When the phone told its battery, signal and queues.")]
    quarantined_events: Annotated[
        Count, Meta(description="Events that came in a form nobody could read; kept as they came.")
    ]
    missing_events: Annotated[Count, Meta(description="Event numbers that have not arrived and were asked for again.")]
    open_gaps: Annotated[Count, Meta(description="Ranges of events that the phone said it no longer has.")]
    clock_ahead_seconds: Annotated[
        float | None, Meta(description="How far its clock is ahead of the hub's; negative = behind.")
    ]
    is_sandbox: Annotated[
        bool, Meta(description="Not a phone but the emulator, started by the hub: what it sends reaches nobody.")
    ]
    lines: list[lines.Line]
    risks: list[DeviceRisk]
    caveats: Annotated[
        list[DeviceCaveat], Meta(description="What this kind of phone cannot promise; empty for the hub's own app.")
    ]


class DevicePage(Model):
    """Phones."""

    items: list[Device]
    next_cursor: NextCursor


class DevicesQuery(PageQuery):
    """Which phones to list."""

    include_revoked: bool = False


class DeviceChange(Request):
    """What to change; what is not named stays."""

    name: Name | UnsetType = UNSET
    is_paused: Annotated[
        bool | UnsetType, Meta(description="A paused phone stays connected and receives, and sends nothing.")
    ] = UNSET
    is_suspended: Annotated[bool | UnsetType, Meta(description="A suspended phone may not connect.")] = UNSET


def shown(view: devices.DeviceView, own: frozenset[str] | None = None) -> Device:
    """A phone as customers see it; with those of its lines that are in `own`, when that is given."""
    return Device(
        id=out("device", view.id),
        name=view.name,
        transport=view.transport,
        state=view.state,
        is_online=view.is_online,
        online_since=time_or_none(view.online_since),
        offline_since=time_or_none(view.offline_since),
        last_seen_at=time_or_none(view.last_seen_at),
        last_event_at=time_or_none(view.last_event_at),
        complete_up_to=time_or_none(view.complete_up_to),
        enrolled_at=time(view.enrolled_at),
        revoked_at=time_or_none(view.revoked_at),
        suspended_at=time_or_none(view.suspended_at),
        suspended_reason=view.suspended_reason,
        paused_at=time_or_none(view.paused_at),
        manufacturer=view.manufacturer,
        model=view.model,
        os_version=view.os_version,
        app_version=view.app_version,
        permissions=view.permissions,
        battery_percent=view.battery_percent,
        is_charging=view.is_charging,
        signal_percent=list(view.signal_percent),
        queued_events=view.queued_events,
        queued_jobs=view.queued_jobs,
        status_at=time_or_none(view.status_at),
        quarantined_events=view.quarantined_events,
        missing_events=view.missing_events,
        open_gaps=view.open_gaps,
        clock_ahead_seconds=None if view.clock_ahead_ms is None else view.clock_ahead_ms / 1000,
        is_sandbox=view.is_sandbox,
        lines=[lines.shown(line) for line in view.lines if own is None or line.id in own],
        risks=[shown_risk(one) for one in view.risks],
        caveats=[DeviceCaveat(code=one.code, text=one.text) for one in view.caveats],
    )


def shown_risk(risk: devices.Risk) -> DeviceRisk:
    """A risk as customers see it."""
    return DeviceRisk(code=risk.code, severity=risk.severity, text=risk.text, fix=risk.fix)


async def list_devices(call: Call[DevicesQuery, None]) -> DevicePage:
    """List phones."""
    page = await call.read(
        devices.list_devices,
        call.account_id,
        include_revoked=call.query.include_revoked,
        after=id_cursor(call.query.cursor),
        limit=call.query.limit,
        now=call.now,
    )
    views = [view for view in page.items if is_seen(call, view)]
    return DevicePage(items=[shown(view, call.line_ids) for view in views], next_cursor=page.next)


async def get_device(call: Call[NoQuery, None]) -> Device:
    """Read one phone."""
    view = found(await call.read(devices.find_device, call.account_id, call.path["device_id"], now=call.now))
    if not is_seen(call, view):
        raise HubError(Code.NOT_FOUND)
    return shown(view, call.line_ids)


def is_seen(call: Call[Any, Any], view: devices.DeviceView) -> bool:
    """Somebody who may see some lines only sees the phones these are in."""
    return call.line_ids is None or any(line.id in call.line_ids for line in view.lines)


async def change_device(call: Call[NoQuery, DeviceChange]) -> Device:
    """Change a phone.

    Rename it, pause it, or let it in and out. What is named is applied in this order: name, pause, suspension.
    """
    account_id, device_id, body = call.account_id, call.path["device_id"], call.body
    if body.name is not UNSET:
        await call.write(
            devices.rename_device, devices.RenameDevice(account_id=account_id, device_id=device_id, name=body.name)
        )
    if body.is_paused is True:
        await call.write(devices.pause_device, devices.PauseDevice(account_id=account_id, device_id=device_id))
    elif body.is_paused is False:
        await call.write(devices.resume_device, devices.ResumeDevice(account_id=account_id, device_id=device_id))
    if body.is_suspended is True:
        command = devices.SuspendDevice(account_id=account_id, device_id=device_id, reason="suspended by an operator")
        await call.write(devices.suspend_device, command)
    elif body.is_suspended is False:
        await call.write(devices.reinstate_device, devices.ReinstateDevice(account_id=account_id, device_id=device_id))
    return await _read(call)


async def _read(call: Call[NoQuery, DeviceChange]) -> Device:
    return shown(found(await call.read(devices.find_device, call.account_id, call.path["device_id"], now=call.now)))


async def revoke_device(call: Call[NoQuery, None]) -> Device:
    """Remove a phone for good.

    Its connection closes at once and its credentials never work again. Its texts and conversations stay.
    """
    command = devices.RevokeDevice(account_id=call.account_id, device_id=call.path["device_id"])
    return shown(await call.write(devices.revoke_device, command))


_ALL = "/v1/devices"
_ONE = "/v1/devices/{device_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, knows_lines=True, run=list_devices, scope=Scope.DEVICES_READ,
        query=DevicesQuery, body=NoBody, returns=DevicePage
    ),
    Operation(
        method="GET", path=_ONE, knows_lines=True, run=get_device, scope=Scope.DEVICES_READ,
        query=NoQuery, body=NoBody, returns=Device,
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_device, scope=Scope.DEVICES_WRITE, query=NoQuery, body=DeviceChange,
        returns=Device, errors=(Code.CONFLICT,), example={"name": "Workshop", "is_paused": True},
    ),
    Operation(
        method="DELETE", path=_ONE, run=revoke_device, scope=Scope.DEVICES_WRITE, query=NoQuery, body=NoBody, returns=Device,
        errors=(Code.CONFLICT,),
    ),
)  # fmt: skip
