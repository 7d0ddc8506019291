"""What customers are told of a text: every field, whichever others are empty."""

from typing import Any

import msgspec
import pytest

from hub.core.clock import rfc3339
from hub.core.events import EventType, MessageData, encode
from hub.messages.announce import message_event
from hub.storage.messages import MessageRow

NOW = 1_790_000_000_000
ID, OTHER = "0" * 24, "1" * 24
PLAIN: dict[str, Any] = {
    "id": ID,
    "account_id": "a" * 24,
    "direction": "mt",
    "kind": "sms",
    "state": "queued",
    "peer": "+4915112345678",
    "text": "Hello",
    "encoding": "gsm7",
    "segments": 1,
    "priority": 1,
    "created_at": NOW,
    "due_at": NOW,
    "scheduled_at": None,
    "expires_at": NOW + 1000,
    "ttl_seconds": 1,
    "door": "v1",
    "trace_id": "trace",
    "batch_id": None,
    "conversation_id": None,
    "retry_of": None,
    "metadata_json": None,
    "callback": None,
    "want_dlr": True,
    "sender": None,
}
NOTHING: dict[str, Any] = {
    "id": f"msg_{ID}",
    "status": "queued",
    "to": "+4915112345678",
    "from": None,
    "text": "Hello",
    "encoding": "gsm7",
    "segments": 1,
    "segments_sent": None,
    "line_id": None,
    "device_id": None,
    "slot": None,
    "conversation_id": None,
    "batch_id": None,
    "retry_of": None,
    "reason": None,
    "error_code": None,
    "explanation": None,
    "metadata": {},
    "created_at": rfc3339(NOW),
    "scheduled_at": None,
    "sent_at": None,
    "delivered_at": None,
    "changed_at": rfc3339(NOW + 5),
    "refunded": False,
    "media": [],
}


def _told(*, is_refunded: bool = False, **of_row: Any) -> dict[str, Any]:
    event = message_event(
        OTHER, EventType.SMS_QUEUED, MessageRow(**PLAIN | of_row), None, NOW + 5, is_refunded=is_refunded
    )
    assert isinstance(event.data, MessageData)
    told: dict[str, Any] = msgspec.json.decode(encode(event.data))
    return told


def test_a_text_of_which_nothing_more_is_known_is_told_with_empty_fields() -> None:
    assert _told() == NOTHING


@pytest.mark.parametrize(
    ("of_row", "told"),
    [
        ({"segment_reports": '[{"letter":"s"}]', "segments": 1}, {"segments_sent": 1}),
        ({"line_id": OTHER}, {"line_id": f"lin_{OTHER}"}),
        ({"device_id": OTHER}, {"device_id": f"dev_{OTHER}"}),
        ({"conversation_id": OTHER}, {"conversation_id": f"cnv_{OTHER}"}),
        ({"batch_id": OTHER}, {"batch_id": f"bat_{OTHER}"}),
        ({"retry_of": OTHER}, {"retry_of": f"msg_{OTHER}"}),
        ({"error_code": "RESULT_ERROR_NONE"}, {"error_code": "RESULT_ERROR_NONE"}),
        ({"metadata_json": '{"order":"7"}'}, {"metadata": {"order": "7"}}),
        ({"scheduled_at": NOW + 1}, {"scheduled_at": rfc3339(NOW + 1)}),
        ({"sent_at": NOW + 2}, {"sent_at": rfc3339(NOW + 2)}),
        ({"delivered_at": NOW + 3}, {"delivered_at": rfc3339(NOW + 3)}),
        ({"is_refunded": True}, {"refunded": True}),
    ],
    ids=lambda given: next(iter(given)),
)
def test_each_field_is_told_when_it_alone_is_set(of_row: dict[str, Any], told: dict[str, Any]) -> None:
    assert _told(**of_row) == NOTHING | told


def test_a_reason_is_told_with_its_sentence() -> None:
    told = _told(reason="no_service")
    assert told["reason"] == "no_service"
    assert told["explanation"]
    assert told | {"reason": None, "explanation": None} == NOTHING
