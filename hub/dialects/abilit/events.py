"""Delivery reports and inbound texts as Abil'I.T. posts them: JSON, signed as every webhook is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.core.clock import UtcMs
from hub.core.consent import asked_by
from hub.core.events import EventType, MessageData, ReceivedData, decode
from hub.core.ports import DeliveryView, EndpointView, EventView, Outcome, RenderedRequest, Secrets
from hub.dialects.abilit.words import PROVIDER, STATUSES, provider_code
from hub.webhooks.signing import plain_signature

REPORTED = frozenset(
    {
        EventType.SMS_SENT,
        EventType.SMS_DELIVERED,
        EventType.SMS_UNDELIVERED,
        EventType.SMS_FAILED,
        EventType.SMS_EXPIRED,
        EventType.SMS_CANCELLED,
        EventType.SMS_DEAD_LETTER,
    }
)
_CONSENT = {"out": "opted_out", "in": "opted_in", None: None}


class Abilit:
    """`abilit`."""

    name = "abilit"

    def takes(self, event: EventType) -> bool:
        """Reports from `SENT` on, and inbound texts."""
        return event in REPORTED or event is EventType.SMS_RECEIVED

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """JSON, with `X-Hub-Signature-256` beside the headers every webhook carries."""
        data = decode(event.type, event.data)
        fields = _inbound(data) if isinstance(data, ReceivedData) else _report(data)
        body = msgspec.json.encode(fields)
        headers = (("content-type", "application/json"), *plain_signature(secrets.keys, body))
        return RenderedRequest("POST", endpoint.url, headers, body)

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Any 2xx is success."""
        return Outcome(200 <= status < 300, None if 200 <= status < 300 else "status")


def _report(data: Any) -> dict[str, Any]:
    assert isinstance(data, MessageData)
    return {
        "message_id": data.id,
        "to": data.to,
        "status": STATUSES[data.status],
        "provider_code": provider_code(data.status, data.error_code, data.reason),
        "timestamp": data.changed_at,
        "from": data.from_,
        "provider": PROVIDER,
        "reason": data.explanation,
    }


def _inbound(data: ReceivedData) -> dict[str, Any]:
    asked = asked_by(data.text)
    return {
        "message_id": data.id,
        "from": data.from_,
        "to": data.to,
        "body": data.text,
        "keyword": None if asked is None else data.text.strip().upper(),
        "consent": _CONSENT[asked],
        "received_at": data.received_at,
        "media": [],
    }
