"""Sample events, for the test button and for trying a template: invented, but shaped like the real ones."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hub.core.clock import UtcMs, rfc3339
from hub.core.events import (
    DATA_OF,
    Data,
    DeviceData,
    EndpointData,
    EventType,
    MediaData,
    MessageData,
    MissedCallData,
    MmsData,
    ReceivedData,
    SimChangedData,
    SimData,
    encode,
)
from hub.core.ids import first_id_at, render
from hub.core.ports import EventView

_ID = first_id_at(0)
_DEVICE, _LINE, _THREAD = render("device", _ID), render("line", _ID), render("conversation", _ID)
_MESSAGE, _ENDPOINT, _MEDIUM = render("message", _ID), render("endpoint", _ID), render("media", _ID)
_PICTURE = f"https://hub.example/media/{render('account', _ID)}/{_MEDIUM}?expires=0&signature=test"
OURS, THEIRS = "+15550100", "+15550123"
"""Numbers that are nobody's (ITU-T E.164: 555-0100 to 555-0199 are for fiction)."""


def sample_data(event: EventType, now: UtcMs) -> Data:
    """`data` of an invented event."""
    at = rfc3339(now)
    shape = DATA_OF[event]
    if shape is MessageData:
        return _message(event, at)
    if shape is DeviceData:
        return DeviceData(device_id=_DEVICE, name="Test phone", last_seen_at=at, battery_percent=80, is_charging=False)
    if shape is EndpointData:
        return EndpointData(endpoint_id=_ENDPOINT, url="https://example.com/hooks", state="active", waiting=0)
    return _others(at)[shape]


def _message(event: EventType, at: str) -> MessageData:
    status = event.value.partition(":")[2]
    is_failure = status in ("failed", "undelivered", "expired", "dead_letter")
    return MessageData(
        id=_MESSAGE,
        status=status,
        to=THEIRS,
        from_=OURS,
        text="This is a test.",
        encoding="gsm7",
        segments=1,
        line_id=_LINE,
        device_id=_DEVICE,
        slot=0,
        conversation_id=_THREAD,
        reason="test" if is_failure else None,
        explanation="This is a test; nothing was sent." if is_failure else None,
        created_at=at,
        changed_at=at,
    )


def _others(at: str) -> Mapping[type[Data], Data]:
    place: dict[str, Any] = {"line_id": _LINE, "device_id": _DEVICE, "slot": 0, "conversation_id": _THREAD}
    return MappingProxyType(
        {
            ReceivedData: ReceivedData(
                id=_MESSAGE, from_=THEIRS, to=OURS, text="This is a test.", received_at=at, **place
            ),
            MmsData: MmsData(
                id=_MESSAGE,
                from_=THEIRS,
                to=OURS,
                subject="Test",
                media=(MediaData(id=_MEDIUM, content_type="image/png", name="test.png", size_bytes=68, url=_PICTURE),),
                received_at=at,
                **place,
            ),
            MissedCallData: MissedCallData(id=_MESSAGE, from_=THEIRS, to=OURS, called_at=at, **place),
            SimChangedData: SimChangedData(
                device_id=_DEVICE, sims=(SimData(slot=0, line_id=_LINE, number=OURS, carrier="Test"),), changed_at=at
            ),
        }
    )


def sample_event(event: EventType, event_id: str, account_id: str, now: UtcMs) -> EventView:
    """An invented event as a format is given it. Its number is 0, which no real one has."""
    return EventView(
        event_id=event_id,
        seq=0,
        type=event,
        account_id=account_id,
        occurred_at=now,
        data=encode(sample_data(event, now)).encode(),
        device_id=_ID,
        line_id=_ID,
        message_id=_ID,
    )
