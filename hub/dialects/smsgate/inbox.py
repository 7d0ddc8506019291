"""`/inbox`: received texts, kept by the hub; and asking phones to look through theirs again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from hub.core.clock import rfc3339
from hub.core.effects import ExportAsked
from hub.core.errors import Code, HubError
from hub.core.ids import BadId, from_smsgate21, to_smsgate21
from hub.core.media import Medium
from hub.devices import find_device
from hub.dialects.smsgate.answers import answer, wrong
from hub.dialects.smsgate.names import Names
from hub.dialects.smsgate.reading import (
    as_object,
    flag,
    moment,
    query_flag,
    query_moment,
    query_number,
    query_word,
    text,
)
from hub.dialects.smsgate.serving import Ask, Operation
from hub.media.serving import media_response
from hub.storage.media import media_of
from hub.storage.messages_received import Narrowed, Received, list_received
from hub.storage.transaction import Done, Refused, Tx

MOST_PER_PAGE = 500
USUAL_PAGE = 50
LARGEST_OFFSET = 1_000_000
LONGEST_ID = 36
KINDS = {"SMS": ("sms",), "DATA_SMS": ("data",), "MMS": ("mms",), "MMS_DOWNLOADED": ("mms",)}
_TYPE_OF = {"sms": "SMS", "data": "DATA_SMS", "mms": "MMS"}
_DELIVERIES = ("Disabled", "Individual", "Batch")
_TYPES = tuple(KINDS)


class AskExport(msgspec.Struct, frozen=True):
    """Have phones told to look through their inbox."""

    asked: ExportAsked

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.asked.account_id}:smsgate",)


def ask_export(_tx: Tx, commands: Sequence[AskExport]) -> list[Done[None] | Refused]:
    """Use case: nothing is stored; whoever holds the phones' connections, in whatever process, is told."""
    return [Done(None, (command.asked,)) for command in commands]


class Inbox:
    """The operations."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def operations(self) -> list[Operation]:
        """The table."""
        return [
            Operation("GET", "/inbox", "inbox:list", self.page),
            Operation("POST", "/inbox/refresh", "inbox:refresh", self.refresh),
            Operation("POST", "/inbox/export", "messages:export", self.export),
            Operation("POST", "/messages/inbox/export", "messages:export", self.export),
            Operation("POST", "/message/inbox/export", "messages:export", self.export),
            Operation("GET", "/inbox/", "inbox:read", self.attachment),
        ]

    async def page(self, ask: Ask) -> Response:
        """A page, newest first; `X-Total-Count` says how many there are."""
        query = ask.query
        kind = query_word(query, "type", tuple(KINDS))
        device_id = self._device_id(ask, query.get("deviceId"))
        asked = Narrowed(
            kinds=KINDS[kind] if kind else ("sms", "data", "mms"),
            device_id=device_id,
            created_from=query_moment(query, "from"),
            created_to=query_moment(query, "to"),
        )
        limit = query_number(query, "limit", least=0, most=MOST_PER_PAGE, default=USUAL_PAGE) or USUAL_PAGE
        offset = query_number(query, "offset", least=0, most=LARGEST_OFFSET, default=0)
        with_attachments = query_flag(query, "includeAttachments")
        found, total = await ask.services.db.read(list_received, ask.account_id, asked, offset, limit)
        media: dict[str, tuple[Medium, ...]] = {}
        if with_attachments:
            ids = [one.row.id for one in found if one.row.kind == "mms"]
            media = await ask.services.db.read(media_of, ask.account_id, ids)
        shown = [_shown(one, media.get(one.row.id, ()) if with_attachments else None) for one in found]
        return answer(shown, 200, {"X-Total-Count": str(total)})

    async def refresh(self, ask: Ask) -> Response:
        """202: the phones are told."""
        body = as_object(ask.body)
        types = body.get("messageTypes") or ["SMS"]
        if not isinstance(types, list) or not all(one in _TYPES for one in types):
            raise wrong("messageTypes must be a list of SMS, DATA_SMS, MMS and MMS_DOWNLOADED.")
        word = text(body, "webhookDelivery", most=16)
        if word is not None and word not in _DELIVERIES:
            raise wrong(f"webhookDelivery must be one of {', '.join(_DELIVERIES)}.")
        does_tell = flag(body, "triggerWebhooks", default=True)
        return await self._ask(ask, tuple(dict.fromkeys(types)), word or ("Individual" if does_tell else "Disabled"))

    async def export(self, ask: Ask) -> Response:
        """202: the older way to say the same."""
        return await self._ask(ask, ("SMS",), "Individual")

    async def _ask(self, ask: Ask, types: tuple[str, ...], delivery: str) -> Response:
        body = as_object(ask.body)
        since, until = moment(body, "since", needed=True), moment(body, "until", needed=True)
        if since is None or until is None or since > until:
            raise wrong("since must not be after until.")
        device_id = self._device_id(ask, text(body, "deviceId", "device_id", most=LONGEST_ID))
        if device_id is not None:
            found = await ask.services.db.read(find_device, ask.account_id, device_id, now=ask.now)
            if found is None:
                raise wrong("deviceId: the account has no such phone.")
        asked = msgspec.convert(
            {
                "type": "ExportAsked",
                "account_id": ask.account_id,
                "since": since,
                "until": until,
                "device_id": device_id,
                "message_types": types,
                "webhook_delivery": delivery,
            },
            ExportAsked,
        )
        await ask.write(ask_export, AskExport(asked))
        return answer({}, 202)

    async def attachment(self, ask: Ask) -> Response:
        """What was attached to an MMS: its bytes."""
        shown_id, _, rest = ask.tail.partition("/")
        word, _, number = rest.partition("/")
        message_id = _message_id(shown_id)
        if word == "attachments" and message_id is not None and number.isascii() and number.isdigit():
            found = await ask.services.db.read(media_of, ask.account_id, [message_id])
            for one in found.get(message_id, ()):
                if str(one.position) == number:
                    return await media_response(ask.services.db, ask.account_id, one)
        raise HubError(Code.NOT_FOUND, "attachment not found")

    def _device_id(self, ask: Ask, shown_id: str | None) -> str | None:
        if shown_id is None:
            return None
        device_id = self._names.device_id(ask.account_id, shown_id)
        if device_id is None:
            raise wrong(f"deviceId: {shown_id[:LONGEST_ID]!r} is no phone's id.")
        return device_id


def _message_id(shown_id: str) -> str | None:
    try:
        return from_smsgate21(shown_id)
    except BadId:
        return None


def _attachment(one: Medium) -> dict[str, Any]:
    named = {"name": one.name or f"attachment-{one.position}", "size": one.size_bytes or 0}
    return {"partId": one.position, "contentType": one.type, **named}


def _shown(one: Received, media: tuple[Medium, ...] | None) -> dict[str, Any]:
    row = one.row
    told: dict[str, Any] = {
        "id": to_smsgate21(row.id),
        "type": _TYPE_OF.get(row.kind, "SMS"),
        "sender": row.peer,
        "recipient": one.line_number,
        "simNumber": None if one.slot is None else one.slot + 1,
        "contentPreview": row.text,
        "createdAt": rfc3339(row.created_at),
        "isEncrypted": False,
    }
    shown = {name: value for name, value in told.items() if value is not None}
    if media is None:
        return shown
    return shown | {"attachments": [_attachment(one) for one in media if one.why is None]}
