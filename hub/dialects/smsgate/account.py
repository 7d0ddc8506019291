"""`/devices`, `/settings`, `/logs`, `/health`: what the account has and how it is."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from starlette.responses import Response

from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.events import EventType
from hub.core.ids import to_smsgate21
from hub.devices import RevokeDevice, list_devices, revoke_device
from hub.devices.views import DeviceView, LineView
from hub.dialects.smsgate.account_settings import AccountKeeper
from hub.dialects.smsgate.answers import answer, nothing
from hub.dialects.smsgate.names import Names
from hub.dialects.smsgate.reading import query_moment
from hub.dialects.smsgate.serving import Ask, Operation
from hub.dialects.smsgate.webhooks import Webhooks
from hub.storage.facts import find_fact
from hub.storage.feeds import FeedEvent, Position, read_events_back

MOST_DEVICES = 500
MOST_LOGS = 500
MOST_LOOKS = 40
"""Pages read backwards in search of a time long past."""
DAY_MS = 86_400_000
_BAD = frozenset(
    {EventType.SMS_FAILED, EventType.SMS_UNDELIVERED, EventType.SMS_DEAD_LETTER, EventType.ENDPOINT_DISABLED}
)
_ODD = frozenset({EventType.SMS_EXPIRED, EventType.SMS_UNCERTAIN, EventType.DEVICE_OFFLINE, EventType.ENDPOINT_FAILING})
_MODULES = {"sms": "messages", "mms": "messages", "call": "messages", "endpoint": "webhooks"}
_DATA = msgspec.json.Decoder(dict[str, Any])


class Account:
    """The operations."""

    def __init__(self, names: Names, keeper: AccountKeeper, webhooks: Webhooks) -> None:
        self._names = names
        self._keeper = keeper
        self._webhooks = webhooks

    def operations(self) -> list[Operation]:
        """The table."""
        table = [
            Operation("GET", "/settings", "settings:read", self.settings),
            Operation("PATCH", "/settings", "settings:write", self.change_settings),
            Operation("PUT", "/settings", "settings:write", self.replace_settings),
            Operation("GET", "/logs", "logs:read", self.logs),
        ]
        for path in ("/devices", "/device"):
            table.append(Operation("GET", path, "devices:list", self.devices))
            table.append(Operation("DELETE", path + "/", "devices:delete", self.delete_device))
        return table + [
            Operation("GET", path, None, self.health)
            for path in ("/health", "/health/live", "/health/ready", "/health/startup")
        ]

    async def devices(self, ask: Ask) -> Response:
        """Phones that were not removed, oldest first."""
        page = await ask.services.db.read(list_devices, ask.account_id, now=ask.now, limit=MOST_DEVICES)
        return answer([self._device(device) for device in page.items])

    def _device(self, device: DeviceView) -> dict[str, Any]:
        seen = device.last_seen_at or device.enrolled_at
        return {
            "id": self._names.device(device.id),
            "name": device.name,
            "createdAt": rfc3339(device.created_at),
            "updatedAt": rfc3339(max(device.enrolled_at, device.status_at or 0)),
            "lastSeen": rfc3339(seen),
            "simCards": [_sim(line) for line in device.lines if line.slot is not None],
        }

    async def delete_device(self, ask: Ask) -> Response:
        """204, also when there is none: it is removed for good."""
        device_id = self._names.device_id(ask.account_id, ask.tail)
        if device_id is not None:
            try:
                await ask.write(revoke_device, RevokeDevice(account_id=ask.account_id, device_id=device_id))
            except HubError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
        return nothing()

    async def settings(self, ask: Ask) -> Response:
        """All groups, without secrets."""
        return answer(await self._keeper.groups(ask.account_id))

    async def change_settings(self, ask: Ask) -> Response:
        """Merged key by key."""
        return await self._change(ask, is_whole=False)

    async def replace_settings(self, ask: Ask) -> Response:
        """What is not named goes."""
        return await self._change(ask, is_whole=True)

    async def _change(self, ask: Ask, *, is_whole: bool) -> Response:
        groups = await self._keeper.change(ask.account_id, ask.body, is_whole=is_whole)
        await self._webhooks.settings_changed(ask.account_id)
        return answer(groups)

    async def logs(self, ask: Ask) -> Response:
        """What happened in the account, oldest first: of the last day unless `from` and `to` say otherwise, the newest 500."""
        until = query_moment(ask.query, "to") or ask.now + 1
        since = query_moment(ask.query, "from")
        since = until - DAY_MS if since is None else since
        events = await self._events(ask, since, until)
        return answer([self._entry(event) for event in reversed(events)])

    def _entry(self, event: FeedEvent) -> dict[str, Any]:
        return _entry(event, None if event.device_id is None else self._names.device(event.device_id))

    async def _events(self, ask: Ask, since: int, until: int) -> list[FeedEvent]:
        found: list[FeedEvent] = []
        before: Position | None = None
        for _ in range(MOST_LOOKS):
            page = await ask.services.db.read(read_events_back, ask.account_id, before, limit=MOST_LOGS)
            found += [event for event in page.events if since <= event.created_at < until]
            if len(found) >= MOST_LOGS or not page.has_more or page.events[-1].created_at < since:
                break
            before = page.next
        return found[:MOST_LOGS]

    async def health(self, ask: Ask) -> Response:
        """Whether the database answers and takes writes; 503 when it does not."""
        checks = {"db:ping": await _check(ask), "writer:waiting": _waiting(ask)}
        is_well = all(check["status"] == "pass" for check in checks.values())
        told = {"status": "pass" if is_well else "fail", "version": _version(), "releaseId": 1, "checks": checks}
        return answer(told, 200 if is_well else 503)


def _sim(line: LineView) -> dict[str, Any]:
    slot = line.slot or 0
    told = {"slotIndex": slot, "simNumber": slot + 1, "phoneNumber": line.number, "carrierName": line.carrier}
    return {name: value for name, value in told.items() if value is not None}


def _entry(event: FeedEvent, device_id: str | None) -> dict[str, Any]:
    kind = EventType(event.type)
    data = _DATA.decode(event.data)
    said = data.get("explanation") or data.get("reason") or data.get("status")
    context: Mapping[str, str | None] = {
        "event": event.type,
        "messageId": None if event.message_id is None else to_smsgate21(event.message_id),
        "deviceId": device_id,
    }
    return {
        "id": event.position.seq,
        "priority": "ERROR" if kind in _BAD else "WARN" if kind in _ODD else "INFO",
        "module": _MODULES.get(event.type.partition(":")[0], "devices"),
        "message": f"{event.type}: {said}" if said else event.type,
        "context": {name: value for name, value in context.items() if value},
        "createdAt": rfc3339(event.created_at),
    }


async def _check(ask: Ask) -> dict[str, Any]:
    try:
        await ask.services.db.read(find_fact, "hub_epoch")
        failing = int(ask.services.db.writer.is_failing)
    except Exception:
        failing = 1
    status = "fail" if failing else "pass"
    return {
        "status": status,
        "observedValue": failing,
        "observedUnit": "",
        "description": "Failed sequential pings count",
    }


def _waiting(ask: Ask) -> dict[str, Any]:
    waiting = ask.services.db.writer.waiting
    return {"status": "pass", "observedValue": waiting, "observedUnit": "writes", "description": "Writes that wait"}


def _version() -> str:
    try:
        return version("handset-hub")
    except PackageNotFoundError:
        return "0"
