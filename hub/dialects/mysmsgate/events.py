"""MySMSGate's two webhooks: one of incoming texts, one of how a text ended. A webhook for only one of them has only its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.core.clock import UtcMs, parse_rfc3339
from hub.core.events import EventType, MessageData, ReceivedData, decode
from hub.core.ports import DeliveryView, EndpointView, EventView, Outcome, RenderedRequest, Secrets
from hub.dialects.mysmsgate.words import STATUSES, status_text
from hub.webhooks.signing import plain_signature

TOLD = frozenset(
    {
        EventType.SMS_RECEIVED,
        EventType.SMS_DELIVERED,
        EventType.SMS_UNDELIVERED,
        EventType.SMS_FAILED,
        EventType.SMS_EXPIRED,
        EventType.SMS_CANCELLED,
        EventType.SMS_DEAD_LETTER,
    }
)
"""An incoming text, and the ends of an outgoing one."""


class MySmsGate:
    """`mysmsgate`."""

    name = "mysmsgate"

    def takes(self, event: EventType) -> bool:
        """Incoming texts and final states."""
        return event in TOLD

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """JSON, with `X-Hub-Signature-256` beside the headers every webhook carries."""
        data = decode(event.type, event.data)
        fields = _incoming(data) if isinstance(data, ReceivedData) else _ended(data)
        if delivery.origin == "test":
            fields["event"] = "test"
        body = msgspec.json.encode(fields)
        headers = (("content-type", "application/json"), *plain_signature(secrets.keys, body))
        return RenderedRequest("POST", endpoint.url, headers, body)

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Any 2xx is success."""
        return Outcome(200 <= status < 300, None if 200 <= status < 300 else "status")


def _incoming(data: ReceivedData) -> dict[str, Any]:
    return {
        "from": data.from_,
        "to": data.to,
        "message": data.text,
        "device_id": data.device_id,
        "sim_slot": data.slot or 0,
        "timestamp": parse_rfc3339(data.received_at) // 1000,
    }


def _ended(data: Any) -> dict[str, Any]:
    assert isinstance(data, MessageData)
    return {
        "message_id": data.id,
        "to": data.to,
        "status": "delivered" if STATUSES[data.status] == "delivered" else "failed",
        "status_text": status_text(data.status, data.reason),
        "device_id": data.device_id,
        "sim_slot": data.slot or 0,
        "refunded": data.refunded,
        "timestamp": parse_rfc3339(data.changed_at) // 1000,
    }
