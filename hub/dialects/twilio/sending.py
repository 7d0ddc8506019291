"""Create a message: the fields of a form become a request to send (https://www.twilio.com/docs/messaging/api/message-resource#create-a-message)."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from hub.core.clock import UtcMs, parse_rfc3339
from hub.core.commands import AnyLine, ByName, CallbackTarget, Sender, SendRequest, SentMedium
from hub.core.errors import Code, HubError
from hub.core.media import MOST_MEDIA
from hub.dialects.twilio import errors
from hub.dialects.twilio.call import Call
from hub.dialects.twilio.errors import ApiError
from hub.dialects.twilio.resources import taken_resource
from hub.dialects.twilio.words import LONGEST_BODY
from hub.gateways.desk import FORMAT
from hub.media.pulling import pull
from hub.messages.accept import take_in
from hub.messages.idempotency import ANSWERED, is_answered
from hub.messages.limits import send_limits
from hub.messages.prepare import prepare
from hub.storage.messages_lines import has_mms_line

DOOR = "twilio"
VALIDITY_SECONDS = (1, 36_000)
NEAREST_MS, FURTHEST_MS = 300_000, 35 * 86_400_000
"""A scheduled text is sent 5 minutes to 35 days from now (https://www.twilio.com/docs/api/errors/35114)."""
IDEMPOTENCY_HEADER = "i-twilio-idempotency-token"
LONGEST_KEY = 255


async def create_message(call: Call) -> dict[str, Any]:
    """Send a text. The answer is the stored message; 201 means that it survives a crash."""
    form, gateway = call.form, call.gateway
    to, text = _recipient(call), form.get("Body")
    urls = _media_urls(call)
    if text is None and not urls:
        raise ApiError(errors.BODY_MISSING, 400, "Give a Body: a message without text or media cannot be sent.")
    if text is not None and len(text) > LONGEST_BODY:
        raise ApiError(errors.BODY_TOO_LONG, 400, f"The Body has {len(text)} characters; {LONGEST_BODY} are the most.")
    settings = await call.services.credentials.settings_of(call.account_id)
    given = form.get("From")
    sender = _sender(call, settings.default_pool)
    send_at = _send_at(call)
    key = call.request.headers.get(IDEMPOTENCY_HEADER) or None
    request = SendRequest(
        account_id=call.account_id,
        door=DOOR,
        recipients=(),
        text=text or "",
        media=await _pulled(call, urls, key),
        sender=sender,
        strict_sender=True,
        ttl_seconds=_validity(call),
        scheduled_at=send_at,
        idempotency_key=None if key is None else _checked_key(key),
        request_sha256=None if key is None else _request_hash(call),
        callback=_callback(call),
        trace_id=call.request.scope.get("trace_id"),
    )
    limits = send_limits(call.services.config, settings, max_characters=LONGEST_BODY)
    prepared = prepare(request, [to], limits, now=call.now, new_id=call.new_id)
    accepted = await take_in(call.services.db.writer, prepared)
    result = accepted.results[0]
    is_placed = result.line_id is not None
    status = "scheduled" if result.state == "scheduled" else "queued" if is_placed else "accepted"
    return taken_resource(
        gateway.sid,
        result.message_id or "",
        body=prepared.request.text,
        at=accepted.created_at,
        sender=given if given is not None else gateway.sender,
        to=result.peer or to,
        segments=accepted.segments,
        status=status,
        media=len(urls),
    )


def _recipient(call: Call) -> str:
    to = call.form.get("To")
    if to is None:
        raise ApiError(errors.TO_MISSING, 400, "A 'To' phone number is required.")
    return to


def _media_urls(call: Call) -> list[str]:
    media = call.form.every("MediaUrl")
    if len(media) > MOST_MEDIA:
        raise ApiError(errors.TOO_MANY_MEDIA, 400, f"There are {len(media)} MediaUrls; {MOST_MEDIA} are the most.")
    for url in media:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ApiError(errors.BAD_MEDIA, 400, "A MediaUrl is no http or https URL.")
    return media


async def _pulled(call: Call, urls: list[str], key: str | None) -> tuple[SentMedium, ...]:
    """What is at the addresses. Nothing is fetched where no line could send it, nor for a request that is answered already."""
    if not urls:
        return ()
    services, account_id = call.services, call.account_id
    if not await services.db.read(has_mms_line, account_id):
        raise ApiError(
            errors.NO_ROUTE, 400, "No line of this account can send media: send the text alone, or a link in it."
        )
    if key is not None and await services.db.read(is_answered, account_id, DOOR, key):
        return (ANSWERED,)
    try:
        return await pull(services.db, services.config, services.webhooks.client.dialler, account_id, urls)
    except HubError as error:
        if error.status >= 500:
            raise
        raise ApiError(errors.BAD_MEDIA, 400, f"MediaUrl: {error.detail}") from error


def _sender(call: Call, default_pool: str | None) -> Sender:
    named = call.form.get("From") or call.form.get("MessagingServiceSid") or call.gateway.sender
    if named is not None:
        return ByName(named)
    if default_pool is None:
        raise ApiError(
            errors.FROM_MISSING, 400, "A 'From' phone number is required: the gateway has no sender of its own."
        )
    return AnyLine()


def _validity(call: Call) -> int:
    given = call.form.get("ValidityPeriod")
    if given is None:
        return VALIDITY_SECONDS[1]
    least, most = VALIDITY_SECONDS
    if not given.isascii() or not given.isdigit() or len(given) > 6 or not least <= int(given) <= most:
        raise ApiError(errors.INVALID, 400, f"ValidityPeriod is a number of seconds from {least} to {most}.")
    return int(given)


def _send_at(call: Call) -> UtcMs | None:
    kind, at = call.form.get("ScheduleType"), call.form.get("SendAt")
    if kind is None and at is None:
        return None
    if kind != "fixed":
        raise ApiError(errors.INVALID, 400, "SendAt needs ScheduleType=fixed.")
    if at is None:
        raise ApiError(errors.NO_SEND_TIME, 400, "ScheduleType=fixed needs SendAt.")
    try:
        moment = parse_rfc3339(at)
    except ValueError:
        raise ApiError(errors.BAD_SEND_TIME, 400, "SendAt is a time like 2026-01-31T09:00:00Z.") from None
    if not call.now + NEAREST_MS <= moment <= call.now + FURTHEST_MS:
        raise ApiError(errors.BAD_SEND_TIME, 400, "SendAt is 5 minutes to 35 days from now.")
    return moment


def _callback(call: Call) -> CallbackTarget | None:
    """The message's own StatusCallback, else the gateway's status URL."""
    gateway = call.gateway
    url = call.form.get("StatusCallback") or gateway.status_url
    if url is None:
        return None
    target = CallbackTarget(FORMAT, url, gateway_id=gateway.id, settings={"account_sid": gateway.sid})
    try:
        call.services.webhooks.check_callback(target)
    except HubError as error:
        if error.code not in (Code.VALIDATION, Code.TARGET_REFUSED):
            raise
        raise ApiError(errors.BAD_CALLBACK, 400, f"StatusCallback: {error.detail}") from error
    return target


def _checked_key(key: str) -> str:
    if len(key) > LONGEST_KEY or not all("!" <= character <= "~" for character in key):
        raise ApiError(errors.INVALID, 400, f"I-Twilio-Idempotency-Token has 1 to {LONGEST_KEY} visible characters.")
    return key


def _request_hash(call: Call) -> str:
    fields = "\0".join(f"{name}={value}" for name, value in call.form.pairs)
    return hashlib.sha256(fields.encode()).hexdigest()
