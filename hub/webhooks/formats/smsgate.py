"""The format of the sms-gate.app phone app's webhooks: `{"id", "webhookId", "event", "deviceId", "payload"}`.

Signature as the app makes it: `X-Timestamp` in seconds and `X-Signature`, lower-case hex of HMAC-SHA256(secret, body + timestamp), the
secret being the shown text, or the key its owner chose (https://docs.sms-gate.app/features/webhooks/). `id` is the `webhook-id`, the same
on every try. Absent values are left out rather than null. Events the app does not know are told in its words: undelivered, expired and
dead letters as `sms:failed`; the rest is never sent in this format.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hub.core.clock import UtcMs
from hub.core.events import DeviceData, EventType, MessageData, MmsData, ReceivedData, decode
from hub.core.ids import BadId, Kind, parse, render, to_smsgate21
from hub.core.ports import DeliveryView, EndpointView, EventView, Outcome, RenderedRequest, Secrets
from hub.webhooks.signing import hmac_sha256, secret_text

WORDS: dict[EventType, str] = {
    EventType.SMS_RECEIVED: "sms:received",
    EventType.SMS_SENT: "sms:sent",
    EventType.SMS_DELIVERED: "sms:delivered",
    EventType.SMS_FAILED: "sms:failed",
    EventType.SMS_UNDELIVERED: "sms:failed",
    EventType.SMS_EXPIRED: "sms:failed",
    EventType.SMS_DEAD_LETTER: "sms:failed",
    EventType.SMS_CANCELLED: "sms:cancelled",
    EventType.MMS_RECEIVED: "mms:received",
    EventType.SYSTEM_PING: "system:ping",
}
"""Our event → the app's."""
MMS_DOWNLOADED = "mms:downloaded"
"""The app's other event of an MMS, with what is in it: an endpoint whose setting `event` says so is told this one."""
SHOWN_ID = "smsgate_id"
"""In a text's metadata: the id of the message it belongs to, where a client of that API knows it by another one."""


class SmsGate:
    """`smsgate`."""

    name = "smsgate"
    words: Mapping[EventType, str] = WORDS

    def __init__(self) -> None:
        self.shown_devices: Mapping[str, str] = {}
        """Ids that phones had on the server they were moved in from; all others are shown by our own."""

    def takes(self, event: EventType) -> bool:
        """The app's events as far as the hub makes them, and those told as its `sms:failed`."""
        return event in WORDS

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """A POST signed for `now` with the oldest key alive: a receiver of this format knows one secret at a time."""
        data = decode(event.type, event.data)
        envelope = {
            "deviceId": self._device(event.device_id),
            "event": _word(endpoint, event.type),
            "id": render("event", event.event_id),
            "payload": {name: value for name, value in _PAYLOADS[type(data)](data, event).items() if value is not None},
            "webhookId": endpoint.settings.get("webhook_id") or render("endpoint", endpoint.endpoint_id),
        }
        body = msgspec.json.encode(envelope)
        timestamp = str(now // 1000)
        headers = [("content-type", "application/json"), ("x-timestamp", timestamp)]
        if secrets.keys:
            secret = (secrets.own_key or secret_text(secrets.keys[-1])).encode()
            headers.append(("x-signature", hmac_sha256(secret, body + timestamp.encode()).hex()))
        return RenderedRequest("POST", endpoint.url, tuple(headers), body)

    def _device(self, device_id: str | None) -> str:
        if not device_id:
            return ""
        return self.shown_devices.get(device_id) or to_smsgate21(device_id)

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Any 2xx is success."""
        return Outcome(200 <= status < 300, None if 200 <= status < 300 else "status")


def _word(endpoint: EndpointView, event: EventType) -> str:
    is_download = event is EventType.MMS_RECEIVED and endpoint.settings.get("event") == MMS_DOWNLOADED
    return MMS_DOWNLOADED if is_download else WORDS[event]


def _id(kind: Kind, text: str) -> str:
    """The app's spelling of one of our ids; a text that is none is passed on."""
    try:
        return to_smsgate21(parse(kind, text))
    except BadId:
        return text


def _sim_number(slot: int | None) -> int | None:
    """The app counts SIMs from 1."""
    return None if slot is None else slot + 1


def _received(data: ReceivedData, event: EventView) -> dict[str, Any]:
    return {
        "messageId": _id("message", data.id),
        "message": data.text,
        "phoneNumber": data.from_,
        "sender": data.from_,
        "recipient": data.to,
        "simNumber": _sim_number(data.slot),
        "receivedAt": data.network_at or data.received_at,
    }


def _outbound(data: MessageData, event: EventView) -> dict[str, Any]:
    word = WORDS[event.type]
    is_failure = word == "sms:failed"
    return {
        "messageId": data.metadata.get(SHOWN_ID) or _id("message", data.id),
        "phoneNumber": data.to,
        "recipient": data.to,
        "sender": data.from_,
        "simNumber": _sim_number(data.slot),
        "partsCount": data.segments if word == "sms:sent" else None,
        "sentAt": (data.sent_at or data.changed_at) if word == "sms:sent" else None,
        "deliveredAt": (data.delivered_at or data.changed_at) if word == "sms:delivered" else None,
        "cancelledAt": data.changed_at if word == "sms:cancelled" else None,
        "failedAt": data.changed_at if is_failure else None,
        "reason": (data.explanation or data.reason or data.status) if is_failure else None,
    }


def _mms(data: MmsData, event: EventView) -> dict[str, Any]:
    return {
        "messageId": _id("message", data.id),
        "transactionId": _id("message", data.id),
        "phoneNumber": data.from_,
        "sender": data.from_,
        "recipient": data.to,
        "simNumber": _sim_number(data.slot),
        "subject": data.subject,
        "body": data.text or None,
        "size": data.size_bytes or 0,
        "attachments": [
            {
                "partId": position,
                "contentType": one.content_type,
                **({} if one.name is None else {"name": one.name}),
                **({} if one.size_bytes is None else {"size": one.size_bytes}),
                **({} if one.url is None else {"url": one.url}),
            }
            for position, one in enumerate(data.media)
        ],
        "receivedAt": data.received_at,
    }


def _ping(data: DeviceData, event: EventView) -> dict[str, Any]:
    checks: dict[str, Any] = {}
    if data.battery_percent is not None:
        checks["battery:level"] = _check(data.battery_percent, "percent", "Battery level in percent")
    if data.is_charging is not None:
        checks["battery:charging"] = _check(int(data.is_charging), "flags", "Is the phone charging?")
    return {"health": {"status": "pass", "version": data.app_version or "", "releaseId": 0, "checks": checks}}


def _check(value: int, unit: str, description: str) -> dict[str, Any]:
    return {"status": "pass", "observedValue": value, "observedUnit": unit, "description": description}


_PAYLOADS: Mapping[type, Callable[[Any, EventView], dict[str, Any]]] = {
    ReceivedData: _received,
    MessageData: _outbound,
    MmsData: _mms,
    DeviceData: _ping,
}
