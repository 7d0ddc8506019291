"""`PUT /device/v1/media/<sha256>`: the bytes of an attachment, before the event that names them; `GET`: those of a job.

The answer comes after the commit. The same bytes put again are answered the same, so a lost answer costs nothing; a phone that got no
answer puts them again, and tells of the MMS after that.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

from hub.core.errors import Code, HubError
from hub.devices.connect import may_connect
from hub.devices.tokens import DeviceTokens, PhoneIdentity
from hub.http import json_response, read_body
from hub.media.keeping import keep
from hub.media.room import Room
from hub.media.serving import media_response
from hub.phones.requests import bearer_of
from hub.services import Services
from hub.storage.devices_app import find_device_of
from hub.storage.media import medium_to_attach

TRANSPORT = "native"
AT_ONCE = 8
"""Bodies held in memory at a time; others wait (`hub.media.room`)."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class MediaDoor:
    """The one path."""

    def __init__(self, services: Services, tokens: DeviceTokens) -> None:
        self._services = services
        self._tokens = tokens
        self._room = Room(AT_ONCE)

    async def put(self, request: Request) -> Response:
        """Store the body. `body_too_large`, `unsupported_media_type`, and `bad_request` when it has another hash."""
        services = self._services
        identity = await self._who(request)
        wanted = request.path_params["sha256"]
        if _SHA256.fullmatch(wanted) is None:
            raise HubError(Code.NOT_FOUND, "The path ends with the SHA-256 of the body, in 64 lower-case hex digits.")
        await self._room.enter(identity.account_id)
        try:
            content = await read_body(request.scope, request.receive, services.config.media_max_bytes)
            if await asyncio.to_thread(_differs, content, wanted):
                raise HubError(Code.BAD_REQUEST, "The body has another SHA-256 than the path says: send it again.")
            kept = await keep(
                services.db, services.config, identity.account_id, request.headers.get("content-type"), content
            )
        finally:
            self._room.leave(identity.account_id)
        return json_response({"sha256": kept.sha256, "size_bytes": kept.size_bytes, "content_type": kept.type})

    async def get(self, request: Request) -> Response:
        """The bytes, for the phone that was offered or holds a job with them. `not_found` for all others, whether they exist or not."""
        services = self._services
        identity = await self._who(request)
        wanted = request.path_params["sha256"]
        found = await services.db.read(medium_to_attach, identity.account_id, identity.device_id, wanted)
        if found is None:
            raise HubError(
                Code.NOT_FOUND,
                "No job of this phone has these bytes: it was sent, cancelled or given to another phone.",
            )
        return await media_response(services.db, identity.account_id, found)

    async def _who(self, request: Request) -> PhoneIdentity:
        services = self._services
        identity = self._tokens.read(bearer_of(request.scope), services.clock.now())
        device = await services.db.read(find_device_of, TRANSPORT, identity.device_id)
        refused = may_connect(device, identity.account_id, identity.credential_no)
        if refused is not None:
            raise refused
        return identity


def _differs(content: bytes, sha256: str) -> bool:
    return hashlib.sha256(content).hexdigest() != sha256
