"""The format of the sms-gate.app phone app's webhooks: `{"id", "webhookId", "event", "deviceId", "payload"}`.

Signature as the app makes it: `X-Timestamp` in seconds and `X-Signature`, lower-case hex of HMAC-SHA256(secret, body + timestamp), the
secret being the shown text (https://docs.sms-gate.app/features/webhooks/). `id` is the `webhook-id`, the same on every try. Absent
values are left out rather than null. Events the app does not know are told in its words: undelivered, expired and dead letters as
`sms:failed`; the rest is never sent in this format.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hub.core.clock import UtcMs
from hub.core.events import DeviceData, EventType, MessageData, ReceivedData, decode
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
    EventType.SYSTEM_PING: "system:ping",
}
"""Our event → the app's."""


class SmsGate:
    """`smsgate`."""

    name = "smsgate"
    words: Mapping[EventType, str] = WORDS

    def takes(self, event: EventType) -> bool:
        """The app's five events, and those told as its `sms:failed`."""
        return event in WORDS

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """A POST signed for `now` with the oldest key alive: a receiver of this format knows one secret at a time."""
        data = decode(event.type, event.data)
        envelope = {
            "deviceId": to_smsgate21(event.device_id) if event.device_id else "",
            "event": WORDS[event.type],
            "id": render("event", event.event_id),
            "payload": {name: value for name, value in _PAYLOADS[type(data)](data, event).items() if value is not None},
            "webhookId": endpoint.settings.get("webhook_id") or render("endpoint", endpoint.endpoint_id),
        }
        body = msgspec.json.encode(envelope)
        timestamp = str(now // 1000)
        headers = [("content-type", "application/json"), ("x-timestamp", timestamp)]
        if secrets.keys:
            secret = secret_text(secrets.keys[-1]).encode()
            headers.append(("x-signature", hmac_sha256(secret, body + timestamp.encode()).hex()))
        return RenderedRequest("POST", endpoint.url, tuple(headers), body)

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Any 2xx is success."""
        return Outcome(200 <= status < 300, None if 200 <= status < 300 else "status")


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
        "messageId": _id("message", data.id),
        "phoneNumber": data.to,
        "recipient": data.to,
        "sender": data.from_,
        "simNumber": _sim_number(data.slot),
        "partsCount": data.segments if word == "sms:sent" else None,
        "sentAt": (data.sent_at or data.changed_at) if word == "sms:sent" else None,
        "deliveredAt": (data.delivered_at or data.changed_at) if word == "sms:delivered" else None,
        "failedAt": data.changed_at if is_failure else None,
        "reason": (data.explanation or data.reason or data.status) if is_failure else None,
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
    DeviceData: _ping,
}
