"""Twilio's resources as JSON: a message, a page of them, an account, a number. Every key is always there."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from hub.core.clock import UtcMs
from hub.core.media import Medium
from hub.dialects.twilio.words import (
    API_VERSION,
    SENTENCES,
    error_code,
    media_sid,
    message_sid,
    rfc2822,
    status_word,
)
from hub.gateways.desk import Gateway
from hub.messages.views import MessageView

REPLY_DOOR = "twilio_reply"


def account_uri(sid: str) -> str:
    """Where an account's resources are, from the server's root."""
    return f"/{API_VERSION}/Accounts/{sid}"


def media_uri(account_sid: str, sid: str, media_sid: str) -> str:
    """Where an attachment is, from the server's root."""
    return f"{account_uri(account_sid)}/Messages/{sid}/Media/{media_sid}"


def media_resource(medium: Medium, account_sid: str, sid: str) -> dict[str, Any]:
    """What is known of an attachment (https://www.twilio.com/docs/messaging/api/media-resource)."""
    own = media_sid(medium.id)
    at = rfc2822(medium.created_at)
    return {
        "account_sid": account_sid,
        "content_type": medium.type,
        "date_created": at,
        "date_updated": at,
        "parent_sid": sid,
        "sid": own,
        "uri": f"{media_uri(account_sid, sid, own)}.json",
    }


def media_page(items: list[dict[str, Any]], uri: str, size: int) -> dict[str, Any]:
    """The envelope of a message's attachments, which are always one page."""
    return {
        "media_list": items,
        "page": 0,
        "page_size": size,
        "start": 0,
        "end": max(0, len(items) - 1),
        "uri": uri,
        "first_page_uri": f"{uri}?PageSize={size}&Page=0",
        "next_page_uri": None,
        "previous_page_uri": None,
    }


def message_resource(view: MessageView, sid: str) -> dict[str, Any]:
    """A stored text."""
    is_inbound = view.direction == "mo"
    direction = "inbound" if is_inbound else "outbound-reply" if view.door == REPLY_DOOR else "outbound-api"
    return _message(
        sid,
        message_sid(view.id, has_media=view.kind == "mms"),
        body=view.text,
        created_at=view.created_at,
        sent_at=view.received_at if is_inbound else view.sent_at,
        updated_at=max(filter(None, (view.final_at, view.delivered_at, view.sent_at, view.created_at))),
        direction=direction,
        code=error_code(view.state, view.reason),
        sender=view.peer if is_inbound else view.line_number,
        recipient=view.line_number if is_inbound else view.peer,
        segments=view.segments,
        status=status_word(view.state, has_left=view.sent_at is not None),
        media=sum(one.why is None for one in view.media),
    )


def taken_resource(
    sid: str,
    message_id: str,
    *,
    body: str,
    at: UtcMs,
    sender: str | None,
    to: str,
    segments: int,
    status: str,
    media: int = 0,
) -> dict[str, Any]:
    """A text that was accepted a moment ago."""
    return _message(
        sid,
        message_sid(message_id, has_media=media > 0),
        body=body,
        created_at=at,
        sent_at=None,
        updated_at=at,
        direction="outbound-api",
        code=None,
        sender=sender,
        recipient=to,
        segments=segments,
        status=status,
        media=media,
    )


def _message(
    account_sid: str,
    sid: str,
    *,
    body: str,
    created_at: UtcMs,
    sent_at: UtcMs | None,
    updated_at: UtcMs,
    direction: str,
    code: int | None,
    sender: str | None,
    recipient: str | None,
    segments: int,
    status: str,
    media: int = 0,
) -> dict[str, Any]:
    uri = f"{account_uri(account_sid)}/Messages/{sid}"
    return {
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "body": body,
        "date_created": rfc2822(created_at),
        "date_sent": rfc2822(sent_at),
        "date_updated": rfc2822(updated_at),
        "direction": direction,
        "error_code": code,
        "error_message": None if code is None else SENTENCES[code],
        "from": sender,
        "messaging_service_sid": None,
        "num_media": str(media),
        "num_segments": str(segments),
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": recipient,
        "uri": f"{uri}.json",
    }


def message_page(
    messages: list[dict[str, Any]], *, path: str, query: list[tuple[str, str]], page: int, size: int, token: str | None
) -> dict[str, Any]:
    """The envelope of a list: exactly these keys, because twilio-python takes the only one it does not know for the items.

    Pages go forwards only: `previous_page_uri` is null.
    """
    kept = [(name, value) for name, value in query if name not in ("Page", "PageToken", "PageSize")]
    first = [*kept, ("PageSize", str(size)), ("Page", "0")]
    following = [*kept, ("PageSize", str(size)), ("Page", str(page + 1)), ("PageToken", token or "")]
    start = page * size
    return {
        "messages": messages,
        "page": page,
        "page_size": size,
        "start": start,
        "end": start + max(0, len(messages) - 1),
        "uri": f"{path}?{urlencode(query)}" if query else path,
        "first_page_uri": f"{path}?{urlencode(first)}",
        "next_page_uri": None if token is None else f"{path}?{urlencode(following)}",
        "previous_page_uri": None,
    }


def account_resource(gateway: Gateway) -> dict[str, Any]:
    """What programs ask for to see whether their credentials work."""
    uri = account_uri(gateway.sid)
    return {
        "sid": gateway.sid,
        "friendly_name": gateway.name,
        "status": "active",
        "type": "Full",
        "owner_account_sid": gateway.sid,
        "date_created": rfc2822(gateway.created_at),
        "date_updated": rfc2822(gateway.updated_at),
        "subresource_uris": {
            "messages": f"{uri}/Messages.json",
            "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
        },
        "uri": f"{uri}.json",
    }
