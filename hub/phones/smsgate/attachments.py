"""The attachments inside a post of an MMS: taken out of the JSON, stored, and named there instead.

    "attachments": [{"partId": 1, "contentType": "image/jpeg", "name": "a.jpg", "size": 5120, "data": "<base64>"}]

becomes the same list with `sha256` in place of `data`. What the hub does not keep says why in `why`; the layout that MMS carry beside
their pictures (SMIL) is no attachment and left out. The app tries a post again until it is answered, so bytes are stored before the answer.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

from device_protocol.limits import MEDIA_MAX
from hub.core.errors import Code, HubError
from hub.core.media import declared_type
from hub.media.keeping import keep
from hub.phones.smsgate.wire import Posted
from hub.services import Services

WITH_ATTACHMENTS: Final = frozenset({"mms:downloaded", "mms:batch:downloaded"})
LAYOUT: Final = "application/smil"
_WHY: Final = {Code.BODY_TOO_LARGE: "size", Code.UNSUPPORTED_MEDIA_TYPE: "type"}
_encoder = msgspec.json.Encoder()


class PostedAttachments:
    """Stores what posts bring."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def take_out(self, account_id: str, posted: Posted) -> tuple[Posted, bytes]:
        """The post without the bytes it brought, as a value and as JSON."""
        payload = posted.payload
        messages = payload.get("messages")
        if isinstance(messages, list):
            lighter = {**payload, "messages": [await self._of_one(account_id, one) for one in messages]}
        else:
            lighter = await self._of_one(account_id, payload)
        posted = msgspec.structs.replace(posted, payload=lighter)
        return posted, _encoder.encode(posted)

    async def _of_one(self, account_id: str, message: Any) -> Any:
        given = message.get("attachments") if isinstance(message, dict) else None
        if not isinstance(given, list):
            return message
        parts = [one for one in given if isinstance(one, dict) and declared_type(_text(one, "contentType")) != LAYOUT]
        room = self._services.config.media_max_message_bytes
        kept: list[dict[str, Any]] = []
        for part in parts[:MEDIA_MAX]:
            lighter, size = await self._keep(account_id, part, room)
            room -= size
            kept.append(lighter)
        return {**message, "attachments": kept}

    async def _keep(self, account_id: str, part: dict[str, Any], room: int) -> tuple[dict[str, Any], int]:
        """The part without its bytes, and how many of them were stored."""
        lighter = {name: value for name, value in part.items() if name not in ("data", "sha256", "why")}
        data = _text(part, "data")
        if data is None:
            return lighter | {"why": "missing"}, 0
        try:
            content = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return lighter | {"why": "missing"}, 0
        if len(content) > room:
            return lighter | {"why": "size"}, 0
        services = self._services
        try:
            done = await keep(services.db, services.config, account_id, _text(part, "contentType"), content)
        except HubError as error:
            if error.code not in _WHY:
                raise
            return lighter | {"why": _WHY[error.code]}, 0
        return lighter | {"sha256": done.sha256, "contentType": done.type}, done.size_bytes


def _text(part: dict[str, Any], name: str) -> str | None:
    value = part.get(name)
    return value if isinstance(value, str) else None
