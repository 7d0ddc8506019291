"""`mmsMessage`: words and attachments that a client posts inside the JSON.

    {"mmsMessage": {"subject": "…", "text": "…", "attachments": [{"contentType": "image/png", "name": "a.png", "data": "<base64>"}]}}

The hub hands a phone words and attachments; a subject stands above the words. Bytes are stored before the message that names them, and
only where some line of the account sends MMS.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hub.core.commands import SentMedium
from hub.core.errors import Code, HubError
from hub.core.media import MOST_MEDIA, shown_name
from hub.dialects.smsgate.answers import wrong
from hub.dialects.smsgate.reading import as_object, text
from hub.dialects.smsgate.serving import Ask
from hub.media.keeping import checked_type, keep
from hub.storage.messages_lines import has_mms_line

LONGEST_TYPE = 100
LONGEST_NAME = 255
LONGEST_SUBJECT = 200
NO_LINE = "No phone of this account sends MMS: send textMessage, or add a phone whose app says that it sends them."


class Attached(NamedTuple):
    """One attachment as it was posted."""

    type: str
    name: str | None
    content: bytes


class Mms(NamedTuple):
    """What an `mmsMessage` holds."""

    text: str
    attachments: tuple[Attached, ...]


def read_mms(value: Any, longest_text: int) -> Mms:
    """Raises what is told as 400."""
    body = as_object(value, "mmsMessage")
    subject = text(body, "subject", most=LONGEST_SUBJECT)
    words = text(body, "text", most=longest_text)
    given = body.get("attachments") or []
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_MEDIA:
        raise wrong(
            f"mmsMessage.attachments must be a list of 1 to {MOST_MEDIA}: an MMS without any is sent as textMessage."
        )
    return Mms("\n".join(filter(None, (subject, words))), tuple(_attached(one) for one in given))


def _attached(value: Any) -> Attached:
    part: Mapping[str, Any] = as_object(value, "An attachment")
    type_ = text(part, "contentType", most=LONGEST_TYPE, needed=True) or ""
    data = part.get("data")
    if not isinstance(data, str) or not data:
        raise wrong("attachments.data is required, in base64.")
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise wrong("attachments.data is no base64.") from None
    return Attached(type_, text(part, "name", most=LONGEST_NAME), content)


async def kept(ask: Ask, attachments: Sequence[Attached]) -> tuple[SentMedium, ...]:
    """Store them, all or none checked before the first. Raises 400 where no line sends MMS or a type is not kept, 413 for too much."""
    if not attachments:
        return ()
    services, config = ask.services, ask.services.config
    if not await services.db.read(has_mms_line, ask.account_id):
        raise wrong(NO_LINE)
    if sum(len(one.content) for one in attachments) > config.media_max_message_bytes:
        raise HubError(
            Code.BODY_TOO_LARGE,
            f"All attachments of a message together may have {config.media_max_message_bytes} bytes at most.",
        )
    for one in attachments:
        try:
            checked_type(config, one.type, one.content)
        except HubError as error:
            if error.code is not Code.UNSUPPORTED_MEDIA_TYPE:
                raise
            raise wrong(error.detail) from error
    stored = [await keep(services.db, config, ask.account_id, one.type, one.content) for one in attachments]
    return tuple(
        SentMedium(done.sha256, done.type, done.size_bytes, shown_name(one.name))
        for done, one in zip(stored, attachments, strict=True)
    )
