"""`/webhooks`: one event for one URL, under an id of the client's choice.

An entry is an endpoint of the hub in the `smsgate` format, sent with the app's schedule. Entries for events that only the phone app itself
knows are kept and listed, and never fire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError
from hub.core.events import EventType
from hub.core.ids import to_smsgate21
from hub.core.retry import doubling
from hub.dialects.smsgate.account_settings import AccountKeeper
from hub.dialects.smsgate.answers import answer, nothing, wrong
from hub.dialects.smsgate.names import Names
from hub.dialects.smsgate.reading import as_object, text
from hub.dialects.smsgate.serving import Ask, Operation
from hub.dialects.smsgate.webhook_rows import ForgetUnsent, KeepUnsent, forget_unsent, keep_unsent
from hub.services import Services
from hub.storage.devices_reading import has_device
from hub.storage.smsgate_accounts import UnsentRow, list_unsent
from hub.webhooks.formats.smsgate import MMS_DOWNLOADED, WORDS, SmsGate
from hub.webhooks.records import Endpoint, EndpointChanges, NewEndpoint
from hub.webhooks.targets import check_url

LONGEST_ID = 36
LONGEST_URL = 2048
ID = "webhook_id"
EVENT = "event"
FIRST_WAIT_SECONDS = 10
USUAL_RETRIES = 14
KEY_LOST = (
    "This hub lost the signing key with its key file: set webhooks.signing_key in /settings again, then register."
)

EVENTS: Mapping[str, tuple[EventType, ...]] = MappingProxyType(
    {
        **{word: tuple(event for event, other in WORDS.items() if other == word) for word in WORDS.values()},
        MMS_DOWNLOADED: (EventType.MMS_RECEIVED,),
    }
)
"""Their event → ours."""
UNSENT = (
    "sms:data-received",
    "app:started",
    "sms:batch:received",
    "sms:batch:data-received",
    "mms:batch:received",
    "mms:batch:downloaded",
)
"""Events of the phone app that the hub does not make."""


class Webhooks:
    """The operations."""

    def __init__(self, services: Services, names: Names, keeper: AccountKeeper) -> None:
        self._services = services
        self._names = names
        self._keeper = keeper
        self._writing = asyncio.Lock()

    def operations(self) -> list[Operation]:
        """The table."""
        return [
            Operation("GET", "/webhooks", "webhooks:list", self.page),
            Operation("POST", "/webhooks", "webhooks:write", self.put),
            Operation("DELETE", "/webhooks/", "webhooks:delete", self.delete),
        ]

    async def page(self, ask: Ask) -> Response:
        """All of the account's, oldest first."""
        shown = [self._shown(endpoint) for endpoint in await self.registered(ask.account_id)]
        unsent = await ask.services.db.read(list_unsent, ask.account_id)
        return answer(shown + [self._unsent(row) for row in unsent])

    async def put(self, ask: Ask) -> Response:
        """201; one with the same id is replaced."""
        body = as_object(ask.body)
        shown_id = text(body, "id", most=LONGEST_ID) or to_smsgate21(ask.new_id())
        url = text(body, "url", least=1, most=LONGEST_URL, needed=True) or ""
        event = text(body, "event", most=64, needed=True) or ""
        device_id = await self._device(ask, text(body, "deviceId", "device_id", most=LONGEST_ID))
        if event not in EVENTS and event not in UNSENT:
            raise wrong(f"invalid event: {event!r} is none of {', '.join((*EVENTS, *UNSENT))}")
        async with self._writing:
            await self.store(ask.account_id, shown_id, url, event, device_id, ask.now)
        told = {"id": shown_id, "url": url, "event": event}
        return answer({**told, "deviceId": None if device_id is None else self._names.device(device_id)}, 201)

    async def delete(self, ask: Ask) -> Response:
        """204, also when there is none."""
        async with self._writing:
            for endpoint in await self.registered(ask.account_id):
                if endpoint.settings[ID] == ask.tail:
                    await ask.services.webhooks.delete(ask.account_id, endpoint.id)
            await ask.write(forget_unsent, ForgetUnsent(account_id=ask.account_id, shown_id=ask.tail))
        return nothing()

    async def registered(self, account_id: str) -> list[Endpoint]:
        """The endpoints that came in by this door."""
        endpoints = await self._services.webhooks.list(account_id)
        return [one for one in endpoints if one.format == SmsGate.name and ID in one.settings]

    async def store(
        self, account_id: str, shown_id: str, url: str, event: str, device_id: str | None, now: UtcMs
    ) -> None:
        """Make it or change what has its id. Raises what says why the URL cannot be."""
        self.check_url(url)
        known = [one for one in await self.registered(account_id) if one.settings[ID] == shown_id]
        services = self._services
        if event in UNSENT:
            for endpoint in known:
                await services.webhooks.delete(account_id, endpoint.id)
            row = UnsentRow(account_id, shown_id, url, event, device_id, now)
            await services.db.writer.submit(keep_unsent, KeepUnsent(row), f"account:{account_id}:smsgate")
            return
        forget = ForgetUnsent(account_id=account_id, shown_id=shown_id)
        await services.db.writer.submit(forget_unsent, forget, *forget.keys())
        settings = {ID: shown_id, EVENT: event}
        types = tuple(one.value for one in EVENTS[event])
        devices = () if device_id is None else (device_id,)
        if known:
            changes = EndpointChanges(url=url, settings=settings, event_types=types, device_ids=devices)
            await services.webhooks.update(account_id, known[0].id, changes)
            return
        own = await self._keeper.read(account_id)
        if own.is_key_lost:
            raise HubError(Code.CONFLICT, KEY_LOST)
        new = NewEndpoint(
            url=url,
            description="Registered by the sms-gate.app API",
            format=SmsGate.name,
            settings=settings,
            event_types=types,
            device_ids=devices,
            schedule=schedule_of(own.retry_count),
        )
        made = await services.webhooks.create(account_id, new)
        if own.signing_key is not None:
            await services.webhooks.use_own_key(account_id, made.endpoint.id, own.signing_key)

    async def settings_changed(self, account_id: str) -> None:
        """The account chose another key or number of tries: its webhooks follow."""
        own = await self._keeper.read(account_id)
        async with self._writing:
            for endpoint in await self.registered(account_id):
                if not own.is_key_lost:
                    await self._services.webhooks.use_own_key(account_id, endpoint.id, own.signing_key)
                if endpoint.schedule != schedule_of(own.retry_count):
                    changes = EndpointChanges(schedule=schedule_of(own.retry_count))
                    await self._services.webhooks.update(account_id, endpoint.id, changes)

    def check_url(self, url: str) -> None:
        """https, or http to this machine or to a network the operator allowed, and nothing the hub would never send to. Else 400."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            raise wrong("url is not a URL") from None
        if parts.scheme.lower() == "https" or (parts.scheme.lower() == "http" and self._is_near(host)):
            return check_url(url, self._services.webhooks.client.guard)
        raise wrong("url must start with https:// (http:// is for loopback and for networks the operator allowed)")

    def _is_near(self, host: str) -> bool:
        if host.lower() == "localhost":
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        is_allowed = self._services.webhooks.client.guard.refusal(host) is None
        return address.is_loopback or (address.is_private and is_allowed)

    async def _device(self, ask: Ask, shown_id: str | None) -> str | None:
        if shown_id is None:
            return None
        device_id = self._names.device_id(ask.account_id, shown_id)
        if device_id is None or not await ask.services.db.read(has_device, ask.account_id, device_id):
            raise HubError(Code.BAD_REQUEST, f"deviceId: the account has no phone {shown_id!r}.")
        return device_id

    def _shown(self, endpoint: Endpoint) -> dict[str, Any]:
        device = endpoint.device_ids[0] if endpoint.device_ids else None
        return {
            "id": endpoint.settings[ID],
            "deviceId": None if device is None else self._names.device(device),
            "url": endpoint.url,
            "event": endpoint.settings.get(EVENT) or _first_word(endpoint.event_types),
        }

    def _unsent(self, row: UnsentRow) -> dict[str, Any]:
        device = None if row.device_id is None else self._names.device(row.device_id)
        return {"id": row.shown_id, "deviceId": device, "url": row.url, "event": row.event}


def schedule_of(retries: int | None) -> str | tuple[float, ...]:
    """The app's schedule, 10 s and doubling, with as many retries as the account set."""
    return "smsgate" if retries in (None, USUAL_RETRIES) else tuple(doubling(FIRST_WAIT_SECONDS, retries or 1))


def _first_word(event_types: Sequence[str]) -> str:
    return next((WORDS[EventType(one)] for one in event_types), "sms:received")
