"""What a gateway's platform is told: statuses and inbound texts, as forms signed with the gateway's token.

https://www.twilio.com/docs/messaging/guides/webhook-request and …/track-outbound-message-status. Every field of a status comes from one
applied move, so that each status is told at most once and none goes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode

from hub.core.clock import UtcMs, parse_rfc3339
from hub.core.consent import asked_by
from hub.core.events import EventType, MediaData, MessageData, MmsData, ReceivedData, decode
from hub.core.ids import parse, render
from hub.core.ports import DeliveryView, EndpointView, EventView, Outcome, RenderedRequest, Secrets
from hub.dialects.twilio.resources import media_uri
from hub.dialects.twilio.signature import Fields, signature
from hub.dialects.twilio.twiml import read_script
from hub.dialects.twilio.words import (
    API_VERSION,
    SENTENCES,
    dlr_date,
    error_code,
    media_sid,
    message_sid,
    status_word,
)
from hub.media.links import PATH as LINKS

TOLD = frozenset(
    {
        EventType.SMS_RECEIVED,
        EventType.MMS_RECEIVED,
        EventType.SMS_QUEUED,
        EventType.SMS_SENT,
        EventType.SMS_DELIVERED,
        EventType.SMS_UNDELIVERED,
        EventType.SMS_FAILED,
        EventType.SMS_EXPIRED,
        EventType.SMS_CANCELLED,
        EventType.SMS_DEAD_LETTER,
    }
)
FALLBACK_SETTING = "fallback_url"
HTTP_RETRIEVAL_FAILURE = "11200"
"""What Twilio tells a fallback URL: https://www.twilio.com/docs/api/errors/11200."""


class Twilio:
    """`twilio`."""

    name = "twilio"

    def takes(self, event: EventType) -> bool:
        """Inbound texts, and the moves that Twilio has a status for."""
        return event in TOLD

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """A signed form. An inbound text goes to the endpoint's `fallback_url`, if it has one, on every second try."""
        url, fields = endpoint.url, _fields(event, endpoint.settings.get("account_sid", ""))
        fallback = endpoint.settings.get(FALLBACK_SETTING)
        if fallback is not None and delivery.attempt % 2 == 0:
            fields = [*fields, ("ErrorCode", HTTP_RETRIEVAL_FAILURE), ("ErrorUrl", url)]
            url = fallback
        url = url.partition("#")[0]
        headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("i-twilio-idempotency-token", render("event", event.event_id)),
        ]
        if secrets.keys:
            headers.append(("x-twilio-signature", signature(secrets.keys[-1].decode("latin-1"), url, fields)))
        return RenderedRequest("POST", url, tuple(headers), urlencode(fields, quote_via=quote_plus).encode())

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Any 2xx is success; XML may ask for texts."""
        if not 200 <= status < 300:
            return Outcome(False, "status")
        script = read_script(headers.get("content-type", ""), body)
        return Outcome(True, texts=script.texts, next_url=script.next_url)


def _fields(event: EventView, account_sid: str) -> Fields:
    data = decode(event.type, event.data)
    if isinstance(data, MessageData):
        return _status(data, account_sid)
    assert isinstance(data, ReceivedData | MmsData)
    return _inbound(data, account_sid)


def _status(data: MessageData, account_sid: str) -> Fields:
    sid, status = _sid(data.id, has_media=bool(data.media)), status_word(data.status, has_left=data.sent_at is not None)
    fields = [
        ("MessageSid", sid),
        ("SmsSid", sid),
        ("MessageStatus", status),
        ("SmsStatus", status),
        ("From", data.from_ or ""),
        ("To", data.to),
        ("AccountSid", account_sid),
        ("ApiVersion", API_VERSION),
    ]
    code = error_code(data.status, data.reason)
    if code is not None:
        fields += [("ErrorCode", str(code)), ("ErrorMessage", data.explanation or SENTENCES[code])]
    if data.status in ("delivered", "undelivered") and data.delivered_at is not None:
        fields.append(("RawDlrDoneDate", dlr_date(parse_rfc3339(data.delivered_at))))
    return fields


def _inbound(data: ReceivedData | MmsData, account_sid: str) -> Fields:
    sid = _sid(data.id, has_media=isinstance(data, MmsData))
    segments = data.segments if isinstance(data, ReceivedData) else 1
    media = [one for one in data.media if one.url is not None] if isinstance(data, MmsData) else []
    return [
        ("MessageSid", sid),
        ("SmsSid", sid),
        ("SmsMessageSid", sid),
        ("AccountSid", account_sid),
        ("ApiVersion", API_VERSION),
        ("From", data.from_),
        ("To", data.to or ""),
        ("Body", data.text or (data.subject or "" if isinstance(data, MmsData) else "")),
        ("NumMedia", str(len(media))),
        ("NumSegments", str(segments)),
        ("SmsStatus", "received"),
        *(pair for number, one in enumerate(media) for pair in _medium(number, one, sid, account_sid)),
        *_consent(data.text),
    ]


def _medium(number: int, one: MediaData, sid: str, account_sid: str) -> Fields:
    """Where one attachment is: at Twilio's path for it, with what makes the link work without credentials."""
    base, _, place = (one.url or "").partition(f"{LINKS}/")
    path = media_uri(account_sid, sid, media_sid(parse("media", one.id)))
    return [
        (f"MediaUrl{number}", f"{base}{path}?{place.partition('?')[2]}"),
        (f"MediaContentType{number}", one.content_type),
    ]


def _consent(text: str) -> Fields:
    """What Twilio adds when a text is one of the words that end or begin a peer's consent."""
    asked = asked_by(text)
    return [] if asked is None else [("OptOutType", "STOP" if asked == "out" else "START")]


def _sid(shown_id: str, *, has_media: bool = False) -> str:
    return message_sid(parse("message", shown_id), has_media=has_media)
