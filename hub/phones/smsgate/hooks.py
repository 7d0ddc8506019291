"""The phone's own webhooks: the list that points it at this hub, and the address it posts to.

The address says whose it is and cannot be guessed. The app signs with a key of its own making until it has fetched its settings, where the
hub gives it one; from the first post signed with that on, others are refused, and the phone is told to fetch its settings again. A post is
answered after its commit, and well within the app's 5 seconds: one that was not stored in time is answered 503, and comes again.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.devices.arrival import RememberAboutPhone, read_remembered, remember_about_phone
from hub.devices.posted import StorePosted, store_posted
from hub.http import read_body
from hub.log import get_logger
from hub.phones.sessions import Sessions
from hub.phones.smsgate.answers import answer
from hub.phones.smsgate.attachments import WITH_ATTACHMENTS, PostedAttachments
from hub.phones.smsgate.callers import TRANSPORT, Callers, decoded
from hub.phones.smsgate.memory import PhoneMemory
from hub.phones.smsgate.secrets_of import PhoneSecrets
from hub.phones.smsgate.told import events_of
from hub.phones.smsgate.versions import Version, events_for
from hub.phones.smsgate.wire import Posted, skew
from hub.services import Services
from hub.storage.devices import DeviceRow
from hub.storage.devices_app import find_device_of

log = get_logger("phones.smsgate")

BODY_MAX_BYTES: Final = 16 * 1024 * 1024
"""Pictures of an MMS come inside the JSON."""
ANSWER_SECONDS: Final = 4.0
HOOK_PATH: Final = "/mobile/v1/hook"
SIGNED: Final = "is_signed"
"""What is remembered of a phone that has signed with the hub's key."""

_decoder = msgspec.json.Decoder(Posted)


class Hooks:
    """The two routes."""

    def __init__(
        self, services: Services, sessions: Sessions, callers: Callers, secrets: PhoneSecrets, memory: PhoneMemory
    ) -> None:
        self._services = services
        self._sessions = sessions
        self._callers = callers
        self._secrets = secrets
        self._memory = memory
        self._attachments = PostedAttachments(services)

    async def list_hooks(self, request: Request) -> Response:
        """`GET /webhooks`: nothing but this hub, one entry for each event that the app knows."""
        caller = await self._callers.identify(request)
        hooks = self.hooks_for(caller.device_id, caller.version)
        await self._memory.fetched(caller, "webhooks", hooks)
        return answer(hooks)

    def hooks_for(self, device_id: str, version: Version) -> list[dict[str, str]]:
        """The list of a phone with this version of the app."""
        url = f"{self._services.config.base_url}{HOOK_PATH}/{self._secrets.address(device_id)}"
        return [
            {"id": self._secrets.webhook_id(device_id, event), "url": url, "event": event}
            for event in events_for(version)
        ]

    async def take(self, request: Request) -> Response:
        """`POST /mobile/v1/hook/<address>`."""
        device_id = self._secrets.device_of(request.path_params["address"])
        device = None if device_id is None else await self._services.db.read(find_device_of, TRANSPORT, device_id)
        if device is None or device.revoked_at is not None:
            raise HubError(Code.UNAUTHENTICATED, "This address is no phone's.")
        if device.suspended_at is not None:
            raise HubError(Code.DEVICE_SUSPENDED)
        body = await read_body(request.scope, request.receive, BODY_MAX_BYTES)
        await self._check_signature(device, request, body)
        await self._store(device, body)
        return answer({})

    async def _check_signature(self, device: DeviceRow, request: Request, body: bytes) -> None:
        timestamp = request.headers.get("x-timestamp", "")
        is_signed = self._secrets.is_signed(device.id, body, timestamp, request.headers.get("x-signature", ""))
        was_signed = SIGNED in read_remembered(device.settings)
        if is_signed:
            self._memory.note_clock(device.id, skew(timestamp, self._services.clock.now()))
        if is_signed and not was_signed:
            command = RememberAboutPhone(
                account_id=device.account_id,
                device_id=device.id,
                credential_no=device.credential_no,
                values={SIGNED: "1"},
            )
            await self._services.db.writer.submit(remember_about_phone, command, *command.keys())
        if was_signed and not is_signed:
            self._memory.tell_settings(device.id)
            log.warning("a post was not signed with its phone's key", device=device.id)
            raise HubError(Code.BAD_SIGNATURE, "Not signed with the key this hub gave the phone: fetch the settings.")

    async def _store(self, device: DeviceRow, body: bytes) -> None:
        posted: Posted = decoded(_decoder, body)
        arrived = self._services.clock.now()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if posted.event in WITH_ATTACHMENTS:
                    posted, body = await self._attachments.take_out(device.account_id, posted)
                raw = sanitise(body.decode(errors="replace"))
                command = StorePosted(
                    account_id=device.account_id,
                    device_id=device.id,
                    credential_no=device.credential_no,
                    posted=events_of(posted, device.id, raw, arrived),
                )
                await self._services.db.writer.submit(store_posted, command, *command.keys())
        except TimeoutError:
            raise HubError(Code.STORAGE_UNAVAILABLE, "It could not be stored in time: post it again.") from None
        self._memory.heard(device.id)
